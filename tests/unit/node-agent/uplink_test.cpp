// The uplink against a small aggregator of the test: real TLS on loopback, the real session of the other side.
#include "node-agent/uplink/uplink.hpp"

#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <sys/socket.h>
#include <sys/un.h>

#include <filesystem>
#include <map>
#include <optional>

#include "common/async/task_group.hpp"
#include "common/log.hpp"
#include "node-agent/uplink/sample_blocks.hpp"
#include "protocol/session/session.hpp"
#include "protocol/transport/connection.hpp"
#include "protocol/transport/pki.hpp"
#include "tests/support/fake_disk.hpp"

namespace fw::uplink {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::ip::tcp;

// Certificates of one test program, made once.
struct Pki {
  Pki() {
    char name[] = "/tmp/fw-uplink-test-XXXXXX";
    folder = ::mkdtemp(name);
    const auto validity = transport::Validity::from(SystemClock{}.wall_ns(), std::chrono::hours{1});
    const auto ca = transport::make_ca("test", validity).value();
    server = write("server", transport::issue_certificate(ca, {.role = transport::PeerIdentity::Kind::server, .name = "aggregator",
                                                               .node_uid = {}, .server_names = {"127.0.0.1"}, .validity = validity}).value(), ca);
    node = write("node", transport::issue_certificate(ca, {.role = transport::PeerIdentity::Kind::node, .name = "node-a", .node_uid = make_uuid_v4(),
                                                           .server_names = {}, .validity = validity}).value(), ca);
  }
  ~Pki() { std::filesystem::remove_all(folder); }
  transport::TlsFiles write(const std::string& name, const transport::PemPair& pair, const transport::PemPair& ca) const {
    transport::TlsFiles files{folder + "/" + name + ".crt", folder + "/" + name + ".key", folder + "/ca.crt"};
    transport::write_pem_pair(pair, files.certificate, files.key).value();
    transport::write_pem_pair(ca, files.ca, folder + "/ca.key").value();
    return files;
  }
  std::string folder;
  transport::TlsFiles server;
  transport::TlsFiles node;
};
const Pki& pki() {
  static const Pki instance;
  return instance;
}

session::Now now() {
  const SystemClock clock;
  return {clock.mono_ns(), clock.wall_ns()};
}

// The other side, with a store that outlives connections.
class Aggregator {
 public:
  explicit Aggregator(asio::io_context& io) : io_(io), tasks_(io.get_executor()), acceptor_(io, {asio::ip::make_address("127.0.0.1"), 0}) {
    port = acceptor_.local_endpoint().port();
  }

  std::uint16_t port = 0;
  bool acknowledges = true;
  bool reads = true;              // false: takes the Hello and then nothing
  std::optional<std::uint32_t> slow_ms;
  std::map<std::uint64_t, std::string> stored;            // seq -> name of its first entity
  std::uint64_t watermark = 0;
  std::uint64_t doubled = 0;                              // events that passed the watermark twice
  std::uint64_t repeated = 0;                             // frames received again
  std::vector<wire::Samples> samples;
  std::vector<std::string> executor_packets;              // each is answered by "ok"
  int connections = 0;
  std::optional<std::string> goodbye;

  void start() { tasks_.spawn("accept", accept_loop()); }
  void stop() { tasks_.cancel_all(); }
  void cut() {
    if (connection_) connection_->close();
  }
  void focus() { put(session_->focus({.cgroup_ids = {7}, .duration_ms = 1000}, now())); }
  std::size_t running() const { return tasks_.size(); }

 private:
  asio::awaitable<Result<void>> accept_loop() {
    const auto context = transport::make_agent_port_context(pki().server).value();
    for (;;) {
      auto [ec, socket] = co_await acceptor_.async_accept(asio::as_tuple(asio::use_awaitable));
      if (ec) co_return Result<void>();
      auto accepted = co_await transport::Connection::accept(std::move(socket), context);
      if (!accepted) continue;
      connection_ = std::move(*accepted);
      ++connections;
      session_.emplace(now());
      co_await serve();
      connection_->close();
    }
  }

