#include "node-agent/collectors/node_sensors.hpp"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <utility>

#include "common/units.hpp"
#include "node-agent/collectors/cpu/cpu_collector.hpp"
#include "node-agent/collectors/entity_registry.hpp"
#include "node-agent/collectors/event_builder.hpp"
#include "node-agent/collectors/memory/memory_collector.hpp"
#include "node-agent/collectors/oom_reconciler.hpp"
#include "node-agent/collectors/pids/pids_collector.hpp"
#include "node-agent/collectors/process/process_collector.hpp"
#include "node-agent/collectors/psi/psi_collector.hpp"
#include "node-agent/kernel/bpf_sensors.hpp"
#include "node-agent/kernel/capabilities.hpp"
#include "node-agent/kernel/cgroup_files.hpp"
#include "node-agent/kernel/kernel_log.hpp"
#include "node-agent/kernel/limit_watch.hpp"
#include "node-agent/kernel/proc_files.hpp"

namespace fw::collectors {
namespace {

using kernel::BpfSensors;
using std::chrono::milliseconds;

constexpr std::uint64_t kSymptomIsHotNs = 300 * std::uint64_t{kNsPerSecond};
constexpr std::uint64_t kScanPeriodWithEventsNs = 60 * std::uint64_t{kNsPerSecond};   // BPF tells of new folders
constexpr std::size_t kReservedFiles = 256;      // of the process, for all but kept cgroup files
constexpr std::size_t kDrainPerTick = 20'000;
constexpr const char* kDropNames[FW_DROP_KINDS] = {"bpf ring buffer", "event rate limit", "bpf counters map"};

std::uint64_t ns_of(milliseconds period) { return static_cast<std::uint64_t>(period.count()) * std::uint64_t{kNsPerMs}; }

// Kept descriptors are the agent's main means, so it takes what the hard limit allows.
std::size_t files_allowed() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 512;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) ::getrlimit(RLIMIT_NOFILE, &limit);
  const auto files = std::min<std::size_t>(limit.rlim_cur, 400'000);
  return files > 2 * kReservedFiles ? files - kReservedFiles : files / 2;
}

class Sensors final : public NodeSensors, private SampleSink {
 public:
  Sensors(SensorsConfig config, const Clock& clock, kernel::CgroupLayout layout)
      : config_(std::move(config)), clock_(clock), layout_(std::move(layout)), proc_(config_.proc_root),
        registry_(layout_, config_.node_name, config_.max_entities,
                  config_.max_open_files != 0 ? config_.max_open_files : files_allowed(), config_.max_waiting_folders) {
    collectors_.push_back(make_memory_collector());
    collectors_.push_back(make_cpu_collector());
    collectors_.push_back(make_psi_collector());
    collectors_.push_back(make_pids_collector());
    collectors_.push_back(make_process_collector());
    for (const auto& collector : collectors_) {
      for (const auto& metric : collector->info().metrics) {
        const auto id = static_cast<std::uint32_t>(metrics_.size() + 1);
        metrics_.push_back({id, std::string{metric.name}, std::string{unit_text(metric.unit)}, metric.kind});
      }
    }
    columns_.resize(metrics_.size());
  }

  void start() {
    open_sources();
    const auto now = clock_.mono_ns();
    scan(now);
    next_regular_ns_ = now;
    next_hot_ns_ = now + ns_of(config_.hot_period);
  }

  // ---- events -----------------------------------------------------------------------------------------------------

  std::vector<int> poll_fds() const override {
    std::vector<int> fds;
    if (bpf_) fds.push_back(bpf_->fd());
    if (log_ && !bpf_tells_oom_) fds.push_back(log_->fd());
    if (watch_) fds.push_back(watch_->fd());
    if (const int fd = registry_.waiting().fd(); fd >= 0) fds.push_back(fd);
    return fds;
  }

