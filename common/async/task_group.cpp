#include "common/async/task_group.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>
#include <optional>
#include <utility>

namespace fw {
namespace asio = boost::asio;
namespace {

// What an exception means as the end of a task: our own cancellation is no error.
Result<void> result_of(std::exception_ptr thrown) {
  try {
    std::rethrow_exception(std::move(thrown));
  } catch (const asio::multiple_exceptions& several) {
    return result_of(several.first_exception());
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) return {};
    return Error(Errc::io, error.what());
  } catch (const std::exception& error) {
    return Error(Errc::io, error.what());
  } catch (...) {
    return Error(Errc::io, "an exception of unknown type");
  }
}

}  // namespace

struct TaskGroup::State {
  struct Task {
    std::string name;
    asio::cancellation_signal signal;
  };
  using Tasks = std::list<Task>;

  explicit State(asio::any_io_executor e) : executor(std::move(e)), changed(executor, asio::steady_timer::time_point::max()) {}

  asio::awaitable<void> wait_for_change() {
    boost::system::error_code ignored;  // the timer never expires: a change cancels it
    co_await changed.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }

  void cancel_all() {
    // A handler of one signal may end other tasks; those stay in the list until their completion handler runs later.
    for (auto& task : tasks) task.signal.emit(asio::cancellation_type::terminal);
  }

  void ended(Tasks::iterator task, std::exception_ptr thrown, Result<void> returned) {
    TaskExit exit{std::move(task->name), thrown ? result_of(thrown) : std::move(returned)};
    tasks.erase(task);
    if (!first) first = exit;
    if (thrown && exit.result.has_error()) cancel_all();
    changed.cancel();
  }

  asio::any_io_executor executor;
  asio::steady_timer changed;
  Tasks tasks;
  std::optional<TaskExit> first;
};

TaskGroup::TaskGroup(asio::any_io_executor executor) : state_(std::make_shared<State>(std::move(executor))) {}
TaskGroup::~TaskGroup() { state_->cancel_all(); }

void TaskGroup::spawn(std::string name, asio::awaitable<Result<void>> task) {
  const auto entry = state_->tasks.emplace(state_->tasks.end());
  entry->name = std::move(name);
  asio::co_spawn(state_->executor, std::move(task),
                 asio::bind_cancellation_slot(
                     entry->signal.slot(), [state = state_, entry](std::exception_ptr thrown, Result<void> result) {
                       state->ended(entry, std::move(thrown), std::move(result));
                     }));
}

void TaskGroup::cancel(std::string_view name) {
  for (auto& task : state_->tasks) {
    if (task.name == name) task.signal.emit(asio::cancellation_type::terminal);
  }
}

void TaskGroup::cancel_all() { state_->cancel_all(); }

asio::awaitable<TaskExit> TaskGroup::wait_first() {
  const auto state = state_;
  while (!state->first && !state->tasks.empty()) co_await state->wait_for_change();
  co_return state->first.value_or(TaskExit{});
}

asio::awaitable<void> TaskGroup::wait_all() {
  const auto state = state_;
  while (!state->tasks.empty()) co_await state->wait_for_change();
}

std::size_t TaskGroup::size() const noexcept { return state_->tasks.size(); }

}  // namespace fw