  asio::awaitable<void> serve() {
    std::vector<std::uint8_t> buffer(64 * 1024);
    for (;;) {
      const auto bytes = co_await connection_->read_some(buffer);
      if (!bytes) co_return;
      auto out = session_->on_bytes(wire::ByteView(buffer).first(*bytes), now());
      put(out);
      for (auto& message : out.messages) take(std::move(message));
      if (!out_.empty()) (void)co_await connection_->write(std::exchange(out_, {}));
      if (out.close) co_return;
      while (!reads) {
        asio::steady_timer timer(io_, 5ms);
        co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
      }
    }
  }

  void put(const Result<session::Output>& out) {
    ASSERT_TRUE(out) << out.error().message();
    out_.insert(out_.end(), out->write.begin(), out->write.end());
  }

  void take(wire::Message message) {
    if (std::holds_alternative<wire::Hello>(message)) {
      put(session_->welcome({.session_id = make_uuid_v4(), .acknowledged_seq = watermark}, now()));
      if (slow_ms) put(session_->slow({.pause_ms = *slow_ms}, now()));
    } else if (const auto* events = std::get_if<wire::Events>(&message)) {
      if (events->seq <= watermark) {
        ++repeated;
        return;
      }
      doubled += stored.contains(events->seq) ? 1U : 0U;
      stored[events->seq] = events->entities.front().name;
      watermark = events->seq;
      if (acknowledges) put(session_->ack(watermark, now()));
    } else if (auto* tick = std::get_if<wire::Samples>(&message)) {
      samples.push_back(std::move(*tick));
    } else if (auto* packet = std::get_if<wire::ExecutorPacket>(&message)) {
      put(session_->send_executor({{'o', 'k'}}, now()));
      executor_packets.push_back(std::string(packet->bytes.begin(), packet->bytes.end()));
    } else if (const auto* bye = std::get_if<wire::Goodbye>(&message)) {
      goodbye = bye->reason;
    }
  }

  asio::io_context& io_;
  TaskGroup tasks_;
  tcp::acceptor acceptor_;
  std::unique_ptr<transport::Connection> connection_;
  std::optional<session::AggregatorSession> session_;
  wire::Bytes out_;
};

class FakeNode final : public Node {
 public:
  wire::Hello hello() const override {
    return {.agent_version = "test", .node_name = "node-a", .boot_id = make_uuid_v4(), .stream_id = {}, .kernel_release = "6.1", .cgroup_mode = "v2",
            .lacking = {}};
  }
  std::vector<wire::EntityEntry> entities() const override { return all; }
  std::vector<wire::MetricEntry> metrics() const override {
    return {{.id = 1, .name = "memory_current_bytes", .unit = "bytes", .kind = wire::MetricKind::gauge}};
  }
  void on_welcome(const wire::Welcome& welcome) override { welcomed = welcome; }
  void on_focus(const wire::Focus& focus) override { focused = focus.cgroup_ids; }

  std::vector<wire::EntityEntry> all{entity(1, wire::EntityKind::node, 0), entity(2, wire::EntityKind::container, 1), entity(3, wire::EntityKind::container, 1)};
  std::optional<wire::Welcome> welcomed;
  std::vector<std::uint64_t> focused;

  static wire::EntityEntry entity(std::uint32_t id, wire::EntityKind kind, std::uint32_t parent) {
    return {.id = id, .kind = kind, .parent_id = parent, .cgroup_id = id, .cgroup_path = "/e" + std::to_string(id), .name = "e" + std::to_string(id),
            .runtime = "", .container_id = "", .pod_uid = "", .qos_class = ""};
  }
};

class UplinkTest : public ::testing::Test {
 protected:
  UplinkTest() : spool(Spool::open(disk)), aggregator(io), tasks(io.get_executor()) {
    log::set_output([](log::Level, std::string_view) {});
  }
  ~UplinkTest() override {
    tasks.cancel_all();
    aggregator.stop();
    EXPECT_TRUE(run_until([&] { return tasks.size() == 0 && aggregator.running() == 0; })) << "a task did not stop";
    uplink.reset();
    log::set_output({});
  }

