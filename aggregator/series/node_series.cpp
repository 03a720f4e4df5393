#include "aggregator/series/node_series.hpp"

#include <algorithm>

#include "protocol/limits.hpp"

namespace fw::series {

void NodeSeries::on_connected() {
  metric_index_.clear();
  cgroups_.clear();
}

void NodeSeries::add(const wire::Samples& samples) {
  if (ticked_ && samples.tick > last_tick_ + 1) {
    stats_.lost_ticks_total += samples.tick - last_tick_ - 1;
    stats_.lost_values_total += (samples.tick - last_tick_ - 1) * last_values_;
  }
  last_tick_ = samples.tick;
  last_values_ = 0;
  for (const wire::SampleColumn& column : samples.columns) last_values_ += column.values.size();
  ticked_ = true;

  for (const wire::EntityEntry& entry : samples.entities) {
    if (cgroups_.size() < limits::kMaxEntitiesPerNode || cgroups_.contains(entry.id)) cgroups_[entry.id] = entry.cgroup_id;
  }
  for (const wire::MetricEntry& entry : samples.metrics) {
    auto same = std::find_if(metrics_.begin(), metrics_.end(), [&](const Metric& m) { return m.name == entry.name; });
    if (same == metrics_.end()) {
      if (metrics_.size() >= limits::kMaxMetricsPerNode) continue;
      same = metrics_.insert(metrics_.end(), {.name = entry.name, .unit = entry.unit, .kind = entry.kind});
    }
    metric_index_[entry.id] = static_cast<std::uint32_t>(same - metrics_.begin());
  }
  for (const wire::SampleColumn& column : samples.columns) {
    const auto metric = metric_index_.find(column.metric_id);
    const std::size_t count = std::min(column.entity_ids.size(), column.values.size());
    for (std::size_t i = 0; i < count; ++i) {
      const auto cgroup = cgroups_.find(column.entity_ids[i]);
      if (metric == metric_index_.end() || cgroup == cgroups_.end() ||
          (windows_.size() >= limits::kMaxEntitiesPerNode && !windows_.contains(cgroup->second))) {
        ++stats_.refused_points_total;
        continue;
      }
      Window& window = windows_[cgroup->second][metric->second];
      const Point point{samples.time_ns, column.values[i]};
      const auto newest = window.fine.empty() ? window.coarse.newest() : window.fine.newest();
      if (newest && point.t_ns <= newest->t_ns) {
        ++stats_.late_points_total;
        continue;
      }
      window.coarse.add(point, kCoarse);
      if (newest && point.t_ns - newest->t_ns < kHotBelow.count()) {
        window.fine.add(point, kFine);
      } else if (!window.fine.empty() && point.t_ns - window.fine.newest()->t_ns > kFine.horizon.count()) {
        window.fine = {};
      }
    }
  }
  for (const std::uint32_t removed : samples.removed_entity_ids) cgroups_.erase(removed);
}

std::vector<Series> NodeSeries::read(const std::vector<Selection>& wanted, std::int64_t from_ns, std::int64_t to_ns) const {
  std::vector<Series> found;
  for (const Selection& selection : wanted) {
    const auto windows = windows_.find(selection.cgroup_id);
    if (windows == windows_.end()) continue;
    for (const auto& [index, window] : windows->second) {
      const Metric& metric = metrics_[index];
      if (!selection.metrics.empty() && std::find(selection.metrics.begin(), selection.metrics.end(), metric.name) == selection.metrics.end()) continue;
      Series series{.cgroup_id = selection.cgroup_id, .metric = metric.name, .unit = metric.unit, .kind = metric.kind,
                    .points = window.coarse.read(from_ns, to_ns, selection.spacing)};
      if (!window.fine.empty() && selection.spacing < kCoarse.spacing) {
        const auto fine = window.fine.read(from_ns, to_ns, selection.spacing);
        std::vector<Point> merged;
        merged.reserve(series.points.size() + fine.size());
        std::merge(series.points.begin(), series.points.end(), fine.begin(), fine.end(), std::back_inserter(merged),
                   [](const Point& a, const Point& b) { return a.t_ns < b.t_ns; });
        merged.erase(std::unique(merged.begin(), merged.end(), [](const Point& a, const Point& b) { return a.t_ns == b.t_ns; }), merged.end());
        series.points = std::move(merged);
      }
      if (!series.points.empty()) found.push_back(std::move(series));
    }
  }
  return found;
}

std::vector<Latest> NodeSeries::latest(const std::vector<std::string>& metrics) const {
  std::vector<std::optional<std::size_t>> asked(metrics_.size());
  for (std::size_t i = 0; i < metrics_.size(); ++i) {
    const auto found = std::find(metrics.begin(), metrics.end(), metrics_[i].name);
    if (found != metrics.end()) asked[i] = static_cast<std::size_t>(found - metrics.begin());
  }
  std::vector<Latest> out;
  for (const auto& [cgroup, windows] : windows_) {
    for (const auto& [index, window] : windows) {
      const auto coarse = window.coarse.newest(), fine = window.fine.newest();
      if (!asked[index] || !coarse) continue;
      const PointLog& log = fine && fine->t_ns >= coarse->t_ns ? window.fine : window.coarse;
      out.push_back({.cgroup_id = cgroup, .metric = *asked[index], .newest = *log.newest(), .before = log.before_newest()});
    }
  }
  return out;
}

std::vector<std::string> NodeSeries::metrics_of(std::uint64_t cgroup_id) const {
  std::vector<std::string> names;
  if (const auto windows = windows_.find(cgroup_id); windows != windows_.end()) {
    for (const auto& [index, window] : windows->second) names.push_back(metrics_[index].name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

void NodeSeries::expire(std::int64_t now_ns) {
  std::erase_if(windows_, [&](const auto& item) {
    return std::all_of(item.second.begin(), item.second.end(), [&](const auto& entry) {
      const auto newest = entry.second.coarse.newest();
      return !newest || now_ns - newest->t_ns > kCoarse.horizon.count();
    });
  });
}

std::size_t NodeSeries::bytes() const noexcept {
  std::size_t total = sizeof(*this);
  for (const auto& [cgroup, windows] : windows_) {
    for (const auto& [metric, window] : windows) total += window.coarse.bytes() + window.fine.bytes();
  }
  return total;
}

}  // namespace fw::series
