// Owner of child coroutines: spawn, cancel, wait. The only place of the project that starts a detached coroutine.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace fw {

// How one task ended. A task that ends because it was cancelled counts as a success.
struct TaskExit {
  std::string name;
  Result<void> result;
};

// Invariant: a task belongs to the group from spawn() until it has ended, whatever ended it. An exception that escapes from a
// task becomes its error (Errc::io, the exception's text) and cancels all other tasks.
// Threading: one executor, the one given; all members are called on it. Blocking: never.
// Lifetime: call cancel_all() and await wait_all() before destroying what tasks refer to. The destructor only asks the tasks
// that still run to stop.
class TaskGroup {
 public:
  explicit TaskGroup(boost::asio::any_io_executor executor);
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Starts `task` at the next turn of the executor. Names are for logs and cancel(); they may repeat.
  void spawn(std::string name, boost::asio::awaitable<Result<void>> task);

  // Asks every task of that name, or all tasks, to stop: its pending operation ends with operation_aborted. Idempotent. A task
  // that was spawned but has not run yet ends without running.
  void cancel(std::string_view name);
  void cancel_all();

  // The first task that ended since the group was made; waits for it. Ends at once when the group never had a task.
  boost::asio::awaitable<TaskExit> wait_first();
  // Until no task is left.
  boost::asio::awaitable<void> wait_all();

  std::size_t size() const noexcept;   // tasks that have not ended

 private:
  struct State;
  std::shared_ptr<State> state_;       // shared with the running tasks, so that they may outlive the group
};

}  // namespace fw
