// Real TLS over loopback: who gets in, who does not, and what both sides say about it.
#include "protocol/transport/connection.hpp"

#include <gmock/gmock.h>
#include <openssl/ssl.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <functional>

#include "tests/unit/protocol/pki_fixture.hpp"

namespace fw::transport {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::HasSubstr;
using namespace std::chrono_literals;
using MaybeConnection = Result<std::unique_ptr<Connection>>;

constexpr auto kTestLimit = 10s;   // nothing here takes this long unless it hangs

struct Ends {
  MaybeConnection client = Error();
  MaybeConnection server = Error();
};

asio::awaitable<MaybeConnection> accept_one(tcp::acceptor& acceptor, TlsContext context, std::chrono::nanoseconds limit) {
  auto socket = co_await acceptor.async_accept(asio::use_awaitable);
  co_return co_await Connection::accept(std::move(socket), std::move(context), limit);
}

class Transport : public test::PkiFixture {
 protected:
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

  template <class T>
  T run(asio::awaitable<T> task) {
    std::optional<T> result;
    asio::co_spawn(io_, std::move(task), [&](std::exception_ptr error, T value) {
      if (error) std::rethrow_exception(error);
      result = std::move(value);
    });
    io_.restart();
    io_.run_for(kTestLimit);
    EXPECT_TRUE(result.has_value()) << "hangs";
    return result ? std::move(*result) : T{};
  }

  asio::awaitable<Ends> both(TlsContext client, TlsContext server, std::string name) {
    using namespace asio::experimental::awaitable_operators;
    auto [c, s] = co_await (Connection::connect("127.0.0.1", port(), client, name, kTestLimit) && accept_one(acceptor_, server, kTestLimit));
    co_return Ends{std::move(c), std::move(s)};
  }

  Ends connect(const TlsFiles& client, const TlsFiles& server, const std::string& name = "aggregator.test") {
    return run(both(make_agent_client_context(client).value(), make_agent_port_context(server).value(), name));
  }

  static asio::awaitable<Error> first_read(Connection& connection) {
    std::array<std::uint8_t, 16> buffer{};
    const auto got = co_await connection.read_some(buffer);
    co_return got ? Error() : got.error();
  }

