// The check that counts: whether this node may do this plan, now. Pure: everything that it depends on is an argument, so that the order
// of checks can be read, mutated and simulated. Order: command-authority C1.5; each refusal has a code and a sentence.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/authority/catalogue.hpp"
#include "protocol/authority/checkpoint.hpp"
#include "protocol/authority/envelope.hpp"

namespace fw::authority {

// docs/refusals.md has a row each (a test compares). not_unknown is the last.
enum class Code : std::uint8_t {
  ok = 0,
  envelope_malformed, policy_expired, policy_paused, paused,
  key_unknown, key_expired, signature_bad, approval_malformed, approval_other_plan, approval_person, approval_not_yet_valid, approval_expired,
  policy_version_other, denied, too_few_people, senior_missing, group_missing, out_of_scope,
  plan_malformed, plan_invalid, class_mismatch, proposer_approved,
  wrong_node, wrong_incarnation, wrong_boot, wrong_cluster,
  not_yet_valid, expired, window_too_long,
  standing_malformed, standing_not_covering, standing_not_now, standing_used_up,
  inclusion_missing, checkpoint_bad, checkpoint_inconsistent, witnesses_missing,
  replayed, below_replay_floor, budget_used_up, out_of_bounds, not_enabled, observe_only,
  target_gone, precondition_changed, busy, journal_failed, nothing_to_undo,
  // of policies and statements
  policy_malformed, policy_invalid, policy_older, policy_gap, roots_too_few, statement_malformed, statement_old, people_too_few, not_unknown,
};
std::string_view to_string(Code code);                       // "too-few-people"
// Whether the same plan may be delivered again with what was missing: nothing of it is kept in the journal. True for all that depends on
// what travels beside the plan (votes, standing approval, proof) or passes by itself (pause, budget, busy): nobody can burn a good plan by
// sending it with something bad. False for what the plan's own bytes, this node or a good denial decided.
bool may_come_again(Code code) noexcept;

struct Refusal { Code code = Code::ok; std::string sentence; };

// This node, as the executor knows it by itself.
struct NodeFacts {
  Uuid node;
  Nonce incarnation{};
  Uuid boot;
  std::string cluster;
  std::vector<std::string> labels;                            // "key=value"
  bool observe_only = true;
};

// What the journal remembers that the verifier needs.
struct Memory {
  std::set<Digest> known_plans;                               // in the journal
  std::set<Digest> denied_plans;
  bool paused = false;
  std::int64_t newest_pause_ms = 0;                           // issued_ms of the newest Pause that was taken: a Resume must be newer
  std::map<Digest, std::uint8_t> unknown_plans;               // in state UNKNOWN, with their class: what Settle may close
  std::int64_t time_floor_ms = 0;
  std::int64_t replay_floor_ms = 0;                           // a plan whose window ended at or before it may have been forgotten
  std::optional<Checkpoint> checkpoint;                       // newest seen, of the current origin
  std::string log_origin;                                     // the policy's, or of a NewOrigin statement after it
  PublicKey log_key;
  struct Use { std::string what; std::int64_t time_ms = 0; };   // budget key, or digest text of a standing approval; claims of the last 24 h
  std::vector<Use> uses;
};

struct Approved {
  Digest digest{};
  Plan plan;
  std::uint8_t action_class = 0;
  std::vector<Person> people;                                 // whose approval counted
  std::optional<Digest> standing;
  Checkpoint checkpoint;                                      // becomes the newest seen; empty origin: none was needed (class 0)
  std::int64_t newest_signed_ms = 0;                          // raises the time floor; never later than now_ms + time_skew_ms; 0: no vote
};

struct Verdict { std::optional<Approved> approved; Refusal refusal; };

// What a claim of it counts as, one Memory::Use each: the action's name, the plan's budget if it names another, the standing approval.
std::vector<std::string> uses_of(const Approved& approved);

// now_ms: the node's wall clock. What has an end is over by the later of clock and time floor (a clock set back revives nothing); what has
// a beginning begins by the clock alone (a floor that a clock ahead raised starts nothing early).
// Everything in the envelope must be good, not only enough of it: the courier leaves out the votes that count_votes calls bad, and proves
// consistency from exactly the size that this node has seen (0: none), with an empty path when it is the same.
// Checks 1 to 13 of C1.5; what needs the world (open handles, preconditions) is the executor's.
Verdict verify_plan(const Envelope& envelope, const Policy& policy, const NodeFacts& facts, const Memory& memory, std::int64_t now_ms);

// The next policy: signed by the old roots' threshold and the new roots' threshold, version exactly one higher, same organisation.
// now_ms: the later of clock and time floor, here and in verify_denial.
struct PolicyVerdict { std::optional<Policy> policy; std::int64_t active_from_ms = 0; Refusal refusal; };
PolicyVerdict verify_policy(ByteView document, const std::vector<Signature>& signatures, const Policy& current, std::int64_t now_ms);

// Pause: one approver, of whatever policy version (it only tightens). Resume: resume_threshold people, issued after the newest pause.
// None may live longer than max_life_ms(). Settle: one approver whose scope has the plan's class. NewOrigin: the root threshold, from the origin that this node follows.
struct StatementVerdict { std::optional<Statement> statement; std::vector<Person> people; Refusal refusal; };
StatementVerdict verify_statement(ByteView document, const std::vector<Signature>& signatures, const Policy& policy, const Memory& memory,
                                  std::int64_t now_ms);

// One denial by anyone who may approve, whatever their scope and the policy version that they saw: deny wins.
struct DenialVerdict { std::optional<Approval> denial; Refusal refusal; };
DenialVerdict verify_denial(const Vote& vote, const Policy& policy, std::int64_t now_ms);

// How far a set of votes is, for the aggregator and the CLI: the same code that counts on the node. Node labels of scopes and the uses of a
// standing approval are not judged: only the node knows them. Bad votes are listed and not counted.
struct Progress { std::vector<Person> people; std::uint32_t needed = 0, seniors = 0, seniors_needed = 0; std::vector<std::string> groups_missing; bool denied = false; bool enough = false; std::vector<Refusal> bad; };
Progress count_votes(ByteView plan, const std::vector<Vote>& votes, const std::optional<SignedStanding>& standing, const Policy& policy, std::int64_t now_ms);

}  // namespace fw::authority
