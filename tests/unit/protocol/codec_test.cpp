#include "protocol/wire/codec.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/protocol/message_generator.hpp"

namespace fw::wire {
namespace {

using testing::HasSubstr;

// Through the bytes and back, on one connection.
Result<Message> through(Codec& from, Codec& to, const Message& message) {
  auto bytes = from.encode(message);
  if (!bytes) return bytes.error();
  const auto frame = parse_frame(*bytes);
  if (!frame) return frame.error();
  return to.decode(*frame);
}

Result<Message> through(const Message& message) {
  Codec from, to;
  return through(from, to, message);
}

class EveryMessage : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Codec, EveryMessage, testing::Range(std::size_t{0}, std::variant_size_v<Message>));

TEST_P(EveryMessage, comes_back_as_it_was) {
  test::Random random(GetParam() + 1);
  for (int i = 0; i < 30; ++i) {
    const auto message = test::random_message(random, GetParam());
    const auto back = through(message);
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(*back, message);
  }
}

TEST_P(EveryMessage, cut_at_any_byte_is_an_error) {
  test::Random random(GetParam() + 100);
  const auto bytes = Codec().encode(test::random_message(random, GetParam())).value();
  for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(parse_frame(ByteView(bytes).first(n))) << n;
}

TEST_P(EveryMessage, with_any_bit_flipped_is_an_error) {
  test::Random random(GetParam() + 200);
  auto bytes = Codec().encode(test::random_message(random, GetParam())).value();
  bytes.resize(std::min<std::size_t>(bytes.size(), 400));   // a CRC per bit: larger frames only cost time
  const auto payload = ByteView(bytes).subspan(limits::kFrameHeaderBytes);
  auto header = parse_frame(Codec().encode(wire::Message(Ack{1})).value()).value().header;
  header.wire_bytes = header.uncompressed_bytes = static_cast<std::uint32_t>(payload.size());
  header.payload_crc32c = crc32c(payload);
  const auto encoded = encode_header(header);
  std::copy(encoded.begin(), encoded.end(), bytes.begin());
  ASSERT_TRUE(parse_frame(bytes));
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const auto mask = static_cast<std::uint8_t>(1U << (bit % 8));
    bytes[bit / 8] ^= mask;
    ASSERT_FALSE(parse_frame(bytes)) << bit;
    bytes[bit / 8] ^= mask;
  }
}

// The checksums protect against accidents, not against a peer that computes them: behind them, any bytes must be harmless.
TEST_P(EveryMessage, with_any_byte_changed_behind_the_checksum_is_an_error_or_a_message) {
  test::Random random(GetParam() + 300);
  const auto bytes = Codec().encode(test::random_message(random, GetParam())).value();
  const auto good = parse_frame(bytes).value();
  Bytes payload(good.payload.begin(), good.payload.end());
  std::size_t refused = 0;
  for (std::size_t i = 0; i < std::min<std::size_t>(payload.size(), 400); ++i) {
    const auto before = payload[i];
    payload[i] = static_cast<std::uint8_t>(random());
    const auto message = Codec().decode(Frame{good.header, payload});
    if (message) {
      EXPECT_TRUE(check(*message));  // what comes out keeps the rules
    } else {
      ++refused;
      EXPECT_FALSE(message.error().context.empty());
    }
    payload[i] = before;
  }
  EXPECT_GT(refused, 0U);
}

Events some_events(std::size_t count) {
  Events events;
  events.seq = 1;
  events.entities.push_back(EntityEntry{1, EntityKind::node, 0, 0, "", "n", "", "", "", ""});
  events.events.resize(count, Event{1, 5, Lost{"ring", 1}});
  return events;
}

OomKill& first_kill(Events& events) {
  events.events.front().body = OomKill{};
  return std::get<OomKill>(events.events.front().body);
}

struct Rule {
  const char* name;
  Message good;
  Message bad;
  Errc errc;
  const char* context;
};

template <class T>
Message changed(T message, const std::function<void(T&)>& change) {
  change(message);
  return message;
}

