// effective_limits: what each level of a cgroup's path allows, and the lowest of them, which is the one that counts.
#include <algorithm>
#include <map>
#include <optional>

#include "node-agent/kernel/cgroup_files.hpp"
#include "node-agent/probes/sight.hpp"

namespace fw::probes {
namespace {

constexpr std::size_t kMaxFileBytes = 4096;
constexpr std::size_t kMaxLevels = 32;

struct Level {
  std::string path;   // "/a/b"
  const Sight& sight;

  Result<std::string> read(const std::string& hierarchy, const char* file) const {
    return sight.read(sight.roots().prefix + hierarchy + (path == "/" ? "" : path) + "/" + file, kMaxFileBytes);
  }
};

std::optional<std::int64_t> limit_of(const Level& level, const std::string& hierarchy, const char* file) {
  const auto text = level.read(hierarchy, file);
  const auto limit = text ? kernel::parse_limit(*text) : Result<std::int64_t>(text.error());
  return limit && *limit != kernel::kNoLimit ? std::optional(*limit) : std::nullopt;
}

std::optional<std::uint64_t> usage_of(const Level& level, const std::string& hierarchy, const char* file) {
  const auto text = level.read(hierarchy, file);
  const auto usage = text ? kernel::parse_counter(*text) : Result<std::uint64_t>(text.error());
  return usage ? std::optional(*usage) : std::nullopt;
}

std::optional<std::int64_t> cpu_of(const Level& level, const kernel::CgroupLayout& layout) {
  Result<std::int64_t> limit = Error(Errc::unsupported, "");
  if (const auto text = level.read(layout.cpu, "cpu.max")) {
    limit = kernel::parse_cpu_max_millicores(*text);
  } else {
    const auto quota = level.read(layout.cpu, "cpu.cfs_quota_us");
    const auto period = level.read(layout.cpu, "cpu.cfs_period_us");
    if (quota && period) limit = kernel::cfs_millicores(*quota, *period);
  }
  return limit && *limit != kernel::kNoLimit ? std::optional(*limit) : std::nullopt;
}

}  // namespace

Result<Answer> effective_limits(const Sight& sight, const Request& request) {
  const auto layout = sight.layout();
  if (!layout) return layout.error();
  struct Lowest {
    std::int64_t limit = 0;
    std::string path;
  };
  std::map<std::string, Lowest> lowest;
  Answer answer;
  std::string path = request.target.cgroup_path;
  const bool v2 = layout->memory_v2();
  for (std::size_t levels = 0; levels < kMaxLevels; ++levels) {
    const Level level{path, sight};
    const auto add = [&](const char* resource, std::optional<std::int64_t> limit, std::optional<std::uint64_t> usage) {
      if (!limit) return;
      boost::json::object row{{"path", path}, {"resource", resource}, {"limit", *limit}};
      if (usage) row["usage"] = *usage;
      answer.rows.push_back(std::move(row));
      const auto known = lowest.find(resource);
      if (known == lowest.end() || *limit < known->second.limit) lowest[resource] = {*limit, path};
    };
    const auto memory_usage = usage_of(level, layout->memory, v2 ? "memory.current" : "memory.usage_in_bytes");
    add("memory_bytes", limit_of(level, layout->memory, v2 ? "memory.max" : "memory.limit_in_bytes"), memory_usage);
    if (v2) add("memory_high_bytes", limit_of(level, layout->memory, "memory.high"), memory_usage);
    if (v2) add("swap_bytes", limit_of(level, layout->memory, "memory.swap.max"), usage_of(level, layout->memory, "memory.swap.current"));
    if (!layout->cpu.empty()) add("cpu_millicores", cpu_of(level, *layout), std::nullopt);
    if (!layout->pids.empty()) add("pids", limit_of(level, layout->pids, "pids.max"), usage_of(level, layout->pids, "pids.current"));
    if (path == "/" || path.empty()) break;
    const auto slash = path.rfind('/');
    path = slash == 0 ? "/" : path.substr(0, slash);
  }
  boost::json::object effective;
  for (const auto& [resource, one] : lowest) effective[resource] = boost::json::object{{"limit", one.limit}, {"path", one.path}};
  answer.facts["effective"] = std::move(effective);
  return answer;
}

}  // namespace fw::probes
