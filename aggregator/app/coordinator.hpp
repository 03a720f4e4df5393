// The one thread that knows everything: fleet, recent past, incidents. Agents' facts and people's wishes come to it as posted calls;
// it saves, focuses agents and sends investigations to a worker.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <atomic>
#include <list>
#include <thread>
#include <unordered_set>

#include "agents/investigate.hpp"
#include "aggregator/app/governor.hpp"
#include "aggregator/fleet/fleet.hpp"
#include "aggregator/incidents/case_facts.hpp"
#include "aggregator/incidents/engine.hpp"
#include "aggregator/incidents/recent.hpp"
#include "aggregator/ingest/ingest.hpp"
#include "common/log.hpp"

namespace fw::app {

struct Retention {
  std::chrono::nanoseconds keep_events = std::chrono::hours(24 * 7);
  std::chrono::nanoseconds keep_incidents = std::chrono::hours(24 * 90);
  std::int64_t max_bytes = 0;
};

// Threading: the Sink's calls from any thread; everything else on executor(), except where it says so.
class Coordinator final : public ingest::Sink {
 public:
  struct Deps {
    store::Store& store;
    Metrics& metrics;
    const Clock& clock;
    const agents::Cards& cards;
  };
  Coordinator(incidents::EngineConfig config, Retention retention, Deps deps);
  ~Coordinator() override;

  // Before start(), blocking: what the store knows, and the last minutes again for what a crash cut off.
  Result<void> restore();
  // Before start(): plans and approvals are on. It is stopped by stop().
  void govern(std::unique_ptr<Governor> governor);
  Governor* governor() noexcept { return governor_.get(); }
  void start(ingest::Ingest* ingest);          // any thread; nullptr in tests without agents
  void stop();                                 // any thread; after Ingest::stop. Saves what is unsaved, at most 2 s

  void on_connected(ingest::Connected connected) override;
  void on_disconnected(const Uuid& node, const Uuid& session) override;
  void on_entities(const Uuid& node, std::vector<fleet::EntityPtr> known, std::vector<fleet::EntityKey> removed) override;
  void on_events(const Uuid& node, std::vector<fleet::NodeEventPtr> events) override;
  void on_clock(const Uuid& node, ingest::ClockOf clock) override;
  void on_lost_samples(const Uuid& node, std::uint64_t values) override;
  void on_executor(const Uuid& node, Bytes packet) override;
  std::size_t backlog() const noexcept override { return backlog_.load(std::memory_order_relaxed); }

  // Any thread: false when the executor has not turned for some seconds.
  bool alive() const noexcept;
  boost::asio::io_context::executor_type executor() noexcept { return io_.get_executor(); }
  boost::asio::thread_pool& reads() noexcept { return reads_; }
  const fleet::Fleet& fleet() const noexcept { return fleet_; }
  const incidents::EventHistory& history() const noexcept { return history_; }
  incidents::Engine& engine() noexcept { return engine_; }

  void add_change(const changes::Change& change);   // durable already
  // Does what is due: saves, focuses, investigates, sets the timer. After every call that changes the engine.
  void pump();
  // Resumes when every event of the incident is durable, or the write failed (it is tried again all the same).
  boost::asio::awaitable<Result<void>> saved(Uuid uid);

 private:
  struct Waiter { Uuid uid; boost::asio::steady_timer timer; std::optional<Result<void>> result; };

  template <class F>
  void hand_over(std::size_t facts, F take);        // any thread: runs it on the executor, counted in backlog()
  // Rows that nobody waits for. What the store refuses is written again later, as it is then.
  void save_node(const Uuid& uid);
  void save_change(const Uuid& id);
  void save_owed();
  void take_event(const fleet::NodeEventPtr& event);
  void observe_limit(const fleet::NodeEvent& event, const wire::LimitChanged& limit);
  void learn(changes::Change change);
  void tell_governor(const incidents::Incident& incident);
  void save();
  void on_saved(const Uuid& uid, const Result<store::Written>& written);
  void investigate(const Uuid& uid);
  void run_investigation(const Uuid& uid, std::int64_t began_ns, std::vector<series::Series> series);
  void explain(Uuid uid, std::int64_t began_ns, agents::IncidentFacts facts);   // worker thread
  void each_second();
  void report_governance();
  void housekeeping();
  void prune(int steps);
  void read_outcomes();
  void set_timer();

  Deps deps_;
  Retention retention_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::steady_timer timer_, second_;
  boost::asio::thread_pool worker_{1}, reads_{1};
  fleet::Fleet fleet_;
  incidents::EventHistory history_;
  incidents::ChangeLog changes_;
  incidents::Engine engine_;
  std::vector<store::Outcome> outcomes_;
  std::unordered_map<Uuid, Uuid> sessions_;    // node -> its newest session
  std::unordered_set<Uuid> owed_nodes_, owed_changes_;   // as many as fleet_ and changes_ hold
  std::list<std::shared_ptr<Waiter>> waiters_;
  ingest::Ingest* ingest_ = nullptr;
  std::unique_ptr<Governor> governor_;         // nullptr: off
  bool stopping_ = false, save_failed_ = false;
  std::uint64_t seconds_ = 0, opened_reported_ = 0;
  store::Stats store_reported_;
  governance::CoreStats governance_reported_;
  log::Limiter store_limiter_, investigate_limiter_;
  std::atomic<std::size_t> backlog_{0};
  std::atomic<std::uint64_t> turned_mono_ns_{0};
  std::thread thread_;
};

}  // namespace fw::app