  EventBatch drain(std::size_t budget) override {
    const auto now = clock_.mono_ns();
    take_filled_folders(now);
    take_written_limits(now);
    take_kernel_events(budget, now);
    EventBatch batch;
    while (!pending_.empty() && batch.events.size() < budget) {
      registry_.append_with_parents(pending_.front().entity_id, batch.entities);
      batch.events.push_back(std::move(pending_.front()));
      pending_.pop_front();
    }
    batch.more = !pending_.empty() || ring_was_full_;
    return batch;
  }

  // ---- samples ----------------------------------------------------------------------------------------------------

  std::uint64_t next_tick_mono_ns() const override {
    return anything_hot_ || registry_.has_new_folders() ? std::min(next_regular_ns_, next_hot_ns_) : next_regular_ns_;
  }

  wire::Samples tick() override {
    const auto now = clock_.mono_ns();
    const bool regular = now >= next_regular_ns_;
    // Events first: an OOM kill is reported by its own event before its counter is looked at.
    take_filled_folders(now);
    take_written_limits(now);
    take_kernel_events(kDrainPerTick, now);
    report_drops(now);
    if (regular && (now >= next_scan_ns_ || !bpf_tells_folders_)) scan(now);
    registry_.check_candidates(now);

    std::vector<SampledEntity> due;
    anything_hot_ = false;
    for (auto& [id, entity] : registry_.entities()) {
      if (!entity.reader) continue;
      const bool hot = now < entity.hot_until_ns;
      anything_hot_ = anything_hot_ || hot;
      if (regular || hot) due.push_back({id, entity.entry.cgroup_id, &*entity.reader, false});
    }
    SampleContext context{due, now, bpf_.get(), 0};
    collect(context);
    unreadable_total_ += context.unreadable;
    for (const auto& entity : due) {
      if (entity.gone) remove(entity.id, now);
    }
    schedule(now, regular);
    return finish_tick(now);
  }

  void focus(std::span<const std::uint64_t> cgroup_ids, std::uint64_t until_mono_ns) override {
    for (auto& [id, entity] : registry_.entities()) {
      if (std::find(cgroup_ids.begin(), cgroup_ids.end(), entity.entry.cgroup_id) == cgroup_ids.end()) continue;
      make_hot(entity, until_mono_ns);
    }
  }

  void set_periods(milliseconds sample, milliseconds hot) override {
    const auto now = clock_.mono_ns();
    config_.sample_period = std::max(sample, milliseconds{100});
    config_.hot_period = std::clamp(hot, milliseconds{100}, config_.sample_period);
    next_regular_ns_ = std::min(next_regular_ns_, now + ns_of(config_.sample_period));
    next_hot_ns_ = std::min(next_hot_ns_, now + ns_of(config_.hot_period));
  }

  std::vector<wire::EntityEntry> entities() const override {
    std::vector<wire::EntityEntry> entries;
    for (const auto& [id, entity] : registry_.entities()) {
      if (entity.removed_ns == 0) entries.push_back(entity.entry);
    }
    return entries;
  }

  std::vector<wire::MetricEntry> metrics() const override { return metrics_; }
  const kernel::KernelFeatures& features() const override { return features_; }

  SensorCounters counters() const override {
    SensorCounters counters = counters_;
    counters.entities = registry_.alive();
    counters.open_files = registry_.budget().used;
    counters.entities_refused_total = registry_.refused_total();
    counters.folders_unwatched_total = registry_.waiting().refused_total();
    counters.unreadable_total = unreadable_total_ + (bpf_ ? bpf_->malformed_total() : 0);
    for (std::size_t kind = 0; kind < FW_DROP_KINDS; ++kind) counters.lost.emplace_back(kDropNames[kind], dropped_[kind]);
    counters.lost.emplace_back("pending events", pending_dropped_);
    if (log_) counters.lost.emplace_back("kernel log", log_->lost_total());
    return counters;
  }

 private:
  // ---- sources ----------------------------------------------------------------------------------------------------

