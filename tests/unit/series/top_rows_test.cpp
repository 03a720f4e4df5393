#include "aggregator/app/top_rows.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace fw::app {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

fleet::EntityPtr entity(std::uint64_t cgroup_id, const std::string& path, wire::EntityKind kind = wire::EntityKind::container) {
  fleet::Entity out;
  out.key.cgroup_id = cgroup_id;
  out.kind = kind;
  out.cgroup_path = path;
  out.name = path.substr(path.rfind('/') + 1);
  return std::make_shared<const fleet::Entity>(std::move(out));
}

// From `before` to `now` in ten seconds.
series::Latest latest(std::uint64_t cgroup_id, const std::string& metric, std::int64_t before, std::int64_t now) {
  const auto& names = top_metrics();
  return {.cgroup_id = cgroup_id, .metric = static_cast<std::size_t>(std::find(names.begin(), names.end(), metric) - names.begin()),
          .newest = {20 * kSecond, now}, .before = series::Point{10 * kSecond, before}};
}

TEST(TopRows, values_are_rates_and_levels_of_the_newest_samples) {
  const TopNode node{.name = "n", .connected = true, .clock_offset_ns = 5 * kSecond, .entities = {entity(1, "/a")}, .restarts = {{1, 4}}};
  const auto rows = container_rows(node, {latest(1, "cpu_usage_us", 0, 5'000'000), latest(1, "cpu_periods_total", 0, 100),
                                          latest(1, "cpu_throttled_periods_total", 0, 25), latest(1, "memory_working_set_bytes", 1, 64),
                                          latest(1, "memory_limit_bytes", 128, 128), latest(1, "memory_oom_kills_total", 1, 2),
                                          latest(1, "http_responses_5xx_total", 10, 30), latest(1, "network_connects_failed_total", 0, 5)});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_DOUBLE_EQ(*rows[0].cpu_cores, 0.5);
  EXPECT_DOUBLE_EQ(*rows[0].cpu_throttled_ratio, 0.25);
  EXPECT_EQ(rows[0].memory_bytes, 64);
  EXPECT_EQ(rows[0].memory_limit_bytes, 128);
  EXPECT_EQ(rows[0].oom_kills, 2);
  EXPECT_EQ(rows[0].restarts, 4);
  EXPECT_DOUBLE_EQ(*rows[0].http_5xx_per_s, 2);
  EXPECT_DOUBLE_EQ(*rows[0].connects_failed_per_s, 0.5);
  EXPECT_EQ(rows[0].newest_ns, 15 * kSecond);   // our clock
}

TEST(TopRows, what_is_not_measured_is_absent) {
  const TopNode node{.name = "n", .connected = true, .clock_offset_ns = 0, .entities = {entity(1, "/a"), entity(2, "/b")}, .restarts = {}};
  auto first = latest(1, "cpu_usage_us", 0, 1);
  first.before.reset();
  const auto rows = container_rows(node, {first, latest(1, "memory_limit_bytes", -1, -1)});
  ASSERT_EQ(rows.size(), 1U);   // nothing of /b was heard
  EXPECT_FALSE(rows[0].cpu_cores);
  EXPECT_FALSE(rows[0].memory_limit_bytes);
  EXPECT_FALSE(rows[0].http_5xx_per_s);
  EXPECT_FALSE(rows[0].restarts);
}

TEST(TopRows, a_node_counts_what_is_inside_of_another_once) {
  const TopNode node{.name = "n", .connected = true, .clock_offset_ns = 0,
                     .entities = {entity(1, "/pods/p", wire::EntityKind::pod), entity(2, "/pods/p/c"), entity(3, "/pods/p-x", wire::EntityKind::cgroup)}, .restarts = {{2, 1}}};
  const auto row = node_row(node, {latest(1, "memory_working_set_bytes", 0, 100), latest(2, "memory_working_set_bytes", 0, 90),
                                   latest(3, "memory_working_set_bytes", 0, 7), latest(2, "cpu_usage_us", 0, 10'000'000), latest(2, "http_responses_5xx_total", 0, 10),
                                   latest(3, "http_responses_5xx_total", 0, 10)});
  EXPECT_EQ(row.memory_bytes, 107);
  EXPECT_DOUBLE_EQ(*row.cpu_cores, 1.0);
  EXPECT_DOUBLE_EQ(*row.http_5xx_per_s, 2.0);
  EXPECT_EQ(row.restarts, 1);
  EXPECT_FALSE(row.connects_failed_per_s);
}

TEST(TopRows, are_sorted_greatest_first_with_the_unknown_last) {
  std::vector<api::TopRow> rows(4);
  rows[0].name = "none";
  rows[1].name = "low";
  rows[1].memory_bytes = 1;
  rows[2].name = "high";
  rows[2].memory_bytes = 9;
  rows[3].name = "also none";
  sort_rows(rows, api::TopSort::memory, 3);
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].name, "high");
  EXPECT_EQ(rows[1].name, "low");
  EXPECT_EQ(rows[2].name, "also none");
}

}  // namespace
}  // namespace fw::app