  void connect(std::uint16_t port, const std::string& executor_socket = {}) {
    uplink = std::make_unique<Uplink>(io.get_executor(),
                                      UplinkConfig{.host = "127.0.0.1", .port = port, .server_name = "127.0.0.1", .tls = pki().node,
                                                   .backoff = {.first = 5ms, .most = 20ms, .healthy = 60s},
                                                   .executor_socket = executor_socket},
                                      spool, node, clock);
    tasks.spawn("uplink", uplink->run());
  }

  bool run_until(const std::function<bool()>& done, std::chrono::milliseconds limit = 10s) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!done() && std::chrono::steady_clock::now() < deadline) {
      io.restart();
      io.run_one_for(50ms);
    }
    return done();
  }

  void send_event(const std::string& name) {
    auto entity = FakeNode::entity(2, wire::EntityKind::container, 1);
    entity.name = name;
    wire::ProcessExit exit;
    exit.process.pid = 1;
    exit.exit_code = 1;
    uplink->send({entity, node.all[0]}, {wire::Event{.entity_id = 2, .time_ns = 1, .body = exit}});
  }
  static wire::Samples tick_of(std::uint64_t tick, std::vector<std::uint32_t> ids = {2, 3}) {
    wire::SampleColumn column{.metric_id = 1, .entity_ids = ids, .values = std::vector<std::int64_t>(ids.size(), 5)};
    return {.tick = tick, .time_ns = 1000, .entities = {}, .metrics = {}, .removed_entity_ids = {}, .columns = {column}};
  }
  // Runs finish() to its end and says how long it took.
  std::chrono::milliseconds finish(std::chrono::milliseconds limit) {
    const auto begin = std::chrono::steady_clock::now();
    const auto before = tasks.size();
    tasks.spawn("finish", finish_task(limit));
    EXPECT_TRUE(run_until([&] { return tasks.size() == before; }));
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  }
  asio::awaitable<Result<void>> finish_task(std::chrono::milliseconds limit) {
    co_await uplink->finish(limit);
    co_return Result<void>();
  }

  asio::io_context io{1};
  SystemClock clock;
  test::FakeDisk disk;
  Spool spool;
  FakeNode node;
  Aggregator aggregator;
  TaskGroup tasks;
  std::unique_ptr<Uplink> uplink;
};

// Greets each connection with "status", as the executor does.
class FakeExecutor {
 public:
  FakeExecutor() : path(pki().folder + "/executor.sock") {
    ::unlink(path.c_str());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    listener_ = UniqueFd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 4), 0);
  }

  // Whatever can be done without waiting.
  void work() {
    if (UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)); peer.valid()) {
      peer_ = std::move(peer);
      ++connections;
      send("status");
    }
    char buffer[100];
    const auto bytes = ::recv(peer_.get(), buffer, sizeof buffer, 0);
    if (bytes > 0) received.emplace_back(buffer, static_cast<std::size_t>(bytes));
    if (bytes == 0) peer_.reset();
  }
  void send(const std::string& packet) { EXPECT_EQ(::send(peer_.get(), packet.data(), packet.size(), 0), static_cast<ssize_t>(packet.size())); }
  void hang_up() { peer_.reset(); }
  bool has_peer() const { return peer_.valid(); }

  std::string path;
  int connections = 0;
  std::vector<std::string> received;

 private:
  UniqueFd listener_, peer_;
};