  void open_sources() {
    utsname system{};
    if (::uname(&system) == 0) features_.release = system.release;
    features_.cgroup_mode = kernel::mode_text(layout_.mode);
    features_.btf = ::access("/sys/kernel/btf/vmlinux", R_OK) == 0;
    if (const auto rights = kernel::read_capabilities()) features_.bpf_rights = rights->can_load_bpf();
    features_.psi = !layout_.unified.empty() && ::access("/proc/pressure/memory", R_OK) == 0;
    open_bpf_source();
    open_kernel_log();
    if (auto watch = kernel::LimitWatch::open()) watch_.emplace(std::move(*watch));
    add_probe("limit_watch", watch_.has_value(), "inotify", "inotify has no instances left", "limits are compared at each tick");
    add_probe("pressure", features_.psi, "*.pressure",
              layout_.unified.empty() ? "no cgroup v2 hierarchy is mounted" : "the kernel has PSI switched off (boot with psi=1)", "");
  }

  void open_bpf_source() {
    if (config_.bpf == Use::never) {
      add_probe("bpf", false, "", "switched off by configuration", "files");
      return;
    }
    kernel::BpfOptions options;
    options.root_cgroup_id = registry_.root_cgroup_id();
    auto opened = kernel::open_bpf(options);
    bpf_ = std::move(opened.sensors);
    for (auto& probe : opened.probes) {
      if (probe.name == "oom_kill") bpf_tells_oom_ = probe.active;
      if (probe.name == "cgroup_new") bpf_tells_folders_ = probe.active;
      features_.probes.push_back(std::move(probe));
    }
  }

  void open_kernel_log() {
    std::string reason = "switched off by configuration";
    if (config_.kernel_log_use == Use::when_possible) {
      auto log = kernel::KernelLog::open(config_.kernel_log);
      if (log) {
        log_.emplace(std::move(*log));
      } else if (log.error().code == Errc::permission) {
        reason = "no permission to read " + config_.kernel_log + "; CAP_SYSLOG is missing";
      } else {
        reason = log.error().message();
      }
    }
    features_.kernel_log = log_.has_value();
    add_probe("kernel_log", log_.has_value(), config_.kernel_log, reason,
              "why an OOM kill happened is concluded from the reclaim before it");
  }

  void add_probe(std::string name, bool active, std::string attach, std::string reason, std::string fallback) {
    kernel::ProbeStatus status;
    status.name = std::move(name);
    status.active = active;
    if (active) {
      status.attach = std::move(attach);
    } else {
      status.reason = std::move(reason);
      status.fallback = std::move(fallback);
    }
    features_.probes.push_back(std::move(status));
  }

  // ---- events -----------------------------------------------------------------------------------------------------

  void take_kernel_events(std::size_t budget, std::uint64_t now) {
    offset_ns_ = clock_.wall_ns() - static_cast<std::int64_t>(now);
    ring_was_full_ = false;
    if (bpf_) {
      const auto taken = bpf_->drain(budget, [this](const kernel::BpfEvent& event) {
        std::visit([this](const auto& record) { on_event(record); }, event);
      });
      ring_was_full_ = taken >= budget;
    }
    if (log_ && !bpf_tells_oom_) {
      log_->drain();
      for (const auto& line : log_->take_all()) on_oom_line(line, now);
    }
  }

  void on_event(const fw_oom_event& record) {
    const auto at = record.hdr.mono_ns;
    std::optional<kernel::OomLine> line;
    if (log_) {
      // The kernel prints its line before it marks the victim, so it is in the log by now if it is at all.
      log_->drain();
      line = log_->take(record.victim_thread);
      if (!line) line = log_->take(record.victim.pid);
    }
    auto path = line ? line->task_memcg : std::string{};
    auto cgroup_id = record.hdr.cgroup_id;
    std::optional<kernel::ProcStat> process;
    if (cgroup_id == 0) {   // a kernel that names only the pid: the rest is still in /proc while the victim is dying
      if (auto found = proc_.cgroup_path(record.victim.pid, layout_.memory_v2()); path.empty() && found) path = *found;
      if (auto stat = proc_.stat(record.victim.pid)) process = std::move(*stat);
    }
    auto kill = to_oom_kill(record, page_bytes_, line, registry_.path_of(record.limit_cgroup_id, at));
    if (process) {
      kill.victim.comm = process->comm;
      kill.victim.parent_pid = process->parent_pid;
    }
    push_oom_kill(cgroup_id, path, at, std::move(kill));
  }

