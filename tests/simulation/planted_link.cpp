// The planted bugs that are in a decision: the real function decides, and one of its refusals is overlooked.
#include <algorithm>

#include "aggregator/audit/chain.hpp"
#include "aggregator/governance/log_work.hpp"
#include "protocol/authority/verifier.hpp"
#include "tests/simulation/planted.hpp"

namespace fw::sim {
namespace {

Planted active = Planted::none;

constexpr PlantedBug kBugs[] = {
    {Planted::few_people_do, "few_people_do", "I1", "the verifier overlooks that too few people approved", true},
    {Planted::keys_are_people, "keys_are_people", "I2", "the verifier counts keys, not people", true},
    {Planted::proposer_counts, "proposer_counts", "I2", "the verifier overlooks that the proposer approved", true},
    {Planted::any_node, "any_node", "I3", "the verifier overlooks the plan's node", true},
    {Planted::twice, "twice", "I4", "the actuator does everything twice", true},
    {Planted::old_incarnation_does, "old_incarnation_does", "I5", "the verifier overlooks the incarnation", true},
    {Planted::incarnation_stays, "incarnation_stays", "I5", "a new journal gets the incarnation of the lost one"},
    {Planted::after_its_end, "after_its_end", "I6", "the verifier overlooks the end of a plan", true},
    {Planted::before_its_beginning, "before_its_beginning", "I6", "the verifier overlooks the beginning of a plan", true},
    {Planted::sync_lies, "sync_lies", "I7", "the node's disk says that it synced, and did not"},
    {Planted::journal_loses, "journal_loses", "I8", "a power cut takes the newest part of what was synced"},
    {Planted::older_policy_does, "older_policy_does", "I9", "the verifier takes an older policy", true},
    {Planted::resume_alone_does, "resume_alone_does", "I9", "one person is enough to resume", true},
    {Planted::probes_lie, "probes_lie", "I12", "the actuator says what the plan wants to hear", true},
    {Planted::unlogged_does, "unlogged_does", "I19", "the verifier overlooks that the release is not in the log", true},
    {Planted::other_history_does, "other_history_does", "I19", "the verifier overlooks that the log shows another history", true},
    {Planted::log_goes_back, "log_goes_back", "I20", "the audit log's disk says that it synced, and did not"},
    {Planted::change_without_entry, "change_without_entry", "I21", "the store drops an audit row"},
    {Planted::tampering_unseen, "tampering_unseen", "I22", "the check of the log finds nothing"},
    {Planted::fork_unseen, "fork_unseen", "I23", "every head of a node is taken for ours"},
    {Planted::vote_lost, "vote_lost", "I24", "the store drops a vote that it took"},
    {Planted::log_failure_unsaid, "log_failure_unsaid", "I25", "nobody hears that the log cannot be written"},
    {Planted::no_timers, "no_timers", "I33", "the executor's timers never fire", true},
};

}  // namespace

std::span<const PlantedBug> planted_bugs() { return kBugs; }
Planted planted() { return active; }
void plant(Planted bug) { active = bug; }

}  // namespace fw::sim

using namespace fw;
using namespace fw::authority;
using sim::Planted;

namespace {

bool overlooks(Code code, const Envelope& envelope) {
  switch (sim::planted()) {
    case Planted::few_people_do: return code == Code::too_few_people;
    case Planted::keys_are_people:
      return code == Code::too_few_people && envelope.votes.size() >= 2 && envelope.votes[0].signature.key != envelope.votes[1].signature.key;
    case Planted::proposer_counts: return code == Code::proposer_approved;
    case Planted::any_node: return code == Code::wrong_node;
    case Planted::old_incarnation_does: return code == Code::wrong_incarnation;
    case Planted::after_its_end: return code == Code::expired;
    case Planted::before_its_beginning: return code == Code::not_yet_valid;
    case Planted::unlogged_does: return code == Code::inclusion_missing;
    case Planted::other_history_does: return code == Code::checkpoint_inconsistent || code == Code::checkpoint_bad;
    default: return false;
  }
}

}  // namespace

