#include "node-agent/collectors/host/host_collector.hpp"

#include <sys/stat.h>
#include <sys/timex.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <optional>

#include "common/clock.hpp"
#include "common/units.hpp"
#include "node-agent/collectors/host/host_files.hpp"
#include "node-agent/kernel/proc_files.hpp"
#include "node-agent/kernel/text.hpp"
#include "node-agent/redaction/redaction.hpp"

namespace fw::collectors {
namespace {

using wire::MetricKind;

enum Metric : std::size_t {
  kFilesOpen, kFilesMax, kThreads, kThreadsMax, kPidsMax, kLoad, kMemoryTotal, kMemoryAvailable, kSwapTotal, kSwapFree, kClockOffset, kClockError,
  kClockUnsynchronised, kUptime, kMetricCount
};

constexpr std::array<MetricDesc, kMetricCount> kMetrics{{
    {"node_files_open", Unit::count, MetricKind::gauge, "open files of all processes", "HostTruthTest.files_and_threads_are_counted"},
    {"node_files_max", Unit::count, MetricKind::gauge, "open files that the node allows (fs.file-max)", "HostTruthTest.files_and_threads_are_counted"},
    {"node_threads", Unit::count, MetricKind::gauge, "threads of all processes and of the kernel", "HostTruthTest.files_and_threads_are_counted"},
    {"node_threads_max", Unit::count, MetricKind::gauge, "threads that the node allows (kernel.threads-max)", "HostTruthTest.files_and_threads_are_counted"},
    {"node_pids_max", Unit::count, MetricKind::gauge, "largest process id (kernel.pid_max): as many threads at most", "HostTruthTest.files_and_threads_are_counted"},
    {"node_load_1m", Unit::percent, MetricKind::gauge, "load of the last minute; 100: one thread wants to run on average", "HostTruthTest.load_and_memory_are_those_of_the_system"},
    {"node_memory_total_bytes", Unit::bytes, MetricKind::gauge, "memory of the node", "HostTruthTest.load_and_memory_are_those_of_the_system"},
    {"node_memory_available_bytes", Unit::bytes, MetricKind::gauge, "memory that can be had without swapping, as the kernel estimates it", "HostTruthTest.memory_in_use_is_not_available"},
    {"node_swap_total_bytes", Unit::bytes, MetricKind::gauge, "swap space", "HostTruthTest.load_and_memory_are_those_of_the_system"},
    {"node_swap_free_bytes", Unit::bytes, MetricKind::gauge, "swap space that is not used", "HostTruthTest.load_and_memory_are_those_of_the_system"},
    {"node_clock_offset_us", Unit::microseconds, MetricKind::gauge, "what the clock is still being moved by, as its time service says; may be negative", "HostTruthTest.the_clocks_state_is_the_kernels"},
    {"node_clock_error_us", Unit::microseconds, MetricKind::gauge, "largest error of the clock that its time service admits; grows without one", "HostTruthTest.the_clocks_state_is_the_kernels"},
    {"node_clock_unsynchronised", Unit::count, MetricKind::gauge, "1: no time service keeps the clock", "HostTruthTest.the_clocks_state_is_the_kernels"},
    {"node_uptime_ms", Unit::milliseconds, MetricKind::gauge, "time since boot, suspended time included", "HostTruthTest.uptime_is_that_of_the_kernel"},
}};

constexpr std::array<ObservedDesc, 4> kObserved{{
    {"sysctl_changed", "the setting", "",
     "a watched kernel setting has another value; `before` and `after`",
     "HostTruthTest.a_sysctl_that_is_set_is_told_with_both_values"},
    {"package_changed", "the package", "",
     "dpkg installed, removed or replaced it; `before` and `after` are versions, empty: not installed. Without object: `count` more of them",
     "HostTruthTest.packages_that_changed_are_told_when_dpkg_is_done"},
    {"version", "the package", "",
     "version of a runtime or kubelet package, told at the start; `after`",
     "HostTruthTest.packages_that_changed_are_told_when_dpkg_is_done"},
    {"kubelet_flag_changed", "the flag", "",
     "the running kubelet has another value of it, redacted; `before` and `after`",
     "HostTruthTest.a_kubelet_with_other_flags_is_told_and_its_secrets_are_not"},
}};

constexpr CollectorInfo kInfo{"host", kMetrics, kObserved};
constexpr std::array<std::string_view, 6> kVersionsTold{"containerd", "containerd.io", "cri-o", "kubelet", "runc", "crun"};
constexpr std::uint64_t kKubeletSearchPeriodNs = 60'000'000'000;   // a look at every process
constexpr std::size_t kMaxValueBytes = 256;

std::string shortened(std::string text) {
  if (text.size() > kMaxValueBytes) text.resize(kMaxValueBytes);
  return text;
}

class HostCollector final : public Collector {
 public:
  explicit HostCollector(HostPaths paths) : paths_(std::move(paths)) {}

