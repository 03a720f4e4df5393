#include "node-agent/kernel/proc_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "common/units.hpp"
#include "common/unique_fd.hpp"
#include "node-agent/kernel/text.hpp"

namespace fw::kernel {
namespace {

constexpr std::size_t kMaxPidsLooked = 512;
constexpr std::size_t kProcFileBytes = 4_KiB;

Error bad_stat(std::string_view what) { return Error{Errc::malformed, "/proc/PID/stat: " + std::string{what}}; }

std::uint64_t system_value(int name, std::uint64_t otherwise) {
  const auto value = ::sysconf(name);
  return value > 0 ? static_cast<std::uint64_t>(value) : otherwise;
}

}  // namespace

Result<ProcStat> parse_proc_stat(std::string_view text) {
  const auto open = text.find('(');
  const auto close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return bad_stat("no name in brackets");
  ProcStat stat;
  const auto pid = to_number<std::uint32_t>(trimmed(text.substr(0, open)));
  if (!pid) return bad_stat("bad pid");
  stat.pid = *pid;
  stat.comm = text.substr(open + 1, close - open - 1);
  auto rest = trimmed(text.substr(close + 1));
  // Field 3 comes first here: 3 state, 4 ppid, 22 starttime, 24 rss.
  for (int field = 3; field <= 24; ++field) {
    const auto word = take_until(rest, ' ');
    if (word.empty()) return bad_stat("too short");
    if (field == 3) stat.state = word.front();
    if (field == 4) {
      const auto parent = to_number<std::uint32_t>(word);
      if (!parent) return bad_stat("bad ppid");
      stat.parent_pid = *parent;
    }
    if (field == 22 || field == 24) {
      const auto number = to_number<std::uint64_t>(word);
      if (!number) return bad_stat("bad number");
      (field == 22 ? stat.start_ticks : stat.rss_pages) = *number;
    }
  }
  return stat;
}

Result<std::string> parse_proc_cgroup(std::string_view text, bool memory_v2) {
  while (!text.empty()) {
    auto line = take_line(text);
    const auto id = take_until(line, ':');
    auto controllers = take_until(line, ':');
    if (!line.starts_with('/')) continue;
    if (memory_v2 && id == "0" && controllers.empty()) return std::string{line};
    while (!memory_v2 && !controllers.empty()) {
      if (take_until(controllers, ',') == "memory") return std::string{line};
    }
  }
  return Error{Errc::not_found, "/proc/PID/cgroup: no line of the memory controller"};
}

std::vector<std::uint32_t> parse_pids(std::string_view text, std::size_t max) {
  std::vector<std::uint32_t> pids;
  while (!text.empty() && pids.size() < max) {
    const auto pid = to_number<std::uint32_t>(trimmed(take_line(text)));
    if (pid && *pid != 0) pids.push_back(*pid);
  }
  return pids;
}

Result<std::string> read_small_file(const std::string& path, std::size_t max_bytes) {
  const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (!fd.valid()) return errno_error(errno, path);
  std::string text;
  char buffer[4096];
  for (;;) {
    const auto got = ::read(fd.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, path);
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > max_bytes) return Error{Errc::too_large, path + ": more than " + std::to_string(max_bytes) + " bytes"};
  }
}

Result<ProcStat> ProcReader::stat(std::uint32_t pid) const {
  const auto text = read_small_file(root_ + "/" + std::to_string(pid) + "/stat", kProcFileBytes);
  if (!text) return text.error();
  return parse_proc_stat(*text);
}

Result<std::string> ProcReader::cgroup_path(std::uint32_t pid, bool memory_v2) const {
  const auto text = read_small_file(root_ + "/" + std::to_string(pid) + "/cgroup", 64_KiB);
  if (!text) return text.error();
  return parse_proc_cgroup(*text, memory_v2);
}

std::vector<wire::ProcessInfo> ProcReader::largest(const std::vector<std::uint32_t>& pids, std::size_t count,
                                                   std::uint64_t boot_ns) const {
  const auto page_bytes = system_value(_SC_PAGESIZE, 4096);
  const auto tick_ns = 1'000'000'000ULL / system_value(_SC_CLK_TCK, 100);
  std::vector<std::uint32_t> sorted = pids;
  std::sort(sorted.begin(), sorted.end());
  std::vector<wire::ProcessInfo> found;
  for (std::size_t i = 0; i < pids.size() && i < kMaxPidsLooked; ++i) {
    const auto process = stat(pids[i]);
    if (!process || process->state == 'Z' || process->state == 'X') continue;
    wire::ProcessInfo info;
    info.pid = process->pid;
    info.parent_pid = process->parent_pid;
    info.comm = process->comm;
    info.rss_bytes = static_cast<std::int64_t>(process->rss_pages * page_bytes);
    const auto start_ns = process->start_ticks * tick_ns;
    if (boot_ns >= start_ns) info.age_ns = boot_ns - start_ns;
    info.container_main = !std::binary_search(sorted.begin(), sorted.end(), process->parent_pid);
    found.push_back(std::move(info));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.rss_bytes > b.rss_bytes; });
  if (found.size() > count) found.resize(count);
  return found;
}

std::uint64_t boot_time_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000ULL + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace fw::kernel
