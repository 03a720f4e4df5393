#include "node-agent/collectors/node_sensors.hpp"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "common/units.hpp"
#include "node-agent/collectors/cpu/cpu_collector.hpp"
#include "node-agent/collectors/dns/dns_collector.hpp"
#include "node-agent/collectors/filesystem/filesystem_collector.hpp"
#include "node-agent/collectors/host/host_collector.hpp"
#include "node-agent/collectors/http/http_collector.hpp"
#include "node-agent/collectors/io/io_collector.hpp"
#include "node-agent/collectors/kernel_log/kernel_log_collector.hpp"
#include "node-agent/collectors/memory/memory_collector.hpp"
#include "node-agent/collectors/network/network_collector.hpp"
#include "node-agent/collectors/pids/pids_collector.hpp"
#include "node-agent/collectors/process/process_collector.hpp"
#include "node-agent/collectors/psi/psi_collector.hpp"
#include "node-agent/collectors/scheduler/scheduler_collector.hpp"
#include "node-agent/collectors/sensors.hpp"
#include "node-agent/kernel/capabilities.hpp"

namespace fw::collectors {
namespace {

constexpr std::size_t kReservedFiles = 256;   // of the process, for all but kept cgroup files

// Kept descriptors are the agent's main means, so it takes what the hard limit allows.
std::size_t files_allowed() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 512;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) ::getrlimit(RLIMIT_NOFILE, &limit);
  const auto files = std::min<std::size_t>(limit.rlim_cur, 400'000);
  return files > 2 * kReservedFiles ? files - kReservedFiles : files / 2;
}

KernelLogPaths log_paths(const SensorsConfig& config) {
  return {.log = config.kernel_log_use == Use::when_possible ? config.kernel_log : "", .rules = config.kernel_log_rules};
}

}  // namespace

Sensors::Sensors(SensorsConfig config, const Clock& clock, kernel::CgroupLayout layout)
    : config_(std::move(config)), clock_(clock), layout_(std::move(layout)), proc_(config_.proc_root),
      registry_(layout_, config_.node_name, config_.max_entities,
                config_.max_open_files != 0 ? config_.max_open_files : files_allowed(), config_.max_waiting_folders) {
  collectors_.push_back(make_memory_collector());
  collectors_.push_back(make_cpu_collector());
  collectors_.push_back(make_psi_collector());
  collectors_.push_back(make_pids_collector());
  collectors_.push_back(make_process_collector());
  collectors_.push_back(make_network_collector({.proc = config_.proc_root, .sys = config_.root_prefix + "/sys"}));
  collectors_.push_back(make_dns_collector());
  collectors_.push_back(make_http_collector(config_.proc_root));
  collectors_.push_back(make_scheduler_collector());
  collectors_.push_back(make_io_collector({.proc = config_.proc_root, .sys = config_.root_prefix + "/sys"}));
  collectors_.push_back(make_filesystem_collector({.proc = config_.proc_root, .root = config_.root_prefix}));
  collectors_.push_back(make_host_collector({.proc = config_.proc_root, .packages = config_.root_prefix + "/var/lib/dpkg/status"}));
  if (auto log = make_kernel_log_collector(log_paths(config_))) collectors_.push_back(std::move(*log));   // open() has tried it
  for (const auto& collector : collectors_) {
    for (const auto& metric : collector->info().metrics) {
      const auto id = static_cast<std::uint32_t>(metrics_.size() + 1);
      metrics_.push_back({id, std::string{metric.name}, std::string{unit_text(metric.unit)}, metric.kind});
    }
  }
  columns_.resize(metrics_.size());
}

void Sensors::start() {
  open_sources();
  const auto now = clock_.mono_ns();
  scan(now);
  next_regular_ns_ = now;
  next_hot_ns_ = now + ns_of(config_.hot_period);
}

std::vector<wire::EntityEntry> Sensors::entities() const {
  std::vector<wire::EntityEntry> entries;
  for (const auto& [id, entity] : registry_.entities()) {
    if (entity.removed_ns == 0) entries.push_back(entity.entry);
  }
  return entries;
}

SensorCounters Sensors::counters() const {
  SensorCounters counters = counters_;
  counters.entities = registry_.alive();
  counters.open_files = registry_.budget().used;
  counters.entities_refused_total = registry_.refused_total();
  counters.folders_unwatched_total = registry_.waiting().refused_total();
  counters.unreadable_total = unreadable_total_ + (bpf_ ? bpf_->malformed_total() : 0);
  for (std::size_t kind = 0; kind < FW_DROP_KINDS; ++kind) counters.lost.emplace_back(kDropNames[kind], dropped_[kind]);
  counters.lost.emplace_back("observed events", observed_dropped_);
  counters.lost.emplace_back("pending events", pending_dropped_);
  if (log_) counters.lost.emplace_back("kernel log", log_->lost_total());
  return counters;
}

void Sensors::open_sources() {
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

void Sensors::open_bpf_source() {
  if (config_.bpf == Use::never) {
    add_probe("bpf", false, "", "switched off by configuration", "files");
    return;
  }
  kernel::BpfOptions options;
  options.root_cgroup_id = registry_.root_cgroup_id();
  options.unified_folder = layout_.unified;
  auto opened = kernel::open_bpf(options);
  bpf_ = std::move(opened.sensors);
  for (auto& probe : opened.probes) {
    if (probe.name == "oom_kill") bpf_tells_oom_ = probe.active;
    if (probe.name == "cgroup_new") bpf_tells_folders_ = probe.active;
    features_.probes.push_back(std::move(probe));
  }
}

void Sensors::open_kernel_log() {
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

void Sensors::add_probe(std::string name, bool active, std::string attach, std::string reason, std::string fallback) {
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

Result<std::unique_ptr<NodeSensors>> NodeSensors::open(SensorsConfig config, const Clock& clock) {
  const auto mounts = kernel::read_small_file(config.proc_root + "/self/mountinfo", 4_MiB);
  if (!mounts) return with_context(mounts.error(), "find the cgroup hierarchies");
  auto layout = kernel::parse_cgroup_mounts(*mounts);
  if (!layout) return layout.error();
  for (auto* folder : {&layout->memory, &layout->cpu, &layout->cpuacct, &layout->pids, &layout->unified}) {
    if (!folder->empty()) *folder = config.root_prefix + *folder;
  }
  if (const auto log = make_kernel_log_collector(log_paths(config)); !log) return with_context(log.error(), "kernel_log.rules");
  auto sensors = std::make_unique<Sensors>(std::move(config), clock, std::move(*layout));
  sensors->start();
  return std::unique_ptr<NodeSensors>{std::move(sensors)};
}

std::string_view unit_text(Unit unit) noexcept {
  switch (unit) {
    case Unit::bytes: return "bytes";
    case Unit::microseconds: return "us";
    case Unit::milliseconds: return "ms";
    case Unit::percent: return "%";
    case Unit::count: return "1";
  }
  return "1";
}

std::vector<CollectorInfo> list_collectors() {
  return {memory_collector_info(), cpu_collector_info(), psi_collector_info(), pids_collector_info(), process_collector_info(),
          network_collector_info(), dns_collector_info(), http_collector_info(),
          scheduler_collector_info(), io_collector_info(), filesystem_collector_info(), host_collector_info(), kernel_log_collector_info()};
}

}  // namespace fw::collectors