  const CollectorInfo& info() const noexcept override { return kInfo; }
  void forget(std::uint32_t) override {}

  void collect(SampleContext& context, SampleSink& sink) override {
    if (!context.regular) return;
    put_limits(context, sink);
    put_memory_and_load(context, sink);
    put_clock(context, sink);
    tell_sysctls(context, sink);
    tell_packages(context, sink);
    tell_kubelet_flags(context, sink);
    started_ = true;
  }

 private:
  // When, and which file, a database was written: cheap to compare.
  struct Version {
    std::int64_t seconds = 0, nanoseconds = 0;
    std::uint64_t inode = 0, bytes = 0;
    friend bool operator==(const Version&, const Version&) = default;
  };

  std::optional<std::string> text_of(const std::string& file, std::size_t max_bytes = 16_KiB) const {
    auto text = kernel::read_small_file(paths_.proc + file, max_bytes);
    return text ? std::optional{std::move(*text)} : std::nullopt;
  }

  void put_number(const std::string& file, Metric metric, SampleContext& context, SampleSink& sink) const {
    const auto text = text_of(file, 64);
    if (!text) return;
    if (const auto value = kernel::to_number<std::int64_t>(kernel::trimmed(*text))) {
      sink.put(metric, context.node_id, *value);
    } else {
      ++context.unreadable;
    }
  }

  void put_limits(SampleContext& context, SampleSink& sink) const {
    if (const auto text = text_of("/sys/fs/file-nr")) {
      if (const auto files = parse_file_nr(*text)) {
        sink.put(kFilesOpen, context.node_id, static_cast<std::int64_t>(files->open));
        sink.put(kFilesMax, context.node_id, static_cast<std::int64_t>(files->max));
      } else {
        ++context.unreadable;
      }
    }
    put_number("/sys/kernel/threads-max", kThreadsMax, context, sink);
    put_number("/sys/kernel/pid_max", kPidsMax, context, sink);
  }

  void put_memory_and_load(SampleContext& context, SampleSink& sink) const {
    if (const auto text = text_of("/loadavg")) {
      if (const auto load = parse_loadavg(*text)) {
        sink.put(kLoad, context.node_id, static_cast<std::int64_t>(load->load_1m_percent));
        sink.put(kThreads, context.node_id, static_cast<std::int64_t>(load->threads));
      } else {
        ++context.unreadable;
      }
    }
    const auto text = text_of("/meminfo");
    if (!text) return;
    const auto memory = parse_meminfo(*text);
    const auto put = [&](Metric metric, const std::optional<std::uint64_t>& value) {
      if (value) sink.put(metric, context.node_id, static_cast<std::int64_t>(*value));
    };
    put(kMemoryTotal, memory.total_bytes);
    put(kMemoryAvailable, memory.available_bytes);
    put(kSwapTotal, memory.swap_total_bytes);
    put(kSwapFree, memory.swap_free_bytes);
  }

  static void put_clock(SampleContext& context, SampleSink& sink) {
    timex clock{};               // modes 0: only reads
    if (::adjtimex(&clock) >= 0) {
      sink.put(kClockOffset, context.node_id, (clock.status & STA_NANO) != 0 ? clock.offset / 1000 : clock.offset);
      sink.put(kClockError, context.node_id, clock.maxerror);
      sink.put(kClockUnsynchronised, context.node_id, (clock.status & STA_UNSYNC) != 0 ? 1 : 0);
    }
    sink.put(kUptime, context.node_id, static_cast<std::int64_t>(kernel::boot_time_ns() / std::uint64_t{kNsPerMs}));
  }

