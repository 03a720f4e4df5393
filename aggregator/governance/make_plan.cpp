#include "aggregator/governance/make_plan.hpp"

#include "aggregator/governance/core.hpp"
#include "protocol/authority/catalogue.hpp"

namespace fw::governance {
namespace {

using namespace authority;

constexpr std::int64_t kBeginEarlyMs = 30'000;      // for a node whose clock is behind
constexpr std::uint64_t kEffectWithinMs = 10'000;   // a limit is there at once; this is for a busy node

void set_times(Plan& plan, const PlanSetting& setting) {
  plan.nonce = make_nonce();
  plan.not_before_ms = setting.now_ms - kBeginEarlyMs;
  plan.not_after_ms = plan.not_before_ms + setting.window.count();
}

NewPlan follow_up(const PlanRecord& of, const Person* person, Action action, const PlanSetting& setting) {
  NewPlan made;
  Plan& plan = made.plan;
  plan.incident = of.plan.incident;
  plan.proposer = person == nullptr ? Proposer::engine : Proposer::person;
  if (person != nullptr) plan.person = *person;
  plan.target = of.plan.target;
  plan.action = std::move(action);
  plan.evidence = of.plan.evidence;
  set_times(plan, setting);
  made.facts.proposed_by = person == nullptr ? "engine" : person->str();
  return made;
}

}  // namespace

NewPlan plan_of(const agents::Remedy& remedy, const IncidentView& incident, const std::vector<std::string>& by_hand, const Digest& findings,
                const PlanSetting& setting) {
  NewPlan made;
  Plan& plan = made.plan;
  plan.incident = "INC-" + std::to_string(incident.number);
  plan.target.cluster = setting.cluster;
  plan.target.node = incident.node;
  plan.target.incarnation = setting.incarnation;
  plan.target.name_space = incident.name_space;
  plan.target.pod_uid = incident.pod_uid;
  if (!incident.pod_uid.empty()) plan.target.container_name = incident.subject_name;
  plan.target.cgroup_path = remedy.cgroup_path;      // no inode: a container that restarts meanwhile is still the one that is meant
  plan.target.display_name = incident.subject_name;
  const bool kept = !remedy.temporary && owner_of(plan.target) == Owner::none;
  plan.action = SetMemoryLimit{.limit_bytes = remedy.value, .ttl_ms = kept ? 0 : static_cast<std::uint64_t>(setting.ttl.count())};
  plan.preconditions = {{Probe::memory_limit_bytes, Comparison::equal, remedy.value_now}};
  plan.effect = Check{Probe::memory_limit_bytes, Comparison::equal, remedy.value};
  plan.effect_within_ms = kEffectWithinMs;
  plan.evidence = findings;
  set_times(plan, setting);
  made.facts = {.value_before = remedy.value_now, .safe_min = remedy.safe_min, .safe_max = remedy.safe_max, .unit = "bytes", .why = remedy.why,
                .by_hand = by_hand, .proposed_by = "engine"};
  return made;
}

NewPlan undo_of(const PlanRecord& of, const Person* person, const PlanSetting& setting) {
  NewPlan made = follow_up(of, person, Undo{of.digest}, setting);
  made.facts.why = "gives back what plan " + to_text(of.digest).substr(0, 12) + " changed";
  return made;
}

NewPlan extension_of(const PlanRecord& of, std::uint64_t ttl_ms, const Person& person, const PlanSetting& setting) {
  NewPlan made = follow_up(of, &person, Extend{of.digest, ttl_ms}, setting);
  made.facts.why = "the restore of plan " + to_text(of.digest).substr(0, 12) + " comes later";
  return made;
}

bool same_action(const Plan& a, const Plan& b) {
  return a.target == b.target && a.action == b.action && a.preconditions == b.preconditions && a.effect == b.effect;
}

std::string edit_problem(const PlanRecord& original, const Plan& edited) {
  const Plan& before = original.plan;
  const auto* old_limit = std::get_if<SetMemoryLimit>(&before.action);
  const auto* new_limit = std::get_if<SetMemoryLimit>(&edited.action);
  if (old_limit == nullptr || new_limit == nullptr || original.facts.safe_max == 0) return "only the value of a memory limit can be edited";
  if (edited.target != before.target) return "an edited plan has the target of the plan that it replaces";
  if (edited.incident != before.incident) return "an edited plan is for the same incident";
  if (edited.preconditions != before.preconditions) return "an edited plan has the preconditions of the plan that it replaces";
  if (edited.effect != Check{Probe::memory_limit_bytes, Comparison::equal, new_limit->limit_bytes}) return "the effect must be the new limit itself";
  if (new_limit->limit_bytes < original.facts.safe_min || new_limit->limit_bytes > original.facts.safe_max) {
    return std::to_string(new_limit->limit_bytes) + " bytes are outside of the safe range " + std::to_string(original.facts.safe_min) + " to " +
           std::to_string(original.facts.safe_max) + " bytes (" + original.facts.why + ")";
  }
  return {};
}

std::optional<std::int64_t> needed_value(const PlanRecord& plan) {
  const auto* limit = std::get_if<SetMemoryLimit>(&plan.plan.action);
  if (limit == nullptr) return std::nullopt;
  return plan.facts.safe_min > 0 ? std::min(plan.facts.safe_min, limit->limit_bytes) : limit->limit_bytes;
}

}  // namespace fw::governance
