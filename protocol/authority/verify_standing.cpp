// Standing approvals: signed by day, used by night; scope, bounds, hours and rate are counted here and nowhere else.
#include <string>

#include "protocol/authority/verify_parts.hpp"

namespace fw::authority::verify {
namespace {

template <class... Parts>
Refusal uncovered(const StandingApproval& standing, const Parts&... parts) {
  return refuse(Code::standing_not_covering, "standing approval ", standing.name, " does not cover ", parts..., ": gather votes without it");
}

// By whole components: "/shop" covers "/shop" and "/shop/web", not "/shopping".
bool below(std::string_view path, std::string_view prefix) {
  if (prefix.ends_with('/')) prefix.remove_suffix(1);
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

// What the plan says the value is now, which the executor reads again on the open handle before it acts.
std::optional<std::int64_t> value_before(const Plan& plan) {
  const auto probe = changed_probe(plan.action);
  for (const auto& check : plan.preconditions) {
    if (check.probe == probe && check.comparison == Comparison::equal && check.value >= 0) return check.value;
  }
  return {};
}

bool within_factor(std::int64_t value, std::int64_t before, std::uint32_t percent) {
  std::int64_t highest{};
  return !__builtin_mul_overflow(before, std::int64_t{percent}, &highest) && value <= highest / 100;
}

Problem check_value(const StandingApproval& standing, const Plan& plan) {
  const auto value = bounded_value(plan.action);
  if (!value) return {};
  if (*value > standing.max_value) return uncovered(standing, "the value ", *value, ", only up to ", standing.max_value);
  if (standing.max_factor_percent == 0) return {};
  const auto before = value_before(plan);
  if (!before) return uncovered(standing, "a plan that does not name the value before as a precondition");
  if (!within_factor(*value, *before, standing.max_factor_percent)) {
    return uncovered(standing, "a change from ", *before, " to ", *value, ", only up to ", standing.max_factor_percent, " %");
  }
  return {};
}

Problem check_ttl(const StandingApproval& standing, const Plan& plan) {
  const auto ttl = bounded_ttl(plan.action);
  if (!ttl || standing.max_ttl_ms == 0) return {};
  if (*ttl == 0) return uncovered(standing, "a change that is kept, only one for up to ", standing.max_ttl_ms / 1000, " s");
  if (*ttl > standing.max_ttl_ms) return uncovered(standing, "a change for ", *ttl / 1000, " s, only for up to ", standing.max_ttl_ms / 1000, " s");
  return {};
}

}  // namespace

Checked<Standing> read_standing(const SignedStanding& signed_standing, const Policy& policy, const Instant& at) {
  Standing standing;
  for (const auto& signature : signed_standing.signatures) {
    const auto signer = signer_of(signature, Domain::standing, signed_standing.document, policy, at);
    if (!signer) return signer.error();
    standing.signers.push_back(*signer);
  }
  standing.signers = distinct_people(standing.signers);
  if (standing.signers.empty()) return refuse(Code::too_few_people, "the standing approval is not signed: gather votes without it");
  auto approval = parse_standing(signed_standing.document);
  if (!approval) {
    return refuse(Code::standing_malformed, "the standing approval cannot be read (", approval.error().message(), "): gather votes without it");
  }
  standing.approval = std::move(*approval);
  standing.digest = document_digest(Domain::standing, signed_standing.document);
  if (standing.approval.policy_version != policy.version) {
    return refuse(Code::policy_version_other, "standing approval ", standing.approval.name, " is under policy version ",
                  standing.approval.policy_version, ", this node has version ", policy.version, ": sign it again under that");
  }
  const auto rule = rule_of(policy, standing.approval.max_class);
  if (!rule) return rule.error();
  if (auto problem = check_people(standing.signers, *rule)) {
    problem->sentence = "standing approval " + standing.approval.name + " is not signed by enough people: " + problem->sentence;
    return *problem;
  }
  if (auto problem = check_hours(standing.approval, at)) return *problem;
  return standing;
}

Problem check_covers(const StandingApproval& standing, const Plan& plan, std::uint8_t action_class, const Place& place) {
  if (action_class > standing.max_class) return uncovered(standing, "class ", action_class, ", only up to ", standing.max_class);
  if (!contains(standing.actions, static_cast<std::uint16_t>(plan.action.index()))) return uncovered(standing, "action ", info_of(plan.action).name);
  if (!admits(standing.clusters, place.cluster)) return uncovered(standing, "cluster '", place.cluster, "', only ", joined(standing.clusters));
  if (!admits(standing.name_spaces, place.name_space)) {
    return uncovered(standing, "namespace '", place.name_space, "', only ", joined(standing.name_spaces));
  }
  if (place.labels != nullptr && !admits_one_of(standing.node_labels, *place.labels)) {
    return uncovered(standing, "this node, only those with ", joined(standing.node_labels));
  }
  const auto& path = plan.target.cgroup_path;
  const auto& prefixes = standing.cgroup_prefixes;
  if (!prefixes.empty() && std::none_of(prefixes.begin(), prefixes.end(), [&](const auto& prefix) { return below(path, prefix); })) {
    return uncovered(standing, "cgroup ", path, ", only ", joined(prefixes));
  }
  if (auto problem = check_value(standing, plan)) return problem;
  return check_ttl(standing, plan);
}

Problem check_hours(const StandingApproval& standing, const Instant& at) {
  const auto not_now = [&](const auto&... parts) {
    return refuse(Code::standing_not_now, "standing approval ", standing.name, " ", parts..., ": gather votes without it");
  };
  if (at.before(standing.not_before_ms)) return not_now("begins at ", time_text(standing.not_before_ms));
  if (at.after(standing.not_after_ms)) return not_now("ended at ", time_text(standing.not_after_ms));
  const auto minute = static_cast<std::uint32_t>(at.latest_ms() / 60'000 % 1440);
  const bool since = minute >= standing.from_minute;
  const bool until = minute < standing.to_minute;
  const bool over_midnight = standing.from_minute > standing.to_minute;
  if (over_midnight ? since || until : since && until) return {};
  return not_now("holds from minute ", standing.from_minute, " to ", standing.to_minute, " of the UTC day, it is minute ", minute);
}

Problem check_rate(const Standing& standing, const Memory& memory, const Instant& at) {
  const auto what = to_text(standing.digest);
  const auto used_up = [&](std::size_t uses, std::uint32_t limit, std::string_view window) {
    return refuse(Code::standing_used_up, "standing approval ", standing.approval.name, " was used ", uses, " times in the last ", window, ", the limit is ",
                  limit, ": gather votes without it");
  };
  const auto hour = count_uses(memory, what, kHourMs, at);
  if (hour >= standing.approval.per_hour) return used_up(hour, standing.approval.per_hour, "hour");
  const auto day = count_uses(memory, what, kDayMs, at);
  if (day >= standing.approval.per_day) return used_up(day, standing.approval.per_day, "day");
  return {};
}

}  // namespace fw::authority::verify
