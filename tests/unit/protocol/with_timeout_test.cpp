#include "common/async/with_timeout.hpp"

#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <stdexcept>

#include "common/result.hpp"

namespace fw {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

asio::awaitable<int> seven() { co_return 7; }
asio::awaitable<void> nothing() { co_return; }
asio::awaitable<Result<int>> fails() { co_return Error(Errc::io, "no"); }
asio::awaitable<int> throws() {
  throw std::runtime_error("broken");
  co_return 0;
}

// Longer than any test; tells whether it was ended from outside.
asio::awaitable<void> for_ever(bool& cancelled) {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
  const auto [ec] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  cancelled = ec == asio::error::operation_aborted;
}

template <class Test>
void run(Test test) {
  asio::io_context io;
  bool done = false;
  asio::co_spawn(io, test(), [&](std::exception_ptr error) {
    done = true;
    if (error) std::rethrow_exception(error);
  });
  io.run();
  EXPECT_TRUE(done);
}

TEST(WithTimeout, gives_what_came_in_time) {
  run([]() -> asio::awaitable<void> {
    EXPECT_EQ(co_await with_timeout(seven(), 1h), 7);
    EXPECT_TRUE(co_await with_timeout(nothing(), 1h));
    const auto failed = co_await with_timeout(fails(), 1h);   // an error is an answer, not a timeout
    EXPECT_TRUE(failed.has_value());
    EXPECT_EQ(failed->error().message(), "no");
  });
}

TEST(WithTimeout, cancels_what_did_not) {
  bool cancelled = false;
  run([&]() -> asio::awaitable<void> { EXPECT_FALSE(co_await with_timeout(for_ever(cancelled), 1ms)); });
  EXPECT_TRUE(cancelled);
}

TEST(WithTimeout, hands_on_an_exception) {
  run([]() -> asio::awaitable<void> {
    std::string what;
    try {
      co_await with_timeout(throws(), 1h);
    } catch (const std::runtime_error& error) {
      what = error.what();
    }
    EXPECT_EQ(what, "broken");
  });
}

}  // namespace
}  // namespace fw
