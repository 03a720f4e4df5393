#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fstream>
#include <list>

#include "common/async/task_group.hpp"
#include "cri_server.hpp"
#include "node-agent/cri/link.hpp"
#include "runtime.pb.h"

namespace fw::cri {
namespace {

namespace asio = boost::asio;
namespace pb = ::runtime::v1;
using std::chrono::milliseconds;
using test::GrpcReply;
using test::GrpcServer;

constexpr auto kAwaitTuple = asio::as_tuple(asio::use_awaitable);

Bytes bytes_of(const google::protobuf::MessageLite& message) {
  const auto text = message.SerializeAsString();
  return {text.begin(), text.end()};
}

// A runtime that listens on a unix socket and answers from a small state, or does what a test puts in its place.
class FakeRuntime {
 public:
  FakeRuntime(asio::io_context& io, std::string path) : io_(io), acceptor_(io), path_(std::move(path)) { listen(); }
  void listen() {
    ::unlink(path_.c_str());
    acceptor_ = asio::local::stream_protocol::acceptor(io_, path_);
  }
  void hang_up() {
    acceptor_.close();
    for (auto& connection : connections_) connection.socket.close();
    ::unlink(path_.c_str());
  }
  asio::awaitable<Result<void>> accept_loop(TaskGroup& tasks) {
    for (;;) {
      if (!acceptor_.is_open()) co_return Result<void>();
      auto [error, socket] = co_await acceptor_.async_accept(kAwaitTuple);
      if (error) co_return Result<void>();
      accepted += 1;
      auto& connection = connections_.emplace_back(std::move(socket), [this](const std::string& path, ByteView request) { return answer(path, request); });
      tasks.spawn("serve", serve(connection));
    }
  }
  void push(const pb::ContainerEventResponse& event) {
    for (auto& connection : connections_) {
      connection.server.push(bytes_of(event));
      const auto out = connection.server.output();
      boost::system::error_code ignored;
      asio::write(connection.socket, asio::buffer(out), ignored);
    }
  }

  // ---- what it says -------------------------------------------------------------------------------------------------
  std::string name = "containerd", version = "1.6.20";
  std::map<std::string, pb::ContainerStatus> containers;
  std::function<std::optional<GrpcReply>(const std::string& path)> instead = [](const std::string&) { return std::nullopt; };
  Bytes greeting;                 // raw bytes that each connection begins with
  int accepted = 0;
  std::map<std::string, int> asked;

 private:
  struct Connection {
    Connection(asio::local::stream_protocol::socket s, GrpcServer::Answer answer) : socket(std::move(s)), server(std::move(answer)) {}
    asio::local::stream_protocol::socket socket;
    GrpcServer server;
  };

  asio::awaitable<Result<void>> serve(Connection& connection) {
    Bytes buffer(16384);
    if (!greeting.empty()) {
      const auto [error, bytes] = co_await asio::async_write(connection.socket, asio::buffer(greeting), kAwaitTuple);
      if (error) co_return Result<void>();
    }
    for (;;) {
      const auto out = connection.server.output();
      if (!out.empty()) {
        const auto [error, written] = co_await asio::async_write(connection.socket, asio::buffer(out), kAwaitTuple);
        if (error) co_return Result<void>();
      }
      const auto [error, bytes] = co_await connection.socket.async_read_some(asio::buffer(buffer), kAwaitTuple);
      if (error || !connection.server.feed(ByteView(buffer).first(bytes))) co_return Result<void>();
    }
  }

