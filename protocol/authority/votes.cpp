// Whose signature it is, whether their yes holds, and whether the people are enough.
#include "protocol/authority/verify_parts.hpp"

namespace fw::authority::verify {
namespace {

struct Listed { const Approver* approver = nullptr; const PublicKey* key = nullptr; };

// The id is computed from the key: what a message says about its key counts for nothing.
Checked<Listed> find_key(const Digest& id, const Policy& policy) {
  Listed found;
  for (const auto& approver : policy.approvers) {
    for (const auto& key : approver.keys) {
      if (key_id(key) != id) continue;
      if (found.approver != nullptr && found.approver->person != approver.person) {
        return refuse(Code::key_unknown, "key ", short_text(id), " is listed for ", found.approver->person.str(), " and for ", approver.person.str(),
                      ": correct the policy");
      }
      found = {&approver, &key};
    }
  }
  if (found.approver == nullptr) {
    return refuse(Code::key_unknown, "nobody in policy version ", policy.version, " has key ", short_text(id),
                  ": approve with a listed key (fleetwright policy show)");
  }
  return found;
}

}  // namespace

Checked<const Approver*> signer_of(const Signature& signature, Domain domain, ByteView document, const Policy& policy, const Instant& at) {
  const auto listed = find_key(signature.key, policy);
  if (!listed) return listed.error();
  const auto& approver = *listed->approver;
  if (signature.algorithm != listed->key->algorithm || !verify_signature(*listed->key, signing_input(domain, document), signature.bytes)) {
    return refuse(Code::signature_bad, "the signature with the key of ", approver.person.str(), " is not good: sign again");
  }
  if (approver.not_after_ms != 0 && at.after(approver.not_after_ms)) {
    return refuse(Code::key_expired, "the policy let ", approver.person.str(), " approve until ", time_text(approver.not_after_ms),
                  ": somebody else approves, or the policy is renewed");
  }
  return &approver;
}

Checked<Ballot> read_ballot(const Vote& vote, const Policy& policy, const Instant& at) {
  const auto voter = signer_of(vote.signature, Domain::approval, vote.document, policy, at);
  if (!voter) return voter.error();
  auto approval = parse_approval(vote.document);
  if (!approval) return refuse(Code::approval_malformed, "the approval cannot be read (", approval.error().message(), "): approve again");
  if (approval->person != (*voter)->person) {
    return refuse(Code::approval_person, "the approval names ", approval->person.str(), " and is signed with a key of ", (*voter)->person.str(),
                  ": each person signs their own");
  }
  return Ballot{std::move(*approval), *voter};
}

Problem check_ballot_time(const Ballot& ballot, const Instant& at) {
  const auto& approval = ballot.approval;
  const auto& person = ballot.voter->person;
  if (at.before(approval.issued_ms)) {
    return refuse(Code::approval_not_yet_valid, "the approval by ", person.str(), " is dated ", time_text(approval.issued_ms), ", this node's clock says ",
                  time_text(at.now_ms()), ": compare the clocks and send it again");
  }
  if (at.after(approval.expires_ms)) {
    return refuse(Code::approval_expired, "the approval by ", person.str(), " ended at ", time_text(approval.expires_ms), ", it is ",
                  time_text(at.latest_ms()), ": approve again");
  }
  return {};
}

Problem check_ballot(const Ballot& ballot, const Digest& plan, const Policy& policy, const Instant& at) {
  const auto& person = ballot.voter->person;
  if (ballot.approval.plan != plan) {
    return refuse(Code::approval_other_plan, "the approval by ", person.str(), " is for plan ", short_text(ballot.approval.plan), ", this is plan ",
                  short_text(plan), ": approve this one");
  }
  if (ballot.approval.decision == Decision::deny) {
    return refuse(Code::denied, person.str(), " denied this plan", ballot.approval.reason.empty() ? "" : " (" + ballot.approval.reason + ")",
                  ": propose another");
  }
  if (ballot.approval.policy_version != policy.version) {
    return refuse(Code::policy_version_other, "the approval by ", person.str(), " is under policy version ", ballot.approval.policy_version,
                  ", this node has version ", policy.version, ": approve again under that");
  }
  return check_ballot_time(ballot, at);
}

std::vector<const Approver*> distinct_people(const std::vector<const Approver*>& voters) {
  std::vector<const Approver*> people;
  for (const auto* voter : voters) {
    const bool counted = std::any_of(people.begin(), people.end(), [&](const auto* other) { return other->person == voter->person; });
    if (!counted) people.push_back(voter);
  }
  return people;
}

Checked<ClassRule> rule_of(const Policy& policy, std::uint8_t action_class) {
  for (auto rule : policy.classes) {
    if (rule.action_class != action_class) continue;
    rule.threshold = std::max(rule.threshold, minimum_threshold(action_class, policy.profile));
    return rule;
  }
  return refuse(Code::policy_invalid, "policy version ", policy.version, " has no rule for class ", action_class, ": renew the policy");
}

bool has_group(const std::vector<const Approver*>& people, const std::string& group) {
  return std::any_of(people.begin(), people.end(), [&](const auto* person) { return contains(person->groups, group); });
}

Problem check_people(const std::vector<const Approver*>& people, const ClassRule& rule) {
  if (people.size() < rule.threshold) {
    return refuse(Code::too_few_people, "class ", rule.action_class, " needs ", rule.threshold, " people, ", people.size(),
                  " approved: more people approve (fleetwright approve)");
  }
  const auto seniors = std::count_if(people.begin(), people.end(), [](const auto* person) { return person->level == Level::senior; });
  if (static_cast<std::uint32_t>(seniors) < rule.seniors) {
    return refuse(Code::senior_missing, "class ", rule.action_class, " needs ", rule.seniors, " of level senior, ", seniors,
                  " approved: a senior approves");
  }
  for (const auto& group : rule.groups) {
    if (!has_group(people, group)) return refuse(Code::group_missing, "class ", rule.action_class, " needs somebody of group ", group, ": one of them approves");
  }
  return {};
}

Problem check_scope(const Approver& approver, std::uint8_t action_class, const Place& place) {
  const auto outside = [&](const auto&... what) {
    return refuse(Code::out_of_scope, approver.person.str(), " may not approve ", what..., ": somebody with that scope approves");
  };
  const auto& scope = approver.scope;
  if (action_class > scope.max_class) return outside("class ", action_class, ", only up to ", scope.max_class);
  if (!admits(scope.clusters, place.cluster)) return outside("in cluster '", place.cluster, "', only in ", joined(scope.clusters));
  if (!admits(scope.name_spaces, place.name_space)) {
    return outside("in namespace '", place.name_space, "', only in ", joined(scope.name_spaces));
  }
  if (place.labels != nullptr && !admits_one_of(scope.node_labels, *place.labels)) {
    return outside("on this node, only where ", joined(scope.node_labels));
  }
  return {};
}

// A plan of the engine names nobody (check_plan), so its person is nobody's.
Problem check_proposer(const Plan& plan, const std::vector<Ballot>& ballots) {
  for (const auto& ballot : ballots) {
    if (ballot.voter->person == plan.person) {
      return refuse(Code::proposer_approved, plan.person.str(), " proposed this plan and approved it: other people approve, without that vote");
    }
  }
  return {};
}

std::vector<const Approver*> without_proposer(std::vector<const Approver*> people, const Plan& plan) {
  std::erase_if(people, [&](const auto* person) { return person->person == plan.person; });
  return people;
}

}  // namespace fw::authority::verify
