// What the http collector says of real servers, against what nginx logs and what our own servers answered.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "common/unique_fd.hpp"
#include "node-agent/bpf/http.h"
#include "node-agent/kernel/bpf_sensors.hpp"
#include "tests/kernel/http_server.hpp"

namespace fw::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class HttpTruthTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (!IsSkipped() && !has_bpf_rights()) GTEST_SKIP() << "needs CAP_BPF and CAP_PERFMON";
    if (!IsSkipped() && layout_.unified.empty()) GTEST_SKIP() << "needs a cgroup v2 hierarchy";
  }
};

collectors::SensorsConfig quick() {
  collectors::SensorsConfig config;
  config.sample_period = milliseconds{100};
  config.hot_period = milliseconds{100};
  return config;
}

// The collector's values in one tick; absent ones are 0.
class Values {
 public:
  explicit Values(Watcher& watcher) : watcher_(watcher) {}

  std::int64_t of(const std::string& path, const std::string& metric) { return watcher_.value(samples_, path, metric).value_or(0); }
  std::int64_t of_node(const std::string& metric) { return node_value(metric).value_or(0); }

  // Ticks until it is so.
  bool reach(const std::string& path, const std::string& metric, std::int64_t at_least) {
    return watcher_.wait_until([&] {
      samples_ = watcher_.tick();
      return of(path, metric) >= at_least;
    }, seconds{20});
  }
  // A tick that has the node's values.
  void next_regular() {
    EXPECT_TRUE(watcher_.wait_until([&] {
      samples_ = watcher_.tick();
      return node_value("http_dropped_total").has_value();
    }, seconds{20}));
  }

 private:
  std::optional<std::int64_t> node_value(const std::string& metric) {
    std::uint32_t node = 0, wanted = 0;
    for (const auto& entity : watcher_.sensors().entities()) {
      if (entity.kind == wire::EntityKind::node) node = entity.id;
    }
    for (const auto& entry : watcher_.sensors().metrics()) {
      if (entry.name == metric) wanted = entry.id;
    }
    for (const auto& column : samples_.columns) {
      if (column.metric_id != wanted) continue;
      for (std::size_t i = 0; i < column.entity_ids.size(); ++i) {
        if (column.entity_ids[i] == node) return column.values[i];
      }
    }
    return std::nullopt;
  }

  Watcher& watcher_;
  wire::Samples samples_;
};

TEST_F(HttpTruthTest, each_status_class_is_counted) {
  Watcher watcher{quick()};
  Values values{watcher};
  const Cgroup group{layout_, "http"};
  const Server server{group};
  {
    Client client{server.port()};   // one connection for all
    const std::vector<std::pair<int, int>> answers{{200, 5}, {204, 1}, {301, 2}, {404, 3}, {500, 1}, {503, 3}};
    for (const auto& [status, times] : answers) {
      for (int i = 0; i < times; ++i) EXPECT_EQ(client.get("/" + std::to_string(status)), status);
    }
  }
  ASSERT_TRUE(values.reach(group.path(), "http_requests_total", 15));
  EXPECT_EQ(values.of(group.path(), "http_requests_total"), 15);
  EXPECT_EQ(values.of(group.path(), "http_responses_1xx_total"), 0);
  EXPECT_EQ(values.of(group.path(), "http_responses_2xx_total"), 6);
  EXPECT_EQ(values.of(group.path(), "http_responses_3xx_total"), 2);
  EXPECT_EQ(values.of(group.path(), "http_responses_4xx_total"), 3);
  EXPECT_EQ(values.of(group.path(), "http_responses_5xx_total"), 4);
}

TEST_F(HttpTruthTest, a_continue_is_followed_by_the_response_and_switching_protocols_is_one) {
  Watcher watcher{quick()};
  Values values{watcher};
  const Cgroup group{layout_, "http"};
  const Server server{group};
  EXPECT_EQ(Client{server.port()}.get("/continue"), 200);
  EXPECT_EQ(Client{server.port()}.get("/101"), 101);
  ASSERT_TRUE(values.reach(group.path(), "http_requests_total", 2));
  EXPECT_EQ(values.of(group.path(), "http_requests_total"), 2);
  EXPECT_EQ(values.of(group.path(), "http_responses_1xx_total"), 2);
  EXPECT_EQ(values.of(group.path(), "http_responses_2xx_total"), 1);
}

