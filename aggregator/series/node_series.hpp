// The live windows of one node: every metric of every entity, 60 minutes at 10 s and, while an entity is sampled faster, 5 minutes at 1 s.
#pragma once
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "aggregator/series/point_log.hpp"
#include "protocol/wire/messages.hpp"

namespace fw::series {

inline constexpr Resolution kCoarse{.spacing = std::chrono::milliseconds(9'500), .horizon = std::chrono::minutes(60)};
inline constexpr Resolution kFine{.spacing = std::chrono::milliseconds(900), .horizon = std::chrono::minutes(5)};
inline constexpr std::chrono::nanoseconds kHotBelow = std::chrono::seconds(5);   // points closer than this open the fine window

// One metric of one entity as handed out: coarse points, then fine ones where there are any.
struct Series {
  std::uint64_t cgroup_id = 0;
  std::string metric, unit;
  wire::MetricKind kind = wire::MetricKind::unknown;
  std::vector<Point> points;
};

struct Selection {
  std::uint64_t cgroup_id = 0;
  std::vector<std::string> metrics;              // empty: all
  std::chrono::nanoseconds spacing{0};           // thins the points; 0: as they are
};

// The two newest points of one metric of one entity.
struct Latest {
  std::uint64_t cgroup_id = 0;
  std::size_t metric = 0;                        // index in what was asked
  Point newest;
  std::optional<Point> before{};
};

struct SeriesStats {
  std::uint64_t lost_ticks_total = 0;            // gaps in the tick numbers
  std::uint64_t lost_values_total = 0;           // so many values they would have held, by the newest tick before
  std::uint64_t late_points_total = 0;
  std::uint64_t refused_points_total = 0;        // over a limit, or of an entity or metric never announced
};

// Identity: the node and its boot. Invariant: windows begin at known_since_ns; before it nothing is known, which is not "healthy".
// Threading: one executor (the node's shard).
class NodeSeries {
 public:
  explicit NodeSeries(std::int64_t known_since_ns) : known_since_ns_(known_since_ns) {}

  // A new connection: dictionary ids and tick numbers start again, windows stay (they are keyed by cgroup and metric name).
  void on_connected();
  void add(const wire::Samples& samples);
  std::vector<Series> read(const std::vector<Selection>& wanted, std::int64_t from_ns, std::int64_t to_ns) const;
  std::vector<Latest> latest(const std::vector<std::string>& metrics) const;   // of every entity; constant work for each
  std::vector<std::string> metrics_of(std::uint64_t cgroup_id) const;          // names, sorted
  void expire(std::int64_t now_ns);              // forgets entities without a point in the coarse horizon

  std::int64_t known_since_ns() const noexcept { return known_since_ns_; }
  const SeriesStats& stats() const noexcept { return stats_; }
  std::size_t entities() const noexcept { return windows_.size(); }
  std::size_t bytes() const noexcept;

 private:
  struct Metric { std::string name, unit; wire::MetricKind kind = wire::MetricKind::unknown; };
  struct Window { PointLog coarse, fine; };
  using EntityWindows = std::map<std::uint32_t, Window>;   // by index in metrics_

  std::int64_t known_since_ns_;
  std::vector<Metric> metrics_;
  std::unordered_map<std::uint32_t, std::uint32_t> metric_index_;   // dictionary id of this connection -> index
  std::unordered_map<std::uint32_t, std::uint64_t> cgroups_;        // dictionary id of this connection -> cgroup
  std::unordered_map<std::uint64_t, EntityWindows> windows_;
  std::uint64_t last_tick_ = 0, last_values_ = 0;
  bool ticked_ = false;
  SeriesStats stats_;
};

}  // namespace fw::series