  asio::io_context io_;
  tcp::acceptor acceptor_{io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
};

TEST_F(Transport, both_sides_know_who_the_other_is) {
  const auto ends = connect(node_files_, server_files_);
  ASSERT_TRUE(ends.client) << ends.client.error().message();
  ASSERT_TRUE(ends.server) << ends.server.error().message();
  EXPECT_EQ((*ends.server)->peer().kind, PeerIdentity::Kind::node);
  EXPECT_EQ((*ends.server)->peer().node_uid, node_uid());
  EXPECT_EQ((*ends.client)->peer().kind, PeerIdentity::Kind::server);
  EXPECT_THAT((*ends.server)->peer_address(), HasSubstr("127.0.0.1:"));
}

asio::awaitable<wire::Bytes> exchange(Connection& from, Connection& to, std::size_t bytes) {
  using namespace asio::experimental::awaitable_operators;
  wire::Bytes sent(bytes), received;
  for (std::size_t i = 0; i < bytes; ++i) sent[i] = static_cast<std::uint8_t>(i * 31);
  const auto read_all = [](Connection& c, wire::Bytes& into, std::size_t want) -> asio::awaitable<bool> {
    std::array<std::uint8_t, 4096> chunk{};
    while (into.size() < want) {
      const auto n = co_await c.read_some(chunk);
      if (!n) co_return false;
      into.insert(into.end(), chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(*n));
    }
    co_return true;
  };
  const auto [written, read] = co_await (from.write(sent) && read_all(to, received, bytes));
  EXPECT_TRUE(written);
  EXPECT_TRUE(read);
  EXPECT_EQ(sent, received);
  co_return received;
}

TEST_F(Transport, bytes_arrive_as_they_were_in_both_directions) {
  const auto ends = connect(node_files_, server_files_);
  EXPECT_EQ(run(exchange(**ends.client, **ends.server, 300'000)).size(), 300'000U);
  EXPECT_EQ(run(exchange(**ends.server, **ends.client, 1)).size(), 1U);
}

struct Stranger {
  const char* name;
  const char* at_server;   // what the server says
  const char* at_client;   // what the agent learns, at the handshake or at its first read
  Errc errc;
};

TEST_F(Transport, strangers_are_refused_by_name) {
  const auto hours = [](int from, int to) {
    return Validity{now() + std::chrono::nanoseconds(std::chrono::hours(from)).count(), now() + std::chrono::nanoseconds(std::chrono::hours(to)).count()};
  };
  const auto with = [](CertificateRequest request, Validity validity) {
    request.validity = validity;
    return request;
  };
  const auto other_ca = make_ca("another authority", valid()).value();
  const std::vector<std::pair<Stranger, TlsFiles>> strangers = {
      {{"wrong CA", "is not signed by our authority", "rejected our certificate: it is not signed by its authority", Errc::permission},
       issue("other", other_ca, node_request(), "people-ca")},
      {{"expired", "has expired", "rejected our certificate: it has expired", Errc::permission},
       issue("expired", node_ca_pair(), with(node_request(), hours(-48, -1)), "people-ca")},
      {{"not yet valid", "is not valid yet", "rejected our certificate", Errc::permission},
       issue("early", node_ca_pair(), with(node_request(), hours(1, 48)), "people-ca")},
      {{"server certificate as a node", "is for another purpose", "rejected our certificate", Errc::permission},
       issue("server2", node_ca_pair(), server_request(), "people-ca")},
      {{"person of the node authority", "is not a node's", "closed", Errc::permission},
       issue("person2", node_ca_pair(), person_request(), "people-ca")},
      {{"person", "is not signed by our authority", "rejected our certificate", Errc::permission}, person_files_},
  };
  for (const auto& [stranger, files] : strangers) {
    auto ends = connect(files, server_files_);
    ASSERT_FALSE(ends.server) << stranger.name;
    EXPECT_EQ(ends.server.error().code, stranger.errc) << stranger.name;
    EXPECT_THAT(ends.server.error().message(), HasSubstr(stranger.at_server)) << stranger.name;
    // In TLS 1.3 the client is done before the server has looked at its certificate.
    const auto error = ends.client ? run(first_read(**ends.client)) : ends.client.error();
    EXPECT_THAT(error.message(), HasSubstr(stranger.at_client)) << stranger.name;
  }
}

TEST_F(Transport, the_agent_refuses_servers_by_name) {
  auto expired = server_request();
  expired.validity = {now() - 2 * kNsPerSecond, now() - kNsPerSecond};
  const std::vector<std::tuple<const char*, TlsFiles, std::string>> servers = {
      {"is for another server name", server_files_, "other.test"},
      {"is for another server name", server_files_, "127.0.0.2"},
      {"is not signed by our authority", issue("s1", node_ca_pair(), server_request(), "node-ca"), "aggregator.test"},
      {"has expired", issue("s2", people_ca_pair(), expired, "node-ca"), "aggregator.test"},
      {"is for another purpose", issue("s3", people_ca_pair(), person_request(), "node-ca"), "aggregator.test"},
  };
  for (const auto& [text, files, name] : servers) {
    const auto ends = connect(node_files_, files, name);
    ASSERT_FALSE(ends.client) << text;
    EXPECT_EQ(ends.client.error().code, Errc::permission) << text;
    EXPECT_THAT(ends.client.error().message(), HasSubstr(text));
    EXPECT_FALSE(ends.server);
  }
  EXPECT_TRUE(connect(node_files_, server_files_, "127.0.0.1").client);
}

// A client that is not ours: plain OpenSSL through Asio, with what the test changes about it.
asio::awaitable<boost::system::error_code> foreign_handshake(std::uint16_t port, TlsContext context) {
  asio::ssl::stream<tcp::socket> stream(co_await asio::this_coro::executor, *context);
  co_await stream.next_layer().async_connect({asio::ip::address_v4::loopback(), port}, asio::use_awaitable);
  auto [ec] = co_await stream.async_handshake(asio::ssl::stream_base::client, asio::as_tuple(asio::use_awaitable));
  std::array<char, 1> buffer{};
  if (!ec) {
    const auto [read_ec, n] = co_await stream.async_read_some(asio::buffer(buffer), asio::as_tuple(asio::use_awaitable));
    ec = read_ec;
  }
  co_return ec;
}

class ForeignClient : public Transport {
 protected:
  asio::awaitable<MaybeConnection> with(TlsContext client) {
    using namespace asio::experimental::awaitable_operators;
    auto [ec, server] = co_await (foreign_handshake(port(), client) && accept_one(acceptor_, make_agent_port_context(server_files_).value(), kTestLimit));
    EXPECT_TRUE(ec);
    co_return std::move(server);
  }
  Error refused(TlsContext client) {
    const auto server = run(with(std::move(client)));
    EXPECT_FALSE(server);
    return server ? Error() : server.error();
  }
};

TEST_F(ForeignClient, tls_1_2_is_refused) {
  auto context = make_agent_client_context(node_files_).value();
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(context->native_handle(), TLS1_2_VERSION);
  const auto error = refused(context);
  EXPECT_EQ(error.code, Errc::unsupported);
  EXPECT_THAT(error.message(), HasSubstr("another TLS version"));
}

TEST_F(ForeignClient, no_certificate_is_refused) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
  const std::string alpn = "\x0d" "fleetwright/1";
  SSL_CTX_set_alpn_protos(context->native_handle(), reinterpret_cast<const unsigned char*>(alpn.data()), static_cast<unsigned>(alpn.size()));
  const auto error = refused(context);
  EXPECT_EQ(error.code, Errc::permission);
  EXPECT_THAT(error.message(), HasSubstr("sent no certificate"));
}

TEST_F(ForeignClient, another_alpn_or_none_is_refused) {
  auto context = make_agent_client_context(node_files_).value();
  const std::string http = "\x08" "http/1.1";
  SSL_CTX_set_alpn_protos(context->native_handle(), reinterpret_cast<const unsigned char*>(http.data()), static_cast<unsigned>(http.size()));
  EXPECT_THAT(refused(context).message(), HasSubstr("ALPN"));
  auto none = make_agent_client_context(node_files_).value();
  SSL_CTX_set_alpn_protos(none->native_handle(), nullptr, 0);
  EXPECT_THAT(refused(none).message(), HasSubstr("ALPN"));
}

asio::awaitable<Error> plain_bytes(std::uint16_t port, tcp::acceptor& acceptor, TlsContext server, std::string text, std::chrono::nanoseconds limit) {
  tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect({asio::ip::address_v4::loopback(), port}, asio::use_awaitable);
  co_await asio::async_write(socket, asio::buffer(text), asio::use_awaitable);
  const auto accepted = co_await accept_one(acceptor, server, limit);
  co_return accepted ? Error() : accepted.error();
}

TEST_F(Transport, a_peer_that_speaks_no_tls_is_named) {
  const auto error = run(plain_bytes(port(), acceptor_, make_agent_port_context(server_files_).value(), "GET / HTTP/1.1\r\n\r\n", kTestLimit));
  EXPECT_EQ(error.code, Errc::malformed);
  EXPECT_THAT(error.message(), HasSubstr("does not speak TLS"));
}

TEST_F(Transport, a_silent_peer_is_held_for_the_limit_only) {
  const auto error = run(plain_bytes(port(), acceptor_, make_agent_port_context(server_files_).value(), "", 20ms));
  EXPECT_EQ(error.code, Errc::timeout);
}

TEST_F(Transport, a_server_that_does_not_answer_is_held_for_the_limit_only) {
  const auto connection = run(Connection::connect("127.0.0.1", port(), make_agent_client_context(node_files_).value(), "aggregator.test", 20ms));
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, Errc::timeout);
}

TEST_F(Transport, nobody_listening_is_an_error_with_the_address) {
  const auto at = port();
  acceptor_.close();
  const auto connection = run(Connection::connect("127.0.0.1", at, make_agent_client_context(node_files_).value(), "aggregator.test", kTestLimit));
  ASSERT_FALSE(connection);
  EXPECT_THAT(connection.error().message(), HasSubstr("connect 127.0.0.1:" + std::to_string(at)));
}

asio::awaitable<Error> write_until_error(Connection& connection) {
  const wire::Bytes block(1 << 20);
  for (;;) {
    const auto written = co_await connection.write(block, 50ms);
    if (!written) co_return written.error();
  }
}

TEST_F(Transport, a_peer_that_reads_nothing_is_cut_off) {
  const auto ends = connect(node_files_, server_files_);
  EXPECT_EQ(run(write_until_error(**ends.client)).code, Errc::timeout);
  EXPECT_EQ(run(first_read(**ends.client)).code, Errc::gone);   // and the connection is closed
}

asio::awaitable<Error> read_while_other_ends(Connection& reader, std::function<asio::awaitable<void>()> end) {
  using namespace asio::experimental::awaitable_operators;
  const auto read = [](Connection& c) -> asio::awaitable<Error> {
    std::array<std::uint8_t, 16> buffer{};
    const auto got = co_await c.read_some(buffer);
    co_return got ? Error() : got.error();
  };
  co_return co_await (read(reader) && end());
}

TEST_F(Transport, every_way_to_close_ends_a_pending_read_as_gone) {
  for (int way = 0; way < 3; ++way) {
    const auto ends = connect(node_files_, server_files_);
    auto& client = **ends.client;
    auto& server = **ends.server;
    const auto error = run(read_while_other_ends(client, [&]() -> asio::awaitable<void> {
      if (way == 0) server.close();                                  // cut
      if (way == 1) client.close();                                  // our own
      if (way == 2) co_await server.shutdown(100ms);                 // orderly; the client's answer comes with its own close
      co_return;
    }));
    EXPECT_EQ(error.code, Errc::gone) << way << ": " << error.message();
  }
}

// The HTTPS port: a certificate is welcome, not needed; one that is given must be good.
struct HttpsEnds {
  boost::system::error_code client, server;
  Result<PeerIdentity> peer = PeerIdentity{};
  std::string version;
};

asio::awaitable<boost::system::error_code> https_server(tcp::acceptor& acceptor, TlsContext context, HttpsEnds& ends) {
  asio::ssl::stream<tcp::socket> stream(co_await acceptor.async_accept(asio::use_awaitable), *context);
  const auto [ec] = co_await stream.async_handshake(asio::ssl::stream_base::server, asio::as_tuple(asio::use_awaitable));
  ends.server = ec;
  ends.peer = peer_identity(stream.native_handle());
  ends.version = SSL_get_version(stream.native_handle());
  co_return ec;
}

class HttpsPort : public Transport {
 protected:
  asio::awaitable<HttpsEnds> handshake(TlsContext client) {
    using namespace asio::experimental::awaitable_operators;
    auto files = server_files_;
    files.ca = path("people-ca.pem");
    HttpsEnds ends;
    const auto [c, s] = co_await (foreign_handshake(port(), client) && https_server(acceptor_, make_https_port_context(files).value(), ends));
    ends.client = c;
    co_return ends;
  }
};

TEST_F(HttpsPort, knows_a_person_by_the_certificate) {
  const auto ends = run(handshake(make_https_client_context(person_files_).value()));
  ASSERT_FALSE(ends.server) << ends.server.message();
  EXPECT_EQ(ends.peer->kind, PeerIdentity::Kind::person);
  EXPECT_EQ(ends.peer->name, "alice@example.org");
}

TEST_F(HttpsPort, lets_in_a_client_without_a_certificate_as_nobody) {
  const auto ends = run(handshake(make_https_client_context({"", "", path("people-ca.pem")}).value()));
  ASSERT_FALSE(ends.server) << ends.server.message();
  EXPECT_EQ(ends.peer->kind, PeerIdentity::Kind::none);
}

TEST_F(HttpsPort, refuses_the_certificate_of_a_node) {
  const auto ends = run(handshake(make_https_client_context(node_files_).value()));
  EXPECT_TRUE(ends.server);
  EXPECT_THAT(ends.client.message(), HasSubstr("unknown ca"));
}

TEST_F(HttpsPort, speaks_tls_1_2_but_nothing_older) {
  auto context = make_https_client_context(person_files_).value();
  SSL_CTX_set_max_proto_version(context->native_handle(), TLS1_2_VERSION);
  EXPECT_EQ(run(handshake(context)).version, "TLSv1.2");
  auto old = make_https_client_context(person_files_).value();
  SSL_CTX_set_min_proto_version(old->native_handle(), TLS1_1_VERSION);
  SSL_CTX_set_max_proto_version(old->native_handle(), TLS1_1_VERSION);
  SSL_CTX_set_cipher_list(old->native_handle(), "ALL:@SECLEVEL=0");
  EXPECT_TRUE(run(handshake(old)).server);
}

}  // namespace
}  // namespace fw::transport