Hello valid_hello() {
  Hello hello;
  hello.stream_id.bytes[0] = 1;
  return hello;
}

std::vector<Rule> rules() {
  const auto hello = [](const std::function<void(Hello&)>& f) { return changed<Hello>(valid_hello(), f); };
  const auto events = [](const std::function<void(Events&)>& f) { return changed<Events>(some_events(2), f); };
  return {
      {"text limit", hello([](Hello& h) { h.node_name.assign(limits::kMaxLabelBytes, 'x'); }),
       hello([](Hello& h) { h.node_name.assign(limits::kMaxLabelBytes + 1, 'x'); }), Errc::too_large, "hello: node_name: 4097 bytes"},
      {"utf-8", hello([](Hello& h) { h.node_name = "é"; }), hello([](Hello& h) { h.node_name = "\xff"; }), Errc::malformed, "node_name: not UTF-8"},
      {"lacking count", hello([](Hello& h) { h.lacking.resize(limits::kMaxLacking); }),
       hello([](Hello& h) { h.lacking.resize(limits::kMaxLacking + 1); }), Errc::too_large, "hello: lacking: 65"},
      {"stream id", hello([](Hello&) {}), hello([](Hello& h) { h.stream_id = Uuid{}; }), Errc::malformed, "stream_id"},
      {"sample period", Welcome{{}, 0, 1, 1, 0}, Welcome{{}, 0, 0, 1, 0}, Errc::malformed, "sample_period_ms"},
      {"focus count", Focus{std::vector<std::uint64_t>(limits::kMaxEntitiesPerNode), 1},
       Focus{std::vector<std::uint64_t>(limits::kMaxEntitiesPerNode + 1), 1}, Errc::too_large, "focus: cgroup_ids"},
      {"executor packet", ExecutorPacket{Bytes(1)}, ExecutorPacket{}, Errc::malformed, "executor: bytes: none"},
      {"size of an executor packet", ExecutorPacket{Bytes(limits::kMaxExecutorPacketBytes)}, ExecutorPacket{Bytes(limits::kMaxExecutorPacketBytes + 1)},
       Errc::too_large, "executor: bytes: 163841"},
      {"probe id", Probe{1, "kind", "", {}, 1}, Probe{0, "kind", "", {}, 1}, Errc::malformed, "probe: id: 0"},
      {"probe kind", Probe{1, std::string(limits::kMaxProbeKindBytes, 'k'), "", {}, 1}, Probe{1, "../kind", "", {}, 1}, Errc::malformed, "not a word"},
      {"probe kind size", Probe{1, "k", "", {}, 1}, Probe{1, std::string(limits::kMaxProbeKindBytes + 1, 'k'), "", {}, 1}, Errc::too_large, "probe: kind"},
      {"probe target", Probe{1, "k", std::string(limits::kMaxLabelBytes, 'x'), {}, 1}, Probe{1, "k", std::string("a\0b", 3), {}, 1}, Errc::malformed, "target"},
      {"probe deadline", Probe{1, "k", "", {}, 60'000}, Probe{1, "k", "", {}, 60'001}, Errc::malformed, "deadline_ms"},
      {"probe arguments", Probe{1, "k", "", std::vector<ProbeArgument>(limits::kMaxProbeArguments), 1},
       Probe{1, "k", "", std::vector<ProbeArgument>(limits::kMaxProbeArguments + 1), 1}, Errc::too_large, "arguments"},
      {"probe value", Probe{1, "k", "", {{"n", std::string(limits::kMaxProbeValueBytes, 'v')}}, 1},
       Probe{1, "k", "", {{"n", std::string(limits::kMaxProbeValueBytes + 1, 'v')}}, 1}, Errc::too_large, "value"},
      {"probe result", ProbeResult{1, ProbeStatus::done, std::string(limits::kMaxProbeResultBytes, 'x')},
       ProbeResult{1, ProbeStatus::done, std::string(limits::kMaxProbeResultBytes + 1, 'x')}, Errc::too_large, "probe_result: text"},
      {"seq", events([](Events& e) { e.seq = 1; }), events([](Events& e) { e.seq = 0; }), Errc::malformed, "seq: 0"},
      {"seq fits SQL", events([](Events& e) { e.seq = INT64_MAX; }), events([](Events& e) { e.seq = 1ULL << 63U; }), Errc::malformed, "out of range"},
      {"event time", events([](Events& e) { e.events[0].time_ns = limits::kMaxWallNs; }),
       events([](Events& e) { e.events[0].time_ns = limits::kMaxWallNs + 1; }), Errc::malformed, "event 0: time_ns"},
      {"no time before the epoch", events([](Events& e) { e.events[0].time_ns = 0; }), events([](Events& e) { e.events[0].time_ns = -1; }),
       Errc::malformed, "event 0: time_ns"},
      {"clock of a hello", hello([](Hello& h) { h.wall_time_ns = limits::kMaxWallNs; }), hello([](Hello& h) { h.wall_time_ns = INT64_MIN; }),
       Errc::malformed, "wall_time_ns"},
      {"clock of a pong", Pong{1, limits::kMaxWallNs}, Pong{1, INT64_MIN}, Errc::malformed, "wall_time_ns"},
      {"event count", Message(some_events(limits::kMaxEventsPerFrame)), Message(some_events(limits::kMaxEventsPerFrame + 1)), Errc::too_large,
       "events: 1001 entries"},
      {"entity of an event", events([](Events& e) { e.events[1].entity_id = 0; }), events([](Events& e) { e.events[1].entity_id = 2; }),
       Errc::malformed, "event 1: entity_id"},
      {"an oom kill belongs to an entity", events([](Events& e) { first_kill(e); }),
       events([](Events& e) { first_kill(e); e.events.front().entity_id = 0; }), Errc::malformed, "event 0: entity_id"},
      {"parent", events([](Events& e) { e.entities.push_back({2, EntityKind::pod, 1, 0, "", "", "", "", "", ""}); }),
       events([](Events& e) { e.entities.push_back({2, EntityKind::pod, 3, 0, "", "", "", "", "", ""}); }), Errc::malformed, "parent_id"},
      {"entity twice", events([](Events&) {}), events([](Events& e) { e.entities.push_back(e.entities.front()); }), Errc::malformed, "twice"},
      {"entity id", events([](Events&) {}), events([](Events& e) { e.entities.push_back(EntityEntry{}); }), Errc::malformed, "id: 0"},
      {"entity kind", events([](Events& e) { e.entities[0].kind = EntityKind::cgroup; }),
       events([](Events& e) { e.entities[0].kind = static_cast<EntityKind>(9); }), Errc::malformed, "kind: value 9"},
      {"comm", events([](Events& e) { first_kill(e).victim.comm.assign(15, 'c'); }),
       events([](Events& e) { first_kill(e).victim.comm.assign(16, 'c'); }), Errc::too_large, "event 0: oom_kill: victim: comm: 16 bytes"},
      {"top processes", events([](Events& e) { first_kill(e).top_processes.resize(limits::kMaxTopProcesses); }),
       events([](Events& e) { first_kill(e).top_processes.resize(limits::kMaxTopProcesses + 1); }), Errc::too_large,
       "event 0: oom_kill: top_processes: 9 entries, at most 8"},
      {"oom score", events([](Events& e) { first_kill(e).oom_score_adj = -1000; }), events([](Events& e) { first_kill(e).oom_score_adj = -1001; }),
       Errc::malformed, "oom_score_adj"},
      {"kills", events([](Events& e) { first_kill(e).kills_total = 1; }), events([](Events& e) { first_kill(e).kills_total = 0; }), Errc::malformed,
       "kills_total"},
      {"exit code", events([](Events& e) { e.events[0].body = ProcessExit{{}, 255, 64, false}; }),
       events([](Events& e) { e.events[0].body = ProcessExit{{}, 256, 0, false}; }), Errc::malformed, "exit_code"},
      {"exit signal", events([](Events& e) { e.events[0].body = ProcessExit{{}, 0, 64, false}; }),
       events([](Events& e) { e.events[0].body = ProcessExit{{}, 0, 65, false}; }), Errc::malformed, "signal"},
      {"signal", events([](Events& e) { e.events[0].body = ProcessSignal{{}, 1, false, {}, 0, 0}; }),
       events([](Events& e) { e.events[0].body = ProcessSignal{{}, 0, false, {}, 0, 0}; }), Errc::malformed, "signal"},
      {"absent is no value", events([](Events& e) { first_kill(e).limit_bytes = std::nullopt; }),
       events([](Events& e) { first_kill(e).limit_bytes = std::numeric_limits<std::int64_t>::min(); }), Errc::malformed, "limit_bytes"},
  };
}

