#include "aggregator/series/derive.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "common/clock.hpp"

namespace fw::series {
namespace {

// What follows the histogram's name: "le_16" of "http_latency_us_le_16".
std::string_view rest_of(std::string_view histogram, std::string_view metric) {
  if (!metric.starts_with(histogram)) return {};
  metric.remove_prefix(histogram.size());
  if (metric.starts_with("_us_")) metric.remove_prefix(3);
  return metric.starts_with('_') ? metric.substr(1) : std::string_view();
}

// Values of all counters at one time, by bound; the number of all is under infinity.
using Counts = std::map<double, std::int64_t>;

std::optional<Quantile> between(const Counts& before, const Counts& now, double q) {
  std::vector<Bucket> buckets;
  std::int64_t all = 0;
  for (const auto& [bound, count] : now) {
    const std::int64_t more = count - before.at(bound);
    if (more < 0) return std::nullopt;
    if (std::isfinite(bound)) buckets.push_back({bound, more});
    all = std::max(all, more);
  }
  return quantile(buckets, all, q);
}

}  // namespace

std::optional<double> rate(const Point& before, const Point& now) {
  if (now.t_ns <= before.t_ns) return std::nullopt;
  return static_cast<double>(added(before.value, now.value)) * static_cast<double>(kNsPerSecond) / static_cast<double>(now.t_ns - before.t_ns);
}

std::vector<Value> rates(std::span<const Point> points) {
  std::vector<Value> out;
  for (std::size_t i = 1; i < points.size(); ++i) {
    if (const auto value = rate(points[i - 1], points[i])) out.push_back({points[i].t_ns, *value});
  }
  return out;
}

std::optional<Quantile> quantile(std::span<const Bucket> buckets, std::int64_t all, double q) {
  if (all <= 0) return std::nullopt;
  const double rank = std::max(1.0, std::ceil(q * static_cast<double>(all)));
  double low = 0;
  std::int64_t below = 0;
  for (const Bucket& bucket : buckets) {
    if (static_cast<double>(bucket.count) >= rank) {
      const double part = (rank - static_cast<double>(below)) / static_cast<double>(bucket.count - below);
      const double value = low > 0 ? low * std::pow(bucket.bound / low, part) : bucket.bound * part;
      return Quantile{.value = std::clamp(value, low, bucket.bound), .low = low, .high = bucket.bound};
    }
    low = bucket.bound;
    below = std::max(below, bucket.count);
  }
  return Quantile{.value = low, .low = low, .high = std::nullopt};
}

std::optional<double> bound_of(std::string_view histogram, std::string_view metric) {
  auto rest = rest_of(histogram, metric);
  if (!rest.starts_with("le_")) return std::nullopt;
  rest.remove_prefix(3);
  std::uint64_t bound = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), bound);
  if (error != std::errc() || end != rest.data() + rest.size()) return std::nullopt;
  return static_cast<double>(bound);
}

bool counts_all(std::string_view histogram, std::string_view metric) {
  if (histogram.ends_with("_us")) histogram.remove_suffix(3);
  return rest_of(histogram, metric) == "count";
}

std::vector<QuantileAt> quantiles(std::string_view histogram, const std::vector<Series>& series, double q) {
  std::map<std::int64_t, Counts> times;
  std::size_t counters = 0;
  for (const Series& one : series) {
    const auto bound = counts_all(histogram, one.metric) ? std::optional<double>(INFINITY) : bound_of(histogram, one.metric);
    if (!bound) continue;
    ++counters;
    for (const Point& point : one.points) times[point.t_ns][*bound] = point.value;
  }
  std::vector<QuantileAt> out;
  const Counts* before = nullptr;
  for (const auto& [t_ns, counts] : times) {
    if (counts.size() != counters) continue;
    if (before != nullptr) {
      if (const auto found = between(*before, counts, q)) out.push_back({t_ns, *found});
    }
    before = &counts;
  }
  return out;
}

}  // namespace fw::series
