#include "aggregator/cli/policy/standing_yaml.hpp"

#include <limits>

#include <fmt/format.h>

#include "aggregator/cli/policy/policy_yaml.hpp"
#include "common/config/values.hpp"
#include "protocol/authority/catalogue.hpp"

namespace fw::cli {
namespace {

using namespace authority;

constexpr std::uint32_t kMinutesOfDay = 1440, kNightFrom = 20 * 60, kNightTo = 8 * 60;
constexpr std::uint64_t kDefaultLifeMs = 30ULL * 86'400'000;
constexpr std::uint32_t kDefaultPerHour = 1, kDefaultPerDay = 4, kMaxUses = 10'000;

Result<std::uint32_t> parse_clock(std::string_view text) {
  const Error bad(Errc::malformed, "'" + std::string(text) + "' is not a time of day such as 22:30 (UTC)");
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return bad;
  const auto hour = config::parse_integer(text.substr(0, colon));
  const auto minute = config::parse_integer(text.substr(colon + 1));
  if (!hour || !minute || *hour < 0 || *hour > 24 || *minute < 0 || *minute > 59) return bad;
  const auto out = static_cast<std::uint32_t>(*hour * 60 + *minute);
  if (out > kMinutesOfDay) return bad;
  return out;
}

Result<Trigger> trigger_of(std::string_view word) {
  if (word == "automatic") return Trigger::automatic;
  if (word == "one-approver") return Trigger::one_approver;
  return Error(Errc::malformed, "it can be automatic or one-approver");
}

// The unit of the named actions; a bound needs one that they share.
std::string_view common_unit(const std::vector<std::uint16_t>& actions) { return actions.empty() ? "" : unit_of(actions.front()); }

}  // namespace

std::string clock_text(std::uint32_t minute) { return fmt::format("{:02}:{:02}", minute / 60, minute % 60); }

std::optional<StandingApproval> parse_standing_yaml(std::string_view text, const StandingContext& context,
                                                    std::vector<YamlProblem>& problems) {
  auto map = YamlMap::parse(text, problems);
  if (!problems.empty()) return std::nullopt;
  for (const auto key : {"name", "actions", "max_class", "max_value"}) {
    if (!map.has(key)) map.problem(key, "is missing");
  }
  StandingApproval out;
  out.name = map.text("name");
  out.nonce = context.nonce;
  out.policy_version = context.policy_version;
  out.trigger = map.value<Trigger>("trigger", Trigger::one_approver, trigger_of);
  out.actions = read_actions(map, "actions");
  const auto unit = common_unit(out.actions);
  for (const auto action : out.actions) {
    if (unit_of(action) != unit) map.problem("actions", "actions with different units need a standing approval each: max_value is one number");
  }
  out.clusters = map.texts("clusters");
  out.name_spaces = map.texts("namespaces");
  out.node_labels = map.texts("node_labels");
  out.cgroup_prefixes = map.texts("cgroup_prefixes");
  constexpr std::int64_t kHighestClass = 3;
  out.max_class = static_cast<std::uint8_t>(map.integer("max_class", 1, 0, kHighestClass));
  out.max_value = map.value<std::int64_t>("max_value", 0, [&](std::string_view word) { return parse_action_value(unit, word); });
  out.max_factor_percent = static_cast<std::uint32_t>(map.integer("max_factor_percent", 0, 0, std::numeric_limits<std::int32_t>::max()));
  out.max_ttl_ms = map.duration_ms("max_ttl", 0);
  const std::function<Result<std::uint32_t>(std::string_view)> clock = parse_clock;
  out.from_minute = map.value<std::uint32_t>("from", 0, clock);
  out.to_minute = map.value<std::uint32_t>("to", kMinutesOfDay, clock);
  out.per_hour = static_cast<std::uint32_t>(map.integer("per_hour", kDefaultPerHour, 1, kMaxUses));
  out.per_day = static_cast<std::uint32_t>(map.integer("per_day", kDefaultPerDay, 1, kMaxUses));
  out.not_before_ms = map.time_ms("not_before", context.now_ms);
  out.not_after_ms = map.time_ms("not_after", out.not_before_ms + static_cast<std::int64_t>(kDefaultLifeMs));
  if (out.not_after_ms <= out.not_before_ms) map.problem("not_after", "must be later than not_before");
  if (out.not_after_ms <= context.now_ms) map.problem("not_after", "has passed");
  map.finish();
  if (!problems.empty()) return std::nullopt;
  return out;
}

std::string standing_yaml(const StandingApproval& standing) {
  std::string out = fmt::format("name: {}\n", yaml_quoted(standing.name));
  const auto list = [&](std::string_view key, const std::vector<std::string>& texts) {
    if (!texts.empty()) out += fmt::format("{}: {}\n", key, yaml_list(texts));
  };
  out += fmt::format("trigger: {}\n", standing.trigger == Trigger::automatic ? "automatic" : "one-approver");
  std::vector<std::string> names;
  for (const auto action : standing.actions) names.push_back(action_name(action));
  list("actions", names);
  list("clusters", standing.clusters);
  list("namespaces", standing.name_spaces);
  list("node_labels", standing.node_labels);
  list("cgroup_prefixes", standing.cgroup_prefixes);
  out += fmt::format("max_class: {}\n", standing.max_class);
  out += fmt::format("max_value: {}\n", action_value_text(common_unit(standing.actions), standing.max_value));
  if (standing.max_factor_percent != 0) out += fmt::format("max_factor_percent: {}\n", standing.max_factor_percent);
  if (standing.max_ttl_ms != 0) out += "max_ttl: " + length_text(standing.max_ttl_ms) + "\n";
  out += fmt::format("from: \"{}\"\nto: \"{}\"\n", clock_text(standing.from_minute), clock_text(standing.to_minute));
  out += fmt::format("per_hour: {}\nper_day: {}\n", standing.per_hour, standing.per_day);
  return out + "not_before: " + time_text(standing.not_before_ms) + "\nnot_after: " + time_text(standing.not_after_ms) + "\n";
}

StandingApproval standing_from_plan(const Plan& plan, std::string name, const StandingContext& context) {
  StandingApproval out;
  out.name = std::move(name);
  out.nonce = context.nonce;
  out.policy_version = context.policy_version;
  out.actions = {info_of(plan.action).index};
  if (!plan.target.cluster.empty()) out.clusters = {plan.target.cluster};
  if (!plan.target.name_space.empty()) out.name_spaces = {plan.target.name_space};
  if (!plan.target.cgroup_path.empty()) out.cgroup_prefixes = {plan.target.cgroup_path};
  out.max_class = class_of(plan);
  out.max_value = main_value(plan.action).value_or(0);
  out.max_ttl_ms = ttl_ms(plan.action);
  out.from_minute = kNightFrom;
  out.to_minute = kNightTo;
  out.per_hour = kDefaultPerHour;
  out.per_day = kDefaultPerDay;
  out.not_before_ms = context.now_ms;
  out.not_after_ms = context.now_ms + static_cast<std::int64_t>(kDefaultLifeMs);
  return out;
}

}  // namespace fw::cli
