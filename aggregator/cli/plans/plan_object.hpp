// Plans, statements, standing approvals and the policy as the API gives them (docs/api.md), and what of them can be believed: the signed
// bytes, parsed and counted here. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "protocol/authority/documents.hpp"
#include "protocol/authority/envelope.hpp"

namespace fw::cli {

struct PlanVote {
  std::string person, decision, reason;
  std::int64_t time_ms = 0;
  authority::Vote vote;
};

struct PlanOutcome {
  std::string state, code, sentence, before, after;
  std::int64_t started_ms = 0, ended_ms = 0;
  bool rolled_back = false;
};

struct PlanRefusal {
  std::int64_t time_ns = 0;
  std::string code, sentence;
};

// As the server says it.
struct PlanObject {
  std::string digest, incident, state, state_text, action, summary, node, node_uid, proposer, standing, superseded_by;
  std::int64_t action_class = -1, policy_version = 0;
  Bytes document;
  std::int64_t created_ns = 0, not_before_ms = 0, not_after_ms = 0;
  std::string before_text;
  std::optional<std::int64_t> safe_min, safe_max;
  std::string safe_unit, safe_why;
  std::vector<std::string> by_hand;
  std::vector<PlanVote> votes;
  std::int64_t needed_people = 0, have_people = 0, needed_seniors = 0, have_seniors = 0;
  std::vector<std::string> groups_missing;
  std::optional<PlanOutcome> outcome;
  std::optional<std::int64_t> log_index;
  std::vector<PlanRefusal> refusals;
  bool symptom_gone = false;
};

Result<PlanObject> read_plan(std::string_view json);
Result<std::vector<PlanObject>> read_plans(std::string_view json);

// Nobody and nothing is awaited any more.
bool is_finished(const PlanObject& plan) noexcept;

// The plan from its bytes. Errc::malformed: they are none; Errc::conflict: the server says another class or digest than the bytes have.
struct CheckedPlan {
  Bytes bytes;
  authority::Plan plan;
  std::uint8_t action_class = 0;
  authority::Digest digest{};
  std::vector<std::string> problems;   // authority::check_plan
};
Result<CheckedPlan> check_plan_object(const PlanObject& object);
CheckedPlan check_plan_bytes(Bytes bytes, authority::Plan plan);

// A document that gathers signatures: a statement or a standing approval.
struct SignedObject {
  std::string digest, state, name;
  Bytes document;
  std::vector<authority::Signature> signatures;
  std::vector<std::string> people;     // who signed, as the server says
  std::int64_t needed = 0, created_ns = 0;
  bool complete() const noexcept;
};
Result<SignedObject> read_statement_object(std::string_view json);
Result<std::vector<SignedObject>> read_statement_objects(std::string_view json);
Result<SignedObject> read_standing_object(std::string_view json);
Result<std::vector<SignedObject>> read_standing_objects(std::string_view json);

struct NodePolicy {
  std::string node, node_uid, problem;
  std::int64_t version = 0;
  std::optional<std::int64_t> pending_version;
  bool connected = false, paused = false, observe_only = false;
};
struct PolicyObject {
  Bytes document;
  std::vector<authority::Signature> signatures;
  std::vector<NodePolicy> nodes;
  std::vector<std::string> warnings;
};
Result<PolicyObject> read_policy_object(std::string_view json);

// Whose key that is, by the policy; nothing when it is nobody's.
const authority::Approver* approver_of(const authority::Policy& policy, const authority::Digest& key);

}  // namespace fw::cli
