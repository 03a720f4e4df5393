#include "aggregator/series/derive.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace fw::series {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(Rates, are_per_second_of_the_time_that_passed) {
  const std::vector<Point> points{{0, 100}, {10 * kSecond, 150}, {11 * kSecond, 151}, {31 * kSecond, 151}};
  const auto found = rates(points);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].t_ns, 10 * kSecond);
  EXPECT_DOUBLE_EQ(found[0].value, 5.0);
  EXPECT_DOUBLE_EQ(found[1].value, 1.0);
  EXPECT_DOUBLE_EQ(found[2].value, 0.0);
  EXPECT_TRUE(rates(std::vector<Point>{{0, 1}}).empty());
}

TEST(Rates, a_counter_that_began_again_never_gives_a_negative_rate) {
  const std::vector<Point> points{{0, 1'000'000}, {10 * kSecond, 30}, {20 * kSecond, 50}};
  const auto found = rates(points);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_DOUBLE_EQ(found[0].value, 3.0);
  EXPECT_DOUBLE_EQ(found[1].value, 2.0);
}

TEST(Rates, without_time_there_is_none) { EXPECT_FALSE(rate({5, 1}, {5, 9})); }

TEST(Quantiles, histograms_are_known_by_their_names) {
  EXPECT_EQ(bound_of("http_latency", "http_latency_us_le_16"), 16.0);
  EXPECT_EQ(bound_of("http_latency_us", "http_latency_us_le_4194304"), 4'194'304.0);
  for (const auto* other : {"http_latency_us", "http_latency_count", "http_latency_us_le_x", "http_latency_us_le_", "http_requests_total", "http_latency_usle_16"}) {
    EXPECT_FALSE(bound_of("http_latency", other)) << other;
  }
  EXPECT_TRUE(counts_all("http_latency", "http_latency_count"));
  EXPECT_TRUE(counts_all("http_latency_us", "http_latency_count"));
  EXPECT_FALSE(counts_all("http_latency", "http_latency_us"));
}

// Whatever was observed and whatever is asked, the exact quantile is in the bucket that is told.
TEST(Quantiles, exact_one_is_always_inside_the_error_bound) {
  std::mt19937_64 random(20'261'124);
  for (int round = 0; round < 60; ++round) {
    std::lognormal_distribution<double> spread(std::uniform_real_distribution<double>(0, 16)(random), std::uniform_real_distribution<double>(0.01, 4)(random));
    std::vector<double> observed(std::uniform_int_distribution<std::size_t>(1, 200)(random));
    for (double& one : observed) one = std::floor(spread(random));
    std::sort(observed.begin(), observed.end());
    std::vector<Bucket> buckets;
    for (double bound = 16; bound <= 67'108'864; bound *= 4) {
      buckets.push_back({bound, std::lower_bound(observed.begin(), observed.end(), bound) - observed.begin()});
    }
    for (const double q : {0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const auto rank = std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(q * static_cast<double>(observed.size()))));
      const double exact = observed[rank - 1];
      const auto found = quantile(buckets, static_cast<std::int64_t>(observed.size()), q);
      ASSERT_TRUE(found);
      EXPECT_LE(found->low, exact);
      EXPECT_LE(found->low, found->value);
      if (found->high) {
        EXPECT_LT(exact, *found->high);
        EXPECT_LE(found->value, *found->high);
        EXPECT_TRUE(found->low == 0 || *found->high == 4 * found->low);
      } else {
        EXPECT_GE(exact, 67'108'864);
      }
    }
  }
}

TEST(Quantiles, of_nothing_there_is_none) {
  EXPECT_FALSE(quantile(std::vector<Bucket>{{16, 0}}, 0, 0.5));
  EXPECT_FALSE(quantile({}, 0, 0.5));
}

Series counter(const std::string& name, std::vector<std::int64_t> values) {
  Series out{.cgroup_id = 1, .metric = name, .unit = "1", .kind = wire::MetricKind::counter, .points = {}};
  for (std::size_t i = 0; i < values.size(); ++i) out.points.push_back({static_cast<std::int64_t>(i) * 10 * kSecond, values[i]});
  return out;
}

