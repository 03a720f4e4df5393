// The NodeSensors that open() gives. Inside node-agent/collectors only; its parts: sources in node_sensors.cpp, events and limits in
// sensor_events.cpp, words of the container runtime in sensor_containers.cpp, ticks in sensor_samples.cpp.
#pragma once
#include <unistd.h>

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "node-agent/collectors/entity_registry.hpp"
#include "node-agent/collectors/node_sensors.hpp"
#include "node-agent/collectors/oom_reconciler.hpp"
#include "node-agent/kernel/bpf_sensors.hpp"
#include "node-agent/kernel/kernel_log.hpp"
#include "node-agent/kernel/limit_watch.hpp"
#include "node-agent/kernel/proc_files.hpp"

namespace fw::collectors {

inline constexpr std::size_t kMaxObservedPerTick = 200;   // of one collector; more are dropped and counted
inline constexpr std::uint64_t kSymptomIsHotNs = 300 * std::uint64_t{kNsPerSecond};
inline constexpr const char* kDropNames[FW_DROP_KINDS] = {"bpf ring buffer", "event rate limit", "bpf counters map"};

inline std::uint64_t ns_of(std::chrono::milliseconds period) {
  return static_cast<std::uint64_t>(period.count()) * std::uint64_t{kNsPerMs};
}

using EventBody = decltype(wire::Event::body);

class Sensors final : public NodeSensors, private SampleSink {
 public:
  Sensors(SensorsConfig config, const Clock& clock, kernel::CgroupLayout layout);
  void start();

  // ---- events -----------------------------------------------------------------------------------------------------

  std::vector<int> poll_fds() const override;
  EventBatch drain(std::size_t budget) override;

  // ---- samples ----------------------------------------------------------------------------------------------------

  std::uint64_t next_tick_mono_ns() const override;
  wire::Samples tick() override;
  void focus(std::span<const std::uint64_t> cgroup_ids, std::uint64_t until_mono_ns) override;
  void set_periods(std::chrono::milliseconds sample, std::chrono::milliseconds hot) override;

  void describe(std::string_view container_id, const ContainerFacts& facts) override;
  void observe(std::string_view container_id, wire::Observed what, std::int64_t wall_ns) override;

  std::vector<wire::EntityEntry> entities() const override;
  std::vector<wire::MetricEntry> metrics() const override { return metrics_; }
  const kernel::KernelFeatures& features() const override { return features_; }
  SensorCounters counters() const override;

 private:
  // ---- sources ----------------------------------------------------------------------------------------------------

  void open_sources();
  void open_bpf_source();
  void open_kernel_log();
  void add_probe(std::string name, bool active, std::string attach, std::string reason, std::string fallback);

  // ---- events -----------------------------------------------------------------------------------------------------

  void take_kernel_events(std::size_t budget, std::uint64_t now);
  void on_event(const fw_oom_event& record);
  void on_oom_line(const kernel::OomLine& line, std::uint64_t now);
  void push_oom_kill(std::uint64_t cgroup_id, std::string_view path, std::uint64_t at, wire::OomKill kill);
  void on_event(const fw_exit_event& record);
  void on_event(const fw_signal_event& record);
  void on_event(const fw_cgroup_event& record);
  void push(std::uint32_t entity_id, std::uint64_t mono_ns, EventBody body);
  void report_drops(std::uint64_t now);
  void push_lost(const char* source, std::uint64_t count, std::uint64_t now);
  // Before the kernel's events: an OOM kill of a cgroup that just got its first process finds its limit known.
  void take_filled_folders(std::uint64_t now);

  // ---- containers -------------------------------------------------------------------------------------------------

  // A container that the runtime knows and the cgroups do not show yet.
  struct RuntimeWord {
    wire::Observed what;
    std::uint64_t mono_ns = 0;
  };
  struct WaitingContainer {
    ContainerFacts facts;
    std::vector<RuntimeWord> words;
    std::uint64_t since_ns = 0;
  };
  void settle_containers(std::uint64_t now);
  void push_word(Entity& entity, RuntimeWord word, std::uint64_t now);

  // ---- limits -----------------------------------------------------------------------------------------------------

  void take_written_limits(std::uint64_t now);
  void read_limits(std::uint32_t id, kernel::CgroupReader& reader);
  void watch_limits(const Entity& entity);
  void limit(std::uint32_t entity_id, std::string_view resource, std::int64_t value) override;

  // ---- samples ----------------------------------------------------------------------------------------------------

  void collect(SampleContext& context);
  void put(std::size_t metric, std::uint32_t entity_id, std::int64_t value) override;
  void oom_kills(std::uint32_t entity_id, std::uint64_t kills_total, std::optional<std::uint64_t> oom_total) override;
  void observe(std::uint32_t entity_id, wire::Observed what) override;
  std::uint32_t part(wire::EntityKind kind, std::uint64_t number, std::string_view name) override { return registry_.part(kind, number, name); }
  void part_gone(std::uint32_t entity_id) override { remove(entity_id, clock_.mono_ns()); }
  std::optional<std::uint32_t> entity_of(std::uint64_t cgroup_id) const override { return registry_.entity_of(cgroup_id); }
  void make_hot(Entity& entity, std::uint64_t until_mono_ns);
  void scan(std::uint64_t now);
  void remove(std::uint32_t id, std::uint64_t now);
  void schedule(std::uint64_t now, bool regular);
  wire::Samples finish_tick(std::uint64_t now);

  SensorsConfig config_;
  const Clock& clock_;
  const kernel::CgroupLayout layout_;
  const kernel::ProcReader proc_;
  const std::uint64_t page_bytes_ = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  kernel::KernelFeatures features_;
  EntityRegistry registry_;   // refers to layout_
  std::unique_ptr<kernel::BpfSensors> bpf_;
  std::optional<kernel::KernelLog> log_;
  std::optional<kernel::LimitWatch> watch_;
  bool bpf_tells_oom_ = false;
  bool bpf_tells_folders_ = false;
  bool ring_was_full_ = false;

  std::vector<std::unique_ptr<Collector>> collectors_;
  std::vector<wire::MetricEntry> metrics_;
  std::vector<wire::SampleColumn> columns_;   // by metric, filled during a tick
  std::size_t base_ = 0;                      // of the running collector's metrics
  OomReconciler reconciler_;
  std::unordered_map<std::uint32_t, std::vector<std::pair<std::string, std::int64_t>>> limits_;   // entity -> last readings

  std::size_t observed_in_tick_ = 0;          // by the running collector
  std::uint64_t observed_dropped_ = 0, observed_dropped_reported_ = 0;

  std::map<std::string, WaitingContainer, std::less<>> waiting_containers_;
  std::size_t runtime_words_in_tick_ = 0;
  std::deque<wire::Event> pending_;
  std::uint64_t pending_dropped_ = 0, pending_dropped_reported_ = 0;
  std::array<std::uint64_t, FW_DROP_KINDS> dropped_{};
  std::int64_t offset_ns_ = 0;                // wall clock less CLOCK_MONOTONIC
  std::uint64_t next_regular_ns_ = 0, next_hot_ns_ = 0, next_scan_ns_ = 0;
  bool anything_hot_ = false;
  std::uint64_t unreadable_total_ = 0;
  SensorCounters counters_;
};

}  // namespace fw::collectors
