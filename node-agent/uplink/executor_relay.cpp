#include "node-agent/uplink/executor_relay.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <cstring>

#include "common/id.hpp"
#include "common/log.hpp"
#include "common/unique_fd.hpp"
#include "node-agent/uplink/signal.hpp"
#include "protocol/limits.hpp"
#include "protocol/session/backoff.hpp"

namespace fw::uplink {

namespace asio = boost::asio;
using namespace boost::asio::experimental::awaitable_operators;

namespace {

constexpr auto kAwaitTuple = asio::as_tuple(asio::use_awaitable);
constexpr session::BackoffLimits kBackoff{std::chrono::milliseconds{100}, std::chrono::milliseconds{5'000}, std::chrono::milliseconds{10'000}};
constexpr int kPacketsPerTurn = 16;

bool would_wait(int error_number) { return error_number == EAGAIN || error_number == EWOULDBLOCK; }

std::uint64_t random_bits() {
  std::array<std::uint8_t, 8> bytes{};
  fill_random(bytes);
  std::uint64_t bits = 0;
  for (const auto byte : bytes) bits = bits << 8U | byte;
  return bits;
}

}  // namespace

struct ExecutorRelay::Connection {
  Connection(const asio::any_io_executor& executor, int fd) : socket(executor, fd), outgoing(executor) {}
  asio::posix::stream_descriptor socket;   // for waiting; packets go by recv and send, which keep their bounds
  Signal outgoing;
};

ExecutorRelay::ExecutorRelay(asio::any_io_executor executor, std::string socket_path, std::function<void(Bytes)> received, const Clock& clock)
    : executor_(std::move(executor)), socket_path_(std::move(socket_path)), received_(std::move(received)), clock_(clock) {}
ExecutorRelay::~ExecutorRelay() = default;

void ExecutorRelay::send(Bytes packet) {
  if (!connection_ || waiting_.size() == kMaxWaiting) {
    counters_.dropped_total += 1;
    return;
  }
  waiting_.push_back(std::move(packet));
  connection_->outgoing.notify();
}

Result<void> ExecutorRelay::connect() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path_.size() >= sizeof address.sun_path) return Error(Errc::invalid_argument, socket_path_ + ": more than 107 bytes");
  std::memcpy(address.sun_path, socket_path_.c_str(), socket_path_.size() + 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return errno_error(errno, "socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return errno_error(errno, socket_path_);
  connection_ = std::make_unique<Connection>(executor_, fd.release());
  counters_.connections_total += 1;
  counters_.connected = true;
  return {};
}

void ExecutorRelay::disconnect() {
  connection_.reset();
  counters_.dropped_total += waiting_.size();
  waiting_.clear();
  counters_.connected = false;
}

asio::awaitable<Error> ExecutorRelay::read_loop() {
  buffer_.resize(limits::kMaxExecutorPacketBytes);
  for (;;) {
    const auto [error] = co_await connection_->socket.async_wait(asio::posix::stream_descriptor::wait_read, kAwaitTuple);
    if (error) co_return Error(Errc::io, "executor: " + error.message());
    for (int turn = 0; turn < kPacketsPerTurn; ++turn) {
      const auto bytes = ::recv(connection_->socket.native_handle(), buffer_.data(), buffer_.size(), MSG_TRUNC);
      if (bytes == 0) co_return Error(Errc::gone, "executor: it hung up");
      if (bytes < 0 && (would_wait(errno) || errno == EINTR)) break;
      if (bytes < 0) co_return errno_error(errno, "executor");
      const auto size = static_cast<std::size_t>(bytes);
      if (size > buffer_.size()) co_return Error(Errc::too_large, "executor: a packet of " + std::to_string(size) + " bytes");
      counters_.from_executor_total += 1;
      received_(Bytes(buffer_.begin(), buffer_.begin() + bytes));
    }
  }
}

asio::awaitable<Error> ExecutorRelay::write_loop() {
  for (;;) {
    while (!waiting_.empty()) {
      const auto& packet = waiting_.front();
      if (::send(connection_->socket.native_handle(), packet.data(), packet.size(), MSG_NOSIGNAL) >= 0) {
        counters_.to_executor_total += 1;
        waiting_.pop_front();
        continue;
      }
      if (errno == EINTR) continue;
      if (!would_wait(errno)) co_return errno_error(errno, "executor");
      const auto [error] = co_await connection_->socket.async_wait(asio::posix::stream_descriptor::wait_write, kAwaitTuple);
      if (error) co_return Error(Errc::io, "executor: " + error.message());
    }
    co_await connection_->outgoing.wait();
  }
}

asio::awaitable<void> ExecutorRelay::run() {
  struct Guard {
    ExecutorRelay& relay;
    ~Guard() { relay.disconnect(); }
  } const guard{*this};
  log::Limiter limiter(clock_);
  session::Backoff backoff(kBackoff);
  asio::steady_timer timer(executor_);
  for (;;) {
    const auto started_ns = clock_.mono_ns();
    const auto connected = connect();
    Error reason = connected ? Error() : connected.error();
    std::chrono::nanoseconds lasted{0};
    if (connected) {
      log::info("executor connected", {{"socket", socket_path_}});
      auto ended = co_await (read_loop() || write_loop());
      reason = std::visit([](const Error& error) { return error; }, ended);
      lasted = std::chrono::nanoseconds{static_cast<std::int64_t>(clock_.mono_ns() - started_ns)};
      disconnect();
    }
    log::write(limiter, log::Level::warn, "executor not connected", {{"socket", socket_path_}, {"error", reason.message()}});
    timer.expires_after(backoff.next(lasted, random_bits()));
    co_await timer.async_wait(kAwaitTuple);
  }
}

}  // namespace fw::uplink