TEST_F(UplinkTest, relays_executor_packets_both_ways_unread) {
  FakeExecutor executor;
  aggregator.start();
  connect(aggregator.port, executor.path);
  ASSERT_TRUE(run_until([&] { executor.work(); return executor.received.size() == 1; }));
  EXPECT_EQ(executor.received.front(), "ok");
  EXPECT_EQ(aggregator.executor_packets, std::vector<std::string>{"status"});
  executor.send(std::string(20'000, 'x'));
  ASSERT_TRUE(run_until([&] { executor.work(); return executor.received.size() == 2; }));
  EXPECT_EQ(aggregator.executor_packets.back().size(), 20'000U);
  EXPECT_EQ(uplink->counters().executor_packets_sent_total, 2U);
  EXPECT_EQ(uplink->counters().executor_packets_dropped_total, 0U);
}

TEST_F(UplinkTest, comes_back_to_an_executor_that_was_started_again) {
  FakeExecutor executor;
  aggregator.start();
  connect(aggregator.port, executor.path);
  ASSERT_TRUE(run_until([&] { executor.work(); return executor.received.size() == 1; }));
  executor.hang_up();
  ASSERT_TRUE(run_until([&] { executor.work(); return executor.received.size() == 2; }));
  EXPECT_EQ(executor.connections, 2);
  EXPECT_EQ(aggregator.connections, 1) << "the aggregator's session goes on";
}

TEST_F(UplinkTest, each_session_of_the_uplink_is_greeted_by_the_executor) {
  FakeExecutor executor;
  aggregator.start();
  connect(aggregator.port, executor.path);
  ASSERT_TRUE(run_until([&] { executor.work(); return executor.received.size() == 1; }));
  aggregator.cut();
  ASSERT_TRUE(run_until([&] { executor.work(); return aggregator.executor_packets.size() == 2; }));
  EXPECT_EQ(executor.connections, 2);
  EXPECT_EQ(aggregator.connections, 2);
}

TEST_F(UplinkTest, works_without_an_executor_at_its_socket) {
  aggregator.start();
  connect(aggregator.port, pki().folder + "/nobody.sock");
  ASSERT_TRUE(run_until([&] { return uplink->counters().connected; }));
  send_event("first");
  EXPECT_TRUE(run_until([&] { return !aggregator.stored.empty(); }));
}

TEST_F(UplinkTest, delivers_events_at_once_and_frees_them_when_acknowledged) {
  aggregator.start();
  connect(aggregator.port);
  ASSERT_TRUE(run_until([&] { return uplink->counters().connected; }));
  ASSERT_TRUE(node.welcomed);
  const auto begin = std::chrono::steady_clock::now();
  send_event("first");
  ASSERT_TRUE(run_until([&] { return !aggregator.stored.empty(); }));
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_LT(took, 100ms);  // no timer on the way; the real figure is about 1 ms
  RecordProperty("event_to_aggregator_us", static_cast<int>(std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
  EXPECT_TRUE(run_until([&] { return !spool.has_unacknowledged(); }));
}

TEST_F(UplinkTest, resends_what_was_not_acknowledged_on_the_next_connection_in_order) {
  aggregator.acknowledges = false;
  aggregator.start();
  connect(aggregator.port);
  for (int i = 0; i < 10; ++i) send_event("e" + std::to_string(i));
  ASSERT_TRUE(run_until([&] { return aggregator.stored.size() == 10; }));
  aggregator.watermark = std::next(aggregator.stored.begin(), 4)->first;   // five were durable, the rest is lost with the connection
  aggregator.stored.erase(std::next(aggregator.stored.begin(), 5), aggregator.stored.end());
  aggregator.acknowledges = true;
  aggregator.cut();
  ASSERT_TRUE(run_until([&] { return aggregator.stored.size() == 10 && !spool.has_unacknowledged(); }));
  EXPECT_EQ(aggregator.connections, 2);
  EXPECT_EQ(aggregator.repeated, 0U);
  EXPECT_EQ(aggregator.doubled, 0U);
  int expected = 0;
  for (const auto& [seq, name] : aggregator.stored) EXPECT_EQ(name, "e" + std::to_string(expected++));
}

TEST_F(UplinkTest, waits_in_the_spool_until_there_is_an_aggregator) {
  connect(aggregator.port);
  for (int i = 0; i < 200; ++i) send_event("e" + std::to_string(i));   // more than may be unacknowledged on the wire
  for (std::uint64_t tick = 1; tick <= 3; ++tick) uplink->send(tick_of(tick));
  EXPECT_EQ(uplink->counters().ticks_spooled_total, 3U);
  aggregator.start();
  ASSERT_TRUE(run_until([&] { return aggregator.stored.size() == 200 && aggregator.samples.size() == 3; }));
  EXPECT_EQ(aggregator.samples[0].tick, 1U);
  EXPECT_TRUE(aggregator.samples[0].self_contained);
  EXPECT_EQ(aggregator.samples[0].entities.size(), 3U);
  EXPECT_EQ(uplink->counters().backlog_blocks_sent_total, 3U);
}

TEST_F(UplinkTest, sends_the_whole_dictionary_first_and_then_only_changes) {
  aggregator.start();
  connect(aggregator.port);
  ASSERT_TRUE(run_until([&] { return uplink->counters().connected; }));
  uplink->send(tick_of(1));
  node.all.pop_back();
  auto second = tick_of(2, {2});
  second.removed_entity_ids = {3, 99};   // 99 came and went before this connection knew it
  uplink->send(second);
  ASSERT_TRUE(run_until([&] { return aggregator.samples.size() == 2; }));
  EXPECT_EQ(aggregator.samples[0].entities.size(), 3U);
  EXPECT_TRUE(aggregator.samples[1].entities.empty());
  EXPECT_EQ(aggregator.samples[1].removed_entity_ids, std::vector<std::uint32_t>{3});
}

TEST_F(UplinkTest, honours_slow_and_counts_the_ticks_but_sends_events) {
  aggregator.slow_ms = 60'000;
  aggregator.start();
  connect(aggregator.port);
  send_event("one");
  ASSERT_TRUE(run_until([&] { return aggregator.stored.size() == 1; }));
  uplink->send(tick_of(1));
  EXPECT_EQ(uplink->counters().ticks_dropped_total, 1U);
  send_event("two");
  EXPECT_TRUE(run_until([&] { return aggregator.stored.size() == 2; }));
  EXPECT_TRUE(aggregator.samples.empty());
}

TEST_F(UplinkTest, hands_on_focus) {
  aggregator.start();
  connect(aggregator.port);
  ASSERT_TRUE(run_until([&] { return uplink->counters().connected; }));
  aggregator.focus();
  send_event("carries the answer");
  EXPECT_TRUE(run_until([&] { return node.focused == std::vector<std::uint64_t>{7}; }));
}

TEST_F(UplinkTest, a_peer_that_takes_nothing_costs_bounded_memory_and_counted_ticks) {
  aggregator.reads = false;
  aggregator.start();
  connect(aggregator.port);
  ASSERT_TRUE(run_until([&] { return uplink->counters().connected; }));
  std::vector<std::uint32_t> ids(4000);
  node.all.resize(1);
  for (std::uint32_t i = 0; i < ids.size(); ++i) node.all.push_back(FakeNode::entity(ids[i] = i + 2, wire::EntityKind::container, 1));
  std::uint64_t tick = 0;
  const bool dropped = run_until([&] {
    auto samples = tick_of(++tick, ids);
    for (std::size_t i = 0; i < ids.size(); ++i) samples.columns[0].values[i] = static_cast<std::int64_t>((tick * 0x9E3779B97F4A7C15ULL) ^ (i * 0xBF58476D1CE4E5B9ULL));
    uplink->send(samples);
    return uplink->counters().ticks_dropped_total > 0;
  });
  EXPECT_TRUE(dropped);
  for (int i = 0; i < 100; ++i) send_event("e");
  EXPECT_LE(uplink->counters().event_frames_sent_total, limits::kMaxUnackedEventFrames);
  aggregator.reads = true;
}

TEST_F(UplinkTest, says_goodbye_after_the_last_acknowledgement) {
  aggregator.start();
  connect(aggregator.port);
  ASSERT_TRUE(run_until([&] { return uplink->counters().connected; }));
  send_event("last");
  EXPECT_LT(finish(2s), 800ms);
  EXPECT_FALSE(spool.has_unacknowledged());
  EXPECT_TRUE(run_until([&] { return aggregator.goodbye.has_value(); }));
}

TEST_F(UplinkTest, stops_within_its_limit_when_the_aggregator_acknowledges_nothing) {
  aggregator.acknowledges = false;
  aggregator.start();
  connect(aggregator.port);
  ASSERT_TRUE(run_until([&] { return uplink->counters().connected; }));
  send_event("last");
  const auto took = finish(200ms);
  EXPECT_GE(took, 200ms);
  EXPECT_LT(took, 2s);
  EXPECT_TRUE(spool.has_unacknowledged());  // and comes back with the next start
}

TEST_F(UplinkTest, stops_at_once_without_a_connection) {
  connect(1);  // nobody listens
  send_event("kept");
  ASSERT_TRUE(run_until([&] { return uplink->counters().connect_failures_total > 2; }));
  EXPECT_LT(finish(2s), 500ms);
  EXPECT_FALSE(spool.needs_sync());
}

TEST_F(UplinkTest, reports_lost_events_as_an_event) {
  aggregator.start();
  connect(aggregator.port);
  spool.lost(7);
  EXPECT_LT(finish(2s), 1s);
  ASSERT_TRUE(run_until([&] { return uplink->counters().connected; }));
  EXPECT_TRUE(run_until([&] { return aggregator.stored.size() == 1; }));
  EXPECT_EQ(aggregator.stored.begin()->second, "e1");  // about the node
  EXPECT_EQ(spool.take_lost(), 0U);
}

TEST(SampleBlocks, a_block_carries_the_entries_it_uses_and_their_parents) {
  Dictionary all;
  all.entities = {FakeNode::entity(1, wire::EntityKind::node, 0), FakeNode::entity(2, wire::EntityKind::pod, 1),
                  FakeNode::entity(3, wire::EntityKind::container, 2), FakeNode::entity(4, wire::EntityKind::container, 2)};
  all.metrics = {{.id = 1, .name = "a", .unit = "1", .kind = wire::MetricKind::gauge}, {.id = 2, .name = "b", .unit = "1", .kind = wire::MetricKind::gauge}};
  wire::Samples tick{.tick = 1, .time_ns = 1, .entities = {}, .metrics = {}, .removed_entity_ids = {},
                     .columns = {{.metric_id = 2, .entity_ids = {3}, .values = {1}}}};
  const auto block = self_contained(tick, all);
  ASSERT_EQ(block.entities.size(), 3U);
  EXPECT_EQ(block.entities[2].id, 3U);
  ASSERT_EQ(block.metrics.size(), 1U);
  EXPECT_EQ(block.metrics[0].id, 2U);
}

TEST(SampleBlocks, a_missed_tick_brings_the_whole_dictionary_and_what_went_meanwhile) {
  Dictionary all{.entities = {FakeNode::entity(1, wire::EntityKind::node, 0), FakeNode::entity(2, wire::EntityKind::container, 1)}, .metrics = {}};
  Announced announced;
  announced.sent(announced.prepare({}, all));
  announced.missed();
  all.entities.pop_back();
  const auto tick = announced.prepare({}, all);
  EXPECT_EQ(tick.removed_entity_ids, std::vector<std::uint32_t>{2});
  EXPECT_EQ(tick.entities.size(), 1U);
}

}  // namespace
}  // namespace fw::uplink
