#include "protocol/transport/connection.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "common/async/with_timeout.hpp"
#include "protocol/transport/openssl.hpp"

namespace fw::transport {
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto kAwaitTuple = asio::as_tuple(asio::use_awaitable);

Error to_error(const boost::system::error_code& ec, const SSL* ssl, const char* what) {
  if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor) return {Errc::gone, std::string(what) + ": closed"};
  if (ec == asio::error::eof || ec == asio::ssl::error::stream_truncated || ec == asio::error::connection_reset || ec == asio::error::broken_pipe)
    return {Errc::gone, std::string(what) + ": closed by the peer"};
  if (ec.category() == asio::error::get_ssl_category())
    return with_context(tls_error(ssl, static_cast<unsigned>(ec.value())), what);
  if (ec.category() == asio::error::get_system_category()) return errno_error(ec.value(), what);
  return {Errc::io, std::string(what) + ": " + ec.message()};
}

}  // namespace

struct Connection::Impl {
  Impl(tcp::socket socket, TlsContext tls) : context(std::move(tls)), stream(std::move(socket), *context) {}

  SSL* ssl() { return stream.native_handle(); }

  void close() noexcept {
    boost::system::error_code ignored;
    stream.next_layer().close(ignored);
  }

  asio::awaitable<Result<void>> handshake(asio::ssl::stream_base::handshake_type side) {
    const auto [ec] = co_await stream.async_handshake(side, kAwaitTuple);
    if (ec) co_return to_error(ec, ssl(), "handshake");
    const unsigned char* alpn = nullptr;
    unsigned alpn_bytes = 0;
    SSL_get0_alpn_selected(ssl(), &alpn, &alpn_bytes);
    if (std::string_view(reinterpret_cast<const char*>(alpn), alpn_bytes) != kAgentAlpn)
      co_return Error(Errc::unsupported, "handshake: the peer speaks another protocol (ALPN)");
    auto identity = peer_identity(ssl());
    if (!identity) co_return with_context(identity.error(), "handshake");
    const auto wanted = side == asio::ssl::stream_base::server ? PeerIdentity::Kind::node : PeerIdentity::Kind::server;
    if (identity->kind != wanted)
      co_return Error(Errc::permission, wanted == PeerIdentity::Kind::node ? "handshake: the peer's certificate is not a node's"
                                                                           : "handshake: the peer's certificate is not a server's");
    peer = std::move(*identity);
    co_return Result<void>();
  }

