// What the policy allows beyond the votes: which actions are enabled where, within which bounds, how often.
#include <limits>

#include "protocol/authority/verify_parts.hpp"

namespace fw::authority::verify {
namespace {

Problem check_budget(const std::string& budget, std::uint32_t per_hour, std::uint32_t per_day, const Memory& memory, const Instant& at) {
  const auto used_up = [&](std::size_t uses, std::uint32_t limit, std::string_view window) {
    return refuse(Code::budget_used_up, "this node did ", uses, " actions of budget ", budget, " in the last ", window, ", the policy allows ", limit,
                  ": wait, or change the policy's limit");
  };
  const auto hour = count_uses(memory, budget, kHourMs, at);
  if (hour >= per_hour) return used_up(hour, per_hour, "hour");
  const auto day = count_uses(memory, budget, kDayMs, at);
  if (day >= per_day) return used_up(day, per_day, "day");
  return {};
}

bool enables(const Enabled& row, const Plan& plan, std::uint8_t action_class, const NodeFacts& facts) {
  const bool action = row.actions.empty() || contains(row.actions, static_cast<std::uint16_t>(plan.action.index()));
  return action && action_class <= row.max_class && admits(row.clusters, facts.cluster) && admits_one_of(row.node_labels, facts.labels);
}

}  // namespace

std::optional<std::int64_t> bounded_value(const Action& action) {
  const auto value = main_value(action);
  if (value == kUnlimited && !std::holds_alternative<SetSysctl>(action)) return std::numeric_limits<std::int64_t>::max();
  return value;
}

std::optional<std::uint64_t> bounded_ttl(const Action& action) {
  if (const auto* extend = std::get_if<Extend>(&action)) return extend->ttl_ms;
  if (info_of(action).max_ttl_ms == 0) return {};
  return ttl_ms(action);
}

Problem check_bounds(const Plan& plan, const Policy& policy) {
  const auto outside = [&](const auto&... parts) {
    return refuse(Code::out_of_bounds, "the policy allows ", info_of(plan.action).name, " ", parts..., ": propose another value");
  };
  const auto value = bounded_value(plan.action);
  const auto ttl = bounded_ttl(plan.action);
  for (const auto& bound : policy.bounds) {
    if (bound.action != plan.action.index()) continue;
    if (value && (*value < bound.min_value || *value > bound.max_value)) {
      return outside("from ", bound.min_value, " to ", bound.max_value, ", the plan has ", *value);
    }
    if (!ttl || bound.max_ttl_ms == 0) continue;
    if (*ttl == 0) return outside("for up to ", bound.max_ttl_ms / 1000, " s, the plan keeps it");
    if (*ttl > bound.max_ttl_ms) return outside("for up to ", bound.max_ttl_ms / 1000, " s, the plan has ", *ttl / 1000, " s");
  }
  return {};
}

Problem check_enabled(const Plan& plan, std::uint8_t action_class, const Policy& policy, const NodeFacts& facts) {
  const bool enabled =
      std::any_of(policy.enabled.begin(), policy.enabled.end(), [&](const auto& row) { return enables(row, plan, action_class, facts); });
  if (!enabled) {
    return refuse(Code::not_enabled, "policy version ", policy.version, " does not enable ", info_of(plan.action).name, " of class ", action_class,
                  " on this node: add it to the policy's enabled list, or do it by hand");
  }
  if (facts.observe_only) {
    return refuse(Code::observe_only, "this node only observes: set actions.observe_only: false in its executor.yaml, or do it by hand");
  }
  return {};
}

std::size_t count_uses(const Memory& memory, const std::string& what, std::int64_t window_ms, const Instant& at) {
  return static_cast<std::size_t>(std::count_if(memory.uses.begin(), memory.uses.end(), [&](const auto& use) {
    return use.what == what && use.time_ms > at.latest_ms() - window_ms;
  }));
}

// The action's own budget counts even when the plan names another one, and one that the policy does not list allows nothing.
Problem check_budgets(const Plan& plan, const Policy& policy, const Memory& memory, const Instant& at) {
  const std::string action(info_of(plan.action).name);
  bool listed = plan.budget.empty() || plan.budget == action;
  for (const auto& limit : policy.limits) {
    if (limit.budget != action && limit.budget != plan.budget) continue;
    if (limit.budget == plan.budget) listed = true;
    if (auto problem = check_budget(limit.budget, limit.per_hour, limit.per_day, memory, at)) return problem;
  }
  if (listed) return {};
  return refuse(Code::budget_used_up, "policy version ", policy.version, " lists no budget ", plan.budget, ": add it to the policy's limits, or propose without it");
}

}  // namespace fw::authority::verify
