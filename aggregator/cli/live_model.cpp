#include "aggregator/cli/live_model.hpp"

#include "aggregator/cli/json_read.hpp"

namespace fw::cli {
namespace {

using namespace json_read;

std::optional<double> optional_number(const Object& object, std::string_view key) {
  const auto* value = find(object, key);
  return value != nullptr && value->is_number() ? std::optional(value->to_number<double>()) : std::nullopt;
}

}  // namespace

Result<Series> read_series(std::string_view bytes) {
  const auto object = parse(bytes, "Series");
  if (!object) return object.error();
  Series out;
  out.node = text(*object, "node");
  if (const auto* entity = child(*object, "entity")) {
    out.entity = text(*entity, "name");
    out.entity_kind = text(*entity, "kind");
  }
  out.metric = text(*object, "metric");
  out.unit = text(*object, "unit");
  out.per_second = boolean(*object, "perSecond");
  out.quantile = optional_number(*object, "quantile");
  out.from_ns = integer(*object, "fromNs");
  out.to_ns = integer(*object, "toNs");
  out.unknown_before_ns = optional_integer(*object, "unknownBeforeNs");
  each_object(*object, "points", [&](const Object& point) {
    const auto value = optional_number(point, "value");
    if (value) {
      out.points.push_back(
          {integer(point, "tNs"), *value, optional_number(point, "low"), optional_number(point, "high")});
    }
  });
  return out;
}

Result<Top> read_top(std::string_view bytes) {
  const auto object = parse(bytes, "Top");
  if (!object) return object.error();
  Top out;
  out.taken_ns = integer(*object, "takenNs");
  out.of = integer(*object, "of");
  each_object(*object, "items", [&](const Object& item) {
    TopRow row;
    row.node = text(item, "node");
    row.name = text(item, "name");
    row.kind = text(item, "kind");
    row.cgroup_path = text(item, "cgroupPath");
    row.cpu_cores = optional_number(item, "cpuCores");
    row.throttled_ratio = optional_number(item, "cpuThrottledRatio");
    row.memory_bytes = optional_integer(item, "memoryBytes");
    row.memory_limit_bytes = optional_integer(item, "memoryLimitBytes");
    row.restarts = optional_integer(item, "restarts");
    row.oom_kills = optional_integer(item, "oomKills");
    row.errors_per_s = optional_number(item, "http5xxPerSecond");
    row.connects_failed_per_s = optional_number(item, "connectsFailedPerSecond");
    row.newest_ns = optional_integer(item, "newestNs");
    row.connected = boolean(item, "connected");
    out.rows.push_back(std::move(row));
  });
  return out;
}

}  // namespace fw::cli