  void tell_sysctls(const SampleContext& context, SampleSink& sink) {
    Settings now;
    for (const auto path : watched_sysctls()) {
      if (const auto text = text_of("/sys/" + std::string{path}, 1024)) now[sysctl_name(path)] = kernel::trimmed(*text);
    }
    // Those that came or went with a module nobody set.
    for (auto& change : differences(sysctls_, now)) {
      if (!started_ || !sysctls_.contains(change.name) || !now.contains(change.name)) continue;
      sink.observe(context.node_id, {.what = "sysctl_changed", .object = change.name, .before = change.before, .after = change.after});
    }
    sysctls_ = std::move(now);
  }

  void tell_packages(const SampleContext& context, SampleSink& sink) {
    struct stat status{};
    if (::stat(paths_.packages.c_str(), &status) != 0) return;
    const Version version{status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ino, static_cast<std::uint64_t>(status.st_size)};
    const bool at_rest = !started_ || version == packages_seen_;
    packages_seen_ = version;
    if (!at_rest || version == packages_read_) return;
    std::ifstream file{paths_.packages};
    PackageList list;
    for (std::string line; std::getline(file, line);) list.take_line(line);
    auto now = list.finish();
    if (packages_read_ == Version{}) {
      for (const auto name : kVersionsTold) {
        if (const auto found = now.find(name); found != now.end()) sink.observe(context.node_id, {.what = "version", .object = found->first, .after = found->second});
      }
    } else {
      tell_changes("package_changed", differences(packages_, now), context, sink);
    }
    packages_ = std::move(now);
    packages_read_ = version;
  }

  void tell_kubelet_flags(const SampleContext& context, SampleSink& sink) {
    if (!is_kubelet(kubelet_)) {
      if (started_ && context.mono_ns - kubelet_search_ns_ < kKubeletSearchPeriodNs) return;
      kubelet_search_ns_ = context.mono_ns;
      kubelet_ = find_kubelet();
    }
    if (kubelet_.empty()) return;
    const auto text = text_of("/" + kubelet_ + "/cmdline", 128_KiB);
    if (!text || text->empty()) return;
    Settings now;
    for (const auto& [name, value] : parse_flags(*text)) {
      auto clean = redaction::redact(name + "=" + value);   // with its name, for that is what tells a secret
      now[name] = shortened(clean.starts_with(name + "=") ? clean.substr(name.size() + 1) : clean);
    }
    if (flags_) tell_changes("kubelet_flag_changed", differences(*flags_, now), context, sink);
    flags_ = std::move(now);
  }

  static void tell_changes(const char* what, std::vector<Difference> changes, const SampleContext& context, SampleSink& sink) {
    const auto told = std::min(changes.size(), kMaxChangesTold);
    for (std::size_t i = 0; i < told; ++i) {
      sink.observe(context.node_id, {.what = what, .object = changes[i].name, .before = changes[i].before, .after = changes[i].after});
    }
    if (changes.size() > told) sink.observe(context.node_id, {.what = what, .count = changes.size() - told});
  }

  bool is_kubelet(const std::string& pid) const {
    const auto name = pid.empty() ? std::nullopt : text_of("/" + pid + "/comm", 64);
    return name && kernel::trimmed(*name) == "kubelet";
  }

  std::string find_kubelet() const {
    std::error_code error;
    for (std::filesystem::directory_iterator at{paths_.proc, error}, end; !error && at != end; at.increment(error)) {
      const auto name = at->path().filename().string();
      if (kernel::to_number<std::uint32_t>(name) && is_kubelet(name)) return name;
    }
    return {};
  }

  HostPaths paths_;
  bool started_ = false;
  Settings sysctls_, packages_;
  std::optional<Settings> flags_;
  Version packages_seen_, packages_read_;
  std::string kubelet_;          // its process id
  std::uint64_t kubelet_search_ns_ = 0;
};

}  // namespace

std::unique_ptr<Collector> make_host_collector(HostPaths paths) { return std::make_unique<HostCollector>(std::move(paths)); }
const CollectorInfo& host_collector_info() noexcept { return kInfo; }

}  // namespace fw::collectors
