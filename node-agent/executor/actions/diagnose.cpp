// What a person would look at first, as one bounded line: pressure, the cgroup's own files, its largest processes. No argv, no environment.
#include <algorithm>
#include <unistd.h>

#include "node-agent/executor/actions/target.hpp"
#include "node-agent/kernel/text.hpp"

namespace fw::executor {
namespace {

constexpr std::size_t kMaxLooked = 512;
constexpr std::size_t kTopProcesses = 5;

// Outcomes hold no control characters, and a process may call itself anything.
std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : kernel::trimmed(text)) {
    if (c == '\n') {
      out += ", ";
    } else {
      out += c >= ' ' && c <= '~' ? c : '?';
    }
  }
  return out;
}

class Diagnose final : public Target {
 public:
  using Target::Target;

  Result<Bytes> snapshot() override { return Bytes(); }
  Result<bool> happened(ByteView) override { return false; }   // reading again costs nothing
  Result<std::string> restore(ByteView) override { return std::string("nothing was changed"); }

  Result<std::string> apply() override {
    text_.clear();
    if (const auto group = cgroup()) about_cgroup(**group);
    for (const auto* name : {"memory", "cpu", "io"}) add(std::string("pressure ") + name, read_file(host_.proc, std::string("pressure/") + name, 512));
    if (const auto meminfo = read_file(host_.proc, "meminfo")) {
      for (const auto* key : {"MemTotal", "MemAvailable", "SwapFree"}) {
        if (const auto kib = parse_keyed(*meminfo, key)) add(key, std::to_string(*kib) + " KiB");
      }
    }
    add("load", read_file(host_.proc, "loadavg", 128));
    text_.resize(std::min<std::size_t>(text_.size(), action<authority::Diagnose>().max_bytes));
    return text_;
  }

 private:
  void add(std::string_view name, const Result<std::string>& value) {
    if (!value || value->empty() || text_.size() > action<authority::Diagnose>().max_bytes) return;
    if (!text_.empty()) text_ += "; ";
    text_ += name;
    text_ += ": " + one_line(*value);
  }

  void about_cgroup(const CgroupFolders& folders) {
    for (const auto* name : {"memory.current", "memory.max", "memory.high", "memory.events", "memory.usage_in_bytes", "memory.limit_in_bytes",
                             "memory.failcnt", "memory.oom_control", "memory.pressure"})
      add(name, read_file(folders.memory, name, 512));
    for (const auto* name : {"cpu.max", "cpu.weight", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.shares", "cpu.stat"}) {
      if (folders.cpu.valid()) add(name, read_file(folders.cpu, name, 512));
    }
    for (const auto* name : {"pids.current", "pids.max"}) {
      if (folders.pids.valid()) add(name, read_file(folders.pids, name, 64));
    }
    if (const auto stat = read_file(folders.memory, "memory.stat", 16 * 1024)) {
      for (const auto* key : {"anon", "file", "rss", "cache", "shmem", "slab", "inactive_file"}) {
        if (const auto value = parse_keyed(*stat, key)) add(key, std::to_string(*value));
      }
    }
    about_processes(folders);
  }

  void about_processes(const CgroupFolders& folders) {
    const auto members = members_of(folders.memory, kMaxLooked);
    if (!members) return;
    struct Seen { kernel::ProcStat stat; Process process; };
    std::vector<Seen> seen;
    for (const auto pid : members->pids) {
      auto process = Process::open(host_, pid);
      if (!process) continue;
      if (auto stat = process->stat()) seen.push_back({std::move(*stat), std::move(*process)});
      if (seen.size() < 2 * kTopProcesses) continue;
      keep_largest(seen);
    }
    keep_largest(seen);
    const auto page_kib = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 1024;
    for (const auto& [stat, process] : seen) {
      add("process " + std::to_string(stat.pid), stat.comm + " state " + stat.state + " rss " + std::to_string(stat.rss_pages * page_kib) + " KiB");
    }
    if (!seen.empty()) about_memory_of(seen.front().process);
  }

  template <class Seen>
  static void keep_largest(std::vector<Seen>& seen) {
    std::sort(seen.begin(), seen.end(), [](const auto& a, const auto& b) { return a.stat.rss_pages > b.stat.rss_pages; });
    while (seen.size() > kTopProcesses) seen.pop_back();
  }

  // smaps_rollup is for the owner's eyes only and needs a right that we do not keep: then /proc/PID/status says what it can.
  void about_memory_of(const Process& process) {
    auto text = process.file("smaps_rollup", 4096);
    const bool rollup = text && !text->empty();
    if (!rollup) text = process.file("status", 8192);
    if (!text) return;
    for (const auto* key : rollup ? kRollup : kStatus) {
      if (const auto kib = parse_keyed(*text, key)) add(std::string("largest ") + key, std::to_string(*kib) + " KiB");
    }
  }

  static constexpr const char* kRollup[] = {"Rss", "Pss", "Pss_Anon", "Shared_Clean", "Private_Dirty", "Swap"};
  static constexpr const char* kStatus[] = {"VmHWM", "VmRSS", "RssAnon", "RssFile", "RssShmem", "VmSwap"};
  std::string text_;
};

}  // namespace

std::unique_ptr<Target> make_diagnose(const Host& host, const authority::Plan& plan) { return std::make_unique<Diagnose>(host, plan); }

}  // namespace fw::executor