  GrpcReply answer(const std::string& path, ByteView request) {
    asked[path.substr(path.rfind('/') + 1)] += 1;
    if (auto other = instead(path)) return *other;
    if (path == kVersion) {
      pb::VersionResponse response;
      response.set_runtime_name(name);
      response.set_runtime_version(version);
      return {.messages = {bytes_of(response)}};
    }
    if (path == kListPodSandbox) {
      pb::ListPodSandboxResponse response;
      auto* const item = response.add_items();
      item->set_id("s1");
      item->mutable_metadata()->set_name("web-1");
      item->mutable_metadata()->set_uid("u1");
      item->mutable_metadata()->set_namespace_("shop");
      return {.messages = {bytes_of(response)}};
    }
    if (path == kListContainers) {
      pb::ListContainersResponse response;
      for (const auto& [id, status] : containers) {
        auto* const container = response.add_containers();
        container->set_id(id);
        container->set_pod_sandbox_id("s1");
        *container->mutable_metadata() = status.metadata();
        container->set_state(status.state());
      }
      return {.messages = {bytes_of(response)}};
    }
    if (path == kContainerStatus) {
      pb::ContainerStatusRequest wanted;
      wanted.ParseFromArray(request.data(), static_cast<int>(request.size()));
      const auto found = containers.find(wanted.container_id());
      if (found == containers.end()) return {.status = 5, .text = "not found"};
      pb::ContainerStatusResponse response;
      *response.mutable_status() = found->second;
      return {.messages = {bytes_of(response)}};
    }
    if (path == kGetContainerEvents && version >= "2") return {.open = true};
    return {.status = 12, .text = "unknown method"};
  }

  asio::io_context& io_;
  asio::local::stream_protocol::acceptor acceptor_;
  std::string path_;
  std::list<Connection> connections_;
};

pb::ContainerStatus status_of(pb::ContainerState state, std::uint32_t attempt = 0) {
  pb::ContainerStatus status;
  status.set_id("c" + std::to_string(attempt + 1));
  status.mutable_metadata()->set_name("app");
  status.mutable_metadata()->set_attempt(attempt);
  status.set_state(state);
  status.mutable_image()->set_image("shop/app:1");
  if (state == pb::CONTAINER_EXITED) {
    status.set_exit_code(137);
    status.set_reason("OOMKilled");
    status.set_finished_at(1'800'000'000'000'000'000);
  }
  return status;
}

class LinkTest : public testing::Test, public Listener {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    socket = folder + "/cri.sock";
    log::set_output([](log::Level, std::string_view) {});
  }
  void TearDown() override {
    runtime.reset();
    log::set_output({});
    ::unlink(socket.c_str());
    ::unlink((folder + "/log").c_str());
    ::rmdir(folder.c_str());
  }
  void describe(std::string_view id, const collectors::ContainerFacts& facts) override { described[std::string(id)] = facts; }
  void observe(std::string_view id, wire::Observed what, std::int64_t) override { words.emplace_back(std::string(id), std::move(what)); }

  // Runs both sides until it is so, at most 10 s.
  void run_until(const std::function<bool()>& done) {
    if (!runtime) runtime.emplace(io, socket);
    if (!link) link.emplace(io.get_executor(), RuntimeConfig{.socket = socket, .root_prefix = ""}, *this, clock, times);
    if (!tasks) {
      tasks.emplace(io.get_executor());
      tasks->spawn("runtime", runtime->accept_loop(*tasks));
      tasks->spawn("link", run_link(*link));
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done() && std::chrono::steady_clock::now() < deadline) io.run_one_for(milliseconds{20});
    EXPECT_TRUE(done());
  }
  void stop() {
    if (!tasks) return;
    tasks->cancel_all();
    runtime->hang_up();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (tasks->size() != 0 && std::chrono::steady_clock::now() < deadline) io.run_one_for(milliseconds{20});
    EXPECT_EQ(tasks->size(), 0U) << "the link does not end when it is cancelled";
  }
  static asio::awaitable<Result<void>> run_link(Link& of) {
    co_await of.run();
    co_return Result<void>();
  }
  bool heard(std::string_view what) const {
    return std::any_of(words.begin(), words.end(), [&](const auto& word) { return word.second.what == what; });
  }

