#include "agents/casefile/anomalies.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "story.hpp"

namespace fw::agents {
namespace {

std::vector<std::string> kinds(const Story& s, const std::string& metric) {
  std::vector<std::string> out;
  for (const auto& a : find_anomalies(s.facts))
    if (a.metric == metric) out.push_back(a.kind);
  return out;
}
using Kinds = std::vector<std::string>;

Story with(const std::function<double(double)>& mib, std::int64_t minutes = 10) {
  Story s;
  s.memory(kNow - minutes * kMinute, kNow, 10 * kSecond, mib);
  return s;
}

TEST(Anomalies, level_and_noisy_memory_has_none) {
  std::mt19937 random{1};
  EXPECT_EQ(kinds(with([](double) { return 100; }), "memory_anon_bytes"), Kinds{});
  EXPECT_EQ(kinds(with([&](double) { return 100 + static_cast<int>(random() % 40) - 20; }), "memory_anon_bytes"), Kinds{});
}

TEST(Anomalies, one_spike_is_none) {
  EXPECT_EQ(kinds(with([](double t) { return t == 300 ? 900 : 100; }), "memory_anon_bytes"), Kinds{});
}

TEST(Anomalies, step_is_found_where_it_is) {
  const Story s = with([](double t) { return t < 300 ? 100 : 200; });
  const auto found = find_anomalies(s.facts);
  const auto at = std::find_if(found.begin(), found.end(), [](const AnomalyRow& a) { return a.metric == "memory_anon_bytes"; });
  ASSERT_NE(at, found.end());
  EXPECT_EQ(at->kind, "step_up");
  EXPECT_EQ(at->onset_ns, kNow - 5 * kMinute);
  EXPECT_NEAR(at->magnitude, 2, 0.01);
}

TEST(Anomalies, fall_of_memory_is_none_and_fall_of_a_limit_is_one) {
  EXPECT_EQ(kinds(with([](double t) { return t < 300 ? 200 : 100; }), "memory_anon_bytes"), Kinds{});
  Story s;
  s.limit(kNow - 10 * kMinute, kNow - 5 * kMinute, 256).limit(kNow - 5 * kMinute + kSecond, kNow, 64);
  EXPECT_EQ(kinds(s, "memory_limit_bytes"), Kinds{"step_down"});
}

TEST(Anomalies, steady_growth_is_a_trend_and_a_plateau_is_not) {
  EXPECT_EQ(kinds(with([](double t) { return 50 + t / 6; }), "memory_anon_bytes"), Kinds{"trend_up"});
  const auto plateau = kinds(with([](double t) { return t < 200 ? 50 + t / 4 : 100; }), "memory_anon_bytes");
  EXPECT_EQ(std::count(plateau.begin(), plateau.end(), "trend_up"), 0);
}

TEST(Anomalies, growth_is_seen_in_each_life_of_a_saw_tooth) {
  const Story s = leak();
  EXPECT_EQ(kinds(s, "memory_anon_bytes"), (Kinds{"trend_up", "trend_up"}));
}

TEST(Anomalies, counter_is_looked_at_as_its_rate) {
  Story s;
  s.level_load(kNow - 10 * kMinute, kNow);
  EXPECT_EQ(kinds(s, "cpu_usage_us"), Kinds{});
  Story busier;
  double used = 0;
  busier.series("cpu_usage_us", kNow - 10 * kMinute, kNow, 10 * kSecond, [&](double t) { return static_cast<std::int64_t>(used += t < 300 ? 1e6 : 3e6); });
  EXPECT_EQ(kinds(busier, "cpu_usage_us"), Kinds{"step_up"});
}

TEST(Anomalies, first_requests_of_a_service_are_no_growing_load) {
  const auto rate_after = [](double idle_s) {
    Story s;
    double used = 0;
    s.series("cpu_usage_us", kNow - 10 * kMinute, kNow, 10 * kSecond, [&](double t) { return static_cast<std::int64_t>(used += t < idle_s ? 0 : 1e6); });
    return kinds(s, "cpu_usage_us");
  };
  EXPECT_EQ(rate_after(60), Kinds{});
  EXPECT_EQ(rate_after(400), Kinds{"step_up"});
}

TEST(Anomalies, loop_of_many_restarts_is_bounded) {
  Story s;
  for (int i = 0; i < 300; ++i) {
    const std::int64_t start = kNow + i * 20 * kSecond;
    s.memory(start + kSecond, start + 19 * kSecond, kSecond, [](double t) { return 10 + t; });
    s.kill(start + 20 * kSecond, 64);
  }
  EXPECT_LE(kinds(s, "memory_anon_bytes").size(), 24U);
}

}  // namespace
}  // namespace fw::agents