TEST(CodecRules, each_limit_is_accepted_and_one_beyond_is_a_named_error) {
  for (const auto& rule : rules()) {
    const auto good = through(rule.good);
    EXPECT_TRUE(good) << rule.name << ": " << good.error().message();
    if (good) { EXPECT_EQ(*good, rule.good) << rule.name; }
    const auto bad = through(rule.bad);
    ASSERT_FALSE(bad) << rule.name;
    EXPECT_EQ(bad.error().code, rule.errc) << rule.name;
    EXPECT_THAT(bad.error().message(), HasSubstr(rule.context)) << rule.name;
  }
}

TEST(Codec, differences_follow_a_changing_node_tick_by_tick) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    test::SampleWorld world(seed);
    Codec from, to;
    for (int tick = 0; tick < 10; ++tick) {
      const Message samples = world.next_tick();
      const auto back = through(from, to, samples);
      ASSERT_TRUE(back) << "seed " << seed << " tick " << tick << ": " << back.error().message();
      ASSERT_EQ(*back, samples) << "seed " << seed << " tick " << tick;
    }
  }
}

TEST(Codec, a_frame_that_is_too_large_leaves_the_sample_state_as_it_was) {
  test::SampleWorld world(3);
  Codec from, to;
  ASSERT_TRUE(through(from, to, world.next_tick()));
  const auto second = world.next_tick();
  auto too_large = second;
  test::Random random(1);
  for (std::uint32_t i = 0; i < 400; ++i) {  // names that do not compress
    EntityEntry entry{1'000'000 + i, EntityKind::cgroup, 0, 0, "", "", "", "", "", ""};
    for (int c = 0; c < 4096; ++c) entry.name += static_cast<char>(' ' + random() % 95);
    too_large.entities.push_back(entry);
  }
  const auto refused = from.encode(too_large);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::too_large);
  const auto back = through(from, to, second);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(*back, Message(second));
}

