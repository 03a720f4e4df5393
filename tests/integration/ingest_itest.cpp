// Real sessions over loopback TLS against the real ingest and store: durability, duplicates, and peers that misbehave.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

#include "aggregator/ingest/ingest.hpp"
#include "common/log.hpp"
#include "tests/support/fake_agent.hpp"

namespace fw::ingest {
namespace {

using test::FakeAgent;
using test::TestPki;

class RecordingSink final : public Sink {
 public:
  void on_connected(Connected) override {}
  void on_disconnected(const Uuid&, const Uuid&) override {
    const std::lock_guard lock(mutex_);
    ++disconnected_;
    changed_.notify_all();
  }
  void on_entities(const Uuid&, std::vector<fleet::EntityPtr>, std::vector<fleet::EntityKey>) override {}
  void on_events(const Uuid& node, std::vector<fleet::NodeEventPtr> events) override {
    const std::lock_guard lock(mutex_);
    for (const auto& event : events) events_.emplace_back(node, event);
    changed_.notify_all();
  }
  void on_clock(const Uuid&, ClockOf) override {}
  void on_lost_samples(const Uuid&, std::uint64_t) override {}
  std::size_t backlog() const noexcept override {
    ++asked_;
    return backlog_.load();
  }

  void pretend_backlog(std::size_t facts) { backlog_ = facts; }
  // Until sessions have asked for the backlog so many times more.
  bool wait_asked(int times) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (const int until = asked_ + times; asked_ < until;) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }
  bool wait_disconnected(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return disconnected_ >= count; });
  }
  std::vector<std::pair<Uuid, fleet::NodeEventPtr>> events() {
    const std::lock_guard lock(mutex_);
    return events_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<Uuid, fleet::NodeEventPtr>> events_;
  int disconnected_ = 0;
  std::atomic<std::size_t> backlog_{0};
  mutable std::atomic<int> asked_{0};
};

class IngestTest : public testing::Test {
 protected:
  IngestTest() {
    log::set_output([](log::Level, std::string_view) {});
    store_ = store::open_store({.url = "sqlite://" + pki_.folder() + "/store.db"}).value();
    start({});
  }
  ~IngestTest() override {
    ingest_.reset();
    store_.reset();
    std::filesystem::remove_all(pki_.folder());
    log::set_output({});
  }
  void start(Limits limits) {
    ingest_.reset();
    Config config;
    config.address = "127.0.0.1";
    config.tls = pki_.server();
    config.shards = 2;
    config.limits = limits;
    ingest_ = Ingest::open(config, {.store = *store_, .sink = sink_, .metrics = metrics_, .clock = clock_}).value();
    ingest_->start();
  }
  FakeAgent agent(const Uuid& node, TestPki::Kind kind = TestPki::Kind::good, std::uint64_t acknowledged = 0) {
    return FakeAgent(ingest_->port(), pki_.node(node, kind), stream_, acknowledged);
  }
  // Errors are counted after the connection is closed.
  bool counted(std::string_view reason) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (metrics_.value(Metric::ingest_errors, {reason}) < 1) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  TestPki pki_{(std::filesystem::temp_directory_path() / ("fw-ingest-" + std::to_string(::getpid()) + "-" + make_uuid_v4().str())).string()};
  SystemClock clock_;
  Metrics metrics_;
  RecordingSink sink_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Ingest> ingest_;
  const Uuid node_a_ = make_uuid_v4(), node_b_ = make_uuid_v4(), stream_ = make_uuid_v4();
};

TEST_F(IngestTest, acknowledged_events_are_durable_and_stamped_with_the_certificates_node) {
  auto a = agent(node_a_);
  ASSERT_TRUE(a.connect());
  for (std::uint64_t seq = 1; seq <= 20; ++seq) ASSERT_TRUE(a.send(FakeAgent::oom_frame(seq)));
  ASSERT_TRUE(a.wait_ack(20));
  const auto stored = *store_->events_since(0, 100);
  ASSERT_EQ(stored.size(), 20U);
  for (const auto& event : stored) EXPECT_EQ(event.node, node_a_);
  EXPECT_EQ(metrics_.value(Metric::ingest_events), 20);
}

