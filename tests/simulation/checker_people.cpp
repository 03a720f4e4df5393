// I1, I2, I14, I19: who really approved what a node did, and where the log says so.
#include <algorithm>
#include <set>

#include "tests/simulation/checker.hpp"

namespace fw::sim {

using namespace authority;

namespace {

template <class T>
bool any_or_has(const std::vector<T>& list, const T& value) {
  return list.empty() || std::find(list.begin(), list.end(), value) != list.end();
}

const Approver* entry_of(const Policy& policy, const Person& person) {
  for (const auto& one : policy.approvers) {
    if (one.person == person) return &one;
  }
  return nullptr;
}

bool in_scope(const Approver& approver, const Plan& plan, std::uint8_t action_class) {
  return any_or_has(approver.scope.clusters, plan.target.cluster) && any_or_has(approver.scope.name_spaces, plan.target.name_space) &&
         action_class <= approver.scope.max_class;
}

std::int64_t number_of(const Plan& plan) {
  if (const auto* a = std::get_if<SetMemoryLimit>(&plan.action)) return a->limit_bytes;
  if (const auto* a = std::get_if<SetCpuWeight>(&plan.action)) return a->weight;
  if (const auto* a = std::get_if<SetPidsMax>(&plan.action)) return a->max;
  return 0;
}

std::uint64_t ttl_of(const Plan& plan) {
  if (const auto* a = std::get_if<SetMemoryLimit>(&plan.action)) return a->ttl_ms;
  if (const auto* a = std::get_if<SetCpuWeight>(&plan.action)) return a->ttl_ms;
  if (const auto* a = std::get_if<SetPidsMax>(&plan.action)) return a->ttl_ms;
  return 1;
}

bool covers(const StandingApproval& standing, const Plan& plan, std::uint8_t action_class) {
  const bool action = std::find(standing.actions.begin(), standing.actions.end(), plan.action.index()) != standing.actions.end();
  return action && action_class <= standing.max_class && any_or_has(standing.name_spaces, plan.target.name_space) &&
         number_of(plan) <= standing.max_value && (standing.max_ttl_ms == 0 || (ttl_of(plan) > 0 && ttl_of(plan) <= standing.max_ttl_ms));
}

}  // namespace

bool Checker::check_people(Node& node, Seen& seen, const TruePlan& plan, const Policy& policy, bool) {
  const auto action_class = naive_class(plan.plan);
  const auto rule = std::find_if(policy.classes.begin(), policy.classes.end(), [&](const auto& one) { return one.action_class == action_class; });
  const std::uint32_t least = action_class == 0 ? 0 : action_class == 1 || policy.profile == Profile::solo ? 1 : 2;
  const auto needed = std::max(least, rule == policy.classes.end() ? 2U : rule->threshold);
  const auto what = name(node) + ": " + describe(plan.plan.action) + " of class " + std::to_string(action_class);

  // Who said yes to these bytes, under this policy, in time, and may. Denials that this node got before it acted are its own business.
  const auto slack_ms = 2 * policy.time_skew_ms + std::abs(node.clock().error_ns() / kNsPerMs);
  std::set<Person> people;
  for (const auto& vote : plan.votes) {
    const auto* entry = entry_of(policy, vote.person);
    if (vote.plan != plan_digest(action_class, plan.bytes)) continue;
    if (vote.decision != Decision::approve || entry == nullptr || vote.policy_version != policy.version) continue;
    if (plan.plan.proposer == Proposer::person && plan.plan.person == vote.person) continue;
    if (!in_scope(*entry, plan.plan, action_class)) continue;
    if (vote.signed_at_ms > timeline_.now_ms() || vote.expires_ms + slack_ms < timeline_.now_ms()) continue;
    if (entry->not_after_ms != 0 && entry->not_after_ms + slack_ms < timeline_.now_ms()) continue;
    people.insert(vote.person);
  }
  const auto enough = [&](const std::set<Person>& who) {
    std::uint32_t seniors = 0;
    std::set<std::string> groups;
    for (const auto& person : who) {
      const auto* entry = entry_of(policy, person);
      if (entry == nullptr) continue;
      if (entry->level == Level::senior) ++seniors;
      groups.insert(entry->groups.begin(), entry->groups.end());
    }
    if (rule == policy.classes.end()) return who.size() >= needed;
    return who.size() >= needed && seniors >= rule->seniors &&
           std::all_of(rule->groups.begin(), rule->groups.end(), [&](const auto& group) { return groups.contains(group); });
  };
  bool good = enough(people);
  // Which of several standing approvals a node took is its choice: one of them must have been left.
  bool by_standing = false, used_up = false;
  for (const auto& standing : truth_.standings) {
    if (good) break;
    const auto& terms = standing.standing;
    if (terms.policy_version != policy.version || !covers(terms, plan.plan, action_class)) continue;
    if (terms.trigger == Trigger::one_approver && people.empty()) continue;
    auto together = people;
    for (const auto& person : standing.people) {
      if (entry_of(policy, person) != nullptr && !(plan.plan.proposer == Proposer::person && plan.plan.person == person)) together.insert(person);
    }
    if (!enough(together)) continue;
    const auto key = "standing " + to_hex(terms.nonce);
    const auto used = std::count_if(seen.uses.begin(), seen.uses.end(), [&](const auto& use) {
      return use.first == key && use.second > timeline_.now_ms() - 3'500'000;
    });
    by_standing = true;
    used_up = used >= static_cast<std::ptrdiff_t>(terms.per_hour);
    good = !used_up;
    if (good) seen.uses.push_back({key, timeline_.now_ms()});
  }
  if (used_up && !good && std::abs(node.clock().error_ns()) < kMinute) broken("I14", what + " used a standing approval too often");
  good = good || used_up;
  marks_.reach(by_standing ? "by standing approval" : "by votes");
  if (!good) {
    const auto proposer_only = std::any_of(plan.votes.begin(), plan.votes.end(), [&](const auto& vote) { return vote.person == plan.plan.person; });
    broken(people.size() + 1 >= needed && (proposer_only || plan.votes.size() > people.size()) ? "I2" : "I1",
           what + " needs " + std::to_string(needed) + " people, " + std::to_string(people.size()) + " really approved it");
  }
  const auto action = std::string(info_of(plan.plan.action).name);
  for (const auto& limit : policy.limits) {
    if (limit.budget != action) continue;
    std::uint32_t used = 0;
    for (const auto& [key, time_ms] : seen.uses) used += key == action && time_ms > timeline_.now_ms() - 3'500'000 ? 1U : 0U;
    if (used >= limit.per_hour && std::abs(node.clock().error_ns()) < kMinute) broken("I14", what + " is more than its budget allows");
  }
  seen.uses.push_back({action, timeline_.now_ms()});
  return good;
}

// I19: an envelope was here whose release stands, with these votes, under the head that the node holds now, and that head had its witnesses.
void Checker::check_logged(Node& node, const Seen& seen, const TruePlan& plan, const Policy& policy) {
  if (naive_class(plan.plan) == 0) return;
  const auto digest = plan_digest(naive_class(plan.plan), plan.bytes);
  const auto delivered = seen.envelopes.find(digest);
  const auto what = name(node) + ": " + describe(plan.plan.action);
  if (delivered == seen.envelopes.end()) return broken("I19", what + " was executed, and no envelope with it ever came");
  bool logged = false, witnessed = false, continued = false;
  for (const auto& envelope : delivered->second) {
    const auto head = head_of(envelope.proof.note);
    const auto* leaves = head ? heads_.leaves(*head) : nullptr;
    if (leaves == nullptr) continue;
    const auto release = ",\"release\":\"" + to_text(release_digest(envelope)) + "\"";
    const bool here = std::any_of(leaves->begin(), leaves->begin() + static_cast<std::ptrdiff_t>(head->size),
                                  [&](const auto& line) { return line.find(release) != std::string::npos; });
    const auto& who = heads_.witnesses(*head);
    const auto witnesses = std::count_if(policy.witnesses.begin(), policy.witnesses.end(), [&](const auto& one) { return who.contains(one.name); });
    const bool seen_by_witnesses = witnesses >= static_cast<std::ptrdiff_t>(policy.witness_quorum);
    const bool follows = head->origin != seen.head.origin || heads_.continues(seen.head, *head) || heads_.continues(*head, seen.head);
    logged = logged || here;
    witnessed = witnessed || (here && seen_by_witnesses);
    continued = continued || (here && seen_by_witnesses && follows);
  }
  if (!logged) return broken("I19", what + " was executed, and its release is under no head that the log signed");
  if (!witnessed) return broken("I19", what + " was executed under a head with too few witnesses");
  if (!continued) broken("I19", what + " was executed under a head that does not continue what the node saw");
}

}  // namespace fw::sim