TEST_F(HttpTruthTest, text_of_a_body_that_looks_like_a_response_is_none) {
  Watcher watcher{quick()};
  Values values{watcher};
  const Cgroup group{layout_, "http"};
  const Server server{group};
  values.next_regular();
  const auto unpaired = values.of_node("http_unpaired_total");
  {
    Client client{server.port()};
    EXPECT_EQ(client.get("/body"), 200);      // "HTTP/1.1 500 ..." in a segment of its own
    EXPECT_EQ(client.get("/garbage"), 0);     // no HTTP at all
  }
  ASSERT_TRUE(values.reach(group.path(), "http_requests_total", 1));
  values.next_regular();
  EXPECT_EQ(values.of(group.path(), "http_requests_total"), 1);
  EXPECT_EQ(values.of(group.path(), "http_responses_5xx_total"), 0);
  EXPECT_GE(values.of_node("http_unpaired_total"), unpaired + 1);
}

TEST_F(HttpTruthTest, a_pipelined_response_is_unpaired) {
  Watcher watcher{quick()};
  Values values{watcher};
  const Cgroup group{layout_, "http"};
  const Server server{group};
  values.next_regular();
  const auto unpaired = values.of_node("http_unpaired_total");
  Client client{server.port()};
  client.send("GET /200 HTTP/1.1\r\n\r\nGET /404 HTTP/1.1\r\n\r\n");
  EXPECT_EQ(client.status(), 200);
  EXPECT_EQ(client.status(), 404);
  ASSERT_TRUE(values.reach(group.path(), "http_requests_total", 1));
  values.next_regular();
  EXPECT_EQ(values.of(group.path(), "http_requests_total"), 1);
  EXPECT_GE(values.of_node("http_unpaired_total"), unpaired + 1);
}

TEST_F(HttpTruthTest, latency_is_the_servers_delay) {
  Watcher watcher{quick()};
  Values values{watcher};
  const Cgroup group{layout_, "http"};
  const Server server{group};
  EXPECT_EQ(Client{server.port()}.get("/200"), 200);   // makes the port known: from now on also a connection's first request has a time
  const auto before = std::chrono::steady_clock::now();
  for (int i = 0; i < 3; ++i) {
    Client client{server.port()};
    EXPECT_EQ(client.get("/slow"), 200);
    EXPECT_EQ(client.get("/slow"), 200);
  }
  const auto clients_us = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - before).count();
  ASSERT_TRUE(values.reach(group.path(), "http_requests_total", 7));
  EXPECT_EQ(values.of(group.path(), "http_latency_count"), 6);
  EXPECT_GE(values.of(group.path(), "http_latency_us"), 6 * kSlowMs * 1000);
  EXPECT_LE(values.of(group.path(), "http_latency_us"), clients_us);
  EXPECT_EQ(values.of(group.path(), "http_latency_us_le_16384"), 0);
  EXPECT_EQ(values.of(group.path(), "http_latency_us_le_67108864"), 6);
}

TEST_F(HttpTruthTest, a_request_that_comes_with_the_handshake_has_its_time) {
  Watcher watcher{quick()};
  Values values{watcher};
  const Cgroup group{layout_, "http"};
  const Server server{group, Accept::with_data};
  EXPECT_EQ(Client{server.port()}.get("/200"), 200);
  EXPECT_EQ(Client{server.port()}.get("/slow"), 200);
  ASSERT_TRUE(values.reach(group.path(), "http_requests_total", 2));
  EXPECT_EQ(values.of(group.path(), "http_latency_count"), 1);
  EXPECT_GE(values.of(group.path(), "http_latency_us"), kSlowMs * 1000);
  EXPECT_LE(values.of(group.path(), "http_latency_us"), 10 * kSlowMs * 1000);
}