  // What the server's certificate must be for; OpenSSL checks it with the chain.
  Result<void> expect_server(const std::string& name) {
    X509_VERIFY_PARAM* rules = SSL_get0_param(ssl());
    boost::system::error_code not_an_address;
    asio::ip::make_address(name, not_an_address);
    const auto set_sni = [&] {  // SSL_set_tlsext_host_name is a macro with a C cast
      return SSL_ctrl(ssl(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(name.c_str())) == 1;
    };
    const bool ok = not_an_address ? SSL_set1_host(ssl(), name.c_str()) == 1 && set_sni()
                                   : X509_VERIFY_PARAM_set1_ip_asc(rules, name.c_str()) == 1;
    if (!ok || name.empty()) return openssl_error(Errc::invalid_argument, "server name '" + name + "'");
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return {};
  }

  TlsContext context;
  asio::ssl::stream<tcp::socket> stream;
  PeerIdentity peer;
  std::string address;
};

namespace {

std::string text_of(const tcp::socket& socket) {
  boost::system::error_code ec;
  const auto endpoint = socket.remote_endpoint(ec);
  if (ec) return "unknown";
  const auto address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(endpoint.port());
}

asio::awaitable<Result<tcp::socket>> dial(std::string host, std::uint16_t port) {
  const auto executor = co_await asio::this_coro::executor;
  std::vector<tcp::endpoint> endpoints;
  boost::system::error_code not_an_address;
  const auto address = asio::ip::make_address(host, not_an_address);
  if (not_an_address) {
    tcp::resolver resolver(executor);
    const auto [ec, found] = co_await resolver.async_resolve(host, std::to_string(port), kAwaitTuple);
    if (ec) co_return Error(Errc::io, "resolve " + host + ": " + ec.message());
    for (const auto& entry : found) endpoints.push_back(entry.endpoint());
  } else {
    endpoints.emplace_back(address, port);
  }
  tcp::socket socket(executor);
  const auto [ec, endpoint] = co_await asio::async_connect(socket, endpoints, kAwaitTuple);
  if (ec) co_return to_error(ec, nullptr, ("connect " + host + ":" + std::to_string(port)).c_str());
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  co_return socket;
}

}  // namespace

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::~Connection() = default;

asio::awaitable<Result<std::unique_ptr<Connection>>> Connection::connect(std::string host, std::uint16_t port, TlsContext context,
                                                                         std::string server_name, std::chrono::nanoseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  auto socket = co_await with_timeout(dial(host, port), limit);
  if (!socket) co_return Error(Errc::timeout, "connect " + host + ":" + std::to_string(port) + ": took too long");
  if (!*socket) co_return socket->error();
  auto impl = std::make_unique<Impl>(std::move(**socket), std::move(context));
  impl->address = text_of(impl->stream.next_layer());
  if (auto ok = impl->expect_server(server_name); !ok) co_return ok.error();
  auto done = co_await with_timeout(impl->handshake(asio::ssl::stream_base::client), deadline - std::chrono::steady_clock::now());
  if (!done) co_return Error(Errc::timeout, "handshake: took too long");
  if (!*done) co_return done->error();
  co_return std::unique_ptr<Connection>(new Connection(std::move(impl)));
}

asio::awaitable<Result<std::unique_ptr<Connection>>> Connection::accept(tcp::socket socket, TlsContext context, std::chrono::nanoseconds limit) {
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  auto impl = std::make_unique<Impl>(std::move(socket), std::move(context));
  impl->address = text_of(impl->stream.next_layer());
  auto done = co_await with_timeout(impl->handshake(asio::ssl::stream_base::server), limit);
  if (!done) co_return Error(Errc::timeout, "handshake: took too long");
  if (!*done) co_return done->error();
  co_return std::unique_ptr<Connection>(new Connection(std::move(impl)));
}

asio::awaitable<Result<std::size_t>> Connection::read_some(std::span<std::uint8_t> into) {
  const auto [ec, bytes] = co_await impl_->stream.async_read_some(asio::buffer(into.data(), into.size()), kAwaitTuple);
  if (ec) co_return to_error(ec, impl_->ssl(), "read");
  co_return bytes;
}

namespace {

using WriteResult = std::tuple<boost::system::error_code, std::size_t>;

}  // namespace

asio::awaitable<Result<void>> Connection::write(wire::ByteView bytes, std::chrono::nanoseconds limit) {
  if (bytes.empty()) co_return Result<void>();
  auto done = co_await with_timeout(
      asio::awaitable<WriteResult>(asio::async_write(impl_->stream, asio::buffer(bytes.data(), bytes.size()), kAwaitTuple)), limit);
  if (!done) {
    close();
    co_return Error(Errc::timeout, "write: the peer takes nothing");
  }
  if (const auto& ec = std::get<0>(*done)) {
    close();
    co_return to_error(ec, impl_->ssl(), "write");
  }
  co_return Result<void>();
}

asio::awaitable<void> Connection::shutdown(std::chrono::nanoseconds limit) {
  using ShutdownResult = std::tuple<boost::system::error_code>;
  co_await with_timeout(asio::awaitable<ShutdownResult>(impl_->stream.async_shutdown(kAwaitTuple)), limit);
  close();
}

void Connection::close() noexcept { impl_->close(); }
const PeerIdentity& Connection::peer() const noexcept { return impl_->peer; }
std::string Connection::peer_address() const { return impl_->address; }

}  // namespace fw::transport