  void on_oom_line(const kernel::OomLine& line, std::uint64_t now) {
    push_oom_kill(0, line.task_memcg, now, to_oom_kill(line));
  }

  void push_oom_kill(std::uint64_t cgroup_id, std::string_view path, std::uint64_t at, wire::OomKill kill) {
    auto& entity = registry_.of_event(cgroup_id, path, at);
    const auto id = entity.entry.id;
    make_hot(entity, at + kSymptomIsHotNs);
    if (entity.reader) {
      read_limits(id, *entity.reader);   // a change of the limit comes before the kill that it caused
      if (const auto text = entity.reader->processes(64_KiB)) {
        kill.top_processes = proc_.largest(kernel::parse_pids(*text, 4096), limits::kMaxTopProcesses, kernel::boot_time_ns());
      }
    }
    reconciler_.reported(id);
    push(id, at, std::move(kill));
  }

  void on_event(const fw_exit_event& record) {
    push(registry_.of_event(record.hdr.cgroup_id, {}, record.hdr.mono_ns).entry.id, record.hdr.mono_ns, to_process_exit(record));
  }

  void on_event(const fw_signal_event& record) {
    push(registry_.of_event(record.hdr.cgroup_id, {}, record.hdr.mono_ns).entry.id, record.hdr.mono_ns, to_process_signal(record));
  }

  void on_event(const fw_cgroup_event& record) {
    const std::string_view path{record.path};
    if (path.starts_with('/') && path.size() + 1 < FW_PATH_BYTES) {
      registry_.note_folder(record.hdr.cgroup_id, std::string{path}, record.hdr.mono_ns);
    }
  }

  template <class Body>
  void push(std::uint32_t entity_id, std::uint64_t mono_ns, Body body) {
    if (pending_.size() >= config_.max_pending_events) {
      ++pending_dropped_;
      return;
    }
    ++counters_.events_total;
    pending_.push_back({entity_id, static_cast<std::int64_t>(mono_ns) + offset_ns_, std::move(body)});
  }

  void report_drops(std::uint64_t now) {
    if (bpf_) {
      const auto totals = bpf_->drops();
      for (std::size_t kind = 0; kind < FW_DROP_KINDS; ++kind) {
        if (totals[kind] > dropped_[kind]) push_lost(kDropNames[kind], totals[kind] - dropped_[kind], now);
        dropped_[kind] = totals[kind];
      }
    }
    if (pending_dropped_ > pending_dropped_reported_ && pending_.size() < config_.max_pending_events) {
      push_lost("pending events", pending_dropped_ - pending_dropped_reported_, now);
      pending_dropped_reported_ = pending_dropped_;
    }
  }

  void push_lost(const char* source, std::uint64_t count, std::uint64_t now) {
    push(registry_.node_id(), now, wire::Lost{source, count});
  }

  // Before the kernel's events: an OOM kill of a cgroup that just got its first process finds its limit known.
  void take_filled_folders(std::uint64_t now) {
    for (const auto id : registry_.take_filled(now)) {
      auto& entity = *registry_.find(id);
      make_hot(entity, entity.hot_until_ns);
      watch_limits(entity);   // not only at the end of the next tick: the next write may be the one that kills
      if (entity.reader) read_limits(id, *entity.reader);
    }
  }

  // ---- limits -----------------------------------------------------------------------------------------------------

