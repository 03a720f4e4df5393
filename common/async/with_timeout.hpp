// The one helper for time limits on a coroutine.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <optional>
#include <utility>
#include <variant>

namespace fw {
namespace detail {

inline boost::asio::awaitable<void> wait_for(std::chrono::nanoseconds limit) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, limit);
  co_await timer.async_wait(boost::asio::use_awaitable);
}

}  // namespace detail

// Runs `op`; when `limit` passes first, cancels it, waits for its end and returns nothing (for void: false). What a cancelled op
// returned is thrown away, so an op that has side effects must tolerate that. Cancelling the caller cancels `op` and hands on what it
// returned or threw. Same executor as the caller.
template <class T>
boost::asio::awaitable<std::optional<T>> with_timeout(boost::asio::awaitable<T> op, std::chrono::nanoseconds limit) {
  using namespace boost::asio::experimental::awaitable_operators;
  try {
    auto first = co_await (std::move(op) || detail::wait_for(limit));
    if (first.index() == 1) co_return std::nullopt;
    co_return std::optional<T>(std::get<0>(std::move(first)));
  } catch (const boost::asio::multiple_exceptions& both) {  // op threw, and so did the timer that was cancelled
    std::rethrow_exception(both.first_exception());
  }
}

inline boost::asio::awaitable<bool> with_timeout(boost::asio::awaitable<void> op, std::chrono::nanoseconds limit) {
  using namespace boost::asio::experimental::awaitable_operators;
  try {
    const auto first = co_await (std::move(op) || detail::wait_for(limit));
    co_return first.index() == 0;
  } catch (const boost::asio::multiple_exceptions& both) {
    std::rethrow_exception(both.first_exception());
  }
}

}  // namespace fw
