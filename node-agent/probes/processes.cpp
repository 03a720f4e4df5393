// process_table, d_state_stacks, environment_names: /proc of a cgroup's processes.
#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>

#include "node-agent/kernel/proc_files.hpp"
#include "node-agent/kernel/text.hpp"
#include "node-agent/probes/parsers.hpp"
#include "node-agent/probes/sight.hpp"

namespace fw::probes {
namespace {

constexpr std::size_t kMaxStatBytes = 4096;
constexpr std::size_t kMaxArgvBytes = 1024;
constexpr std::size_t kMaxStackBytes = 8192;
constexpr std::size_t kMaxEnvironmentBytes = 256 * 1024;
constexpr std::size_t kMaxProcessesOfEnvironment = 64;
constexpr std::size_t kMaxStacks = 200;

std::vector<std::uint32_t> tasks_of(const Sight& sight, std::uint32_t pid) {
  std::vector<std::uint32_t> out;
  DIR* folder = ::opendir(sight.proc(pid, "task").c_str());
  if (folder == nullptr) return out;
  while (const auto* entry = ::readdir(folder)) {
    if (const auto tid = kernel::to_number<std::uint32_t>(entry->d_name)) out.push_back(*tid);
  }
  ::closedir(folder);
  return out;
}

}  // namespace

Result<Answer> process_table(const Sight& sight, const Request& request) {
  const auto pids = sight.pids(request.target.cgroup_path);
  if (!pids) return pids.error();
  const auto ticks_per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const auto boot_s = kernel::boot_time_ns() / 1'000'000'000;
  Answer answer;
  std::vector<std::pair<std::uint64_t, boost::json::object>> found;
  for (const auto pid : *pids) {
    if (sight.late()) {
      answer.truncated = true;
      break;
    }
    const auto text = sight.read(sight.proc(pid, "stat"), kMaxStatBytes);
    if (!text) continue;
    const auto stat = kernel::parse_proc_stat(*text);
    const auto times = parse_task_times(*text);
    if (!stat || !times) continue;
    const auto argv = sight.read(sight.proc(pid, "cmdline"), kMaxArgvBytes);
    const auto started_s = stat->start_ticks / ticks_per_second;
    found.emplace_back(stat->rss_pages, boost::json::object{{"pid", pid}, {"parent", stat->parent_pid}, {"comm", stat->comm}, {"state", std::string(1, stat->state)},
                                                            {"threads", times->threads}, {"rss_bytes", stat->rss_pages * page_bytes},
                                                            {"cpu_ms", times->cpu_ticks * 1000 / ticks_per_second},
                                                            {"age_s", boot_s > started_s ? boot_s - started_s : 0}, {"argv", argv ? join_argv(*argv) : ""}});
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  answer.facts["processes"] = found.size();
  for (auto& [rss, row] : found) {
    if (answer.rows.size() == kMaxRows) answer.truncated = true;
    if (answer.truncated && answer.rows.size() == kMaxRows) break;
    answer.rows.push_back(std::move(row));
  }
  return answer;
}

Result<Answer> d_state_stacks(const Sight& sight, const Request& request) {
  const auto pids = sight.pids(request.target.cgroup_path);
  if (!pids) return pids.error();
  Answer answer;
  std::size_t looked_at = 0;
  for (const auto pid : *pids) {
    for (const auto tid : tasks_of(sight, pid)) {
      if (sight.late() || answer.rows.size() == kMaxStacks) {
        answer.truncated = true;
        break;
      }
      ++looked_at;
      const auto task = sight.proc(pid, "task/" + std::to_string(tid));
      const auto text = sight.read(task + "/stat", kMaxStatBytes);
      if (!text) continue;
      const auto stat = kernel::parse_proc_stat(*text);
      if (!stat || stat->state != 'D') continue;
      const auto stack = sight.read(task + "/stack", kMaxStackBytes);
      const auto place = sight.read(task + "/wchan", 256);
      boost::json::object row{{"pid", pid}, {"task", tid}, {"comm", stat->comm}, {"waits_in", place ? std::string(kernel::trimmed(*place)) : ""}};
      row["stack"] = stack ? join_stack(*stack) : "";
      if (!stack) answer.facts["lacking"] = "kernel stacks: " + stack.error().message();
      answer.rows.push_back(std::move(row));
    }
  }
  answer.facts["tasks_looked_at"] = looked_at;
  return answer;
}

Result<Answer> environment_names(const Sight& sight, const Request& request) {
  const auto pids = sight.pids(request.target.cgroup_path);
  if (!pids) return pids.error();
  Answer answer;
  std::map<std::string, std::uint32_t> names;
  std::size_t read = 0;
  std::string problem;
  for (const auto pid : *pids) {
    if (read == kMaxProcessesOfEnvironment || sight.late()) {
      answer.truncated = true;
      break;
    }
    const auto text = sight.read(sight.proc(pid, "environ"), kMaxEnvironmentBytes);
    if (!text) {
      problem = text.error().message();
      continue;
    }
    ++read;
    for (const auto& name : environment_names_of(*text)) ++names[name];
  }
  if (read == 0 && !problem.empty()) return Error(Errc::permission, problem);
  answer.facts["processes"] = read;
  for (const auto& [name, count] : names) {
    if (answer.rows.size() == kMaxRows) {
      answer.truncated = true;
      break;
    }
    answer.rows.push_back(boost::json::object{{"name", name}, {"processes", count}});
  }
  return answer;
}

}  // namespace fw::probes