  void take_written_limits(std::uint64_t now) {
    if (!watch_) return;
    offset_ns_ = clock_.wall_ns() - static_cast<std::int64_t>(now);
    auto written = watch_->drain();
    if (written.all) {
      written.owners.clear();
      for (const auto& [id, entity] : registry_.entities()) written.owners.push_back(id);
    }
    for (const auto id : written.owners) {
      auto* const entity = registry_.find(id);
      if (entity != nullptr && entity->reader) read_limits(id, *entity->reader);
    }
  }

  void read_limits(std::uint32_t id, kernel::CgroupReader& reader) {
    char buffer[64];
    const auto check = [&](kernel::CgroupFile file, const char* resource) {
      const auto text = reader.read(file, buffer);
      if (!text) return;
      if (const auto value = kernel::parse_limit(*text)) limit(id, resource, *value);
    };
    check(kernel::CgroupFile::memory_max, "memory.max");
    check(kernel::CgroupFile::memory_high, "memory.high");
  }

  void watch_limits(const Entity& entity) {
    if (!watch_ || !entity.reader) return;
    const auto folder = layout_.memory + entity.entry.cgroup_path;
    if (layout_.memory_v2()) {
      (void)watch_->add(folder + "/memory.max", entity.entry.id);
      (void)watch_->add(folder + "/memory.high", entity.entry.id);
    } else {
      (void)watch_->add(folder + "/memory.limit_in_bytes", entity.entry.id);
    }
  }

  // SampleSink
  void limit(std::uint32_t entity_id, std::string_view resource, std::int64_t value) override {
    auto& known = limits_[entity_id];
    const auto found = std::find_if(known.begin(), known.end(), [&](const auto& entry) { return entry.first == resource; });
    if (found == known.end()) {
      known.emplace_back(resource, value);
      return;
    }
    if (found->second == value) return;
    push(entity_id, clock_.mono_ns(), wire::LimitChanged{std::string{resource}, found->second, value});
    found->second = value;
  }

  // ---- samples ----------------------------------------------------------------------------------------------------

  void collect(SampleContext& context) {
    base_ = 0;
    for (const auto& collector : collectors_) {
      collector->collect(context, *this);
      base_ += collector->info().metrics.size();
    }
  }

  // SampleSink
  void put(std::size_t metric, std::uint32_t entity_id, std::int64_t value) override {
    auto& column = columns_[base_ + metric];
    column.entity_ids.push_back(entity_id);
    column.values.push_back(value);
    ++counters_.samples_total;
  }

  // SampleSink
  void oom_kills(std::uint32_t entity_id, std::uint64_t kills_total, std::optional<std::uint64_t> oom_total) override {
    const bool other_source = bpf_tells_oom_ || log_.has_value();
    auto kill = reconciler_.at_reading(entity_id, kills_total, oom_total, other_source);
    if (!kill) return;
    const auto now = clock_.mono_ns();
    if (auto* const entity = registry_.find(entity_id)) {
      make_hot(*entity, now + kSymptomIsHotNs);
      if (const auto known = limits_.find(entity_id); known != limits_.end() && kill->constraint == wire::OomConstraint::memcg) {
        for (const auto& [resource, value] : known->second) {
          if (resource == "memory.max" && value >= 0) kill->limit_bytes = value;
        }
        kill->limit_cgroup_path = entity->entry.cgroup_path;
      }
    }
    push(entity_id, now, std::move(*kill));
  }

  void make_hot(Entity& entity, std::uint64_t until_mono_ns) {
    if (!entity.reader) return;
    entity.hot_until_ns = std::max(entity.hot_until_ns, until_mono_ns);
    if (!anything_hot_) {
      anything_hot_ = true;
      next_hot_ns_ = clock_.mono_ns() + ns_of(config_.hot_period);
    }
  }

  void scan(std::uint64_t now) {
    registry_.scan(now);
    next_scan_ns_ = now + kScanPeriodWithEventsNs;
    if (bpf_) bpf_->sweep([this](std::uint64_t cgroup_id) { return registry_.known(cgroup_id); });
  }

