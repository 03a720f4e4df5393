#include <fstream>

#include "tests/unit/api/api_fixture.hpp"

namespace fw::api::test {
namespace {

class HttpClient : public ApiTest {
 protected:
  static std::string error_of(const http::ClientConfig& config, const std::string& url) {
    const auto response = http::Client(config).get(url);
    return response.has_error() ? response.error().message() : "";
  }
  std::string where() { return "https://127.0.0.1:" + std::to_string(server().https_port()) + ": "; }
};

TEST_F(HttpClient, a_certificate_of_another_authority_is_refused_with_what_to_do) {
  EXPECT_EQ(error_of(client_config(&Certificates::get().stranger), https("/api/v1/nodes")),
            where() + "the server does not know the authority that signed our certificate; ask who runs it for a certificate of its people authority");
}

TEST_F(HttpClient, an_expired_certificate_is_refused_with_what_to_do) {
  EXPECT_EQ(error_of(client_config(&Certificates::get().expired), https("/api/v1/nodes")),
            where() + "the server says that our certificate has expired; ask for a new one");
}

TEST_F(HttpClient, a_server_of_another_authority_is_not_trusted) {
  auto config = client_config();
  config.ca_file = Certificates::get().stranger_ca;
  EXPECT_EQ(error_of(config, https("/")), where() + "the server's certificate is not signed by our CA file; check that the CA file is the one of this server");
}

TEST_F(HttpClient, the_server_name_is_checked) {
  auto config = client_config();
  config.server_name = "other.example";
  EXPECT_EQ(error_of(config, https("/")), where() + "the server's certificate is for another name; use the name in it, or set the server name of the context");
  config.server_name = "localhost";
  EXPECT_EQ(error_of(config, https("/")), "");
}

TEST_F(HttpClient, nobody_listens) {
  asio::io_context context;
  std::uint16_t port = 0;
  {
    asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
    port = acceptor.local_endpoint().port();
  }
  const auto response = http::Client(client_config()).get("https://127.0.0.1:" + std::to_string(port) + "/");
  EXPECT_EQ(response.error().code, Errc::gone);
  EXPECT_NE(response.error().message().find("connection refused"), std::string::npos) << response.error().message();
}

TEST_F(HttpClient, no_answer_in_time) {
  asio::io_context context;
  asio::ip::tcp::acceptor silent(context, {asio::ip::address_v4::loopback(), 0});
  auto config = client_config();
  config.total_timeout = config.connect_timeout = std::chrono::milliseconds{50};
  const auto response = http::Client(config).get("https://127.0.0.1:" + std::to_string(silent.local_endpoint().port()) + "/");
  EXPECT_EQ(response.error().code, Errc::timeout);
}

TEST_F(HttpClient, plain_http_stays_on_this_machine_and_only_when_asked_for) {
  auto config = client_config();
  EXPECT_EQ(error_of(config, plain("/livez")), "");
  EXPECT_EQ(http::Client(config).get("http://192.0.2.1/").error().code, Errc::invalid_argument);
  config.plain = http::Plain::refuse;
  EXPECT_EQ(http::Client(config).get(plain("/livez")).error().code, Errc::invalid_argument);
  EXPECT_EQ(http::Client(config).get("file:///etc/passwd").error().code, Errc::invalid_argument);
  EXPECT_EQ(http::Client(config).get("not a url").error().code, Errc::invalid_argument);
}

TEST_F(HttpClient, an_answer_larger_than_the_limit_is_cut_off) {
  auto config = client_config();
  config.max_body_bytes = 10;
  const auto response = http::Client(config).get(plain("/metrics"));
  EXPECT_EQ(response.error().code, Errc::too_large);
}

TEST_F(HttpClient, files_that_cannot_be_read_are_named) {
  auto config = client_config();
  config.ca_file = "/nowhere/ca.pem";
  EXPECT_EQ(error_of(config, https("/")), "cannot read the CA file /nowhere/ca.pem: No such file or directory");
  const std::string garbage = Certificates::get().dir / "garbage.pem";
  std::ofstream(garbage) << "garbage\n";
  config = client_config();
  config.certificate_file = config.key_file = garbage;
  EXPECT_EQ(http::Client(config).get(https("/")).error().code, Errc::invalid_argument);
  config = client_config();
  config.ca_file = garbage;
  EXPECT_EQ(http::Client(config).get(https("/")).error().code, Errc::invalid_argument);
}

TEST_F(HttpClient, a_plain_port_is_not_https) {
  const auto response = http::Client(client_config()).get("https://127.0.0.1:" + std::to_string(server().plain_port()) + "/");
  ASSERT_TRUE(response.has_error());
  EXPECT_NE(response.error().message().find("is this an HTTPS port?"), std::string::npos) << response.error().message();
}

TEST_F(HttpClient, one_client_reuses_its_connection) {
  http::Client client(client_config(&Certificates::get().alice));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(client.get(https("/api/v1/status"))->status, 200);
  EXPECT_EQ(metrics.value(Metric::http_connections, {"https"}), 1);
}

}  // namespace
}  // namespace fw::api::test
