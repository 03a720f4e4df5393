// One TLS connection between agent and aggregator as a byte stream; the session (protocol/session) gives the bytes their meaning.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "common/result.hpp"
#include "protocol/limits.hpp"
#include "protocol/transport/tls.hpp"
#include "protocol/wire/frame.hpp"

namespace fw::transport {

// Invariant: exists only after a finished handshake in which the peer proved who it is.
// Threading: one executor. At most one read and one write at the same time.
// Lifetime: the destructor closes the socket; destroy it only when no operation is pending (cancel the coroutines first, or close()).
// Errors: Errc::timeout, Errc::permission (the peer is not who it must be; see tls_error), Errc::gone (closed by the peer, by close()
// or by cancellation), Errc::io.
class Connection {
 public:
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Resolves, connects, shakes hands. `server_name` (DNS name or IP address) must be among the names of the server's certificate.
  static boost::asio::awaitable<Result<std::unique_ptr<Connection>>> connect(
      std::string host, std::uint16_t port, TlsContext context, std::string server_name,
      std::chrono::nanoseconds limit = limits::kHandshakeTimeout);

  // The server's side, after accept. The peer must be a node. `limit` bounds the time a slow or silent peer holds this.
  static boost::asio::awaitable<Result<std::unique_ptr<Connection>>> accept(
      boost::asio::ip::tcp::socket socket, TlsContext context, std::chrono::nanoseconds limit = limits::kHandshakeTimeout);

  // At least one byte. Errc::gone at the end of the stream, also when it was cut without a TLS close (the session tells whether that
  // was in the middle of something).
  boost::asio::awaitable<Result<std::size_t>> read_some(std::span<std::uint8_t> into);
  // All bytes, or Errc::timeout: a slow peer is cut off, the connection is then closed. `bytes` must stay valid until then.
  boost::asio::awaitable<Result<void>> write(wire::ByteView bytes, std::chrono::nanoseconds limit = limits::kWriteTimeout);

  // Sends the TLS close when that is possible within `limit`, then closes. For orderly ends; close() is enough otherwise.
  boost::asio::awaitable<void> shutdown(std::chrono::nanoseconds limit);
  void close() noexcept;                     // pending operations end with Errc::gone; idempotent

  const PeerIdentity& peer() const noexcept;
  std::string peer_address() const;          // "10.0.0.1:4711", for logs

 private:
  struct Impl;
  explicit Connection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fw::transport