  std::string folder = "/tmp/fw-cri-link-XXXXXX", socket;
  SystemClock clock;
  LinkTimes times{.call_limit = milliseconds{2000}, .poll_period = milliseconds{5}, .period_with_events = milliseconds{60'000}, .least_pause = milliseconds{1},
                  .backoff = {milliseconds{1}, milliseconds{5}, milliseconds{60'000}}};
  asio::io_context io{1};
  std::optional<FakeRuntime> runtime;
  std::optional<Link> link;
  std::optional<TaskGroup> tasks;
  std::map<std::string, collectors::ContainerFacts> described;
  std::vector<std::pair<std::string, wire::Observed>> words;
};

TEST_F(LinkTest, polled_runtime_tells_names_and_exits) {
  runtime.emplace(io, socket);
  runtime->containers["c1"] = status_of(pb::CONTAINER_RUNNING);
  run_until([&] { return described["c1"].image == "shop/app:1"; });
  EXPECT_EQ(described["c1"], (collectors::ContainerFacts{"app", "web-1", "shop", "u1", "shop/app:1"}));
  EXPECT_FALSE(runtime->asked.contains("GetContainerEvents")) << "the stream of this version belongs to the kubelet";
  runtime->containers["c1"] = status_of(pb::CONTAINER_EXITED);
  run_until([&] { return heard("container_exited"); });
  EXPECT_EQ(words[0].second.reason, "OOMKilled");
  EXPECT_TRUE(link->counters().connected);
  EXPECT_EQ(link->lacking(), "");
  stop();
}

TEST_F(LinkTest, container_log_is_sent_redacted) {
  std::ofstream(folder + "/log") << "2026-11-24T19:00:00.123456789Z stderr F panic: no route, password=hunter2secret9\n";
  runtime.emplace(io, socket);
  runtime->containers["c1"] = status_of(pb::CONTAINER_RUNNING);
  run_until([&] { return described.contains("c1"); });
  auto exited = status_of(pb::CONTAINER_EXITED);
  exited.set_log_path(folder + "/log");
  runtime->containers["c1"] = exited;
  run_until([&] { return heard("container_exited"); });
  EXPECT_NE(words[0].second.text.find("panic: no route"), std::string::npos) << words[0].second.text;
  EXPECT_EQ(words[0].second.text.find("hunter2secret9"), std::string::npos);
  stop();
}

TEST_F(LinkTest, streamed_events_are_told_without_a_list) {
  times.least_pause = milliseconds{60'000};
  runtime.emplace(io, socket);
  runtime->version = "2.1.9";
  runtime->containers["c1"] = status_of(pb::CONTAINER_RUNNING);
  run_until([&] { return described["c1"].image == "shop/app:1" && runtime->asked["GetContainerEvents"] == 1; });
  pb::ContainerEventResponse event;
  event.set_container_id("c1");
  event.mutable_pod_sandbox_status()->set_id("s1");
  *event.add_containers_statuses() = status_of(pb::CONTAINER_EXITED);
  *event.add_containers_statuses() = status_of(pb::CONTAINER_RUNNING, 1);
  runtime->push(event);
  run_until([&] { return heard("container_restarted"); });
  EXPECT_TRUE(heard("container_exited"));
  EXPECT_TRUE(link->counters().streams);
  EXPECT_EQ(runtime->asked["ListContainers"], 1);
  stop();
}

TEST_F(LinkTest, stream_that_is_not_offered_is_polled_for) {
  runtime.emplace(io, socket);
  runtime->version = "2.1.9";
  runtime->instead = [](const std::string& path) -> std::optional<GrpcReply> {
    if (path == kGetContainerEvents) return GrpcReply{.status = 12};
    return std::nullopt;
  };
  run_until([&] { return runtime->asked["ListContainers"] >= 3; });
  EXPECT_FALSE(link->counters().streams);
  EXPECT_EQ(runtime->accepted, 1);
  stop();
}

TEST_F(LinkTest, ended_process_makes_it_look_at_once) {
  times.poll_period = milliseconds{60'000};
  run_until([&] { return runtime->asked["ListContainers"] == 1 && link->counters().lists_total == 1; });
  link->look_soon();
  link->look_soon();
  run_until([&] { return runtime->asked["ListContainers"] == 2; });
  stop();
}

TEST_F(LinkTest, runtime_that_restarts_is_found_again_and_history_is_not_told_twice) {
  runtime.emplace(io, socket);
  runtime->containers["c1"] = status_of(pb::CONTAINER_RUNNING);
  run_until([&] { return described.contains("c1"); });
  runtime->hang_up();
  run_until([&] { return !link->counters().connected && heard("container_runtime_unreachable"); });
  EXPECT_NE(link->lacking().find("does not answer"), std::string::npos);
  runtime->containers["c1"] = status_of(pb::CONTAINER_EXITED);
  runtime->listen();
  tasks->spawn("runtime", runtime->accept_loop(*tasks));
  run_until([&] { return heard("container_exited"); });
  EXPECT_EQ(link->counters().connections_total, 2U);
  stop();
}

TEST_F(LinkTest, node_without_a_runtime_says_so) {
  runtime.emplace(io, socket);
  runtime->hang_up();
  run_until([&] { return link->counters().failures_total >= 10; });
  EXPECT_NE(link->lacking(), "");
  EXPECT_TRUE(words.empty()) << "what was never there is not an outage";
  stop();
}

TEST_F(LinkTest, hostile_runtime_ends_its_own_link_only) {
  runtime.emplace(io, socket);
  const auto everything = [](GrpcReply reply) {
    return [reply](const std::string&) -> std::optional<GrpcReply> { return reply; };
  };
  const std::pair<const char*, GrpcReply> replies[] = {
      {"bad protobuf", {.messages = {Bytes(100, 0xff)}}},
      {"no message", {}},
      {"huge message", {.raw_body = {0, 0xff, 0xff, 0xff, 0xff}}},
      {"not gRPC", {.http_status = "404"}},
  };
  for (const auto& [what, reply] : replies) {
    runtime->instead = everything(reply);
    const auto failures = link ? link->counters().failures_total : 0;
    run_until([&] { return link->counters().failures_total >= failures + 2; });
    EXPECT_FALSE(link->counters().connected) << what;
  }
  runtime->instead = [](const std::string&) { return std::nullopt; };
  run_until([&] { return link->counters().connected; });
  stop();
}

TEST_F(LinkTest, runtime_that_does_not_answer_is_given_up) {
  times.call_limit = milliseconds{20};
  runtime.emplace(io, socket);
  runtime->instead = [](const std::string&) -> std::optional<GrpcReply> { return GrpcReply{.silent = true}; };
  run_until([&] { return link->counters().failures_total >= 2; });
  EXPECT_NE(link->lacking().find("no answer"), std::string::npos) << link->lacking();
  stop();
}

TEST_F(LinkTest, bytes_that_are_not_http2_end_the_link) {
  runtime.emplace(io, socket);
  runtime->greeting = Bytes(1000, 'x');
  run_until([&] { return link->counters().failures_total >= 2; });
  stop();
}

TEST_F(LinkTest, endless_streams_are_cut_off) {
  runtime.emplace(io, socket);
  runtime->version = "2.1.9";
  pb::ContainerEventResponse large;
  large.set_container_id(std::string(1 << 20, 'x'));
  const std::pair<const char*, GrpcReply> streams[] = {
      {"events in a second", {.open = true, .raw_body = Bytes(5 * 100'000, 0)}},
      {"bytes in a second", {.messages = std::vector<Bytes>(40, bytes_of(large)), .open = true}},
  };
  for (const auto& [why, reply] : streams) {
    runtime->instead = [&](const std::string& path) -> std::optional<GrpcReply> {
      if (path != kGetContainerEvents) return std::nullopt;
      return reply;
    };
    run_until([&] { return link->lacking().find(why) != std::string::npos; });
  }
  stop();
}

TEST_F(LinkTest, container_that_is_gone_before_it_is_asked_for_is_skipped) {
  runtime.emplace(io, socket);
  runtime->containers["c1"] = status_of(pb::CONTAINER_RUNNING);
  runtime->containers["c2"] = status_of(pb::CONTAINER_RUNNING, 1);
  runtime->instead = [this](const std::string& path) -> std::optional<GrpcReply> {
    if (path == kContainerStatus && runtime->asked["ContainerStatus"] == 1) return GrpcReply{.status = 5};
    return std::nullopt;
  };
  run_until([&] { return described["c2"].image == "shop/app:1"; });
  EXPECT_EQ(link->counters().failures_total, 0U);
  stop();
}

}  // namespace
}  // namespace fw::cri
