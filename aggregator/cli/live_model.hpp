// Answers about the live windows as plain data (docs/api.md); read as tolerantly as model.hpp reads. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace fw::cli {

struct SeriesPoint {
  std::int64_t t_ns = 0;
  double value = 0;
  std::optional<double> low{}, high{};
};

struct Series {
  std::string node, entity, entity_kind, metric, unit;
  bool per_second = false;
  std::optional<double> quantile;
  std::int64_t from_ns = 0, to_ns = 0;
  std::optional<std::int64_t> unknown_before_ns;
  std::vector<SeriesPoint> points;
};

// Absent: not measured.
struct TopRow {
  std::string node, name, kind, cgroup_path;
  std::optional<double> cpu_cores, throttled_ratio, errors_per_s, connects_failed_per_s;
  std::optional<std::int64_t> memory_bytes, memory_limit_bytes, restarts, oom_kills, newest_ns;
  bool connected = false;
};

struct Top {
  std::int64_t taken_ns = 0;
  std::int64_t of = 0;   // rows before the limit
  std::vector<TopRow> rows;
};

Result<Series> read_series(std::string_view json);
Result<Top> read_top(std::string_view json);

}  // namespace fw::cli