TEST_F(IngestTest, what_is_sent_again_is_acknowledged_and_not_stored_twice) {
  {
    auto a = agent(node_a_);
    ASSERT_TRUE(a.connect());
    ASSERT_TRUE(a.send(FakeAgent::oom_frame(1)));
    ASSERT_TRUE(a.wait_ack(1));
  }
  auto again = agent(node_a_);
  ASSERT_TRUE(again.connect());
  EXPECT_EQ(again.session().acknowledged_seq(), 1U) << "the Welcome says what is durable";
  ASSERT_TRUE(again.send(FakeAgent::oom_frame(2)));
  ASSERT_TRUE(again.wait_ack(2));
  EXPECT_EQ(store_->events_since(0, 100)->size(), 2U);
  EXPECT_EQ(sink_.events().size(), 2U);
}

TEST_F(IngestTest, sessions_stop_reading_while_the_rest_of_the_aggregator_is_behind) {
  start({.sink_backlog = 10});
  auto a = agent(node_a_);
  ASSERT_TRUE(a.connect());
  ASSERT_TRUE(a.send(FakeAgent::oom_frame(1)));
  ASSERT_TRUE(a.wait_ack(1));
  sink_.pretend_backlog(11);
  ASSERT_TRUE(a.send(FakeAgent::oom_frame(2)));
  ASSERT_TRUE(a.wait_ack(2)) << "the read that was under way";
  ASSERT_TRUE(a.send(FakeAgent::oom_frame(3)));
  EXPECT_TRUE(sink_.wait_asked(5));
  EXPECT_EQ(sink_.events().size(), 2U) << "read while nobody could take it";
  sink_.pretend_backlog(10);
  EXPECT_TRUE(a.wait_ack(3));
}

TEST_F(IngestTest, says_whether_agents_are_taken) {
  EXPECT_EQ(ingest_->not_accepting(), "");
  ingest_->stop();
  EXPECT_EQ(ingest_->not_accepting(), "the listener is closed");
}

TEST_F(IngestTest, a_newer_session_of_a_node_replaces_the_older) {
  auto old_one = agent(node_a_), new_one = agent(node_a_);
  ASSERT_TRUE(old_one.connect());
  ASSERT_TRUE(new_one.connect());
  EXPECT_EQ(old_one.wait_end().code, Errc::gone);
  ASSERT_TRUE(new_one.send(FakeAgent::oom_frame(1)));
  EXPECT_TRUE(new_one.wait_ack(1));
}

TEST_F(IngestTest, windows_are_read_back_from_the_nodes_shard) {
  auto a = agent(node_a_);
  ASSERT_TRUE(a.connect());
  wire::Samples samples;
  samples.tick = 1;
  samples.time_ns = clock_.wall_ns();
  samples.entities = FakeAgent::oom_frame(1).entities;
  samples.metrics.push_back({.id = 1, .name = "memory_current_bytes", .unit = "bytes", .kind = wire::MetricKind::gauge});
  samples.columns.push_back({.metric_id = 1, .entity_ids = {1}, .values = {42}});
  ASSERT_TRUE(a.send(samples));
  ASSERT_TRUE(a.send(FakeAgent::oom_frame(1)));
  ASSERT_TRUE(a.wait_ack(1));
  std::promise<std::vector<series::Series>> answer;
  ingest_->read_series(node_a_, {{.cgroup_id = 100, .metrics = {}, .spacing = {}}}, 0, INT64_MAX,
                       [&](std::vector<series::Series> found) { answer.set_value(std::move(found)); });
  const auto found = answer.get_future().get();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].points.at(0).value, 42);
}

// Each misbehaviour ends its own session with a named reason; the healthy one beside it goes on.
struct Hostile {
  const char* name;
  const char* reason;
  TestPki::Kind certificate;
  std::function<void(FakeAgent&)> attack;
};

class HostileTest : public IngestTest, public testing::WithParamInterface<Hostile> {};

TEST_P(HostileTest, ends_alone_and_is_named) {
  auto healthy = agent(node_b_);
  ASSERT_TRUE(healthy.connect());
  ASSERT_TRUE(healthy.send(FakeAgent::oom_frame(1)));
  ASSERT_TRUE(healthy.wait_ack(1));

  auto hostile = agent(node_a_, GetParam().certificate);
  GetParam().attack(hostile);
  EXPECT_TRUE(counted(GetParam().reason)) << metrics_.text();

  ASSERT_TRUE(healthy.send(FakeAgent::oom_frame(2)));
  EXPECT_TRUE(healthy.wait_ack(2));
  for (const auto& [node, event] : sink_.events()) EXPECT_EQ(node, node_b_);
}

void send_after_hello(FakeAgent& agent, const wire::Bytes& bytes) {
  ASSERT_TRUE(agent.connect());
  static_cast<void>(agent.send_raw(bytes));
  EXPECT_NE(agent.wait_end().code, std::error_code());
}

