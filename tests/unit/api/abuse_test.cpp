// What hostile or broken peers do: each gets a named error, a count, and disturbs nobody else.
#include <chrono>

#include "aggregator/changes/signature.hpp"
#include "tests/unit/api/api_fixture.hpp"

namespace fw::api::test {
namespace {

using std::chrono::milliseconds;

std::string post_head(const std::string& path, const std::string& more) {
  return "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-GitHub-Event: ping\r\n" + more + "\r\n";
}
std::string length(std::size_t bytes) { return "Content-Length: " + std::to_string(bytes) + "\r\n"; }

class Abuse : public ApiTest {
 protected:
  void expect_others_are_served() { EXPECT_EQ(github("ping", "{}", "guid").status, 202); }
  double errors(std::string_view reason) { return metrics.value(Metric::http_connection_errors, {reason}); }
};

TEST_F(Abuse, a_body_of_26_mebibytes_is_refused_before_it_is_sent) {
  auto client = RawClient::tls(server().https_port());
  client.send(post_head("/webhooks/github", length(26_MiB)));
  EXPECT_EQ(status_of(client.read_answer()), 413);   // not one byte of the body was sent
  EXPECT_TRUE(client.closed_by_peer());
  expect_others_are_served();
}

TEST_F(Abuse, a_body_of_26_mebibytes_that_curl_sends) {
  EXPECT_EQ(post("/webhooks/github", std::string(26_MiB, 'x'), {{"Content-Type", "application/json"}}).status, 413);
  EXPECT_EQ(post("/webhooks/github", std::string(26_MiB, 'x'), {{"Content-Type", "application/json"}, {"Expect", ""}}).status, 413);
  expect_others_are_served();
}

TEST_F(Abuse, a_chunked_body_is_cut_off_at_the_limit) {
  limits.max_webhook_bytes = 64_KiB;
  auto client = RawClient::tls(server().https_port());
  client.send(post_head("/webhooks/github", "Transfer-Encoding: chunked\r\n"));
  const std::string chunk = "4000\r\n" + std::string(0x4000, 'x') + "\r\n";
  for (int i = 0; i < 5; ++i) client.send(chunk);
  EXPECT_EQ(status_of(client.read_answer()), 413);
  EXPECT_TRUE(client.closed_by_peer());
  expect_others_are_served();
}

TEST_F(Abuse, a_body_of_exactly_the_limit_is_read) {
  limits.max_webhook_bytes = 64_KiB;
  EXPECT_EQ(github("ping", std::string(64_KiB, 'x'), "guid").status, 202);
  EXPECT_EQ(github("ping", std::string(64_KiB + 1, 'x'), "guid").status, 413);
}

TEST_F(Abuse, bodies_in_memory_have_a_common_limit) {
  limits.max_bodies_bytes = 256_KiB;
  auto holder = RawClient::tls(server().https_port());
  holder.send(post_head("/webhooks/github", length(1_MiB)) + std::string(200_KiB, 'x'));
  // The holder's bytes are on their way; sooner or later they are counted, and then there is no room for 100 KiB more.
  const std::string body(100_KiB, 'x');
  int status = 202;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  while (status == 202 && std::chrono::steady_clock::now() < deadline) status = github("ping", body, "guid").status;
  EXPECT_EQ(status, 503);
  expect_others_are_served();
}

TEST_F(Abuse, ten_thousand_wrong_signatures_are_refused_one_by_one) {
  constexpr int kTotal = 10'000;
  constexpr int kAtOnce = 50;
  const std::string wrong = post_head("/webhooks/github", "X-Hub-Signature-256: sha256=" + std::string(64, '0') + "\r\n" + length(2)) + "{}";
  std::string burst;
  for (int i = 0; i < kAtOnce; ++i) burst += wrong;
  auto client = RawClient::tls(server().https_port());
  int refused = 0;
  for (int sent = 0; sent < kTotal; sent += kAtOnce) {
    client.send(burst);
    for (int i = 0; i < kAtOnce; ++i) refused += status_of(client.read_answer()) == 401 ? 1 : 0;
  }
  EXPECT_EQ(refused, kTotal);
  EXPECT_EQ(metrics.value(Metric::webhook_signature_failures, {"github", "mismatch"}), kTotal);
  EXPECT_TRUE(backend.stored().empty());
  expect_others_are_served();   // from the same address
  const std::string large = github("ping", std::string(2_MiB, 'x'), "guid").body;
  EXPECT_NE(large.find("TooManyRequests"), std::string::npos) << large;   // but no large hashing for it now
}

TEST_F(Abuse, a_peer_that_is_slow_with_its_headers_is_cut_off) {
  limits.idle_timeout = milliseconds{50};
  auto client = RawClient::tls(server().https_port());
  client.send("POST /webhooks/github HTTP/1.1\r\nHost:");
  EXPECT_TRUE(client.closed_by_peer());
  stop_server();
  EXPECT_EQ(errors("timeout"), 1);
}

TEST_F(Abuse, a_peer_that_is_slow_with_its_body_is_cut_off) {
  limits.body_timeout = milliseconds{50};
  auto client = RawClient::tls(server().https_port());
  client.send(post_head("/webhooks/github", length(100)) + "{");
  EXPECT_TRUE(client.closed_by_peer());
  expect_others_are_served();
  stop_server();   // what is counted is counted then
  EXPECT_EQ(errors("timeout"), 1);
  EXPECT_EQ(metrics.value(Metric::http_requests, {"408", "/webhooks/github"}), 1);
}

TEST_F(Abuse, a_peer_that_never_shakes_hands_is_cut_off) {
  limits.handshake_timeout = milliseconds{50};
  auto client = RawClient::tcp(server().https_port());
  EXPECT_TRUE(client.closed_by_peer());
  stop_server();
  EXPECT_EQ(errors("timeout"), 1);
}

TEST_F(Abuse, plain_text_on_the_tls_port_is_a_tls_error) {
  auto client = RawClient::tcp(server().https_port());
  client.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(client.closed_by_peer());
  expect_others_are_served();
  stop_server();
  EXPECT_EQ(errors("tls"), 1);
}

TEST_F(Abuse, malformed_requests_are_named) {
  const struct { std::string bytes; int status; } cases[] = {
      {"\x16\x03\x01 garbage\r\n\r\n", 400},
      {"GET\r\n\r\n", 400},
      {"GET /livez HTTP/9.9\r\n\r\n", 400},
      {"GET /livez HTTP/1.1\r\nno colon\r\n\r\n", 400},
      {"POST /livez HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400},
      {"POST /livez HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"POST /livez HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
      {"GET /livez HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n", 431},
      {"GET http://other/livez HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"CONNECT other:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"OPTIONS /livez HTTP/1.1\r\nHost: x\r\n\r\n", 405},
      {"GET /LIVEZ HTTP/1.1\r\nHost: x\r\n\r\n", 404},
      {"GET /livez/../metrics HTTP/1.1\r\nHost: x\r\n\r\n", 404},
      {"GET /livez%00 HTTP/1.1\r\nHost: x\r\n\r\n", 404},
      {"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 413},
  };
  for (const auto& c : cases) {
    auto client = RawClient::tcp(server().plain_port());
    client.send(c.bytes);
    EXPECT_EQ(status_of(client.read_answer()), c.status) << c.bytes.substr(0, 60);
  }
}

TEST_F(Abuse, every_cut_of_a_request_ends_quietly) {
  const std::string request = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
  for (std::size_t cut = 0; cut < request.size(); ++cut) {
    auto client = RawClient::tcp(server().plain_port());
    client.send(request.substr(0, cut));
  }
  auto client = RawClient::tcp(server().plain_port());
  client.send(request);
  EXPECT_EQ(status_of(client.read_answer()), 200);
}

TEST_F(Abuse, one_address_may_hold_half_of_the_connections) {
  limits.max_connections = 4;
  std::vector<RawClient> held;
  for (int i = 0; i < 2; ++i) {
    held.push_back(RawClient::tcp(server().plain_port()));
    held.back().send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(status_of(held.back().read_answer()), 200);   // now it is counted
  }
  auto third = RawClient::tcp(server().plain_port());
  EXPECT_TRUE(third.closed_by_peer());
  stop_server();
  EXPECT_EQ(errors("full"), 1);
}

TEST_F(Abuse, stopping_closes_what_is_open) {
  backend.mood = FakeBackend::Mood::hangs;
  limits.backend_timeout = milliseconds{50};
  auto idle = RawClient::tls(server().https_port());
  auto half = RawClient::tcp(server().plain_port());
  half.send("GET /livez");
  auto waiting = RawClient::tls(server().https_port(), &Certificates::get().alice);
  waiting.send("GET /api/v1/nodes HTTP/1.1\r\nHost: x\r\n\r\n");
  stop_server();   // returns only when no coroutine is left
  EXPECT_TRUE(idle.closed_by_peer());
  EXPECT_TRUE(half.closed_by_peer());
}

}  // namespace
}  // namespace fw::api::test
