// The one helper for time limits on a coroutine.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <optional>
#include <utility>
#include <variant>

namespace fw {
namespace detail {

inline boost::asio::awaitable<void> wait_for(std::chrono::nanoseconds limit) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, limit);
  co_await timer.async_wait(boost::asio::use_awaitable);
}

template <class T>
struct Outcome {
  std::optional<T> value;
  std::exception_ptr thrown;
};

// `op || timer` would wait for the timer when op throws: it wants one success. So op never throws, it returns what it threw.
template <class T>
boost::asio::awaitable<Outcome<T>> caught(boost::asio::awaitable<T> op) {
  Outcome<T> outcome;  // no co_await inside of a braced temporary: g++ 12 destroys it twice
  try {
    T value = co_await std::move(op);
    outcome.value.emplace(std::move(value));
  } catch (...) {
    outcome.thrown = std::current_exception();
  }
  co_return outcome;
}

inline boost::asio::awaitable<std::monostate> with_value(boost::asio::awaitable<void> op) {
  co_await std::move(op);
  co_return std::monostate();
}

}  // namespace detail

// Runs `op`; when `limit` passes first, cancels it, waits for its end and returns nothing (for void: false). What a cancelled op
// returned is thrown away, so an op that has side effects must tolerate that. Cancelling the caller cancels `op` and hands on what it
// returned or threw. Same executor as the caller.
template <class T>
boost::asio::awaitable<std::optional<T>> with_timeout(boost::asio::awaitable<T> op, std::chrono::nanoseconds limit) {
  using namespace boost::asio::experimental::awaitable_operators;
  auto first = co_await (detail::caught(std::move(op)) || detail::wait_for(limit));
  if (first.index() == 1) co_return std::nullopt;
  auto& outcome = std::get<0>(first);
  if (outcome.thrown) std::rethrow_exception(outcome.thrown);
  co_return std::move(outcome.value);
}

inline boost::asio::awaitable<bool> with_timeout(boost::asio::awaitable<void> op, std::chrono::nanoseconds limit) {
  co_return (co_await with_timeout(detail::with_value(std::move(op)), limit)).has_value();
}

}  // namespace fw
