// What people ask of windows: rates of counters, quantiles of histograms. Pure.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/series/node_series.hpp"

namespace fw::series {

struct Value {
  std::int64_t t_ns = 0;
  double value = 0;
};

// What was added to a counter from one value to the next. A counter that went back began again at zero: what it shows then is the least
// that was added.
constexpr std::int64_t added(std::int64_t before, std::int64_t now) { return now >= before ? now - before : now; }

// Per second of the time since `before`; nothing when no time passed.
std::optional<double> rate(const Point& before, const Point& now);

// Per second from each point to the next, told at the later one: one value fewer than points.
std::vector<Value> rates(std::span<const Point> points);

// One counter of a histogram as agents send it: how many observations were less than the bound, all smaller ones included.
struct Bucket {
  double bound = 0;
  std::int64_t count = 0;
};

// The smallest observation that at least a part q of all are not above. Only its bucket is known for certain: it is in [low, high],
// and `value` is interpolated between them, geometrically because bounds are powers.
struct Quantile {
  double value = 0, low = 0;
  std::optional<double> high;   // nothing: beyond the last bound; value is that bound
};

// Buckets ascend by bound and count; `all` is the number of observations, at least the last bucket's. 0 <= q <= 1. Nothing without one.
std::optional<Quantile> quantile(std::span<const Bucket> buckets, std::int64_t all, double q);

struct QuantileAt {
  std::int64_t t_ns = 0;
  Quantile quantile;
};

// "http_latency" or "http_latency_us" and metrics named "http_latency_us_le_16": the bound; nothing for other metrics.
std::optional<double> bound_of(std::string_view histogram, std::string_view metric);
// Its number of all observations has this name, when there is one.
bool counts_all(std::string_view histogram, std::string_view metric);

// Quantiles of what was observed from one point to the next. A time at which some bucket has no point, or one went back, has none; nor
// does a time without observations.
std::vector<QuantileAt> quantiles(std::string_view histogram, const std::vector<Series>& series, double q);

}  // namespace fw::series
