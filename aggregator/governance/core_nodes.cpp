// What executors say: status, outcomes, answers. Their words count when their key signed them, and for their own node only.
#include <algorithm>

#include "aggregator/governance/audit_words.hpp"
#include "aggregator/governance/impl.hpp"
#include "protocol/authority/catalogue.hpp"

namespace fw::governance {

using authority::ExecutorStatus;

namespace {

constexpr std::int64_t kSaveStatusNs = 60 * kNsPerSecond;      // of one executor, while nothing of weight changed
constexpr std::string_view kNewJournal = "its journal is a new one";
constexpr std::int64_t kNewJournalShownNs = 24 * 3600 * kNsPerSecond;   // one that people removed needs no answer

bool changed_much(const ExecutorStatus& before, const ExecutorStatus& after) {
  return before.incarnation != after.incarnation || before.key != after.key || before.policy_version != after.policy_version ||
         before.observe_only != after.observe_only || before.paused != after.paused || before.journal_problem != after.journal_problem ||
         before.version != after.version;
}

}  // namespace

void Core::Impl::on_packet(const Uuid& node, ByteView bytes) {
  auto packet = authority::parse_packet(bytes);
  if (!packet) {
    if (const auto at = executors.find(node); at != executors.end()) alarm(at->second, "packet-malformed", "a packet of the executor cannot be read: " + packet.error().message());
    return;
  }
  std::visit(Overloaded{[&](ExecutorStatus& p) { on_status(node, std::move(p), bytes); },
                        [&](const authority::OutcomeReport& p) { on_outcome(node, p); },
                        [&](const authority::Notice& p) { on_notice(node, p); },
                        [&](const auto&) {}},                // what only goes to executors
             *packet);
}

void Core::Impl::save_executor(ExecutorState& executor) {
  executor.updated_ns = now_ns();
  const Bytes status = authority::to_bytes(executor.status);
  next.executors.push_back({.node = executor.node, .incarnation = to_hex(executor.status.incarnation), .status = std::string(status.begin(), status.end()),
                            .problem = executor.problem, .first_seen_ns = executor.first_seen_ns, .updated_ns = executor.updated_ns});
}

// How many entries of the audit log one node can cause: nobody fills the disk under the others' approvals.
bool Core::Impl::may_say(const Uuid& node) {
  NodeWords& said = words_of[node];
  const std::int64_t minute = now_ns() / (60 * kNsPerSecond);
  if (said.minute != minute) said = {.minute = minute};
  return ++said.entries <= config.node_audit_per_minute;
}

// Said once, until it changes.
void Core::Impl::alarm(ExecutorState& executor, std::string code, std::string sentence) {
  if (executor.problem == sentence) return;
  executor.problem = sentence;
  ++stats.alarms_total;
  if (!may_say(executor.node)) return;
  add_audit(executor_entry(now_ms(), "executor.alarm", executor, code, sentence));
  save_executor(executor);
}

// A journal only grows: one that is shorter was put back with its key, or its disk lost what it had synced, and the node has forgotten what it
// did since. What a failing journal reads back may go again with the next power cut, so it proves nothing.
void Core::Impl::compare_journal(ExecutorState& executor) {
  const ExecutorStatus& status = executor.status;
  if (!status.journal_problem.empty()) return;
  if (status.journal_seq < executor.journal_seq) {
    alarm(executor, "journal-went-back", "its journal is shorter than the " + std::to_string(executor.journal_seq) +
                                             " records that it had: a copy was put back, or its disk lost some; it has forgotten what it did since, so remove the journal");
  }
  executor.journal_seq = std::max(executor.journal_seq, status.journal_seq);
}

void Core::Impl::on_status(const Uuid& node, ExecutorStatus status, ByteView bytes) {
  static_cast<void>(bytes);
  const auto known = executors.find(node);
  if (known == executors.end() && executors.size() >= config.executors) return;
  const bool first = known == executors.end();
  ExecutorState& executor = executors[node];
  if (first) {
    executor.node = node;
    executor.first_seen_ns = now_ns();
  }
  if (status.node != node) {
    alarm(executor, "wrong-node", "the executor on this node says that it is " + status.node.str() + ": correct node.uid of its configuration");
    return;
  }
  const bool other_key = !first && status.incarnation == executor.status.incarnation && status.key != executor.status.key;
  if (other_key) {
    alarm(executor, "key-changed", "the executor's key changed while its journal did not: nothing that it says is believed; somebody may speak in its name");
    return;
  }
  const bool new_journal = !first && status.incarnation != executor.status.incarnation;
  if (new_journal && !may_say(node)) return;                    // it says it again
  const bool was_connected = std::exchange(executor.connected, true);
  const bool much = first || changed_much(executor.status, status);
  executor.status = std::move(status);
  if (first || new_journal) {
    executor.problem.clear();
    executor.journal_seq = 0;
    add_audit(executor_entry(now_ms(), first ? "executor.seen" : "executor.new_journal", executor, "", ""));
    news[node] = {};
  }
  if (new_journal) {
    ++stats.alarms_total;
    executor.problem = std::string(kNewJournal) + ": what it did before is known here alone, and its plans of before are void; find out who removed the old one";
    executor.problem_ns = now_ns();
  } else if (executor.problem.starts_with(kNewJournal) && now_ns() - executor.problem_ns > kNewJournalShownNs) {
    executor.problem.clear();
  } else if (executor.status.journal_problem.empty() && executor.problem.starts_with("a packet")) {
    executor.problem.clear();
  }
  compare_journal(executor);
  if (much || now_ns() - executor.updated_ns > kSaveStatusNs) save_executor(executor);
  if (new_journal) {
    std::vector<authority::Digest> gone;
    for (auto& [digest, plan] : plans) {
      const bool open = awaits_people(plan.state) || awaits_node(plan.state) || plan.state == PlanState::unknown;
      if (open && plan.plan.target.node == node && plan.plan.target.incarnation != executor.status.incarnation) gone.push_back(digest);
    }
    for (const authority::Digest& digest : gone) {
      add_event(plans.at(digest), Expired{"the node's executor has a new journal: plans from before it are void"});
      deliveries.erase(digest);
    }
  }
  take_head(executor);
  if (!was_connected) {                        // what waits for it goes at once
    for (auto& [digest, delivery] : deliveries) {
      if (plans.at(digest).plan.target.node == node) delivery = {.resend = {}, .denials = delivery.denials};
    }
    NodeNews& told = news[node];
    told.policy = told.statements = {};
    told.next_head_ns = 0;
  }
  if (first || new_journal) {
    for (auto& [uid, found] : cases) {
      if (found.view.node == node) propose_for(found);
    }
  }
  if (first || much) {
    for (auto& [digest, plan] : plans) {       // another policy may be in force there now
      if (plan.plan.target.node == node) try_release(plan);
    }
  }
  courier_of(executor);
}

// ---- its head of the log ------------------------------------------------------------------------------------------

void Core::Impl::take_head(ExecutorState& executor) {
  executor.seen.reset();
  if (executor.status.checkpoint.empty() || !log_open) return;
  const auto seen = authority::parse_note(executor.status.checkpoint);
  const std::string name = executor.node.str();
  if (!seen) return alarm(executor, "head-malformed", "the executor's head of the audit log cannot be read");
  if (seen->checkpoint.origin != origin()) {
    const bool older = std::any_of(documents.begin(), documents.end(), [&](const auto& at) {
      const auto* statement = std::get_if<authority::Statement>(&at.second.parsed);
      const auto* moved = statement == nullptr ? nullptr : std::get_if<authority::NewOrigin>(&statement->body);
      return moved != nullptr && (moved->old_origin == seen->checkpoint.origin);
    });
    if (!older) alarm(executor, "other-log", "the executor follows the log " + seen->checkpoint.origin + ", not ours (" + origin() + ")");
    return;
  }
  if (!authority::verify_note(*seen, origin(), log_key())) {
    return alarm(executor, "head-not-signed", "the executor's head of the audit log is not signed by the log's key: somebody shows it another log");
  }
  executor.seen = seen->checkpoint;
  collect_cosignatures(*seen);
  NodeNews& told = news[executor.node];
  if (told.compared == seen->checkpoint) return;
  told.compared = seen->checkpoint;
  log_work.emplace_back(CompareHead{executor.node, seen->checkpoint});
}

void Core::Impl::on_compared(const HeadCompared& answer) {
  const auto at = executors.find(answer.node);
  if (at == executors.end() || answer.seen.origin != origin()) return;
  if (answer.check == HeadCheck::newer_than_ours) {
    alarm(at->second, "log-went-back", "the node saw entry " + std::to_string(answer.seen.size) + " of the audit log, ours ends at " + std::to_string(log_size) +
                                           ": a backup was restored, or entries are gone; a new origin signed by policy roots goes on from here");
  } else if (answer.check == HeadCheck::different) {
    alarm(at->second, "split-view", "at " + std::to_string(answer.seen.size) + " entries the node saw another audit log than ours: one of the two was forged");
  } else if (answer.seen != at->second.seen) {
    return;                                    // of a head from before: it says nothing about the one that the node holds now
  } else if (at->second.problem.starts_with("the node saw entry") || at->second.problem.find("saw another audit log") != std::string::npos ||
             at->second.problem.starts_with("the executor follows the log")) {
    at->second.problem.clear();
    save_executor(at->second);
  }
}

void Core::Impl::collect_cosignatures(const authority::Note& seen) {
  const auto head = std::find_if(heads.begin(), heads.end(), [&](const Head& h) { return h.checkpoint == seen.checkpoint; });
  if (head == heads.end() || policy() == nullptr) return;
  for (const authority::Witness& witness : policy()->witnesses) {
    for (const authority::NoteSignature& signature : seen.signatures) {
      if (signature.name != witness.name || !authority::verify_cosignature(seen, witness.name, witness.key)) continue;
      head->cosignatures[witness.name] = signature.bytes;
    }
  }
}

// ---- outcomes -----------------------------------------------------------------------------------------------------

void Core::Impl::acknowledge(const PlanRecord& plan) {
  if (!plan.outcome || !plan.outcome_log_index) return;
  send(plan.plan.target.node, authority::AckOutcome{.plan = plan.digest, .journal_seq = plan.outcome->journal_seq,
                                                    .log_index = static_cast<std::uint64_t>(*plan.outcome_log_index)});
}

void Core::Impl::on_outcome(const Uuid& node, const authority::OutcomeReport& report) {
  const auto executor = executors.find(node);
  if (executor == executors.end()) return;                      // its status comes first
  auto outcome = authority::parse_outcome(report.outcome);
  const authority::PublicKey& key = executor->second.status.key;
  const bool good = outcome && outcome->node == node && outcome->incarnation == executor->second.status.incarnation &&
                    report.signature.key == authority::key_id(key) &&
                    authority::verify_signature(key, authority::signing_input(authority::Domain::result, report.outcome), report.signature.bytes);
  if (!good) return alarm(executor->second, "outcome-bad", "an outcome of this node is not signed by its executor's key: it is not believed");
  const auto at = plans.find(outcome->plan);
  if (at == plans.end()) {
    // Restored from an older backup, or pruned: the log gets the node's word all the same, and the node its peace.
    if (outcome->state == authority::State::unset) return;
    return alarm(executor->second, "outcome-of-unknown-plan", "the node reports on plan " + short_digest(outcome->plan) + ", which is not known here");
  }
  PlanRecord& plan = at->second;
  if (plan.plan.target.node != node) return alarm(executor->second, "outcome-of-other-node", "the node reports on a plan that is not for it");
  if (plan.outcome && outcome->journal_seq <= plan.outcome->journal_seq) return acknowledge(plan);
  if (!may_say(node)) return;                                   // it comes again
  ++stats.outcomes_total;
  const authority::State state = outcome->state;
  add_event(plan, NodeSaid{report.outcome});
  if (plan.state != PlanState::released) deliveries.erase(plan.digest);
  if (state == authority::State::refused || state == authority::State::failed) {
    say(plan.incident, IncidentWord::Kind::note, "plan " + short_digest(plan.digest) + ": " + outcome->sentence);
  } else if (state == authority::State::unknown) {
    say(plan.incident, IncidentWord::Kind::note, "plan " + short_digest(plan.digest) + ": it is not known whether it happened; a person settles it (fleetwright settle)");
  }
  if (const auto found = cases.find(plan.incident); found != cases.end()) {
    watch(found->second);
    if (is_finished(plan.state)) propose_for(found->second);
  }
}

// The answer to a delivery that has no outcome.
void Core::Impl::on_notice(const Uuid& node, const authority::Notice& notice) {
  const auto executor = executors.find(node);
  if (executor == executors.end()) return;
  if (const auto at = plans.find(notice.subject); at != plans.end()) {
    PlanRecord& plan = at->second;
    if (notice.code.empty() || plan.plan.target.node != node) return;
    const bool said = !plan.refusals.empty() && plan.refusals.back().code == notice.code;
    if (!said && plan.refusals.size() < PlanRecord::kMostRefusals) add_event(plan, Refused{notice.code, notice.sentence});
    return;
  }
  const auto document = documents.find(notice.subject);
  if (document == documents.end() || (notice.again && !notice.code.empty())) return;
  news[node].has.insert(notice.subject);
  if (notice.code.empty() || !may_say(node)) return;
  add_audit(executor_entry(now_ms(), "executor.refused", executor->second, notice.code, notice.sentence));
}

}  // namespace fw::governance
