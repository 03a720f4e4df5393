// Drives the governance core in the program: its rows into the store, its work to the audit log on that log's own thread, its packets to
// the agents, its words to the incidents. A log that broke is opened again by itself; ingest goes on meanwhile.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>

#include "aggregator/audit/log.hpp"
#include "aggregator/governance/core.hpp"
#include "aggregator/incidents/engine.hpp"
#include "aggregator/ingest/ingest.hpp"
#include "common/log.hpp"

namespace fw::app {

struct GovernorConfig {
  std::string policy_file, audit_folder, key_file, cluster;
};

// Threading: the executor of the coordinator, except where it says so. Lifetime: store and clock outlive it; destroyed before its executor.
class Governor {
 public:
  using Executor = boost::asio::io_context::executor_type;
  struct Deps {
    store::Store& store;
    const Clock& clock;
    Executor executor;
    std::function<void()> wake;              // something changed: pump() is due
  };
  // Blocking: what the store knows, the policy, the log. Errors: the policy file, a key that is not the policy's. A log that cannot be
  // opened is no error: problem() says so, and it is tried again.
  static Result<std::unique_ptr<Governor>> open(GovernorConfig config, Deps deps);
  ~Governor();
  void stop();                               // any thread, after the executor has stopped; joins the log's thread

  governance::Core& core() noexcept { return core_; }
  const governance::Core& core() const noexcept { return core_; }
  // Rows out, packets out, words to `engine`. After every call that changes the core, and when a timer says so.
  void pump(incidents::Engine& engine, ingest::Ingest* ingest);
  bool idle() const noexcept { return core_.idle(); }
  std::string problem() const;               // any thread

  // Resumes once what was decided under this ticket is durable, or the write failed (it is tried again all the same).
  boost::asio::awaitable<Result<void>> durable(std::uint64_t ticket);

  // Any thread: runs `read` on the log's thread; Errc::io while the log is not open.
  template <class T>
  boost::asio::awaitable<Result<T>> ask_log(std::function<Result<T>(audit::Log&)> read) {
    auto task = run_read<T>(std::move(read));
    co_return co_await boost::asio::co_spawn(log_thread_, std::move(task), boost::asio::use_awaitable);
  }

 private:
  struct Waiter { std::uint64_t ticket = 0; boost::asio::steady_timer timer; std::optional<Result<void>> result; };
  struct OpenLog { std::string problem = {}, note = {}; std::uint64_t size = 0; };

  Governor(GovernorConfig config, Deps deps);
  OpenLog open_log(std::string origin, std::optional<governance::ContinueAs> continuation);   // log thread, or before it runs
  void reopen_later();
  void submit(store::WriteGovernance write);
  void on_written(Result<store::Written> written);
  void set_problem(std::string problem);
  void set_timer();

  template <class T>
  boost::asio::awaitable<Result<T>> run_read(std::function<Result<T>(audit::Log&)> read) {
    if (!log_) co_return Error(Errc::io, "the audit log is not open: " + problem());
    co_return read(*log_);
  }

  const GovernorConfig config_;
  Deps deps_;
  governance::Core core_;
  boost::asio::steady_timer timer_, reopen_;
  std::list<std::shared_ptr<Waiter>> waiters_;
  std::int64_t ticked_ns_ = 0;
  bool reopening_ = false;
  log::Limiter limiter_;
  mutable std::mutex problem_mutex_;
  std::string problem_;
  std::unique_ptr<RealDisk> disk_;           // log thread
  std::unique_ptr<audit::Log> log_;          // log thread
  boost::asio::thread_pool log_thread_{1};   // last: it uses everything above
};

}  // namespace fw::app
