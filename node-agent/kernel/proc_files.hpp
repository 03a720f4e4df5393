// /proc of one process: pure parsers, and a bounded reading of the largest processes of a cgroup.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "protocol/wire/messages.hpp"

namespace fw::kernel {

struct ProcStat {
  std::uint32_t pid = 0, parent_pid = 0;
  std::string comm;
  char state = '?';
  std::uint64_t start_ticks = 0;   // since boot, clock ticks
  std::uint64_t rss_pages = 0;
};

// /proc/PID/stat. comm may hold any byte, also ") ".
Result<ProcStat> parse_proc_stat(std::string_view text);

// /proc/PID/cgroup: the path in the memory controller's hierarchy ("0::" line when memory is v2); Errc::not_found.
Result<std::string> parse_proc_cgroup(std::string_view text, bool memory_v2);

// cgroup.procs: one pid per line, 0 for processes of other pid namespaces (left out). At most max.
std::vector<std::uint32_t> parse_pids(std::string_view text, std::size_t max);

// Reads whole small files below /proc (or a made tree).
class ProcReader {
 public:
  explicit ProcReader(std::string root) : root_(std::move(root)) {}

  Result<ProcStat> stat(std::uint32_t pid) const;                                   // Errc::gone
  Result<std::string> cgroup_path(std::uint32_t pid, bool memory_v2) const;         // Errc::gone
  // The count largest of pids by rss, largest first; those that ended meanwhile are left out. Looks at 512 pids at most.
  // container_main: the parent is none of pids.
  std::vector<wire::ProcessInfo> largest(const std::vector<std::uint32_t>& pids, std::size_t count,
                                         std::uint64_t boot_ns) const;

 private:
  std::string root_;
};

// CLOCK_BOOTTIME, which /proc/PID/stat counts in.
std::uint64_t boot_time_ns();

// A small kernel file as a whole; Errc::too_large beyond max_bytes.
Result<std::string> read_small_file(const std::string& path, std::size_t max_bytes);

}  // namespace fw::kernel