wire::Bytes damaged_frame() {
  wire::Codec codec;
  wire::Bytes bytes = codec.encode(FakeAgent::oom_frame(1)).value();
  bytes.back() ^= 1;
  return bytes;
}

// A control message of one struct inside the other, 100 deep, with right checksums.
wire::Bytes nested_frame() {
  std::vector<std::uint64_t> words = {0, 1ULL << 48 | 1ULL << 32, 3};
  for (int i = 0; i < 100; ++i) words.push_back(1ULL << 48);
  words.push_back(0);
  words[0] = static_cast<std::uint64_t>(words.size() - 1) << 32;
  wire::Bytes payload(words.size() * 8);
  std::memcpy(payload.data(), words.data(), payload.size());
  const auto size = static_cast<std::uint32_t>(payload.size());
  const auto header = wire::encode_header({.kind = wire::FrameKind::control, .flags = 0, .wire_bytes = size, .uncompressed_bytes = size,
                                           .payload_crc32c = wire::crc32c(payload)});
  wire::Bytes frame(header.begin(), header.end());
  frame.insert(frame.end(), payload.begin(), payload.end());
  return frame;
}

// A header that is whole and promises more than a frame may hold; nothing of it is ever allocated.
wire::Bytes announcement(std::uint32_t wire_bytes, std::uint32_t uncompressed_bytes) {
  const auto header = wire::encode_header({.kind = wire::FrameKind::events, .flags = wire::kFlagCompressed, .wire_bytes = wire_bytes,
                                           .uncompressed_bytes = uncompressed_bytes, .payload_crc32c = 0});
  return {header.begin(), header.end()};
}

INSTANTIATE_TEST_SUITE_P(
    Table, HostileTest,
    testing::Values(Hostile{"garbage", "malformed", TestPki::Kind::good, [](FakeAgent& a) { send_after_hello(a, wire::Bytes(4'096, 0xa5)); }},
                    Hostile{"damaged_frame", "malformed", TestPki::Kind::good, [](FakeAgent& a) { send_after_hello(a, damaged_frame()); }},
                    Hostile{"huge_frame", "too_large", TestPki::Kind::good, [](FakeAgent& a) { send_after_hello(a, announcement(1U << 30U, 1U << 30U)); }},
                    Hostile{"zstd_bomb", "too_large", TestPki::Kind::good, [](FakeAgent& a) { send_after_hello(a, announcement(64, 1U << 31U)); }},
                    Hostile{"over_nested", "malformed", TestPki::Kind::good, [](FakeAgent& a) { send_after_hello(a, nested_frame()); }},
                    Hostile{"tls_1_2", "tls", TestPki::Kind::good,
                            [](FakeAgent& a) {
                              a.limit_to_tls_1_2();
                              EXPECT_FALSE(a.connect());
                            }},
                    Hostile{"no_hello", "malformed", TestPki::Kind::good,
                            [](FakeAgent& a) {
                              ASSERT_TRUE(a.dial());
                              wire::Codec codec;
                              static_cast<void>(a.send_raw(codec.encode(FakeAgent::oom_frame(1)).value()));
                              EXPECT_NE(a.wait_end().code, std::error_code());
                            }},
                    Hostile{"other_authority", "tls", TestPki::Kind::other_ca, [](FakeAgent& a) { EXPECT_FALSE(a.connect()); }},
                    Hostile{"expired", "tls", TestPki::Kind::expired, [](FakeAgent& a) { EXPECT_FALSE(a.connect()); }}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(IngestTest, a_silent_peer_is_cut_off_after_the_handshake_time) {
  start({.handshake = std::chrono::milliseconds(200)});
  boost::asio::io_context io;
  boost::asio::ip::tcp::socket socket(io);
  socket.connect({boost::asio::ip::make_address("127.0.0.1"), ingest_->port()});
  EXPECT_TRUE(counted("handshake_timeout"));
}

TEST_F(IngestTest, connections_over_the_limit_are_refused_and_counted) {
  start({.sessions = 1});
  auto first = agent(node_a_);
  ASSERT_TRUE(first.connect());
  auto second = agent(node_b_);
  EXPECT_FALSE(second.connect());
  EXPECT_TRUE(counted("full"));
  ASSERT_TRUE(first.send(FakeAgent::oom_frame(1)));
  EXPECT_TRUE(first.wait_ack(1));
}

}  // namespace
}  // namespace fw::ingest