TEST_F(HttpTruthTest, ip6_is_seen_as_well) {
  Watcher watcher{quick()};
  Values values{watcher};
  const Cgroup group{layout_, "http"};
  const Server server{group, Accept::at_once, AF_INET6};
  if (server.port() == 0) GTEST_SKIP() << "this machine has no IPv6";
  EXPECT_EQ(Client(server.port(), AF_INET6).get("/503"), 503);
  ASSERT_TRUE(values.reach(group.path(), "http_requests_total", 1));
  EXPECT_EQ(values.of(group.path(), "http_responses_5xx_total"), 1);
}

TEST_F(HttpTruthTest, errors_of_one_cgroup_among_fifty_are_its_alone) {
  Watcher watcher{quick()};
  Values values{watcher};
  std::vector<std::unique_ptr<Cgroup>> groups;
  std::vector<std::unique_ptr<Server>> servers;
  for (int i = 0; i < 50; ++i) {
    groups.push_back(std::make_unique<Cgroup>(layout_, "http"));
    servers.push_back(std::make_unique<Server>(*groups.back()));
  }
  constexpr std::size_t kFailing = 17;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    for (int k = 0; k < 4; ++k) Client{servers[i]->port()}.get(i == kFailing ? "/503" : "/200");
  }
  ASSERT_TRUE(values.reach(groups[49]->path(), "http_requests_total", 4));
  ASSERT_TRUE(values.reach(groups[kFailing]->path(), "http_requests_total", 4));
  for (std::size_t i = 0; i < servers.size(); ++i) {
    EXPECT_EQ(values.of(groups[i]->path(), "http_requests_total"), 4) << i;
    EXPECT_EQ(values.of(groups[i]->path(), "http_responses_5xx_total"), i == kFailing ? 4 : 0) << i;
  }
  servers.clear();   // before their cgroups
}

TEST_F(HttpTruthTest, beyond_a_full_table_drops_are_exact) {
  kernel::BpfOptions options;
  options.unified_folder = layout_.unified;
  options.max_http_cgroups = 1;
  const auto opened = kernel::open_bpf(options);
  ASSERT_TRUE(opened.sensors);
  const Cgroup first{layout_, "http"}, second{layout_, "http"};
  const Server counted{first}, dropped{second};
  const auto drops = [&] {
    std::uint64_t total = 0;
    opened.sensors->map("http_losses")->each<std::uint32_t, std::uint64_t>([&](std::uint32_t kind, std::span<const std::uint64_t> cpus) {
      if (kind == FW_HTTP_TABLE_FULL) for (const auto cpu : cpus) total += cpu;
    });
    return total;
  };
  Client one{counted.port()}, other{dropped.port()};
  EXPECT_EQ(one.get("/200"), 200);
  fw_http_counters counters{};
  if (!opened.sensors->map("http")->lookup(first.id(), counters)) GTEST_SKIP() << "another server of this machine took the table's only place";
  const auto before = drops();
  for (int i = 0; i < 100; ++i) {
    one.get("/200");
    other.get("/503");
  }
  EXPECT_EQ(drops() - before, 100U);
  ASSERT_TRUE(opened.sensors->map("http")->lookup(first.id(), counters));
  EXPECT_EQ(counters.responses[2], 101U);
  EXPECT_EQ(counters.responses[5], 0U);
  EXPECT_FALSE(opened.sensors->map("http")->lookup(second.id(), counters));
}

TEST_F(HttpTruthTest, counts_equal_the_access_log_of_nginx) {
  if (!have("nginx") || !have("wrk")) GTEST_SKIP() << "needs nginx and wrk";
  Watcher watcher{quick()};
  Values values{watcher};
  const Cgroup group{layout_, "http"};
  const Nginx nginx{group, Tls::no};
  ASSERT_TRUE(nginx.ready());
  for (const auto* path : {"/", "/missing", "/failing"}) {
    run({"wrk", "-t1", "-c16", "-d1", "http://127.0.0.1:" + std::to_string(nginx.port()) + path});
  }
  run({"wrk", "-t1", "-c4", "-d1", "-H", "Connection: close", "http://127.0.0.1:" + std::to_string(nginx.port()) + "/"});
  const auto logged = nginx.stop_and_count();
  values.next_regular();
  const auto counted = [&](const std::string& metric) { return values.of(group.path(), metric); };
  EXPECT_GT(logged.at(2), 1000);
  EXPECT_EQ(counted("http_responses_2xx_total"), logged.at(2));
  EXPECT_EQ(counted("http_responses_4xx_total"), logged.at(4));
  EXPECT_EQ(counted("http_responses_5xx_total"), logged.at(5));
  EXPECT_EQ(counted("http_requests_total"), logged.at(2) + logged.at(4) + logged.at(5));
  EXPECT_EQ(values.of_node("http_dropped_total"), 0);
}

