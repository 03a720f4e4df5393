// What changes the rules: policies, denials, statements, checkpoints; and what the aggregator has read.
#include <algorithm>
#include <fmt/format.h>

#include "protocol/authority/executor_core.hpp"
#include "protocol/authority/verify_parts.hpp"

namespace fw::authority {
namespace {

constexpr std::int64_t kDenialKeptMs = 8LL * 24 * 3600 * 1000;   // longer than a plan that it may be about can wait for its window

ByteView as_bytes(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

}  // namespace

// The last answer to what was found good.
void ExecutorCore::taken(const Digest& subject, const Result<void>& written) {
  if (written) return notice(subject, "", "taken");
  notice(subject, {Code::journal_failed, written.error().message()}, true);
}

// One after the other, each by the roots of the newest one that was taken. What is looser than the policy in force waits, whatever stands
// between them; what only tightens is in force at once and ends the waiting of another.
void ExecutorCore::deliver(const DeliverPolicy& delivered) {
  const Digest subject = document_digest(Domain::policy, delivered.policy);
  const auto& pending = state_.pending_policy();
  if (delivered.policy == state_.active_policy()->document || (pending && delivered.policy == pending->document)) {
    return notice(subject, "", "this node has it already");
  }
  const Policy& newest = pending_ ? *pending_ : policy_;
  auto verdict = verify_policy(delivered.policy, delivered.signatures, newest, now_ms_);
  if (!verdict.policy) return notice(subject, verdict.refusal, may_come_again(verdict.refusal.code));
  Policy& policy = *verdict.policy;
  if (loosened_by(policy_, policy).empty()) return taken(subject, activate(std::move(policy), delivered.policy));
  const bool as_pending = pending_ && loosened_by(*pending_, policy).empty();
  const std::int64_t active_from_ms = as_pending ? pending->active_from_ms : now_ms_ + kLooseningDelayMs;
  const auto written = write(PolicyRecord{false, active_from_ms, delivered.policy});
  if (written) pending_ = std::move(policy);
  taken(subject, written);
}

void ExecutorCore::deliver(const DeliverDenial& delivered) {
  const Digest subject = document_digest(Domain::approval, delivered.vote.document);
  const auto verdict = verify_denial(delivered.vote, policy_, now_ms_);
  if (!verdict.denial) return notice(subject, verdict.refusal, may_come_again(verdict.refusal.code));
  const Digest digest = verdict.denial->plan;
  const PlanRecord* known = state_.find(digest);
  if (known && known->state != State::verified) return notice(subject, "too-late", "the plan is " + std::string(to_string(known->state)) + " already");
  if (!state_.denied(digest)) {
    if (const auto written = write(DenialRecord{digest, now_ms_ + kDenialKeptMs}); !written) return taken(subject, written);
  }
  waiting_.erase(digest);
  if (known) refuse(*known, {Code::denied, "denied by " + verdict.denial->person.str() + ": propose another"});
  taken(subject, {});
}

void ExecutorCore::deliver(const DeliverStatement& delivered) {
  const Digest subject = document_digest(Domain::statement, delivered.statement);
  if (state_.took(subject)) return notice(subject, "", "this node has it already");
  const auto verdict = verify_statement(delivered.statement, delivered.signatures, policy_, memory(), wall_ms_);
  if (!verdict.statement) return notice(subject, verdict.refusal, may_come_again(verdict.refusal.code));
  const Statement& statement = *verdict.statement;
  auto written = std::visit(
      [&](const auto& body) {
        if constexpr (requires { take(body, statement); }) return take(body, statement);
        return Result<void>(Error(Errc::malformed, "a statement that says nothing"));   // unreachable: its parser refuses it
      },
      statement.body);
  if (written) written = write(StatementRecord{subject, statement.expires_ms + policy_.time_skew_ms + kForgetAfterMs});
  taken(subject, written);
}

Result<void> ExecutorCore::take(const Pause&, const Statement& statement) {
  FactsRecord facts = state_.facts();
  facts.paused = true;
  facts.newest_pause_ms = std::max(facts.newest_pause_ms, statement.issued_ms);
  return write(std::move(facts));
}

Result<void> ExecutorCore::take(const Resume&, const Statement&) {
  FactsRecord facts = state_.facts();
  facts.paused = false;
  return write(std::move(facts));
}

Result<void> ExecutorCore::take(const Settle& settle, const Statement&) {
  const PlanRecord* unknown = state_.find(settle.plan);
  if (!unknown) return Error(Errc::not_found, "that plan is not here");   // unreachable: the verifier knows the plans that are
  PlanRecord record = *unknown;
  record.code = "settled";
  record.sentence = fmt::format("people looked and said that it was {}: {}", settle.happened ? "done" : "not done", settle.reason);
  record.acknowledged = false;
  record.outcome_seq = 0;
  record.outcome_hash = {};
  finish_plan(std::move(record), settle.happened ? State::done : State::failed);
  return unwritten_.empty() ? Result<void>() : Result<void>(Error(Errc::io, "journal: " + journal_->problem()));
}

// The next checkpoint is the first of that log. One that this node saw of the old log stays in its memory only as text.
Result<void> ExecutorCore::take(const NewOrigin& origin, const Statement&) {
  FactsRecord facts = state_.facts();
  facts.log_origin = origin.origin;
  facts.log_key = origin.log_key;
  facts.log_replaces = policy_.log_origin;
  return write(std::move(facts));
}

void ExecutorCore::deliver(const DeliverCheckpoint& delivered) {
  const Digest subject = sha256(as_bytes(delivered.note));
  const auto bad = [&](Code code, const std::string& sentence) { notice(subject, {code, sentence}, may_come_again(code)); };
  const auto note = parse_note(delivered.note);
  if (!note) return bad(Code::checkpoint_bad, note.error().message());
  const Memory known = memory();
  if (const auto good = verify_note(*note, known.log_origin, known.log_key); !good) return bad(Code::checkpoint_bad, good.error().message());
  const Checkpoint& next = note->checkpoint;
  if (known.checkpoint == next) return notice(subject, "", "this node has it already");
  if (const auto problem = verify::check_continues(next, delivered.from_size, delivered.consistency, known.checkpoint)) {
    return notice(subject, *problem, may_come_again(problem->code));
  }
  taken(subject, see_checkpoint(next, delivered.note));
}

void ExecutorCore::deliver(const AckOutcome& acknowledged) {
  const PlanRecord* known = state_.find(acknowledged.plan);
  if (!known || !is_final(known->state) || known->acknowledged || known->outcome_seq != acknowledged.journal_seq) return;
  PlanRecord record = *known;
  record.acknowledged = true;
  (void)write(std::move(record));   // else it is reported again
}

}  // namespace fw::authority
