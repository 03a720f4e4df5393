// Carries packets between the aggregator's session and the executor's socket, unread: the executor trusts neither end, and neither does this.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "common/bytes.hpp"
#include "common/clock.hpp"
#include "common/result.hpp"

namespace fw::uplink {

struct RelayCounters {
  std::uint64_t connections_total = 0;
  std::uint64_t to_executor_total = 0;
  std::uint64_t from_executor_total = 0;
  std::uint64_t dropped_total = 0;       // no executor, or it takes nothing; the aggregator delivers again
  bool connected = false;
};

// The executor greets each connection with its status and what nobody acknowledged, so run() lasts as long as one session of the uplink: a new
// session is a new greeting, and nothing has to be kept while there is no session.
//
// Bounds: kMaxWaiting packets wait for the executor. Threading: one executor. Blocking: no.
// Lifetime: the clock outlives it; destroy it after run() has ended.
class ExecutorRelay {
 public:
  static constexpr std::size_t kMaxWaiting = 16;

  // received: each packet of the executor, 1 to limits::kMaxExecutorPacketBytes.
  ExecutorRelay(boost::asio::any_io_executor executor, std::string socket_path, std::function<void(Bytes)> received, const Clock& clock);
  ~ExecutorRelay();

  // Connects for ever, with back-off; ends when cancelled, and closes the connection then.
  boost::asio::awaitable<void> run();
  void send(Bytes packet);               // to the executor
  const RelayCounters& counters() const noexcept { return counters_; }

 private:
  struct Connection;
  Result<void> connect();
  void disconnect();
  boost::asio::awaitable<Error> read_loop();
  boost::asio::awaitable<Error> write_loop();

  boost::asio::any_io_executor executor_;
  std::string socket_path_;
  std::function<void(Bytes)> received_;
  const Clock& clock_;
  std::unique_ptr<Connection> connection_;
  std::deque<Bytes> waiting_;
  Bytes buffer_;
  RelayCounters counters_;
};

}  // namespace fw::uplink
