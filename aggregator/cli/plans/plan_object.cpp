#include "aggregator/cli/plans/plan_object.hpp"

#include <algorithm>
#include <array>

#include "aggregator/cli/json_read.hpp"
#include "aggregator/cli/policy/signed_policy.hpp"
#include "aggregator/cli/signing/bytes_text.hpp"
#include "protocol/authority/catalogue.hpp"

namespace fw::cli {
namespace {

using namespace json_read;

Bytes document_of(const Object& object) {
  return decode_base64(text(object, "document")).value_or(Bytes());
}

std::vector<authority::Signature> signatures_of(const Object& object) {
  std::vector<authority::Signature> out;
  each(object, "signatures", [&](const boost::json::value& item) {
    if (auto signature = read_signature(item)) out.push_back(std::move(*signature));
  });
  return out;
}

PlanVote vote_of(const Object& object) {
  PlanVote out{text(object, "person"), text(object, "decision"), text(object, "reason"), integer(object, "timeMs"), {document_of(object), {}}};
  if (const auto* value = find(object, "signature")) {
    if (auto signature = read_signature(*value)) out.vote.signature = std::move(*signature);
  }
  return out;
}

PlanObject plan_of(const Object& object) {
  PlanObject out;
  out.digest = text(object, "digest");
  out.incident = text(object, "incident");
  out.state = text(object, "state");
  out.state_text = text(object, "stateText");
  out.action = text(object, "action");
  out.summary = text(object, "summary");
  out.node = text(object, "node");
  out.node_uid = text(object, "nodeUid");
  out.proposer = text(object, "proposer");
  out.standing = text(object, "standing");
  out.superseded_by = text(object, "supersededBy");
  out.action_class = optional_integer(object, "class").value_or(-1);
  out.policy_version = integer(object, "policyVersion");
  out.document = document_of(object);
  out.created_ns = integer(object, "createdNs");
  out.not_before_ms = integer(object, "notBeforeMs");
  out.not_after_ms = integer(object, "notAfterMs");
  if (const auto* before = child(object, "before")) out.before_text = text(*before, "text");
  if (const auto* range = child(object, "safeRange")) {
    out.safe_min = optional_integer(*range, "min");
    out.safe_max = optional_integer(*range, "max");
    out.safe_unit = text(*range, "unit");
    out.safe_why = text(*range, "why");
  }
  out.by_hand = texts(object, "byHand");
  each_object(object, "votes", [&](const Object& vote) { out.votes.push_back(vote_of(vote)); });
  if (const auto* needed = child(object, "needed")) {
    out.needed_people = integer(*needed, "people");
    out.have_people = integer(*needed, "have");
    out.needed_seniors = integer(*needed, "seniors");
    out.have_seniors = integer(*needed, "haveSeniors");
    out.groups_missing = texts(*needed, "groupsMissing");
  }
  if (const auto* outcome = child(object, "outcome")) {
    out.outcome = PlanOutcome{text(*outcome, "state"),     text(*outcome, "code"),  text(*outcome, "sentence"),
                              text(*outcome, "before"),    text(*outcome, "after"), integer(*outcome, "startedMs"),
                              integer(*outcome, "endedMs"), boolean(*outcome, "rolledBack")};
  }
  out.log_index = optional_integer(object, "logIndex");
  out.symptom_gone = boolean(object, "symptomGone");
  each_object(object, "refusals", [&](const Object& refusal) {
    out.refusals.push_back({integer(refusal, "timeNs"), text(refusal, "code"), text(refusal, "sentence")});
  });
  return out;
}

SignedObject signed_of(const Object& object, std::string name) {
  SignedObject out;
  out.digest = text(object, "digest");
  out.state = text(object, "state");
  out.name = std::move(name);
  out.document = document_of(object);
  out.signatures = signatures_of(object);
  out.people = texts(object, "people");
  out.needed = integer(object, "needed");
  out.created_ns = integer(object, "createdNs");
  return out;
}

SignedObject statement_of(const Object& object) { return signed_of(object, text(object, "what")); }
SignedObject standing_of(const Object& object) { return signed_of(object, text(object, "name")); }

template <class Convert>
auto read_one(std::string_view bytes, std::string_view kind, Convert convert) -> Result<decltype(convert(Object()))> {
  const auto object = parse(bytes, kind);
  if (!object) return object.error();
  return convert(*object);
}

template <class Convert>
auto read_list(std::string_view bytes, std::string_view kind, Convert convert) -> Result<std::vector<decltype(convert(Object()))>> {
  const auto object = parse(bytes, kind);
  if (!object) return object.error();
  std::vector<decltype(convert(Object()))> out;
  each_object(*object, "items", [&](const Object& item) { out.push_back(convert(item)); });
  return out;
}

PolicyObject policy_of(const Object& object) {
  PolicyObject out{document_of(object), signatures_of(object), {}, texts(object, "warnings")};
  each_object(object, "nodes", [&](const Object& node) {
    NodePolicy item;
    item.node = text(node, "node");
    item.node_uid = text(node, "nodeUid");
    item.problem = text(node, "problem");
    item.version = integer(node, "version");
    item.pending_version = optional_integer(node, "pendingVersion");
    item.connected = boolean(node, "connected");
    item.paused = boolean(node, "paused");
    item.observe_only = boolean(node, "observeOnly");
    out.nodes.push_back(std::move(item));
  });
  return out;
}

}  // namespace

Result<PlanObject> read_plan(std::string_view bytes) { return read_one(bytes, "Plan", plan_of); }
Result<std::vector<PlanObject>> read_plans(std::string_view bytes) { return read_list(bytes, "PlanList", plan_of); }
Result<SignedObject> read_statement_object(std::string_view bytes) { return read_one(bytes, "Statement", statement_of); }
Result<std::vector<SignedObject>> read_statement_objects(std::string_view bytes) { return read_list(bytes, "StatementList", statement_of); }
Result<SignedObject> read_standing_object(std::string_view bytes) { return read_one(bytes, "StandingApproval", standing_of); }
Result<std::vector<SignedObject>> read_standing_objects(std::string_view bytes) { return read_list(bytes, "StandingApprovalList", standing_of); }
Result<PolicyObject> read_policy_object(std::string_view bytes) { return read_one(bytes, "Policy", policy_of); }

bool SignedObject::complete() const noexcept { return state != "gathering"; }

bool is_finished(const PlanObject& plan) noexcept {
  // DONE is finished for the node; the symptom is still watched, which may end in ROLLED_BACK.
  constexpr std::array kFinished{"DONE", "FAILED", "UNKNOWN", "REFUSED", "EXPIRED", "DENIED", "SUPERSEDED", "ROLLED_BACK"};
  return std::any_of(kFinished.begin(), kFinished.end(), [&](const char* state) { return plan.state == state; });
}

CheckedPlan check_plan_bytes(Bytes bytes, authority::Plan plan) {
  CheckedPlan out{std::move(bytes), std::move(plan), 0, {}, {}};
  out.action_class = authority::class_of(out.plan);
  out.digest = authority::plan_digest(out.action_class, out.bytes);
  out.problems = authority::check_plan(out.plan);
  return out;
}

Result<CheckedPlan> check_plan_object(const PlanObject& object) {
  auto parsed = authority::parse_plan(object.document);
  if (!parsed) return with_context(parsed.error(), "the server's bytes are no plan");
  auto plan = check_plan_bytes(object.document, std::move(*parsed));
  if (object.action_class != plan.action_class) {
    return Error(Errc::conflict, "the server says class " + std::to_string(object.action_class) + ", the plan's bytes are of class " +
                                     std::to_string(plan.action_class) + " [class-mismatch]");
  }
  if (object.digest != authority::to_text(plan.digest)) {
    return Error(Errc::conflict, "the server says " + object.digest + ", the plan's bytes are " + authority::to_text(plan.digest) + " [digest-mismatch]");
  }
  return plan;
}

const authority::Approver* approver_of(const authority::Policy& policy, const authority::Digest& key) {
  for (const auto& approver : policy.approvers) {
    for (const auto& candidate : approver.keys) {
      if (authority::key_id(candidate) == key) return &approver;
    }
  }
  return nullptr;
}

}  // namespace fw::cli
