#include "common/async/task_group.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <stdexcept>

namespace fw {
namespace {

namespace asio = boost::asio;

asio::awaitable<Result<void>> returns(Result<void> result) { co_return result; }

asio::awaitable<Result<void>> throws(const char* what) {
  throw std::runtime_error(what);
  co_return Result<void>();
}

// Until cancelled; counts starts and ends.
asio::awaitable<Result<void>> waits(int& running) {
  struct Count {
    explicit Count(int& n) : number(n) { ++number; }
    ~Count() { --number; }
    int& number;
  } count(running);
  asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  co_await timer.async_wait(asio::use_awaitable);
  co_return Result<void>();
}

// Runs `test` to its end; whatever it started must have ended too.
void run(asio::io_context& io, asio::awaitable<void> test) {
  bool done = false;
  asio::co_spawn(io, std::move(test), [&](std::exception_ptr error) {
    done = true;
    if (error) std::rethrow_exception(error);
  });
  io.run();
  ASSERT_TRUE(done);
}

TEST(TaskGroup, tells_which_task_ended_first_and_why) {
  asio::io_context io;
  int running = 0;
  run(io, [](int& n) -> asio::awaitable<void> {
    TaskGroup tasks(co_await asio::this_coro::executor);
    tasks.spawn("waits", waits(n));
    tasks.spawn("fails", returns(Error(Errc::io, "disk")));
    const auto first = co_await tasks.wait_first();
    EXPECT_EQ(first.name, "fails");
    EXPECT_EQ(first.result.error().message(), "disk");
    EXPECT_EQ(tasks.size(), 1U);
    tasks.cancel_all();
    co_await tasks.wait_all();
    EXPECT_EQ(tasks.size(), 0U);
  }(running));
  EXPECT_EQ(running, 0);
}

TEST(TaskGroup, cancels_by_name_and_a_cancelled_task_is_a_success) {
  asio::io_context io;
  int running = 0;
  run(io, [](int& n) -> asio::awaitable<void> {
    const auto executor = co_await asio::this_coro::executor;
    TaskGroup tasks(executor);
    tasks.spawn("a", waits(n));
    tasks.spawn("b", waits(n));
    co_await asio::post(executor, asio::use_awaitable);
    EXPECT_EQ(n, 2);
    tasks.cancel("a");
    const auto first = co_await tasks.wait_first();
    EXPECT_EQ(first.name, "a");
    EXPECT_TRUE(first.result);
    EXPECT_EQ(n, 1);
    tasks.cancel_all();
    co_await tasks.wait_all();
  }(running));
}

TEST(TaskGroup, an_exception_stops_the_others_and_is_the_result) {
  asio::io_context io;
  int running = 0;
  run(io, [](int& n) -> asio::awaitable<void> {
    TaskGroup tasks(co_await asio::this_coro::executor);
    tasks.spawn("waits", waits(n));
    tasks.spawn("throws", throws("broken"));
    co_await tasks.wait_all();       // nobody cancels
    const auto first = co_await tasks.wait_first();
    EXPECT_EQ(first.name, "throws");
    EXPECT_EQ(first.result.error().message(), "broken");
  }(running));
  EXPECT_EQ(running, 0);
}

TEST(TaskGroup, a_task_cancelled_before_it_ran_ends_too) {
  asio::io_context io;
  int running = 0;
  run(io, [](int& n) -> asio::awaitable<void> {
    TaskGroup tasks(co_await asio::this_coro::executor);
    tasks.spawn("a", waits(n));
    tasks.cancel_all();
    co_await tasks.wait_all();
  }(running));
  EXPECT_EQ(running, 0);
}

TEST(TaskGroup, waiting_for_nobody_ends_at_once) {
  asio::io_context io;
  run(io, []() -> asio::awaitable<void> {
    TaskGroup tasks(co_await asio::this_coro::executor);
    EXPECT_EQ((co_await tasks.wait_first()).name, "");
    co_await tasks.wait_all();
  }());
}

TEST(TaskGroup, its_destructor_stops_what_still_runs) {
  asio::io_context io;
  int running = 0;
  {
    TaskGroup tasks(io.get_executor());
    tasks.spawn("a", waits(running));
    io.run_one();
    EXPECT_EQ(running, 1);
  }
  io.run();
  EXPECT_EQ(running, 0);
}

}  // namespace
}  // namespace fw
