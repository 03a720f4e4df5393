#include "aggregator/governance/audit_words.hpp"

#include "protocol/authority/catalogue.hpp"

namespace fw::governance {
namespace {

using authority::to_text;

template <class... Fs>
struct Overloaded : Fs... { using Fs::operator()...; };

const audit::Actor kServer{.kind = "server", .name = "", .key = ""};

std::string_view name_of(DocumentKind kind) {
  return kind == DocumentKind::policy ? "policy" : kind == DocumentKind::statement ? "statement" : "standing";
}

void say_outcome(audit::Entry& entry, const PlanRecord& plan, const NodeSaid& said) {
  entry.verb = "plan.outcome";
  entry.actor = {.kind = "node", .name = plan.plan.target.node.str(), .key = ""};
  const auto outcome = authority::parse_outcome(said.outcome);
  if (!outcome) return;
  entry.code = outcome->code;
  entry.detail = {{"state", std::string(authority::to_string(outcome->state))},
                  {"sentence", outcome->sentence},
                  {"before", outcome->before},
                  {"after", outcome->after},
                  {"rolledBack", outcome->rolled_back},
                  {"startedMs", outcome->started_ms},
                  {"endedMs", outcome->ended_ms},
                  {"journalSeq", static_cast<std::int64_t>(outcome->journal_seq)},
                  {"journalHash", to_text(outcome->journal_hash)}};
}

void say_vote(audit::Entry& entry, const PlanRecord& plan, const Voted& voted) {
  entry.verb = "plan.vote";
  entry.decision = voted.decision == authority::Decision::approve ? "approve" : "deny";
  entry.actor = {.kind = "person", .name = voted.person, .key = ""};
  if (!plan.votes.empty()) {
    const VoteRecord& vote = plan.votes.back();
    entry.actor.key = to_text(vote.vote.signature.key);
    entry.detail = {{"document", to_text(vote.document)}, {"reason", voted.reason}, {"renderer", vote.approval.renderer},
                    {"render", to_text(vote.approval.render)}};
  }
}

}  // namespace

audit::Entry entry_of(const PlanRecord& plan, const PlanEvent& event, std::uint64_t policy_version) {
  audit::Entry entry;
  entry.time_ms = event.time_ns / kNsPerMs;
  entry.actor = kServer;
  entry.plan = to_text(plan.digest);
  entry.object = {.type = "plan", .id = entry.plan};
  entry.incident = plan.plan.incident;
  entry.policy_version = policy_version;
  std::visit(Overloaded{[&](const Proposed&) {
                          entry.verb = "plan.proposed";
                          const bool person = plan.plan.proposer == authority::Proposer::person;
                          entry.actor = {.kind = person ? "person" : "engine", .name = person ? plan.plan.person.str() : "", .key = ""};
                          entry.detail = {{"summary", authority::describe(plan.plan.action)},
                                          {"class", std::int64_t{plan.action_class}},
                                          {"node", plan.plan.target.node.str()},
                                          {"target", plan.plan.target.display_name}};
                        },
                        [&](const Voted& voted) { say_vote(entry, plan, voted); },
                        [&](const Released& released) {
                          entry.verb = "plan.released";
                          entry.release = to_text(released.release);
                          entry.detail = {{"votes", released.votes}, {"standing", released.standing}};
                        },
                        [&](const NodeSaid& said) { say_outcome(entry, plan, said); },
                        [&](const Refused& refused) {
                          entry.verb = "plan.refused";
                          entry.code = refused.code;
                          entry.detail = {{"sentence", refused.sentence}};
                        },
                        [&](const Superseded& superseded) {
                          entry.verb = "plan.superseded";
                          entry.detail = {{"by", superseded.by}, {"why", superseded.why}};
                        },
                        [&](const Expired& expired) {
                          entry.verb = "plan.expired";
                          entry.detail = {{"why", expired.why}};
                        },
                        [&](const Fixed& fixed) {
                          entry.verb = "plan.fixed";
                          entry.detail = {{"quietMs", fixed.quiet_ns / kNsPerMs}};
                        },
                        [&](const EffectMissing& missing) {
                          entry.verb = "plan.effect_missing";
                          entry.detail = {{"why", missing.why}};
                        }},
             event.body);
  return entry;
}

audit::Entry document_entry(std::int64_t time_ms, std::string_view verb, const DocumentRecord& document, const Caller* caller, std::uint64_t policy_version) {
  audit::Entry entry;
  entry.time_ms = time_ms;
  entry.verb = verb;
  entry.actor = caller == nullptr ? kServer : audit::Actor{.kind = "person", .name = caller->person.str(), .key = ""};
  if (caller != nullptr && !document.signatures.empty()) entry.actor.key = to_text(document.signatures.back().key);
  entry.object = {.type = std::string(name_of(document.kind)), .id = to_text(document.digest)};
  entry.policy_version = policy_version;
  entry.detail = {{"signatures", static_cast<std::int64_t>(document.signatures.size())}, {"needed", std::int64_t{document.needed}}};
  if (const auto* statement = std::get_if<authority::Statement>(&document.parsed)) {
    std::visit(Overloaded{[](const std::monostate&) {},
                          [&](const authority::Pause& s) { entry.detail.insert(entry.detail.end(), {{"what", std::string("pause")}, {"reason", s.reason}}); },
                          [&](const authority::Resume& s) { entry.detail.insert(entry.detail.end(), {{"what", std::string("resume")}, {"reason", s.reason}}); },
                          [&](const authority::Settle& s) {
                            entry.plan = to_text(s.plan);
                            entry.detail.insert(entry.detail.end(), {{"what", std::string("settle")}, {"happened", s.happened}, {"reason", s.reason}});
                          },
                          [&](const authority::NewOrigin& s) {
                            entry.detail.insert(entry.detail.end(), {{"what", std::string("newOrigin")}, {"origin", s.origin}, {"oldOrigin", s.old_origin},
                                                                     {"oldSize", static_cast<std::int64_t>(s.old_size)}});
                          }},
               statement->body);
  } else if (const auto* standing = std::get_if<authority::StandingApproval>(&document.parsed)) {
    entry.detail.emplace_back("name", standing->name);
  } else if (const auto* policy = std::get_if<authority::Policy>(&document.parsed)) {
    entry.detail.emplace_back("version", static_cast<std::int64_t>(policy->version));
  }
  return entry;
}

audit::Entry executor_entry(std::int64_t time_ms, std::string_view verb, const ExecutorState& executor, std::string_view code, std::string_view sentence) {
  audit::Entry entry;
  entry.time_ms = time_ms;
  entry.verb = verb;
  entry.actor = {.kind = "node", .name = executor.node.str(), .key = to_text(authority::key_id(executor.status.key))};
  entry.object = {.type = "executor", .id = executor.node.str()};
  entry.code = code;
  entry.policy_version = executor.status.policy_version;
  entry.detail = {{"incarnation", to_hex(executor.status.incarnation)}, {"version", executor.status.version}};
  if (!sentence.empty()) entry.detail.emplace_back("sentence", std::string(sentence));
  return entry;
}

}  // namespace fw::governance
