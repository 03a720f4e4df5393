// The check that counts: whether this node may do this plan, now. Pure: everything that it depends on is an argument, so that the order
// of checks can be read, mutated and simulated. Order: command-authority C1.5; each refusal has a code and a sentence.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/authority/catalogue.hpp"
#include "protocol/authority/checkpoint.hpp"
#include "protocol/authority/envelope.hpp"

namespace fw::authority {

// docs/refusals.md has a row each (a test compares).
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
// Whether the same plan may be delivered again with what was missing: nothing of it is kept in the journal.
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
  std::int64_t time_floor_ms = 0, replay_floor_ms = 0;
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
  Checkpoint checkpoint;                                      // becomes the newest seen
  std::int64_t newest_signed_ms = 0;                          // raises the time floor
};

struct Verdict { std::optional<Approved> approved; Refusal refusal; };

// now_ms: the node's wall clock; the time floor wins when it is higher.
// Checks 1 to 13 of C1.5; what needs the world (open handles, preconditions) is the executor's.
Verdict verify_plan(const Envelope& envelope, const Policy& policy, const NodeFacts& facts, const Memory& memory, std::int64_t now_ms);

// The next policy: signed by the old roots' threshold and the new roots' threshold, version exactly one higher.
struct PolicyVerdict { std::optional<Policy> policy; std::int64_t active_from_ms = 0; Refusal refusal; };
PolicyVerdict verify_policy(ByteView document, const std::vector<Signature>& signatures, const Policy& current, std::int64_t now_ms);

// Pause: one approver. Resume: resume_threshold people. Settle: one approver of the class. NewOrigin: the root threshold.
struct StatementVerdict { std::optional<Statement> statement; std::vector<Person> people; Refusal refusal; };
StatementVerdict verify_statement(ByteView document, const std::vector<Signature>& signatures, const Policy& policy, const Memory& memory,
                                  std::int64_t now_ms);

// One denial by anyone who may approve.
struct DenialVerdict { std::optional<Approval> denial; Refusal refusal; };
DenialVerdict verify_denial(const Vote& vote, const Policy& policy, std::int64_t now_ms);

// How far a set of votes is, for the aggregator and the CLI: the same code that counts on the node.
struct Progress { std::vector<Person> people; std::uint32_t needed = 0, seniors = 0, seniors_needed = 0; std::vector<std::string> groups_missing; bool denied = false; bool enough = false; std::vector<Refusal> bad; };
Progress count_votes(ByteView plan, const std::vector<Vote>& votes, const std::optional<SignedStanding>& standing, const Policy& policy, std::int64_t now_ms);

}  // namespace fw::authority
