// The same counting as on the node, for those who gather votes: what is bad is listed, and the good votes are counted without it.
#include "protocol/authority/verify_parts.hpp"

namespace fw::authority {
namespace {

using namespace verify;

void count_standing(const SignedStanding& signed_standing, const Plan& plan, std::uint8_t action_class, const Place& place, const Policy& policy,
                    const Instant& at, std::vector<const Approver*>& people, Progress& progress, bool& waits_for_vote) {
  const auto standing = read_standing(signed_standing, policy, at);
  Problem problem;
  if (!standing) {
    problem = standing.error();
  } else {
    problem = check_covers(standing->approval, plan, action_class, place);
    for (const auto* signer : standing->signers) {
      if (!problem) problem = check_scope(*signer, standing->approval.max_class, place);
    }
  }
  if (problem) {
    progress.bad.push_back(std::move(*problem));
    return;
  }
  waits_for_vote = standing->approval.trigger == Trigger::one_approver && people.empty();
  people.insert(people.end(), standing->signers.begin(), standing->signers.end());
}

}  // namespace

Progress count_votes(ByteView plan_bytes, const std::vector<Vote>& votes, const std::optional<SignedStanding>& standing, const Policy& policy,
                     std::int64_t now_ms) {
  Progress progress;
  const auto plan = parse_plan(plan_bytes);
  if (!plan) {
    progress.bad.push_back(refuse(Code::plan_malformed, "the plan cannot be read (", plan.error().message(), "): propose it again"));
    return progress;
  }
  const auto action_class = class_of(*plan);
  const auto rule = rule_of(policy, action_class);
  if (!rule) {
    progress.bad.push_back(rule.error());
    return progress;
  }
  const auto digest = plan_digest(action_class, plan_bytes);
  const Instant at(now_ms, now_ms, policy.time_skew_ms);
  const Place place{plan->target.cluster, plan->target.name_space, nullptr};

  std::vector<const Approver*> people;
  for (const auto& vote : votes) {
    const auto ballot = read_ballot(vote, policy, at);
    auto problem = ballot ? check_ballot(*ballot, digest, policy, at) : Problem(ballot.error());
    if (!problem) problem = check_proposer(*plan, {*ballot});
    if (!problem) problem = check_scope(*ballot->voter, action_class, place);
    if (problem) {
      progress.denied = progress.denied || problem->code == Code::denied;
      progress.bad.push_back(std::move(*problem));
    } else {
      people.push_back(ballot->voter);
    }
  }
  bool waits_for_vote = false;
  if (standing) count_standing(*standing, *plan, action_class, place, policy, at, people, progress, waits_for_vote);
  people = without_proposer(distinct_people(people), *plan);

  for (const auto* person : people) {
    progress.people.push_back(person->person);
    if (person->level == Level::senior) ++progress.seniors;
  }
  for (const auto& group : rule->groups) {
    if (!has_group(people, group)) progress.groups_missing.push_back(group);
  }
  progress.needed = rule->threshold;
  progress.seniors_needed = rule->seniors;
  progress.enough = !progress.denied && !waits_for_vote && !check_people(people, *rule);
  return progress;
}

}  // namespace fw::authority
