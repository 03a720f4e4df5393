#include "tests/unit/api/api_fixture.hpp"

namespace fw::api::test {
namespace {

class Health : public ApiTest {
 protected:
  http::Response ask(const std::string& path) {
    http::Client client(client_config());
    auto response = client.get(plain(path));
    if (response.has_error()) ADD_FAILURE() << response.error().message();
    return response.has_error() ? http::Response{} : std::move(*response);
  }
};

TEST_F(Health, live_depends_on_nothing) {
  backend.ready = false;
  for (const auto* path : {"/livez", "/healthz"}) {
    EXPECT_EQ(ask(path).status, 200);
    EXPECT_EQ(ask(path).body, "ok\n");
  }
}

TEST_F(Health, ready_lists_its_checks_when_asked_or_failing) {
  EXPECT_EQ(ask("/readyz").body, "ok\n");
  EXPECT_EQ(ask("/readyz?verbose").body, "[+]store ok\n[+]accepting ok\nreadyz check passed\n");
  backend.ready = false;
  const auto failing = ask("/readyz");
  EXPECT_EQ(failing.status, 503);
  EXPECT_EQ(failing.body, "[-]store failed: disk full\n[+]accepting ok\nreadyz check failed\n");
}

TEST_F(Health, draining_is_not_ready_but_still_answers) {
  server().drain();
  EXPECT_EQ(ask("/readyz").status, 503);
  EXPECT_EQ(ask("/livez").status, 200);
}

TEST_F(Health, metrics_in_the_text_format) {
  ask("/nothing");
  const auto response = ask("/metrics");
  EXPECT_EQ(response.headers.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(response.body.find("fleetwright_http_requests_total{code=\"404\",route=\"other\"} 1"), std::string::npos) << response.body;
  EXPECT_NE(response.body.find("fleetwright_build_info{version="), std::string::npos);
}

TEST_F(Health, connections_stay_open_and_head_has_no_body) {
  auto client = RawClient::tcp(server().plain_port());
  for (int i = 0; i < 3; ++i) {
    client.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(client.read_answer().ends_with("\r\n\r\nok\n"));
  }
  client.send("HEAD /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(client.closed_by_peer());
  http::Client curl(client_config());
  const auto head = curl.send({"HEAD", plain("/livez"), {}, ""});
  EXPECT_EQ(head->headers.at("content-length"), "3");
  EXPECT_EQ(head->body, "");
}

TEST_F(Health, people_and_webhooks_are_not_on_the_plain_listener) {
  EXPECT_EQ(ask("/api/v1/nodes").status, 401);
  EXPECT_EQ(ask("/webhooks/github").status, 404);
}

TEST_F(Health, a_wrong_method_says_which_are_right) {
  http::Client client(client_config());
  const auto response = client.send({"POST", plain("/livez"), {}, ""});
  EXPECT_EQ(response->status, 405);
  EXPECT_EQ(response->headers.at("allow"), "GET, HEAD");
}

TEST(ServerOpen, says_what_is_wrong_with_its_configuration) {
  FakeBackend backend;
  Metrics metrics;
  const SystemClock clock;
  asio::io_context context;
  const auto& files = Certificates::get();
  const auto error = [&](const std::function<void(ServerConfig&)>& spoil) {
    ServerConfig config;
    config.https_address = "127.0.0.1";
    config.tls = {files.server, files.server_key, files.people_ca};
    spoil(config);
    const auto server = Server::open(context.get_executor(), config, {.backend = backend, .governance = nullptr, .metrics = metrics, .clock = clock});
    return server.has_error() ? server.error().message() : "";
  };
  EXPECT_EQ(error([](auto&) {}), "");
  EXPECT_EQ(error([](auto& c) { c.https_address = "localhost"; }), "HTTPS: localhost:0: not an IP address");
  EXPECT_NE(error([](auto& c) { c.tls.certificate = "/nowhere.pem"; }).find("/nowhere.pem"), std::string::npos);
  asio::ip::tcp::acceptor taken(context, {asio::ip::address_v4::loopback(), 0});
  const auto port = taken.local_endpoint().port();
  EXPECT_EQ(error([&](auto& c) { c.plain_port = port; }),
            "health and metrics: cannot listen on 127.0.0.1:" + std::to_string(port) + ": Address already in use");
}

}  // namespace
}  // namespace fw::api::test
