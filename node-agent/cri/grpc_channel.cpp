#include "node-agent/cri/grpc_channel.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>
#include <variant>

#include "common/async/with_timeout.hpp"
#include "common/unique_fd.hpp"

namespace fw::cri {

namespace asio = boost::asio;
using namespace boost::asio::experimental::awaitable_operators;

namespace {

constexpr auto kAwaitTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadBytes = 16 << 10;    // a frame of the default size
constexpr std::size_t kWriteBytes = 16 << 10;

struct Waiting final : CallHandler {
  Waiting(const asio::any_io_executor& executor, GrpcChannel::OnMessage& on_message_of_caller) : done(executor), forward(on_message_of_caller) {}
  Result<void> on_message(ByteView message) override { return forward(message); }
  void on_end(Result<void> ended) override {
    result = std::move(ended);
    done.notify();
  }

  uplink::Signal done;
  GrpcChannel::OnMessage& forward;
  std::optional<Result<void>> result;
};

}  // namespace

Result<std::unique_ptr<GrpcChannel>> GrpcChannel::connect(asio::any_io_executor executor, const std::string& path, const Clock& clock) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Error(Errc::invalid_argument, path + ": more than 107 bytes");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return errno_error(errno, "socket");
  // A unix socket answers at once: it takes the connection, or its queue is full, which is an error like any other.
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ECONNREFUSED) return Error(Errc::gone, path + ": nobody listens");
    return errno_error(errno, path);
  }
  asio::local::stream_protocol::socket socket(executor);
  boost::system::error_code error;
  socket.assign(asio::local::stream_protocol(), fd.get(), error);
  if (error) return Error(Errc::io, path + ": " + error.message());
  (void)fd.release();
  return std::make_unique<GrpcChannel>(std::move(socket), clock);
}

GrpcChannel::GrpcChannel(asio::local::stream_protocol::socket socket, const Clock& clock)
    : socket_(std::move(socket)), clock_(clock), outgoing_(socket_.get_executor()) {}

asio::awaitable<Error> GrpcChannel::run() {
  auto ended = co_await (read_loop() || write_loop());
  co_return std::visit([](Error& error) { return std::move(error); }, ended);
}

asio::awaitable<Error> GrpcChannel::read_loop() {
  read_buffer_.resize(kReadBytes);
  std::uint64_t second_began_ns = clock_.mono_ns();
  std::size_t bytes_of_second = 0;
  for (;;) {
    const auto [error, bytes] = co_await socket_.async_read_some(asio::buffer(read_buffer_), kAwaitTuple);
    if (error == asio::error::eof) co_return Error(Errc::gone, "the runtime hung up");
    if (error) co_return Error(Errc::io, "read: " + error.message());
    const auto now = clock_.mono_ns();
    if (now - second_began_ns >= static_cast<std::uint64_t>(kNsPerSecond)) {
      second_began_ns = now;
      bytes_of_second = 0;
    }
    bytes_of_second += bytes;
    if (bytes_of_second > kMaxBytesPerSecond) co_return Error(Errc::too_large, "the runtime sends more than " + std::to_string(kMaxBytesPerSecond) + " bytes in a second");
    const auto taken = session_.receive(ByteView(read_buffer_).first(bytes));
    if (!taken) co_return taken.error();
    outgoing_.notify();
  }
}

asio::awaitable<Error> GrpcChannel::write_loop() {
  for (;;) {
    write_buffer_.clear();
    while (write_buffer_.size() < kWriteBytes) {
      const auto frame = session_.output();
      if (!frame) co_return frame.error();
      if (frame->empty()) break;
      write_buffer_.insert(write_buffer_.end(), frame->begin(), frame->end());
    }
    if (write_buffer_.empty()) {
      co_await outgoing_.wait();
      continue;
    }
    const auto [error, bytes] = co_await asio::async_write(socket_, asio::buffer(write_buffer_), kAwaitTuple);
    if (error) co_return Error(Errc::io, "write: " + error.message());
  }
}

asio::awaitable<Result<void>> GrpcChannel::call(std::string_view method, const Bytes& request, std::chrono::milliseconds limit, OnMessage& on_message) {
  Waiting waiting(socket_.get_executor(), on_message);
  const auto id = session_.start(method, request, limit, waiting);
  if (!id) co_return id.error();
  struct Guard {   // whatever ends this coroutine, the session must not call it any more
    GrpcChannel& channel;
    std::int32_t id;
    ~Guard() {
      channel.session_.cancel(id);
      channel.outgoing_.notify();
    }
  } const guard{*this, *id};
  outgoing_.notify();
  if (limit.count() == 0) {
    co_await waiting.done.wait();
  } else {
    co_await with_timeout(waiting.done.wait(), limit);
  }
  if (!waiting.result) co_return Error(Errc::timeout, std::string(method) + ": no answer");
  co_return *std::move(waiting.result);
}

}  // namespace fw::cri
