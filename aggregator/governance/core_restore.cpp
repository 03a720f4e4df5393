// What the store knows, after a start.
#include <algorithm>

#include "aggregator/governance/impl.hpp"
#include "aggregator/governance/signatures.hpp"

namespace fw::governance {
namespace {

Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

Result<DocumentRecord> document_of(const store::DocumentRow& row) {
  DocumentRecord record;
  record.document = bytes_of(row.document);
  record.time_ns = row.time_ns;
  auto digest = authority::parse_digest(row.digest);
  if (!digest) return digest.error();
  record.digest = *digest;
  auto signatures = decode_signatures(row.signatures);
  if (!signatures) return signatures.error();
  record.signatures = std::move(*signatures);
  record.state = row.state == "active" ? DocumentState::active : row.state == "expired" ? DocumentState::expired
               : row.state == "replaced" ? DocumentState::replaced : DocumentState::gathering;
  const auto take = [&](auto parsed, DocumentKind kind) -> Result<void> {
    if (!parsed) return parsed.error();
    record.kind = kind;
    record.parsed = std::move(*parsed);
    return {};
  };
  const auto taken = row.kind == "policy"      ? take(authority::parse_policy(record.document), DocumentKind::policy)
                     : row.kind == "statement" ? take(authority::parse_statement(record.document), DocumentKind::statement)
                                               : take(authority::parse_standing(record.document), DocumentKind::standing);
  if (!taken) return taken.error();
  return record;
}

Result<PlanRecord> plan_of(const store::PlanRow& row) {
  PlanRecord record;
  auto digest = authority::parse_digest(row.digest);
  if (!digest) return digest.error();
  record.digest = *digest;
  record.document = bytes_of(row.document);
  auto plan = authority::parse_plan(record.document);
  if (!plan) return plan.error();
  record.plan = std::move(*plan);
  record.action_class = static_cast<std::uint8_t>(row.action_class);
  record.incident = row.incident;
  record.incident_number = row.incident_number;
  record.created_ns = row.created_ns;
  auto facts = parse_facts(row.facts);
  if (!facts) return facts.error();
  record.facts = std::move(*facts);
  return record;
}

}  // namespace

Result<void> Core::restore(const store::GovernanceRows& rows) {
  Impl& c = *impl_;
  const auto failed = [](const std::string& what, const Error& error) { return with_context(error, what); };
  for (const store::DocumentRow& row : rows.documents) {
    auto record = document_of(row);
    if (!record) return failed("document " + row.digest, record.error());
    c.documents[record->digest] = std::move(*record);
  }
  for (const store::PlanRow& row : rows.plans) {
    auto record = plan_of(row);
    if (!record) return failed("plan " + row.digest, record.error());
    c.plans[record->digest] = std::move(*record);
  }
  for (const store::VoteRow& row : rows.votes) {
    const auto digest = authority::parse_digest(row.plan);
    const auto key = authority::parse_digest(row.key);
    const auto plan = digest ? c.plans.find(*digest) : c.plans.end();
    auto approval = authority::parse_approval(bytes_of(row.document));
    if (!key || plan == c.plans.end() || !approval) return Error(Errc::malformed, "a vote of plan " + row.plan);
    const authority::Vote vote{bytes_of(row.document), {*key, static_cast<authority::Algorithm>(row.algorithm), bytes_of(row.signature)}};
    plan->second.votes.push_back({.vote = vote, .approval = std::move(*approval),
                                  .document = authority::document_digest(authority::Domain::approval, vote.document), .time_ns = row.time_ns});
  }
  for (const store::PlanEventRow& row : rows.events) {
    const auto digest = authority::parse_digest(row.plan);
    const auto plan = digest ? c.plans.find(*digest) : c.plans.end();
    if (plan == c.plans.end()) continue;
    auto body = parse_event_body(row.kind, row.body);
    if (!body) return failed("plan " + row.plan, body.error());
    apply(plan->second, {.time_ns = row.time_ns, .body = std::move(*body), .audit_id = row.audit_id, .log_index = row.log_index});
  }
  for (const store::ExecutorRow& row : rows.executors) {
    const auto packet = authority::parse_packet(bytes_of(row.status));
    const auto* status = packet ? std::get_if<authority::ExecutorStatus>(&*packet) : nullptr;
    if (status == nullptr) continue;   // it only ever said what was not believed; it says hello again
    ExecutorState& executor = c.executors[row.node];
    executor = {.node = row.node, .status = *status, .connected = false, .first_seen_ns = row.first_seen_ns, .updated_ns = row.updated_ns,
                .seen = std::nullopt, .problem = row.problem, .problem_ns = c.now_ns(),
                .journal_seq = status->journal_problem.empty() ? status->journal_seq : 0};
  }
  c.waiting.assign(rows.audit.begin(), rows.audit.end());
  c.urgent = !c.waiting.empty();
  c.last_audit_id = rows.last_audit_id;
  for (auto& [digest, plan] : c.plans) {
    if (plan.state == PlanState::released) c.deliveries.try_emplace(digest);
    if (plan.state == PlanState::denied && plan.log_index && c.now_ms() <= plan.plan.not_after_ms) {
      for (const VoteRecord& vote : plan.votes) {       // the node may hold it: it hears of the denial again
        if (vote.approval.decision == authority::Decision::deny) c.deliveries[digest].denials.push_back(vote.vote);
      }
    }
  }
  for (const PlanRecord* plan : plans({})) {             // newest first
    if (plan->incident.is_nil() || (is_finished(plan->state) && (plan->state != PlanState::done || plan->fixed))) continue;
    Impl::Case& found = c.cases[plan->incident];         // its view comes with the incident
    found.view.uid = plan->incident;
    found.view.node = plan->plan.target.node;
  }
  for (auto& [uid, found] : c.cases) {
    for (const PlanRecord* plan : plans(uid)) found.plans.insert(found.plans.begin(), plan->digest);
  }
  return {};
}

Result<void> Core::configure_policy(ByteView document, const std::vector<authority::Signature>& signatures) {
  Impl& c = *impl_;
  const auto parsed = authority::parse_policy(document);
  if (!parsed) return with_context(parsed.error(), "policy");
  if (c.policy() != nullptr && parsed->version <= c.policy_version()) return {};   // it was loaded, or a newer one was
  const Reply reply = c.load_policy(document, signatures, nullptr);
  if (reply.ok()) return {};
  return Error(reply.errc, "policy: " + reply.sentence + " [" + reply.code + "]");
}

}  // namespace fw::governance