TEST(Quantiles, over_time_are_of_what_was_added_between_two_points) {
  const std::vector<Series> series{counter("http_latency_us_le_16", {100, 100, 110}), counter("http_latency_us_le_64", {100, 190, 200}),
                                   counter("http_latency_us_le_256", {100, 200, 210}), counter("http_latency_count", {100, 200, 210}),
                                   counter("http_latency_us", {1, 2, 3})};
  const auto found = quantiles("http_latency", series, 0.5);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].t_ns, 10 * kSecond);
  EXPECT_EQ(found[0].quantile.low, 16.0);
  EXPECT_EQ(found[0].quantile.high, 64.0);
  EXPECT_EQ(found[1].quantile.low, 0.0);
  EXPECT_EQ(found[1].quantile.high, 16.0);
}

TEST(Quantiles, beyond_the_last_bound_the_number_of_all_tells) {
  const std::vector<Series> series{counter("x_us_le_16", {0, 1}), counter("x_us_le_64", {0, 2}), counter("x_count", {0, 10})};
  const auto found = quantiles("x", series, 0.9);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].quantile.low, 64.0);
  EXPECT_FALSE(found[0].quantile.high);
}

TEST(Quantiles, a_restart_and_a_quiet_time_have_none) {
  const std::vector<Series> series{counter("x_us_le_16", {50, 3, 3, 5}), counter("x_us_le_64", {60, 4, 4, 8})};
  const auto found = quantiles("x", series, 0.5);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].t_ns, 30 * kSecond);
}

TEST(Quantiles, a_bucket_without_a_point_takes_that_time_out) {
  std::vector<Series> series{counter("x_us_le_16", {0, 1, 2, 3}), counter("x_us_le_64", {0, 1, 2, 3})};
  series[0].points.erase(series[0].points.begin() + 1);
  const auto found = quantiles("x", series, 0.5);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].t_ns, 20 * kSecond);
}

wire::Samples tick(std::uint64_t number, std::int64_t t_ns, std::int64_t first, std::int64_t second) {
  wire::Samples s;
  s.tick = number;
  s.time_ns = t_ns;
  if (number == 1) {
    wire::EntityEntry entity;
    entity.id = 7;
    entity.cgroup_id = 100;
    s.entities.push_back(entity);
    s.metrics.push_back({.id = 1, .name = "a", .unit = "1", .kind = wire::MetricKind::counter});
    s.metrics.push_back({.id = 2, .name = "b", .unit = "1", .kind = wire::MetricKind::gauge});
  }
  s.columns.push_back({.metric_id = 1, .entity_ids = {7}, .values = {first}});
  s.columns.push_back({.metric_id = 2, .entity_ids = {7}, .values = {second}});
  return s;
}

TEST(Latest, is_the_two_newest_points_of_what_was_asked) {
  NodeSeries series(0);
  series.add(tick(1, 10 * kSecond, 1, 2));
  const auto one = series.latest({"b"});
  ASSERT_EQ(one.size(), 1U);
  EXPECT_FALSE(one[0].before);
  series.add(tick(2, 20 * kSecond, 3, 4));
  const auto two = series.latest({"missing", "a"});
  ASSERT_EQ(two.size(), 1U);
  EXPECT_EQ(two[0].cgroup_id, 100U);
  EXPECT_EQ(two[0].metric, 1U);
  EXPECT_EQ(two[0].newest, (Point{20 * kSecond, 3}));
  EXPECT_EQ(two[0].before, (Point{10 * kSecond, 1}));
  EXPECT_EQ(series.metrics_of(100), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(series.metrics_of(101).empty());
}

TEST(Latest, follows_hot_sampling_and_its_end) {
  NodeSeries series(0);
  std::uint64_t n = 0;
  for (const std::int64_t t : {0, 10, 20, 21, 22}) series.add(tick(++n, t * kSecond, t, 0));
  EXPECT_EQ(series.latest({"a"}).at(0).before, (Point{21 * kSecond, 21}));
  for (const std::int64_t t : {32, 42}) series.add(tick(++n, t * kSecond, t, 0));
  const auto found = series.latest({"a"}).at(0);
  EXPECT_EQ(found.newest, (Point{42 * kSecond, 42}));
  EXPECT_EQ(found.before, (Point{32 * kSecond, 32}));
}

TEST(Latest, stays_right_over_the_border_of_a_block) {
  PointLog log;
  for (std::int64_t i = 0; i < 61; ++i) log.add({i * kSecond, i}, {.spacing = {}, .horizon = std::chrono::hours(1)});
  EXPECT_EQ(log.before_newest(), (Point{59 * kSecond, 59}));
}

}  // namespace
}  // namespace fw::series
