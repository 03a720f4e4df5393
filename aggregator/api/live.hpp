// What people may ask of the live windows: one metric over time, and who uses what now. aggregator/app implements it.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/result.hpp"

namespace fw::api {

struct SeriesQuestion {
  std::string node, entity;                      // names or uid; entity "": the node itself
  std::string metric;                            // with a quantile: the histogram, "http_latency"
  std::chrono::nanoseconds since = std::chrono::minutes(15), step{0};   // step 0: every point there is
  bool raw = false;                              // totals of counters instead of rates
  std::optional<double> quantile;                // 0 to 1
};

struct SeriesPoint {
  std::int64_t t_ns = 0;
  double value = 0;
  std::optional<double> low{}, high{};               // of a quantile: the exact one is in between; no high: beyond the last bound
};

struct SeriesView {
  std::string node{}, entity{}, entity_kind{}, cgroup_path{}, metric{}, unit{};   // unit "" when it is a plain number
  bool counter = false, per_second = false;
  std::optional<double> quantile{};
  std::int64_t from_ns = 0, to_ns = 0;           // our clock, as all times here
  std::optional<std::int64_t> unknown_before_ns{}; // nothing is known of [from, this)
  std::vector<SeriesPoint> points{};
};

enum class TopOf : std::uint8_t { containers, nodes };
enum class TopSort : std::uint8_t { cpu, memory, restarts, errors };

struct TopQuestion {
  TopOf of = TopOf::containers;
  TopSort sort = TopSort::cpu;
  std::string node;                              // "": all
  std::size_t limit = 100;
};

// What is not measured is absent, never 0.
struct TopRow {
  std::string node{}, name{}, kind{}, cgroup_path{};
  std::optional<double> cpu_cores{}, cpu_throttled_ratio{};          // now; ratio of periods with a quota in which it was held back, 0 to 1
  std::optional<std::int64_t> memory_bytes{}, memory_limit_bytes{};  // working set; no limit: absent
  std::optional<std::int64_t> restarts{}, oom_kills{};               // restarts of the last hour; kills since the cgroup was made
  std::optional<double> http_5xx_per_s{}, connects_failed_per_s{};
  std::optional<std::int64_t> newest_ns{};                         // of the newest sample
  bool connected = false;                                        // its node
};

struct TopView {
  std::int64_t taken_ns = 0;
  std::size_t of = 0;                            // so many rows there were before the limit
  std::vector<TopRow> rows;
};

// Errors: Errc::not_found (no such node, entity or metric), Errc::conflict (several have this name; the text lists them).
class Live {
 public:
  virtual ~Live() = default;
  virtual boost::asio::awaitable<Result<SeriesView>> series(SeriesQuestion question) = 0;
  virtual boost::asio::awaitable<Result<TopView>> top(TopQuestion question) = 0;
};

}  // namespace fw::api