TEST_F(HttpTruthTest, through_openssl_the_counts_equal_the_log_as_well) {
  if (!have("nginx") || !have("wrk") || !have("openssl")) GTEST_SKIP() << "needs nginx, wrk and openssl";
  Watcher watcher{quick()};
  Values values{watcher};
  const Cgroup group{layout_, "http"};
  const Nginx nginx{group, Tls::yes};
  ASSERT_TRUE(nginx.ready());
  const auto url = "https://127.0.0.1:" + std::to_string(nginx.port());
  // The first handshake tells that it serves TLS; its library is probed at the tick after that.
  std::int64_t before = 0;
  ASSERT_TRUE(watcher.wait_until([&] {
    run({"wrk", "-t1", "-c1", "-d1", url + "/"});
    values.next_regular();
    before = values.of(group.path(), "http_requests_total");
    return before > 0;
  }, seconds{20}));
  const auto logged_before = nginx.count();
  run({"wrk", "-t1", "-c8", "-d1", url + "/"});
  run({"wrk", "-t1", "-c8", "-d1", url + "/failing"});
  const auto logged = nginx.stop_and_count();
  values.next_regular();
  EXPECT_EQ(values.of(group.path(), "http_responses_5xx_total"), logged.at(5));
  // Before it was probed some were missed; wrk ends with requests under way, which the log gets a moment later.
  EXPECT_EQ(values.of(group.path(), "http_responses_2xx_total") - before, logged.at(2) - logged_before.at(2));
  EXPECT_GT(values.of(group.path(), "http_latency_count"), logged.at(5) * 9 / 10);
}

TEST_F(HttpTruthTest, python_writes_through_ssl_write_ex) {
  if (!have("python3") || !have("openssl")) GTEST_SKIP() << "needs python3 and openssl";
  Watcher watcher{quick()};
  Values values{watcher};
  const Cgroup group{layout_, "http"};
  const PythonTls server{group};
  ASSERT_NE(server.port(), 0);
  std::int64_t before = 0;
  ASSERT_TRUE(watcher.wait_until([&] {
    server.fetch(1);
    values.next_regular();
    before = values.of(group.path(), "http_responses_5xx_total");
    return before > 0;
  }, seconds{30}));
  server.fetch(5);
  values.next_regular();
  EXPECT_EQ(values.of(group.path(), "http_responses_5xx_total"), before + 5);
}

TEST_F(HttpTruthTest, a_library_without_ssl_write_is_refused) {
  if (!have("openssl")) GTEST_SKIP() << "needs openssl";
  Watcher watcher{quick()};
  Values values{watcher};
  const Cgroup group{layout_, "http"};
  const TempFolder folder;
  // Any library will do, under the name of OpenSSL's.
  std::filesystem::path libc;
  for (const auto* path : {"/lib/x86_64-linux-gnu/libutil.so.1", "/lib/x86_64-linux-gnu/libdl.so.2"}) {
    if (std::filesystem::exists(path)) libc = path;
  }
  if (libc.empty()) GTEST_SKIP() << "found no small library";
  std::filesystem::copy_file(libc, folder.path() / "libssl.so.9");
  const Server server{group, Accept::at_once, AF_INET, (folder.path() / "libssl.so.9").string()};
  values.next_regular();
  const auto before = values.of_node("http_tls_files_refused_total");
  Client{server.port()}.get("/server-hello");
  EXPECT_TRUE(watcher.wait_until([&] {
    values.next_regular();
    return values.of_node("http_tls_files_refused_total") > before;
  }, seconds{20}));
}

}  // namespace
}  // namespace fw::test
