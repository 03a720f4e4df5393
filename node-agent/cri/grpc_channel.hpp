// gRPC calls over a unix socket, as coroutines. Inside node-agent/cri and its tests only.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/bytes.hpp"
#include "common/clock.hpp"
#include "common/result.hpp"
#include "node-agent/cri/grpc_session.hpp"
#include "node-agent/uplink/signal.hpp"

namespace fw::cri {

// One connection. Nothing is written or read but by run(), which the owner keeps running beside the calls:
//
//   auto ended = co_await (channel->run() || conversation(*channel));
//
// Bounds: those of GrpcSession, and kMaxBytesPerSecond from the server. Threading: one executor. Lifetime: the clock outlives it.
class GrpcChannel {
 public:
  using OnMessage = std::function<Result<void>(ByteView)>;   // as CallHandler::on_message
  static constexpr std::size_t kMaxBytesPerSecond = 16 << 20;   // two full lists of the largest node

  // Errc::gone: nothing there or nobody listens; permission; invalid_argument: a path of more than 107 bytes; io.
  static Result<std::unique_ptr<GrpcChannel>> connect(boost::asio::any_io_executor executor, const std::string& path, const Clock& clock);
  GrpcChannel(boost::asio::local::stream_protocol::socket socket, const Clock& clock);

  // Until the connection breaks, with the reason, or it is cancelled.
  boost::asio::awaitable<Error> run();
  // One call; on_message gets each message of the answer while this runs, inside run(). limit zero: for a stream that has no end.
  // Errors: those of CallHandler::on_end; timeout also when the server does not keep its own deadline.
  boost::asio::awaitable<Result<void>> call(std::string_view method, const Bytes& request, std::chrono::milliseconds limit, OnMessage& on_message);

 private:
  boost::asio::awaitable<Error> read_loop();
  boost::asio::awaitable<Error> write_loop();

  boost::asio::local::stream_protocol::socket socket_;
  const Clock& clock_;
  GrpcSession session_;
  uplink::Signal outgoing_;
  Bytes read_buffer_, write_buffer_;
};

}  // namespace fw::cri
