#include "aggregator/app/top_rows.hpp"

#include <algorithm>
#include <array>
#include <tuple>

#include "aggregator/fleet/names.hpp"
#include "aggregator/series/derive.hpp"

namespace fw::app {
namespace {

enum Asked : std::size_t { kCpu, kPeriods, kThrottled, kMemory, kMemoryLimit, kOomKills, kErrors, kConnectsFailed, kAsked };

using Newest = std::array<const series::Latest*, kAsked>;

std::unordered_map<std::uint64_t, Newest> by_cgroup(const std::vector<series::Latest>& latest) {
  std::unordered_map<std::uint64_t, Newest> out;
  for (const series::Latest& one : latest) out.try_emplace(one.cgroup_id, Newest{}).first->second.at(one.metric) = &one;
  return out;
}

std::optional<double> rate_of(const series::Latest* latest) {
  if (latest == nullptr || !latest->before) return std::nullopt;
  return series::rate(*latest->before, latest->newest);
}

std::optional<std::int64_t> value_of(const series::Latest* latest) {
  return latest == nullptr ? std::nullopt : std::optional(latest->newest.value);
}

std::optional<double> throttled_ratio(const Newest& newest) {
  const auto periods = rate_of(newest[kPeriods]), throttled = rate_of(newest[kThrottled]);
  if (!periods || !throttled || *periods <= 0) return std::nullopt;
  return std::clamp(*throttled / *periods, 0.0, 1.0);
}

template <class T>
void add(std::optional<T>& sum, const std::optional<T>& more) {
  if (more) sum = sum.value_or(T{}) + *more;
}

api::TopRow row_of(const TopNode& node, const fleet::Entity& entity, const Newest& newest) {
  constexpr double kUsPerSecond = 1e6;
  api::TopRow row{.node = node.name, .name = fleet::display_name(entity), .kind = std::string(fleet::to_string(entity.kind)), .cgroup_path = entity.cgroup_path,
                  .cpu_cores = rate_of(newest[kCpu]), .cpu_throttled_ratio = throttled_ratio(newest), .memory_bytes = value_of(newest[kMemory]),
                  .memory_limit_bytes = value_of(newest[kMemoryLimit]), .restarts = std::nullopt, .oom_kills = value_of(newest[kOomKills]),
                  .http_5xx_per_s = rate_of(newest[kErrors]), .connects_failed_per_s = rate_of(newest[kConnectsFailed]), .newest_ns = std::nullopt,
                  .connected = node.connected};
  if (row.cpu_cores) *row.cpu_cores /= kUsPerSecond;
  if (row.memory_limit_bytes && *row.memory_limit_bytes < 0) row.memory_limit_bytes.reset();
  if (const auto restarts = node.restarts.find(entity.key.cgroup_id); restarts != node.restarts.end()) row.restarts = restarts->second;
  for (const series::Latest* one : newest) {
    if (one != nullptr) row.newest_ns = std::max(row.newest_ns.value_or(INT64_MIN), one->newest.t_ns - node.clock_offset_ns);
  }
  return row;
}

bool is_row(const fleet::Entity& entity) {
  return entity.kind == wire::EntityKind::container || entity.kind == wire::EntityKind::service || entity.kind == wire::EntityKind::cgroup;
}

// Descending, absent last.
template <class T>
std::pair<int, double> greatest(const std::optional<T>& value) {
  return value ? std::pair(0, -static_cast<double>(*value)) : std::pair(1, 0.0);
}

std::pair<int, double> key_of(const api::TopRow& row, api::TopSort sort) {
  switch (sort) {
    case api::TopSort::cpu: return greatest(row.cpu_cores);
    case api::TopSort::memory: return greatest(row.memory_bytes);
    case api::TopSort::errors: return greatest(row.http_5xx_per_s);
    case api::TopSort::restarts: break;
  }
  std::optional<std::int64_t> ends = row.restarts;
  add(ends, row.oom_kills);
  return greatest(ends);
}

}  // namespace

const std::vector<std::string>& top_metrics() {
  static const std::vector<std::string> kNames{"cpu_usage_us",       "cpu_periods_total",      "cpu_throttled_periods_total", "memory_working_set_bytes",
                                               "memory_limit_bytes", "memory_oom_kills_total", "http_responses_5xx_total",    "network_connects_failed_total"};
  return kNames;
}

std::vector<api::TopRow> container_rows(const TopNode& node, const std::vector<series::Latest>& latest) {
  const auto newest = by_cgroup(latest);
  std::vector<api::TopRow> rows;
  for (const auto& entity : node.entities) {
    const auto found = newest.find(entity->key.cgroup_id);
    if (is_row(*entity) && found != newest.end()) rows.push_back(row_of(node, *entity, found->second));
  }
  return rows;
}

api::TopRow node_row(const TopNode& node, const std::vector<series::Latest>& latest) {
  const auto newest = by_cgroup(latest);
  auto entities = node.entities;
  std::sort(entities.begin(), entities.end(), [](const auto& a, const auto& b) { return a->cgroup_path < b->cgroup_path; });
  api::TopRow sum{.node = node.name, .name = node.name, .kind = "node", .connected = node.connected};
  // Sorted by path, what is inside follows what holds it, but "/a-b" comes between "/a" and "/a/b": all that hold are kept.
  std::vector<std::string> outer_cpu, outer_memory;
  const auto is_outermost = [](std::vector<std::string>& outer, const std::string& path) {
    const bool inside = std::any_of(outer.begin(), outer.end(), [&](const std::string& o) { return path.starts_with(o + "/"); });
    if (!inside) outer.push_back(path);
    return !inside;
  };
  for (const auto& entity : entities) {
    const auto found = newest.find(entity->key.cgroup_id);
    if (found == newest.end()) continue;
    const api::TopRow row = row_of(node, *entity, found->second);
    if (row.cpu_cores && is_outermost(outer_cpu, entity->cgroup_path)) add(sum.cpu_cores, row.cpu_cores);
    if (row.memory_bytes && is_outermost(outer_memory, entity->cgroup_path)) add(sum.memory_bytes, row.memory_bytes);
    if (row.newest_ns) sum.newest_ns = std::max(sum.newest_ns.value_or(INT64_MIN), *row.newest_ns);
    if (!is_row(*entity)) continue;
    add(sum.restarts, row.restarts);
    add(sum.oom_kills, row.oom_kills);
    add(sum.http_5xx_per_s, row.http_5xx_per_s);
    add(sum.connects_failed_per_s, row.connects_failed_per_s);
  }
  return sum;
}

void sort_rows(std::vector<api::TopRow>& rows, api::TopSort sort, std::size_t limit) {
  std::sort(rows.begin(), rows.end(), [sort](const api::TopRow& a, const api::TopRow& b) {
    return std::tuple(key_of(a, sort), std::tie(a.node, a.name, a.cgroup_path)) < std::tuple(key_of(b, sort), std::tie(b.node, b.name, b.cgroup_path));
  });
  if (rows.size() > limit) rows.resize(limit);
}

}  // namespace fw::app
