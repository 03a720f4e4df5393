#include "aggregator/series/node_series.hpp"

#include <gtest/gtest.h>

namespace fw::series {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

wire::Samples tick(std::uint64_t number, std::int64_t seconds, std::int64_t value) {
  wire::Samples s;
  s.tick = number;
  s.time_ns = seconds * kSecond;
  if (number == 1) {
    wire::EntityEntry entity;
    entity.id = 7;
    entity.cgroup_id = 100;
    s.entities.push_back(entity);
    s.metrics.push_back({.id = 3, .name = "memory_current_bytes", .unit = "bytes", .kind = wire::MetricKind::gauge});
  }
  s.columns.push_back({.metric_id = 3, .entity_ids = {7}, .values = {value}});
  return s;
}

TEST(PointLog, gives_back_what_was_put_in) {
  PointLog log;
  const Resolution resolution{.spacing = std::chrono::seconds(0), .horizon = std::chrono::hours(1)};
  std::vector<Point> put;
  std::int64_t value = INT64_MIN;
  for (std::int64_t i = 0; i < 300; ++i) {
    put.push_back({i * kSecond + i % 7, value});
    value = i % 3 == 0 ? INT64_MAX : i * i - 5;
    ASSERT_EQ(log.add(put.back(), resolution), PointLog::Added::kept);
  }
  EXPECT_EQ(log.read(INT64_MIN, INT64_MAX), put);
}

TEST(PointLog, a_point_that_is_not_newer_is_late) {
  PointLog log;
  log.add({10, 1}, kCoarse);
  EXPECT_EQ(log.add({10, 2}, kCoarse), PointLog::Added::late);
}

TEST(PointLog, a_steady_hour_costs_a_few_bytes_a_point) {
  PointLog log;
  for (std::int64_t i = 0; i < 10'000; ++i) log.add({i * 10 * kSecond, 100'000'000 + (i * 7919) % 50'000}, kCoarse);
  const auto points = log.read(INT64_MIN, INT64_MAX);
  EXPECT_GE(points.size(), 360U);
  EXPECT_LE(points.size(), 421U);
  EXPECT_LT(log.bytes(), points.size() * 8);
}

TEST(NodeSeries, hot_sampling_opens_the_fine_window) {
  NodeSeries series(0);
  std::uint64_t n = 0;
  for (std::int64_t t = 0; t < 600; t += 10) series.add(tick(++n, t, t));
  for (std::int64_t t = 600; t < 660; ++t) series.add(tick(++n, t, t));
  const auto found = series.read({{.cgroup_id = 100, .metrics = {}, .spacing = {}}}, 0, INT64_MAX);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].metric, "memory_current_bytes");
  EXPECT_GE(found[0].points.size(), 60U + 55U);
  for (std::size_t i = 1; i < found[0].points.size(); ++i) ASSERT_LT(found[0].points[i - 1].t_ns, found[0].points[i].t_ns);
}

TEST(NodeSeries, a_gap_in_the_ticks_is_counted) {
  NodeSeries series(0);
  series.add(tick(1, 0, 0));
  series.add(tick(5, 40, 0));
  EXPECT_EQ(series.stats().lost_ticks_total, 3U);
  EXPECT_EQ(series.stats().lost_values_total, 3U);
}

TEST(NodeSeries, values_of_what_was_never_announced_are_refused) {
  NodeSeries series(0);
  series.add(tick(2, 0, 0));
  EXPECT_EQ(series.stats().refused_points_total, 1U);
}

TEST(NodeSeries, windows_outlive_a_connection_and_expire) {
  NodeSeries series(0);
  series.add(tick(1, 0, 5));
  series.on_connected();
  series.add(tick(1, 10, 6));
  EXPECT_EQ(series.read({{.cgroup_id = 100, .metrics = {}, .spacing = {}}}, 0, INT64_MAX).at(0).points.size(), 2U);
  series.expire(3'700 * kSecond);
  EXPECT_EQ(series.entities(), 0U);
}

}  // namespace
}  // namespace fw::series
