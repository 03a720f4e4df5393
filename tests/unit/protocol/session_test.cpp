#include "protocol/session/session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/protocol/message_generator.hpp"

namespace fw::session {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using wire::Message;

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kHandshake = limits::kHandshakeTimeout.count() * kSecond;
constexpr std::uint64_t kIdle = limits::kIdleTimeout.count() * kSecond;
constexpr std::uint64_t kPing = limits::kPingPeriod.count() * kSecond;
constexpr std::int64_t kAggregatorAheadNs = 7'000'000;

wire::Hello hello(std::uint64_t acknowledged = 0) {
  wire::Hello h;
  h.features = wire::kFeatureExecutor | wire::kFeatureProbes;
  h.stream_id.bytes[0] = 1;
  h.acknowledged_seq = acknowledged;
  return h;
}

wire::Events events(std::uint64_t seq) {
  wire::Events e;
  e.seq = seq;
  e.events.push_back(wire::Event{0, 1, wire::Lost{"ring", 1}});
  return e;
}

wire::Bytes frame(const Message& message) { return wire::Codec().encode(message).value(); }

// Both ends, joined by a link that the test carries bytes over.
class SessionTest : public testing::Test {
 protected:
  Now at_agent() const { return {now_ns, static_cast<std::int64_t>(now_ns)}; }
  Now at_aggregator() const { return {now_ns, static_cast<std::int64_t>(now_ns) + kAggregatorAheadNs}; }

  Output to_aggregator(const Output& from) { return aggregator.on_bytes(from.write, at_aggregator()); }
  Output to_agent(const Output& from) { return agent.on_bytes(from.write, at_agent()); }

  void shake_hands(std::uint64_t acknowledged = 0) {
    to_aggregator(agent.start(at_agent()));
    const auto welcome = aggregator.welcome(wire::Welcome{{}, acknowledged}, at_aggregator()).value();
    auto answer = to_agent(welcome);               // Welcome and Ping in, Pong and Ping out
    to_agent(to_aggregator(answer));               // Pong and Ping in, Pong out
    ASSERT_TRUE(agent.ready());
    ASSERT_TRUE(aggregator.ready());
  }

