// What the policy enables, bounds and counts.
#include <functional>
#include <limits>

#include "protocol/authority/verify_parts.hpp"
#include "tests/unit/authority/verifier/world.hpp"

namespace fw::authority::verifier_test {
namespace {

constexpr std::uint16_t kMemoryLimit = 2;

Code with_policy(const std::function<void(Policy&)>& change) {
  World world;
  change(world.policy);
  return world.code(world.envelope());
}

TEST(Enabled, is_what_one_row_has_whole) {
  const auto enabled = [](std::vector<Enabled> rows) { return with_policy([&](Policy& p) { p.enabled = rows; }); };
  EXPECT_EQ(enabled({}), Code::not_enabled);
  EXPECT_EQ(enabled({{{}, {}, {}, 2}}), Code::ok);
  EXPECT_EQ(enabled({{{}, {}, {}, 1}}), Code::not_enabled);
  EXPECT_EQ(enabled({{{"prod"}, {"zone=a"}, {kMemoryLimit}, 2}}), Code::ok);
  EXPECT_EQ(enabled({{{"staging"}, {"zone=a"}, {kMemoryLimit}, 2}}), Code::not_enabled);
  EXPECT_EQ(enabled({{{"prod"}, {"zone=b"}, {kMemoryLimit}, 2}}), Code::not_enabled);
  EXPECT_EQ(enabled({{{"prod"}, {"zone=a"}, {3}, 2}}), Code::not_enabled);
  EXPECT_EQ(enabled({{{"staging"}, {}, {}, 3}, {{"prod"}, {}, {}, 3}}), Code::ok);
}

Code bounded(std::int64_t min_value, std::int64_t max_value, std::uint64_t max_ttl_ms, std::uint64_t plan_ttl_ms = 0, std::uint16_t action = kMemoryLimit) {
  World world;
  world.plan.action = SetMemoryLimit{256LL << 20, plan_ttl_ms};
  world.policy.bounds = {{action, min_value, max_value, max_ttl_ms}};
  return world.code(world.envelope());
}

TEST(Bounds, narrow_value_and_time) {
  constexpr std::int64_t kValue = 256LL << 20;
  EXPECT_EQ(bounded(kValue, kValue, 0), Code::ok);
  EXPECT_EQ(bounded(kValue + 1, kValue + 2, 0), Code::out_of_bounds);
  EXPECT_EQ(bounded(0, kValue - 1, 0), Code::out_of_bounds);
  EXPECT_EQ(bounded(0, kValue, kHour), Code::out_of_bounds) << "kept";
  EXPECT_EQ(bounded(0, kValue, kHour, kHour), Code::ok);
  EXPECT_EQ(bounded(0, kValue, kHour, kHour + 1), Code::out_of_bounds);
  EXPECT_EQ(bounded(0, 0, 1, 0, 3), Code::ok) << "of another action";
}

TEST(Bounds, of_one_action_all_hold) {
  const auto both = [](std::int64_t first, std::int64_t second) {
    return with_policy([&](Policy& p) { p.bounds = {{3, 0, 0, 0}, {kMemoryLimit, 0, first, 0}, {kMemoryLimit, 0, second, 0}}; });
  };
  EXPECT_EQ(both(1LL << 30, 1LL << 30), Code::ok);
  EXPECT_EQ(both(1LL << 30, 1), Code::out_of_bounds);
  EXPECT_EQ(both(1, 1LL << 30), Code::out_of_bounds);
}

TEST(Bounds, on_time_are_nothing_to_an_action_without_one) {
  World world;
  world.plan.action = Thaw{};
  world.plan.preconditions.clear();
  world.plan.effect = Check{Probe::frozen, Comparison::equal, 0};
  world.policy.bounds = {{static_cast<std::uint16_t>(world.plan.action.index()), 5, 1, 1}};
  const auto refusal = world.refusal(world.envelope());
  EXPECT_EQ(refusal.code, Code::ok) << refusal.sentence;
}

TEST(BoundedValue, of_no_limit_is_above_every_number) {
  constexpr auto kHighest = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(verify::bounded_value(SetPidsMax{kUnlimited, 0}), kHighest);
  EXPECT_EQ(verify::bounded_value(SetPidsMax{5, 0}), 5);
  EXPECT_EQ(verify::bounded_value(SetSysctl{"kernel.x", -1, 0}), -1);
  EXPECT_FALSE(verify::bounded_value(Thaw{}));
}

TEST(Bounds, on_time_hold_for_an_extension) {
  World world;
  world.plan.action = Extend{sha256({}), kHour};
  world.plan.preconditions.clear();
  world.plan.effect.reset();
  world.plan.effect_within_ms = 0;
  world.policy.bounds = {{static_cast<std::uint16_t>(world.plan.action.index()), 0, kDay, kHour}};
  EXPECT_EQ(world.code(world.envelope()), Code::ok);
  world.policy.bounds.front().max_ttl_ms -= 1;
  EXPECT_EQ(world.code(world.envelope()), Code::out_of_bounds);
}

Code budget(const std::string& of_plan, std::vector<Limit> limits, const std::vector<Memory::Use>& uses, std::int64_t floor_ms = 0) {
  World world;
  world.plan.budget = of_plan;
  world.policy.limits = std::move(limits);
  world.memory.uses = uses;
  world.memory.time_floor_ms = floor_ms;
  return world.code(world.envelope());
}

TEST(Budgets, are_counted_by_hour_and_day) {
  const std::string own = "set_memory_limit";
  EXPECT_EQ(budget("", {}, {{own, kNow}, {own, kNow}}), Code::ok) << "not limited";
  EXPECT_EQ(budget("", {{own, 1, 5}}, {}), Code::ok);
  EXPECT_EQ(budget("", {{own, 1, 5}}, {{own, kNow - kHour + 1}}), Code::budget_used_up);
  EXPECT_EQ(budget("", {{own, 1, 5}}, {{own, kNow - kHour}}), Code::ok);
  EXPECT_EQ(budget("", {{own, 1, 5}}, {{"freeze", kNow}}), Code::ok);
  EXPECT_EQ(budget("", {{own, 2, 5}}, {{own, kNow}}), Code::ok);
  EXPECT_EQ(budget("", {{own, 2, 2}}, {{own, kNow - kDay + 1}, {own, kNow - kHour}}), Code::budget_used_up);
  EXPECT_EQ(budget("", {{own, 2, 2}}, {{own, kNow - kDay}, {own, kNow - kHour}}), Code::ok);
  EXPECT_EQ(budget("", {{own, 0, 5}}, {}), Code::budget_used_up);
  EXPECT_EQ(budget("", {{own, 1, 0}}, {}), Code::budget_used_up);
  EXPECT_EQ(budget("", {{own, 1, 5}}, {{own, kNow - kHour + 10}}, kNow + 10), Code::ok) << "the floor is later";
}

TEST(Budgets, of_the_action_hold_even_when_the_plan_names_another) {
  const std::string own = "set_memory_limit";
  const std::vector<Limit> limits = {{own, 1, 5}, {"memory", 2, 5}};
  EXPECT_EQ(budget("memory", limits, {}), Code::ok);
  EXPECT_EQ(budget(own, limits, {}), Code::ok);
  EXPECT_EQ(budget("memory", limits, {{own, kNow}}), Code::budget_used_up);
  EXPECT_EQ(budget("memory", limits, {{"memory", kNow}}), Code::ok);
  EXPECT_EQ(budget("memory", limits, {{"memory", kNow}, {"memory", kNow}}), Code::budget_used_up);
  EXPECT_EQ(budget("", limits, {{"memory", kNow}, {"memory", kNow}}), Code::ok);
}

TEST(Budgets, that_the_policy_does_not_list_allow_nothing) {
  EXPECT_EQ(budget("other", {{"memory", 2, 5}}, {}), Code::budget_used_up);
  EXPECT_EQ(budget("other", {{"set_memory_limit", 2, 5}}, {}), Code::budget_used_up);
  EXPECT_EQ(budget("memory", {{"memory", 2, 5}}, {}), Code::ok);
  EXPECT_EQ(budget("set_memory_limit", {{"memory", 2, 5}}, {}), Code::ok);
}

}  // namespace
}  // namespace fw::authority::verifier_test
