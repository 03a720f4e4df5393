#include "aggregator/app/governance_views.hpp"

#include <boost/json.hpp>

#include "aggregator/api/render.hpp"
#include "common/base64.hpp"
#include "protocol/authority/catalogue.hpp"

namespace fw::app {
namespace {

namespace json = boost::json;
using namespace governance;

template <class... Fs>
struct Overloaded : Fs... { using Fs::operator()...; };

std::string body_of(std::string_view kind, json::object content) {
  json::object out{{"apiVersion", api::kApiVersion}, {"kind", kind}};
  for (auto& member : content) out[member.key()] = std::move(member.value());
  return json::serialize(out) + "\n";
}

json::array texts(const std::vector<std::string>& list) { return json::array(list.begin(), list.end()); }

json::object to_json(const authority::Signature& signature) {
  return {{"key", authority::to_text(signature.key)}, {"algorithm", authority::to_string(signature.algorithm)}, {"bytes", encode_base64(signature.bytes)}};
}

json::array to_json(const std::vector<authority::Signature>& signatures) {
  json::array out;
  for (const authority::Signature& signature : signatures) out.push_back(to_json(signature));
  return out;
}

json::array people(const std::vector<authority::Person>& list) {
  json::array out;
  for (const authority::Person& person : list) out.emplace_back(person.str());
  return out;
}

std::string name_or_uid(const NodeName& node_name, const Uuid& node) {
  const std::string name = node_name(node);
  return name.empty() ? node.str() : name;
}

std::string size_words(std::int64_t bytes) {
  constexpr std::int64_t kMiB = 1 << 20;
  if (bytes < 0) return "no limit";
  return bytes >= kMiB && bytes % kMiB == 0 ? std::to_string(bytes / kMiB) + " MiB" : std::to_string(bytes) + " bytes";
}

json::array votes_of(const PlanRecord& plan) {
  json::array votes;
  for (const VoteRecord& vote : plan.votes) {
    votes.push_back(json::object{{"person", vote.approval.person.str()},
                                 {"decision", vote.approval.decision == authority::Decision::approve ? "approve" : "deny"},
                                 {"reason", vote.approval.reason},
                                 {"timeMs", vote.time_ns / kNsPerMs},
                                 {"document", encode_base64(vote.vote.document)},
                                 {"signature", to_json(vote.vote.signature)}});
  }
  return votes;
}

json::object outcome_of(const authority::Outcome& o) {
  return {{"state", authority::to_string(o.state)}, {"code", o.code}, {"sentence", o.sentence}, {"startedMs", o.started_ms}, {"endedMs", o.ended_ms},
          {"before", o.before}, {"after", o.after}, {"rolledBack", o.rolled_back}};
}

json::object needed_of(const authority::Progress& progress) {
  return {{"people", progress.needed}, {"have", progress.people.size()}, {"seniors", progress.seniors_needed}, {"haveSeniors", progress.seniors},
          {"groupsMissing", texts(progress.groups_missing)}};
}

std::string standing_name(const Core& core, const PlanRecord& plan) {
  const auto digest = authority::parse_digest(plan.standing);
  const DocumentRecord* document = digest ? core.find_document(*digest) : nullptr;
  const auto* standing = document == nullptr ? nullptr : std::get_if<authority::StandingApproval>(&document->parsed);
  return standing == nullptr ? "" : standing->name;
}

std::string before_words(const PlanRecord& plan) {
  return plan.facts.unit == "bytes" ? size_words(*plan.facts.value_before) : std::to_string(*plan.facts.value_before);
}

json::object to_json(const Core& core, const PlanRecord& plan, const NodeName& node_name) {
  const authority::Target& target = plan.plan.target;
  const std::string node = name_or_uid(node_name, target.node);
  const std::string shown = target.display_name.empty() ? target.cgroup_path : target.display_name;
  json::object out{{"digest", authority::to_text(plan.digest)},
                   {"class", plan.action_class},
                   {"document", encode_base64(plan.document)},
                   {"incident", plan.plan.incident},
                   {"state", to_string(plan.state)},
                   {"stateText", core.state_text(plan)},
                   {"action", authority::info_of(plan.plan.action).name},
                   {"summary", shown + " on " + node + ": " + authority::describe(plan.plan.action)},
                   {"node", node},
                   {"nodeUid", target.node.str()},
                   {"proposer", plan.facts.proposed_by},
                   {"createdNs", plan.created_ns},
                   {"notBeforeMs", plan.plan.not_before_ms},
                   {"notAfterMs", plan.plan.not_after_ms},
                   {"byHand", texts(plan.facts.by_hand)},
                   {"votes", votes_of(plan)},
                   {"needed", needed_of(core.progress(plan))}};
  if (const DocumentRecord* policy = core.policy()) out["policyVersion"] = std::get<authority::Policy>(policy->parsed).version;
  if (plan.facts.value_before) out["before"] = json::object{{"value", *plan.facts.value_before}, {"text", before_words(plan)}};
  if (plan.facts.safe_max > 0) {
    out["safeRange"] = json::object{{"min", plan.facts.safe_min}, {"max", plan.facts.safe_max}, {"unit", plan.facts.unit}, {"why", plan.facts.why}};
  }
  if (const std::string standing = standing_name(core, plan); !standing.empty()) out["standing"] = standing;
  if (plan.outcome) out["outcome"] = outcome_of(*plan.outcome);
  if (plan.log_index) out["logIndex"] = *plan.log_index;
  if (!plan.superseded_by.empty()) out["supersededBy"] = plan.superseded_by;
  if (plan.fixed) out["symptomGone"] = true;
  json::array refusals;
  for (const RefusalRecord& r : plan.refusals) refusals.push_back(json::object{{"timeNs", r.time_ns}, {"code", r.code}, {"sentence", r.sentence}});
  if (!refusals.empty()) out["refusals"] = std::move(refusals);
  return out;
}

constexpr std::string_view kDocumentStates[] = {"gathering", "active", "expired", "replaced"};

std::string what_of(const authority::Statement& statement) {
  return std::visit(Overloaded{[](const authority::Pause&) { return "pause"; }, [](const authority::Resume&) { return "resume"; },
                               [](const authority::Settle&) { return "settle"; }, [](const authority::NewOrigin&) { return "new-origin"; },
                               [](const std::monostate&) { return ""; }},
                    statement.body);
}

json::object to_json(const DocumentRecord& document) {
  json::object out{{"digest", authority::to_text(document.digest)}, {"state", kDocumentStates[static_cast<std::size_t>(document.state)]},
                   {"document", encode_base64(document.document)},  {"signatures", to_json(document.signatures)},
                   {"people", people(document.people)},             {"needed", document.needed},
                   {"createdNs", document.time_ns}};
  if (const auto* statement = std::get_if<authority::Statement>(&document.parsed)) out["what"] = what_of(*statement);
  if (const auto* standing = std::get_if<authority::StandingApproval>(&document.parsed)) {
    out["name"] = standing->name;
    out["trigger"] = standing->trigger == authority::Trigger::automatic ? "automatic" : "one-approver";
  }
  return out;
}

json::array digests(const std::vector<authority::Digest>& path) {
  json::array out;
  for (const authority::Digest& digest : path) out.emplace_back(encode_base64(digest));
  return out;
}

}  // namespace

std::string plan_json(const Core& core, const PlanRecord& plan, const NodeName& node_name) { return body_of("Plan", to_json(core, plan, node_name)); }

std::string plans_json(const Core& core, const std::vector<const PlanRecord*>& plans, const NodeName& node_name) {
  json::array items;
  for (const PlanRecord* plan : plans) items.push_back(to_json(core, *plan, node_name));
  return body_of("PlanList", {{"items", std::move(items)}});
}

std::string document_json(const DocumentRecord& document) {
  return body_of(document.kind == DocumentKind::standing ? "StandingApproval" : "Statement", to_json(document));
}

std::string documents_json(DocumentKind kind, const std::vector<const DocumentRecord*>& documents) {
  json::array items;
  for (const DocumentRecord* document : documents) items.push_back(to_json(*document));
  return body_of(kind == DocumentKind::standing ? "StandingApprovalList" : "StatementList", {{"items", std::move(items)}});
}

std::string policy_json(const Core& core, const NodeName& node_name) {
  const DocumentRecord* newest = core.policy();
  json::object out{{"warnings", texts(core.warnings())}};
  if (newest != nullptr) {
    out["version"] = std::get<authority::Policy>(newest->parsed).version;
    out["digest"] = authority::to_text(newest->digest);
    out["document"] = encode_base64(newest->document);
    out["signatures"] = to_json(newest->signatures);
  }
  json::array nodes;
  for (const ExecutorState* executor : core.executors()) {
    json::object node{{"node", name_or_uid(node_name, executor->node)}, {"nodeUid", executor->node.str()}, {"connected", executor->connected},
                      {"version", executor->status.policy_version},     {"observeOnly", executor->status.observe_only},
                      {"paused", executor->status.paused}};
    if (executor->status.pending_policy_version) node["pendingVersion"] = *executor->status.pending_policy_version;
    if (!executor->problem.empty()) node["problem"] = executor->problem;
    nodes.push_back(std::move(node));
  }
  out["nodes"] = std::move(nodes);
  return body_of("Policy", std::move(out));
}

std::string witnesses_json(const Core& core, const NodeName& node_name) {
  json::array items;
  for (const ExecutorState* executor : core.executors()) {
    json::object item{{"node", executor->node.str()}, {"name", name_or_uid(node_name, executor->node)}, {"checkpoint", executor->status.checkpoint},
                      {"timeNs", executor->updated_ns}};
    if (!executor->problem.empty()) item["problem"] = executor->problem;
    items.push_back(std::move(item));
  }
  return body_of("WitnessList", {{"items", std::move(items)}});
}

std::string proof_json(std::uint64_t index, std::uint64_t size, const std::vector<authority::Digest>& path) {
  return body_of("InclusionProof", {{"index", index}, {"size", size}, {"path", digests(path)}});
}

std::string consistency_json(std::uint64_t from, std::uint64_t to, const std::vector<authority::Digest>& path) {
  return body_of("ConsistencyProof", {{"from", from}, {"to", to}, {"path", digests(path)}});
}

}  // namespace fw::app
