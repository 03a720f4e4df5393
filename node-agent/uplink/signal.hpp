// Wakes one waiting coroutine; a notification without a waiter is kept for the next wait.
#pragma once
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fw::uplink {

// Threading: one executor. At most one waiter; cancelling the waiter ends its wait.
class Signal {
 public:
  explicit Signal(const boost::asio::any_io_executor& executor) : timer_(executor, boost::asio::steady_timer::time_point::max()) {}
  void notify() {
    notified_ = true;
    timer_.cancel();
  }
  boost::asio::awaitable<void> wait() {
    if (!notified_) co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    notified_ = false;
  }

 private:
  boost::asio::steady_timer timer_;   // never expires
  bool notified_ = false;
};

}  // namespace fw::uplink