  std::uint64_t now_ns = 100 * kSecond;
  AgentSession agent{hello(), at_agent()};
  AggregatorSession aggregator{at_aggregator()};
};

void expect_closed(const Output& out, Errc errc, const char* text) {
  ASSERT_TRUE(out.close);
  EXPECT_EQ(out.close->code, errc);
  EXPECT_THAT(out.close->message(), HasSubstr(text));
}

TEST_F(SessionTest, hello_is_answered_by_welcome) {
  const auto hello_out = to_aggregator(agent.start(at_agent()));
  ASSERT_THAT(hello_out.messages, SizeIs(1));
  EXPECT_EQ(hello_out.messages[0], Message(hello()));
  EXPECT_FALSE(aggregator.ready());
  const auto welcome = aggregator.welcome(wire::Welcome{{}, 41}, at_aggregator());
  ASSERT_TRUE(welcome);
  const auto out = to_agent(*welcome);
  ASSERT_THAT(out.messages, SizeIs(1));
  EXPECT_TRUE(std::holds_alternative<wire::Welcome>(out.messages[0]));
  EXPECT_TRUE(agent.ready());
  EXPECT_EQ(agent.acknowledged_seq(), 41U);
}

TEST_F(SessionTest, both_ends_learn_the_other_clock_at_once) {
  shake_hands();
  ASSERT_TRUE(agent.peer_clock());
  ASSERT_TRUE(aggregator.peer_clock());
  EXPECT_EQ(agent.peer_clock()->offset_ns, kAggregatorAheadNs);
  EXPECT_EQ(aggregator.peer_clock()->offset_ns, -kAggregatorAheadNs);
  EXPECT_EQ(agent.peer_clock()->error_ns, 0);
}

TEST_F(SessionTest, the_clock_error_is_half_of_the_round_trip) {
  shake_hands();
  now_ns += kPing;
  const auto ping = aggregator.on_timer(at_aggregator());
  now_ns += 4'000'000;
  const auto pong = to_agent(ping);
  now_ns += 2'000'000;
  to_aggregator(pong);
  EXPECT_EQ(aggregator.peer_clock()->error_ns, 3'000'000);
  EXPECT_EQ(aggregator.peer_clock()->offset_ns, -kAggregatorAheadNs + 1'000'000);
}

TEST_F(SessionTest, acknowledgements_are_cumulative) {
  shake_hands();
  for (const auto seq : {1U, 2U, 5U}) to_aggregator(agent.send_events(events(seq), at_agent()).value());
  EXPECT_EQ(agent.unacked_frames(), 3U);
  EXPECT_EQ(aggregator.unacked_frames(), 3U);
  const auto out = to_agent(aggregator.ack(2, at_aggregator()).value());
  EXPECT_THAT(out.messages, testing::ElementsAre(Message(wire::Ack{2})));
  EXPECT_EQ(agent.acknowledged_seq(), 2U);
  EXPECT_EQ(agent.unacked_frames(), 1U);
  EXPECT_EQ(aggregator.unacked_frames(), 1U);
  EXPECT_THAT(aggregator.ack(2, at_aggregator())->write, IsEmpty());   // nothing new
  EXPECT_EQ(aggregator.ack(6, at_aggregator()).error().code, Errc::invalid_argument);
}

TEST_F(SessionTest, the_agent_waits_when_too_many_frames_have_no_ack) {
  shake_hands();
  for (std::uint64_t seq = 1; seq <= limits::kMaxUnackedEventFrames; ++seq) to_aggregator(agent.send_events(events(seq), at_agent()).value());
  EXPECT_EQ(agent.send_events(events(1000), at_agent()).error().code, Errc::overloaded);
  to_agent(aggregator.ack(1, at_aggregator()).value());
  EXPECT_TRUE(agent.send_events(events(1000), at_agent()));
}

TEST_F(SessionTest, the_aggregator_cuts_off_an_agent_that_does_not_wait) {
  shake_hands();
  for (std::uint64_t seq = 1; seq <= limits::kMaxUnackedEventFrames; ++seq)
    EXPECT_FALSE(aggregator.on_bytes(frame(events(seq)), at_aggregator()).close);
  expect_closed(aggregator.on_bytes(frame(events(999)), at_aggregator()), Errc::too_large, "more event frames than may wait");
}

TEST_F(SessionTest, the_agent_does_not_send_a_seq_twice) {
  shake_hands(7);
  EXPECT_EQ(agent.send_events(events(7), at_agent()).error().code, Errc::conflict);
  EXPECT_TRUE(agent.send_events(events(9), at_agent()));
  EXPECT_EQ(agent.send_events(events(8), at_agent()).error().code, Errc::conflict);
}

TEST_F(SessionTest, an_aggregator_that_lost_its_store_does_not_take_the_agent_back) {
  agent = AgentSession(hello(20), at_agent());
  shake_hands(3);
  EXPECT_EQ(agent.acknowledged_seq(), 20U);
  EXPECT_EQ(agent.send_events(events(20), at_agent()).error().code, Errc::conflict);
  to_aggregator(agent.send_events(events(21), at_agent()).value());
  EXPECT_FALSE(to_agent(aggregator.ack(21, at_aggregator()).value()).close);
}

TEST_F(SessionTest, samples_travel_as_differences_and_come_back_whole) {
  shake_hands();
  test::SampleWorld world(1);
  for (int i = 0; i < 5; ++i) {
    const auto tick = world.next_tick();
    EXPECT_THAT(to_aggregator(agent.send_samples(tick, at_agent()).value()).messages, testing::ElementsAre(Message(tick)));
  }
}

TEST_F(SessionTest, slow_stops_samples_for_its_time_but_not_events) {
  shake_hands();
  test::SampleWorld world(2);
  to_agent(aggregator.slow(wire::Slow{2'000}, at_aggregator()).value());
  EXPECT_TRUE(agent.samples_paused(at_agent()));
  const auto tick = world.next_tick();
  EXPECT_EQ(agent.send_samples(tick, at_agent()).error().code, Errc::overloaded);
  EXPECT_TRUE(agent.send_events(events(1), at_agent()));
  now_ns += 2 * kSecond;
  EXPECT_FALSE(agent.samples_paused(at_agent()));
  EXPECT_TRUE(agent.send_samples(tick, at_agent()));
}

TEST_F(SessionTest, focus_reaches_the_agent) {
  shake_hands();
  const wire::Focus focus{{1, 2}, 60'000};
  EXPECT_THAT(to_agent(aggregator.focus(focus, at_aggregator()).value()).messages, testing::ElementsAre(Message(focus)));
}

TEST_F(SessionTest, executor_packets_go_both_ways) {
  const wire::ExecutorPacket packet{{'F', 'L', 'X', '1', 0, 255}};
  EXPECT_EQ(agent.send_executor(packet, at_agent()).error().code, Errc::conflict);
  EXPECT_EQ(aggregator.send_executor(packet, at_aggregator()).error().code, Errc::conflict);
  shake_hands();
  EXPECT_TRUE(aggregator.has_executor());
  EXPECT_THAT(to_aggregator(agent.send_executor(packet, at_agent()).value()).messages, testing::ElementsAre(Message(packet)));
  EXPECT_THAT(to_agent(aggregator.send_executor(packet, at_aggregator()).value()).messages, testing::ElementsAre(Message(packet)));
  EXPECT_EQ(agent.send_executor({}, at_agent()).error().code, Errc::malformed);
}

TEST_F(SessionTest, a_probe_goes_to_the_agent_and_its_result_comes_back) {
  const wire::Probe probe{7, "process_table", "4711", {}, 5'000};
  const wire::ProbeResult result{7, wire::ProbeStatus::done, "{}"};
  EXPECT_EQ(aggregator.send_probe(probe, at_aggregator()).error().code, Errc::conflict);
  EXPECT_EQ(agent.send_probe_result(result, at_agent()).error().code, Errc::conflict);
  shake_hands();
  EXPECT_TRUE(aggregator.answers_probes());
  EXPECT_THAT(to_agent(aggregator.send_probe(probe, at_aggregator()).value()).messages, testing::ElementsAre(Message(probe)));
  EXPECT_THAT(to_aggregator(agent.send_probe_result(result, at_agent()).value()).messages, testing::ElementsAre(Message(result)));
  expect_closed(agent.on_bytes(frame(result), at_agent()), Errc::malformed, "only an agent may send");
  expect_closed(aggregator.on_bytes(frame(probe), at_aggregator()), Errc::malformed, "only an aggregator may send");
}

TEST_F(SessionTest, a_node_that_answers_no_probes_gets_none) {
  auto plain = hello();
  plain.features = ~wire::kFeatureProbes;
  agent = AgentSession(plain, at_agent());
  shake_hands();
  EXPECT_EQ(aggregator.send_probe({7, "process_table", "", {}, 1}, at_aggregator()).error().code, Errc::unsupported);
  EXPECT_EQ(agent.send_probe_result({7, wire::ProbeStatus::done, "{}"}, at_agent()).error().code, Errc::conflict);
  expect_closed(agent.on_bytes(frame(wire::Probe{7, "k", "", {}, 1}), at_agent()), Errc::malformed, "does not answer");
  expect_closed(aggregator.on_bytes(frame(wire::ProbeResult{7, wire::ProbeStatus::done, ""}), at_aggregator()), Errc::malformed, "answers none");
}

TEST_F(SessionTest, a_node_without_an_executor_gets_no_packets_for_one) {
  auto plain = hello();
  plain.features = ~wire::kFeatureExecutor;
  agent = AgentSession(plain, at_agent());
  shake_hands();
  EXPECT_FALSE(aggregator.has_executor());
  EXPECT_EQ(aggregator.send_executor({{1}}, at_aggregator()).error().code, Errc::unsupported);
  EXPECT_EQ(agent.send_executor({{1}}, at_agent()).error().code, Errc::conflict);
  expect_closed(agent.on_bytes(frame(wire::ExecutorPacket{{1}}), at_agent()), Errc::malformed, "an executor that this node does not have");
  expect_closed(aggregator.on_bytes(frame(wire::ExecutorPacket{{1}}), at_aggregator()), Errc::malformed, "did not announce");
}

TEST_F(SessionTest, spooled_frames_are_checked_and_follow_the_same_rules) {
  shake_hands();
  test::SampleWorld world(3);
  auto block = world.next_tick();
  block.self_contained = true;
  EXPECT_THAT(to_aggregator(agent.send_spooled(frame(block), at_agent()).value()).messages, testing::ElementsAre(Message(block)));
  EXPECT_THAT(to_aggregator(agent.send_spooled(frame(events(4)), at_agent()).value()).messages, testing::ElementsAre(Message(events(4))));
  EXPECT_EQ(agent.send_spooled(frame(events(4)), at_agent()).error().code, Errc::conflict);
  block.self_contained = false;
  EXPECT_EQ(agent.send_spooled(frame(block), at_agent()).error().code, Errc::malformed);
  EXPECT_EQ(agent.send_spooled(frame(wire::Ack{1}), at_agent()).error().code, Errc::malformed);
  auto rotten = frame(events(5));
  rotten.back() ^= 1U;
  EXPECT_EQ(agent.send_spooled(rotten, at_agent()).error().code, Errc::malformed);
  EXPECT_TRUE(agent.ready());
}

TEST_F(SessionTest, goodbye_ends_both_sides_orderly) {
  shake_hands();
  const auto out = agent.goodbye("stopping \xff", at_agent());
  expect_closed(out, Errc::gone, "we said goodbye");
  const auto at_peer = to_aggregator(out);
  expect_closed(at_peer, Errc::gone, "the agent said goodbye: stopping ?");
  EXPECT_EQ(agent.send_events(events(1), at_agent()).error().code, Errc::gone);
  EXPECT_EQ(aggregator.ack(0, at_aggregator()).error().code, Errc::gone);
  EXPECT_THAT(aggregator.on_bytes(frame(events(1)), at_aggregator()).messages, IsEmpty());
  EXPECT_THAT(agent.goodbye("again", at_agent()).write, IsEmpty());
  EXPECT_EQ(agent.next_deadline_ns(), std::numeric_limits<std::uint64_t>::max());
}

TEST_F(SessionTest, the_handshake_has_a_deadline_on_both_sides) {
  agent.start(at_agent());
  EXPECT_EQ(agent.next_deadline_ns(), now_ns + kHandshake);
  EXPECT_EQ(aggregator.next_deadline_ns(), now_ns + kHandshake);
  now_ns += kHandshake - 1;
  EXPECT_FALSE(agent.on_timer(at_agent()).close);
  EXPECT_FALSE(aggregator.on_timer(at_aggregator()).close);
  now_ns += 1;
  expect_closed(agent.on_timer(at_agent()), Errc::timeout, "handshake");
  expect_closed(aggregator.on_timer(at_aggregator()), Errc::timeout, "handshake");
}

TEST_F(SessionTest, half_a_hello_does_not_stretch_the_deadline) {
  const auto bytes = frame(hello());
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_FALSE(aggregator.on_bytes(wire::ByteView(bytes).subspan(i, 1), at_aggregator()).close);
    now_ns += kHandshake / 5;
  }
  expect_closed(aggregator.on_bytes(wire::ByteView(bytes).subspan(5, 1), at_aggregator()), Errc::timeout, "handshake");
}

TEST_F(SessionTest, a_slow_store_uses_up_the_handshake_limit) {
  to_aggregator(agent.start(at_agent()));
  now_ns += kHandshake;
  expect_closed(aggregator.on_timer(at_aggregator()), Errc::timeout, "handshake");
  EXPECT_EQ(aggregator.welcome(wire::Welcome{}, at_aggregator()).error().code, Errc::gone);
}

TEST_F(SessionTest, pings_keep_a_quiet_connection_alive) {
  shake_hands();
  for (int i = 0; i < 20; ++i) {
    now_ns = std::min(agent.next_deadline_ns(), aggregator.next_deadline_ns());
    const auto from_agent = agent.on_timer(at_agent());
    const auto from_aggregator = aggregator.on_timer(at_aggregator());
    EXPECT_FALSE(from_agent.close || from_aggregator.close);
    const auto pong = to_agent(from_aggregator);
    const auto other_pong = to_aggregator(from_agent);
    EXPECT_FALSE(to_aggregator(pong).close || to_agent(other_pong).close);
  }
  EXPECT_GT(now_ns, 100 * kSecond + 3 * kIdle);
}

TEST_F(SessionTest, silence_ends_the_session) {
  shake_hands();
  now_ns += kIdle - 1;
  EXPECT_FALSE(agent.on_timer(at_agent()).close);
  now_ns += 1;
  expect_closed(agent.on_timer(at_agent()), Errc::timeout, "nothing received");
  expect_closed(aggregator.on_timer(at_aggregator()), Errc::timeout, "nothing received");
}

TEST_F(SessionTest, one_ping_is_on_its_way_at_a_time) {
  shake_hands();
  now_ns += kPing;
  EXPECT_FALSE(agent.on_timer(at_agent()).write.empty());
  now_ns += kPing;
  EXPECT_TRUE(agent.on_timer(at_agent()).write.empty());
  EXPECT_GT(agent.next_deadline_ns(), now_ns);   // and the timer does not spin
}

struct Violation {
  const char* name;
  bool established;
  Message message;
  const char* text;
};

TEST_F(SessionTest, the_aggregator_names_each_violation) {
  test::SampleWorld world(5);
  const std::vector<Violation> violations = {
      {"events before Hello", false, events(1), "a message before Hello"},
      {"ping before Hello", false, wire::Ping{1}, "a message before Hello"},
      {"second Hello", true, hello(), "a second Hello"},
      {"welcome from an agent", true, wire::Welcome{}, "only an aggregator may send"},
      {"ack from an agent", true, wire::Ack{1}, "only an aggregator may send"},
      {"slow from an agent", true, wire::Slow{1}, "only an aggregator may send"},
      {"focus from an agent", true, wire::Focus{}, "only an aggregator may send"},
      {"old seq", true, events(10), "event frame 10 after 10"},
      {"pong without ping", true, wire::Pong{99, 0}, "Pong without its Ping"},
  };
  for (const auto& violation : violations) {
    agent = AgentSession(hello(), at_agent());
    aggregator = AggregatorSession(at_aggregator());
    if (violation.established) shake_hands(10);
    const auto out = aggregator.on_bytes(frame(violation.message), at_aggregator());
    expect_closed(out, Errc::malformed, violation.text);
    EXPECT_THAT(out.messages, IsEmpty()) << violation.name;
  }
}

TEST_F(SessionTest, the_agent_names_each_violation) {
  const std::vector<Violation> violations = {
      {"ack before Welcome", false, wire::Ack{0}, "a message before Welcome"},
      {"second Welcome", true, wire::Welcome{}, "a second Welcome"},
      {"hello from an aggregator", true, hello(), "only an agent may send"},
      {"events from an aggregator", true, events(1), "only an agent may send"},
      {"ack of what was not sent", true, wire::Ack{11}, "Ack 11, which was not sent"},
      {"ack that goes back", true, wire::Ack{9}, "Ack 9 after Ack 10"},
      {"pong without ping", true, wire::Pong{99, 0}, "Pong without its Ping"},
  };
  for (const auto& violation : violations) {
    agent = AgentSession(hello(), at_agent());
    aggregator = AggregatorSession(at_aggregator());
    if (violation.established) shake_hands(10);
    expect_closed(agent.on_bytes(frame(violation.message), at_agent()), Errc::malformed, violation.text);
  }
}

TEST_F(SessionTest, data_between_hello_and_welcome_is_a_violation) {
  to_aggregator(agent.start(at_agent()));
  expect_closed(aggregator.on_bytes(frame(events(1)), at_aggregator()), Errc::malformed, "a message before Welcome");
}

TEST_F(SessionTest, nothing_is_sent_before_welcome) {
  agent.start(at_agent());
  EXPECT_EQ(agent.send_events(events(1), at_agent()).error().code, Errc::conflict);
  EXPECT_EQ(agent.send_samples(test::SampleWorld(1).next_tick(), at_agent()).error().code, Errc::conflict);
  EXPECT_EQ(aggregator.welcome(wire::Welcome{}, at_aggregator()).error().code, Errc::conflict);
  EXPECT_EQ(aggregator.slow(wire::Slow{1}, at_aggregator()).error().code, Errc::conflict);
}

TEST_F(SessionTest, what_came_before_the_error_is_handed_up) {
  shake_hands();
  auto bytes = frame(events(1));
  const auto bad = frame(wire::Ack{1});
  bytes.insert(bytes.end(), bad.begin(), bad.end());
  const auto out = aggregator.on_bytes(bytes, at_aggregator());
  EXPECT_THAT(out.messages, SizeIs(1));
  EXPECT_TRUE(out.close);
}

TEST_F(SessionTest, garbage_ends_the_session_by_name) {
  const wire::Bytes garbage(64, 'x');
  expect_closed(aggregator.on_bytes(garbage, at_aggregator()), Errc::malformed, "not a frame (magic)");
}

TEST_F(SessionTest, a_hello_that_cannot_be_sent_ends_the_session_at_its_start) {
  auto bad = hello();
  bad.node_name = "\xff";
  AgentSession session(bad, at_agent());
  expect_closed(session.start(at_agent()), Errc::malformed, "node_name");
}

}  // namespace
}  // namespace fw::session