TEST(Codec, self_contained_samples_do_not_touch_the_connection) {
  test::SampleWorld world(4), spooled(5);
  Codec from, to;
  ASSERT_TRUE(through(from, to, world.next_tick()));
  auto block = spooled.next_tick();
  block.self_contained = true;
  const auto back = through(from, to, block);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(*back, Message(block));
  const Message next = world.next_tick();
  EXPECT_EQ(through(from, to, next).value(), next);
}

TEST(Codec, a_difference_needs_the_tick_that_it_continues) {
  test::SampleWorld world(6);
  Codec from, to;
  ASSERT_TRUE(through(from, to, world.next_tick()));
  ASSERT_TRUE(from.encode(world.next_tick()));  // lost on the way
  const auto third = through(from, to, world.next_tick());
  ASSERT_FALSE(third);
  EXPECT_THAT(third.error().message(), HasSubstr("which was not the last one"));
}

TEST(Codec, large_messages_travel_compressed) {
  test::Random random(1);
  const auto bytes = Codec().encode(some_events(500)).value();
  const auto frame = parse_frame(bytes).value();
  EXPECT_EQ(frame.header.flags, kFlagCompressed);
  EXPECT_LT(frame.header.wire_bytes * 10, frame.header.uncompressed_bytes);
}

}  // namespace
}  // namespace fw::wire