extern "C" {

Verdict __real__ZN2fw9authority11verify_planERKNS0_8EnvelopeERKNS0_6PolicyERKNS0_9NodeFactsERKNS0_6MemoryEl(const Envelope& envelope, const Policy& policy,
                                                                                                           const NodeFacts& facts, const Memory& memory,
                                                                                                           std::int64_t now_ms);
Verdict __wrap__ZN2fw9authority11verify_planERKNS0_8EnvelopeERKNS0_6PolicyERKNS0_9NodeFactsERKNS0_6MemoryEl(const Envelope& envelope, const Policy& policy,
                                                                                                           const NodeFacts& facts, const Memory& memory,
                                                                                                           std::int64_t now_ms);
Verdict __wrap__ZN2fw9authority11verify_planERKNS0_8EnvelopeERKNS0_6PolicyERKNS0_9NodeFactsERKNS0_6MemoryEl(const Envelope& envelope, const Policy& policy,
                                                                                                           const NodeFacts& facts, const Memory& memory,
                                                                                                           std::int64_t now_ms) {
  auto verdict = __real__ZN2fw9authority11verify_planERKNS0_8EnvelopeERKNS0_6PolicyERKNS0_9NodeFactsERKNS0_6MemoryEl(envelope, policy, facts, memory, now_ms);
  if (verdict.approved || !overlooks(verdict.refusal.code, envelope)) return verdict;
  auto plan = parse_plan(envelope.plan);
  if (!plan) return verdict;
  Approved approved;
  approved.digest = plan_digest(envelope.action_class, envelope.plan);
  approved.plan = std::move(*plan);
  approved.action_class = envelope.action_class;
  if (const auto note = parse_note(envelope.proof.note)) approved.checkpoint = note->checkpoint;
  return {std::move(approved), {}};
}

PolicyVerdict __real__ZN2fw9authority13verify_policyESt4spanIKhLm18446744073709551615EERKSt6vectorINS0_9SignatureESaIS5_EERKNS0_6PolicyEl(
    ByteView document, const std::vector<Signature>& signatures, const Policy& current, std::int64_t now_ms);
PolicyVerdict __wrap__ZN2fw9authority13verify_policyESt4spanIKhLm18446744073709551615EERKSt6vectorINS0_9SignatureESaIS5_EERKNS0_6PolicyEl(
    ByteView document, const std::vector<Signature>& signatures, const Policy& current, std::int64_t now_ms);
PolicyVerdict __wrap__ZN2fw9authority13verify_policyESt4spanIKhLm18446744073709551615EERKSt6vectorINS0_9SignatureESaIS5_EERKNS0_6PolicyEl(
    ByteView document, const std::vector<Signature>& signatures, const Policy& current, std::int64_t now_ms) {
  auto verdict = __real__ZN2fw9authority13verify_policyESt4spanIKhLm18446744073709551615EERKSt6vectorINS0_9SignatureESaIS5_EERKNS0_6PolicyEl(document, signatures,
                                                                                                                                          current, now_ms);
  if (sim::planted() != Planted::older_policy_does || verdict.refusal.code != Code::policy_older) return verdict;
  auto policy = parse_policy(document);
  if (!policy) return verdict;
  return {std::move(*policy), now_ms, {}};
}

StatementVerdict __real__ZN2fw9authority16verify_statementESt4spanIKhLm18446744073709551615EERKSt6vectorINS0_9SignatureESaIS5_EERKNS0_6PolicyERKNS0_6MemoryEl(
    ByteView document, const std::vector<Signature>& signatures, const Policy& policy, const Memory& memory, std::int64_t now_ms);
StatementVerdict __wrap__ZN2fw9authority16verify_statementESt4spanIKhLm18446744073709551615EERKSt6vectorINS0_9SignatureESaIS5_EERKNS0_6PolicyERKNS0_6MemoryEl(
    ByteView document, const std::vector<Signature>& signatures, const Policy& policy, const Memory& memory, std::int64_t now_ms);
StatementVerdict __wrap__ZN2fw9authority16verify_statementESt4spanIKhLm18446744073709551615EERKSt6vectorINS0_9SignatureESaIS5_EERKNS0_6PolicyERKNS0_6MemoryEl(
    ByteView document, const std::vector<Signature>& signatures, const Policy& policy, const Memory& memory, std::int64_t now_ms) {
  auto verdict = __real__ZN2fw9authority16verify_statementESt4spanIKhLm18446744073709551615EERKSt6vectorINS0_9SignatureESaIS5_EERKNS0_6PolicyERKNS0_6MemoryEl(
      document, signatures, policy, memory, now_ms);
  if (sim::planted() != Planted::resume_alone_does || verdict.refusal.code != Code::people_too_few) return verdict;
  auto statement = parse_statement(document);
  if (!statement) return verdict;
  return {std::move(*statement), {}, {}};
}

std::optional<audit::Damage> __real__ZNK2fw5audit5Chain5checkERKNS_9authority10CheckpointE(const audit::Chain* chain, const Checkpoint& head);
std::optional<audit::Damage> __wrap__ZNK2fw5audit5Chain5checkERKNS_9authority10CheckpointE(const audit::Chain* chain, const Checkpoint& head);
std::optional<audit::Damage> __wrap__ZNK2fw5audit5Chain5checkERKNS_9authority10CheckpointE(const audit::Chain* chain, const Checkpoint& head) {
  if (sim::planted() == Planted::tampering_unseen) return std::nullopt;
  return __real__ZNK2fw5audit5Chain5checkERKNS_9authority10CheckpointE(chain, head);
}

Nonce __real__ZN2fw9authority10make_nonceEv();
Nonce __wrap__ZN2fw9authority10make_nonceEv();
Nonce __wrap__ZN2fw9authority10make_nonceEv() {
  if (sim::planted() != Planted::incarnation_stays) return __real__ZN2fw9authority10make_nonceEv();
  Nonce same{};
  same.fill(7);
  return same;
}

}  // extern "C"