  void remove(std::uint32_t id, std::uint64_t now) {
    registry_.mark_removed(id, now);
    ++counters_.gone_total;
  }

  void schedule(std::uint64_t now, bool regular) {
    if (regular) {
      next_regular_ns_ += ns_of(config_.sample_period);
      if (next_regular_ns_ <= now) next_regular_ns_ = now + ns_of(config_.sample_period);   // late: skip, never catch up
    }
    next_hot_ns_ += ns_of(config_.hot_period);
    if (next_hot_ns_ <= now) next_hot_ns_ = now + ns_of(config_.hot_period);
  }

  wire::Samples finish_tick(std::uint64_t now) {
    wire::Samples samples;
    samples.tick = ++counters_.ticks_total;
    samples.time_ns = static_cast<std::int64_t>(now) + offset_ns_;
    auto changes = registry_.take_changes();
    for (const auto id : changes.removed) {
      for (const auto& collector : collectors_) collector->forget(id);
      reconciler_.forget(id);
      limits_.erase(id);
      if (watch_) watch_->remove(id);
    }
    for (const auto& entry : changes.entries) {
      if (const auto* const entity = registry_.find(entry.id)) watch_limits(*entity);
    }
    samples.entities = std::move(changes.entries);
    samples.removed_entity_ids = std::move(changes.removed);
    if (samples.tick == 1) samples.metrics = metrics_;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i].values.empty()) continue;
      columns_[i].metric_id = metrics_[i].id;
      const auto size = columns_[i].values.size();
      samples.columns.push_back(std::exchange(columns_[i], {}));
      columns_[i].entity_ids.reserve(size);
      columns_[i].values.reserve(size);
    }
    return samples;
  }

  SensorsConfig config_;
  const Clock& clock_;
  const kernel::CgroupLayout layout_;
  const kernel::ProcReader proc_;
  const std::uint64_t page_bytes_ = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  kernel::KernelFeatures features_;
  EntityRegistry registry_;   // refers to layout_
  std::unique_ptr<BpfSensors> bpf_;
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

  std::deque<wire::Event> pending_;
  std::uint64_t pending_dropped_ = 0, pending_dropped_reported_ = 0;
  std::array<std::uint64_t, FW_DROP_KINDS> dropped_{};
  std::int64_t offset_ns_ = 0;                // wall clock less CLOCK_MONOTONIC
  std::uint64_t next_regular_ns_ = 0, next_hot_ns_ = 0, next_scan_ns_ = 0;
  bool anything_hot_ = false;
  std::uint64_t unreadable_total_ = 0;
  SensorCounters counters_;
};

}  // namespace

Result<std::unique_ptr<NodeSensors>> NodeSensors::open(SensorsConfig config, const Clock& clock) {
  const auto mounts = kernel::read_small_file(config.proc_root + "/self/mountinfo", 4_MiB);
  if (!mounts) return with_context(mounts.error(), "find the cgroup hierarchies");
  auto layout = kernel::parse_cgroup_mounts(*mounts);
  if (!layout) return layout.error();
  for (auto* folder : {&layout->memory, &layout->cpu, &layout->cpuacct, &layout->pids, &layout->unified}) {
    if (!folder->empty()) *folder = config.root_prefix + *folder;
  }
  auto sensors = std::make_unique<Sensors>(std::move(config), clock, std::move(*layout));
  sensors->start();
  return std::unique_ptr<NodeSensors>{std::move(sensors)};
}

std::string_view unit_text(Unit unit) noexcept {
  switch (unit) {
    case Unit::bytes: return "bytes";
    case Unit::microseconds: return "us";
    case Unit::count: return "1";
  }
  return "1";
}

std::vector<CollectorInfo> list_collectors() {
  return {memory_collector_info(), cpu_collector_info(), psi_collector_info(), pids_collector_info(), process_collector_info()};
}

}  // namespace fw::collectors
