// Everything that the node agent sees, behind one object: the application polls file descriptors and calls drain() and tick().
//
//   auto sensors = NodeSensors::open(config, clock);          // never fails for missing rights: see features()
//   for (int fd : sensors->poll_fds()) wait until readable -> sensors->drain()
//   at sensors->next_tick_mono_ns()                        -> sensors->tick(), then drain() for what the tick noticed
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/clock.hpp"
#include "common/result.hpp"
#include "node-agent/collectors/collector.hpp"
#include "node-agent/collectors/container_facts.hpp"
#include "node-agent/kernel/kernel_probe.hpp"
#include "protocol/limits.hpp"
#include "protocol/wire/messages.hpp"

namespace fw::collectors {

enum class Use : std::uint8_t { when_possible, never };

struct SensorsConfig {
  std::string proc_root = "/proc";                      // its self/mountinfo names the cgroup folders
  std::string root_prefix;                              // put before every cgroup folder; tests point it at a made tree
  std::string kernel_log = "/dev/kmsg";
  std::string kernel_log_rules;                         // a file of the operator's rules for it; "": the built-in ones only
  std::string node_name;
  std::chrono::milliseconds sample_period{10'000};
  std::chrono::milliseconds hot_period{1'000};
  Use bpf = Use::when_possible;
  Use kernel_log_use = Use::when_possible;
  std::size_t max_entities = limits::kMaxEntitiesPerNode;
  std::size_t max_open_files = 0;                       // 0: the process's limit less a reserve for everything else
  std::size_t max_pending_events = 10'000;              // between two drains; more are dropped and counted
  std::size_t max_waiting_folders = 1'024;              // empty cgroups that are watched; more are found by the next scan
};

// What drain() hands over. Self-contained: entities holds every entry that events refer to, and their parents.
struct EventBatch {
  std::vector<wire::EntityEntry> entities;
  std::vector<wire::Event> events;                      // ascending in time per source
  bool more = false;                                    // the budget ended first: call drain() again soon
};

// Totals since open(), for the agent's log and --once.
struct SensorCounters {
  std::uint64_t events_total = 0;
  std::uint64_t samples_total = 0;                      // values
  std::uint64_t ticks_total = 0;
  std::uint64_t entities = 0;                           // now
  std::uint64_t open_files = 0;                         // kept descriptors, now
  std::uint64_t entities_refused_total = 0;             // more than max_entities
  std::uint64_t gone_total = 0;                         // cgroups that were removed
  std::uint64_t unreadable_total = 0;                   // files with unexpected content or errors
  std::vector<std::pair<std::string, std::uint64_t>> lost;  // per source, also sent as Lost events
  std::uint64_t folders_unwatched_total = 0;            // empty cgroups beyond max_waiting_folders, at each scan
};

// Threading: one thread. Blocking: reads kernel files, about 30 us per entity and tick. Lifetime: the clock must outlive it;
// poll_fds() are borrowed and stay valid until destruction.
class NodeSensors {
 public:
  // Errc::unsupported only when no memory controller is mounted, others for a bad file of rules; everything else degrades and says so in features().
  static Result<std::unique_ptr<NodeSensors>> open(SensorsConfig config, const Clock& clock);
  virtual ~NodeSensors() = default;

  virtual std::vector<int> poll_fds() const = 0;        // wait for readability (POLLIN)
  virtual EventBatch drain(std::size_t budget) = 0;     // at most about budget events; never blocks

  virtual std::uint64_t next_tick_mono_ns() const = 0;
  virtual wire::Samples tick() = 0;                     // reads what is due now; columns may be empty
  virtual void focus(std::span<const std::uint64_t> cgroup_ids, std::uint64_t until_mono_ns) = 0;
  // What the container runtime says. Facts wait up to a minute for a container's entity to appear; words wait 10 s, then go to its pod or the
  // node. Both bounded; what is too much is counted as lost. container_id "": the node. wall_ns: when it was, 0 for now.
  virtual void describe(std::string_view container_id, const ContainerFacts& facts) = 0;
  virtual void observe(std::string_view container_id, wire::Observed what, std::int64_t wall_ns) = 0;
  virtual void set_periods(std::chrono::milliseconds sample, std::chrono::milliseconds hot) = 0;

  // The dictionary as it is now, for a new connection or for self-contained spool blocks.
  virtual std::vector<wire::EntityEntry> entities() const = 0;
  virtual std::vector<wire::MetricEntry> metrics() const = 0;

  virtual const kernel::KernelFeatures& features() const = 0;
  virtual SensorCounters counters() const = 0;
};

// Every collector's name and metric table, for --list-collectors and docs.
std::vector<CollectorInfo> list_collectors();

}  // namespace fw::collectors
