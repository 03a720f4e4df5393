// A plan from its delivery until it is done: verify, VERIFIED, open, preconditions, snapshot, CLAIMED, act. All durable before the next.
#include <algorithm>
#include <fmt/format.h>

#include "common/base64.hpp"
#include "protocol/authority/executor_core.hpp"
#include "protocol/authority/verify_parts.hpp"

namespace fw::authority {
namespace {

constexpr std::int64_t kTryAgainMs = 1'000;
constexpr std::size_t kMaxWaiting = 16;

std::string log_signature_only(const Note& note, const Memory& known) {
  for (const auto& signature : note.signatures) {
    if (verify_note({note.checkpoint, note.text, {signature}}, known.log_origin, known.log_key)) {
      return fmt::format("{}\n\u2014 {} {}\n", note.text, signature.name, encode_base64(signature.bytes));
    }
  }
  return note.text + "\n";   // unreachable: it was verified
}

bool is(const Error& error, Errc errc) { return error.code == make_error_code(errc); }

// A refusal is kept, and so final, only when people have signed this plan for this node: nobody else can burn a plan or fill the journal.
bool is_kept(Code code, const Envelope& envelope) {
  if (envelope.votes.empty() && !envelope.standing) return false;
  switch (code) {
    case Code::plan_malformed:
    case Code::wrong_node:
    case Code::wrong_incarnation:
    case Code::wrong_cluster:
    case Code::replayed:
    case Code::below_replay_floor: return false;
    default: return !may_come_again(code);
  }
}

PlanRecord new_record(const Digest& digest, const Envelope& envelope, const Plan& plan) {
  PlanRecord record;
  record.digest = digest;
  record.action_class = envelope.action_class;
  record.state = State::verified;
  record.plan = envelope.plan;
  record.not_after_ms = plan.not_after_ms;
  return record;
}

}  // namespace

void ExecutorCore::deliver(const DeliverPlan& delivered) {
  auto envelope = decode_envelope(delivered.envelope);
  if (!envelope) {
    return notice(sha256(delivered.envelope), {Code::envelope_malformed, "the envelope cannot be read (" + envelope.error().message() + "): send it again"},
                  may_come_again(Code::envelope_malformed));
  }
  const Digest digest = plan_digest(envelope->action_class, envelope->plan);
  const PlanRecord* known = state_.find(digest);
  if (known && is_final(known->state)) {
    // What was only read back may be gone after the next power cut: it is reported once it is durable again.
    if (!settled_) return notice(digest, {Code::journal_failed, "its outcome is known here and cannot be written yet: it follows"}, true);
    report(*known);
    // Who had acknowledged the outcome does not deliver the plan again: somebody replays it.
    if (known->acknowledged) {
      notice(digest, {Code::replayed, "this plan is " + std::string(to_string(known->state)) + " in this node's journal since " + verify::time_text(known->ended_ms) +
                                          ", nothing is done again: propose a new one"}, false);
    }
    return;
  }
  if (known && known->state == State::claimed) return notice(digest, "", "it was claimed, its outcome follows");
  const auto waiting = waiting_.find(digest);
  if (waiting != waiting_.end() && waiting->second.attempt.envelope == *envelope) return notice(digest, waiting->second.why, true);
  try_plan({digest, std::move(*envelope), memory().checkpoint});
}

void ExecutorCore::try_plan(Attempt attempt) {
  Memory known = memory();
  known.checkpoint = attempt.seen;
  const auto verdict = verify_plan(attempt.envelope, policy_, facts(), known, wall_ms_);
  if (!verdict.approved) return not_approved(attempt, verdict.refusal);
  const Approved& approved = *verdict.approved;
  auto written = approved.checkpoint.origin.empty() ? Result<void>() : see_checkpoint(approved.checkpoint, attempt.envelope.proof.note);
  if (!written) return wait(attempt, {Code::journal_failed, written.error().message()});
  attempt.end_is_durable = true;
  if (busy_with_other(attempt.digest)) return wait(attempt, {Code::busy, "another action is in flight on this node: this one comes after it"});
  if (!state_.find(attempt.digest)) {
    if (!state_.has_room_for(attempt.envelope.plan.size(), now_ms_, policy_.time_skew_ms)) {
      return wait(attempt, {Code::journal_failed, "the journal is full of plans that may not be forgotten yet: wait until one of them is over"});
    }
    written = write(new_record(attempt.digest, attempt.envelope, approved.plan), approved.newest_signed_ms);
    if (!written) return wait(attempt, {Code::journal_failed, written.error().message()});
  }
  claim(attempt, approved);
}

void ExecutorCore::not_approved(const Attempt& attempt, const Refusal& refusal) {
  const auto waiting = waiting_.find(attempt.digest);
  if (waiting != waiting_.end() && waiting->second.attempt.envelope == attempt.envelope) waiting_.erase(waiting);
  const auto plan = is_kept(refusal.code, attempt.envelope) ? parse_plan(attempt.envelope.plan) : Result<Plan>(Error(Errc::unsupported, ""));
  if (!plan || !state_.has_room_for(attempt.envelope.plan.size(), now_ms_, policy_.time_skew_ms)) {
    return notice(attempt.digest, refusal, may_come_again(refusal.code));
  }
  auto record = new_record(attempt.digest, attempt.envelope, *plan);
  // A window of any length was refused here: only what could have been claimed has to be remembered to its end.
  record.not_after_ms = std::clamp(record.not_after_ms, now_ms_ - 2 * kMaxValidityMs, now_ms_ + 2 * kMaxValidityMs);
  refuse(std::move(record), refusal);
}

void ExecutorCore::refuse(PlanRecord record, const Refusal& refusal) {
  waiting_.erase(record.digest);
  const Digest digest = record.digest;
  record.state = refusal.code == Code::expired ? State::expired : State::refused;
  record.code = to_string(refusal.code);
  record.sentence = refusal.sentence;
  record.ended_ms = now_ms_;
  record.plan.clear();
  // Nothing was done: when it cannot be written it is refused again when it comes again.
  if (const auto written = write(std::move(record)); !written) notice(digest, refusal, true);
}

// An answer is due when the plan was just delivered, or when there is another reason now.
void ExecutorCore::wait(const Attempt& attempt, Refusal why) {
  const auto it = waiting_.find(attempt.digest);
  const bool known = it != waiting_.end() && it->second.attempt.envelope == attempt.envelope;
  if (!known || it->second.why.code != why.code) notice(attempt.digest, why, true);
  if (it == waiting_.end() && waiting_.size() >= kMaxWaiting) return;   // it is delivered again
  waiting_.insert_or_assign(attempt.digest, Waiting{attempt, std::move(why), now_ms_ + kTryAgainMs});
}

void ExecutorCore::try_waiting() {
  std::vector<Attempt> due;
  for (const auto& [digest, waiting] : waiting_) {
    if (waiting.next_ms <= now_ms_) due.push_back(waiting.attempt);
  }
  for (auto& attempt : due) {
    if (!attempt.end_is_durable) attempt.seen = memory().checkpoint;
    try_plan(std::move(attempt));
  }
}

void ExecutorCore::expire_verified() {
  std::vector<PlanRecord> over;
  for (const auto& [digest, plan] : state_.plans()) {
    if (plan.state == State::verified && now_ms_ > plan.not_after_ms + policy_.time_skew_ms) over.push_back(plan);
  }
  for (auto& plan : over) {
    const auto waiting = waiting_.find(plan.digest);
    const std::string why = waiting == waiting_.end() ? "" : " (" + waiting->second.why.sentence + ")";
    refuse(std::move(plan), {Code::expired, "its window ended before it could be done" + why + ": propose it again"});
  }
}

bool ExecutorCore::busy_with_other(const Digest& digest) const {
  return std::ranges::any_of(state_.plans(), [&](const auto& entry) { return entry.second.state == State::claimed && entry.first != digest; });
}

Result<void> ExecutorCore::see_checkpoint(const Checkpoint& checkpoint, const std::string& note) {
  const auto seen = memory().checkpoint;
  if (seen && checkpoint.size <= seen->size) return {};
  const auto parsed = parse_note(note);
  if (!parsed) return parsed.error();
  FactsRecord facts = state_.facts();
  facts.checkpoint = checkpoint;
  const std::string own = cosign_note(*parsed, witness_name(), *key_, wall_ms_ / 1000);
  // It must stay readable with ours: a note that is full of others' signatures keeps only the log's.
  const bool fits = parsed->signatures.size() <= kMaxCosignatures + 1 && note.size() + own.size() <= kMaxNoteBytes;
  facts.note = (fits ? note : log_signature_only(*parsed, memory())) + own;
  return write(std::move(facts));
}

void ExecutorCore::claim(const Attempt& attempt, const Approved& approved) {
  const Plan& plan = approved.plan;
  PlanRecord record = new_record(attempt.digest, attempt.envelope, plan);
  if (auto problem = check_extension(plan)) return refuse(std::move(record), *problem);
  if (auto problem = check_held(plan)) return problem->code == Code::busy ? wait(attempt, *problem) : refuse(std::move(record), *problem);
  auto target = open_target(plan);
  if (!target) return not_now(std::move(record), attempt, plan, target.error());
  record.before = (*target)->identity();
  for (const auto& check : plan.preconditions) {
    const auto read = (*target)->read(check.probe);
    if (!read) return not_now(std::move(record), attempt, plan, read.error());
    const std::string found = to_string(Check{check.probe, Comparison::equal, *read});
    if (!holds(check, *read)) {
      return refuse(std::move(record), {Code::precondition_changed, "now " + found + ", it was approved for " + to_string(check) +
                                                                        ": nothing was done; look at the incident again"});
    }
    record.before += ", " + found;
  }
  auto snapshot = (*target)->snapshot();
  if (snapshot && snapshot->size() > kMaxSnapshotBytes) snapshot = Error(Errc::unsupported, "the snapshot is too large");
  if (!snapshot) return not_now(std::move(record), attempt, plan, snapshot.error());

  record.state = State::claimed;
  record.snapshot = std::move(*snapshot);
  record.uses = uses_of(approved);
  record.boot = config_.boot;
  record.policy_version = policy_.version;
  record.started_ms = now_ms_;
  const auto ttl = ttl_ms(plan.action);
  if (ttl != 0 && !record.snapshot.empty()) record.restore_at_ms = now_ms_ + static_cast<std::int64_t>(ttl);
  if (const auto written = write(record); !written) return wait(attempt, {Code::journal_failed, written.error().message()});
  waiting_.erase(attempt.digest);
  act(std::move(record), plan, std::move(*target));
}

// The target cannot be asked. One incarnation does not come back; a container does, and the disk or the kernel may.
void ExecutorCore::not_now(PlanRecord record, const Attempt& attempt, const Plan& plan, const Error& error) {
  if (is(error, Errc::not_found)) return refuse(std::move(record), {Code::nothing_to_undo, error.context});
  const bool final = is(error, Errc::permission) || is(error, Errc::unsupported) || info_of(plan.action).binds_incarnation;
  const std::string sentence = error.message() + ": nothing was done";
  if (final) return refuse(std::move(record), {Code::target_gone, sentence});
  wait(attempt, {Code::target_gone, sentence});
}

void ExecutorCore::act(PlanRecord record, const Plan& plan, std::unique_ptr<OpenTarget> target) {
  auto applied = target->apply();
  if (applied) return acted(std::move(record), plan, std::move(target), std::move(*applied));
  const Error& error = applied.error();
  record.ended_ms = now_ms_;
  record.code = is(error, Errc::gone) ? to_string(Code::target_gone) : "action-failed";
  record.sentence = error.message();
  if (!is(error, Errc::io) || other_of(plan)) {
    record.sentence += is(error, Errc::io) ? ": what it names is as it was, or restored; undo it again" : ": nothing was done";
    return finish_plan(std::move(record), State::failed);
  }
  // Something may have been done.
  if (!record.snapshot.empty()) {
    record.effect_missing = true;
    record.restore_at_ms = now_ms_;
    return store(std::move(record));
  }
  const bool can_be_asked = info_of(plan.action).recovery != Recovery::at_most_once;
  const auto happened = can_be_asked ? target->happened(record.snapshot) : Result<bool>(Error(Errc::unsupported, ""));
  if (happened && *happened) return acted(std::move(record), plan, std::move(target), record.sentence);
  if (!happened) record.sentence += ": whether it was done cannot be asked; look, then fleetwright settle";
  finish_plan(std::move(record), happened ? State::failed : State::unknown);
}

void ExecutorCore::acted(PlanRecord record, const Plan& plan, std::unique_ptr<OpenTarget> target, std::string after) {
  record.acted = true;
  record.after = std::move(after);
  record.code.clear();
  record.sentence.clear();
  if (const auto* kill = std::get_if<KillProcess>(&plan.action); kill && kill->grace_ms != 0) {
    record.finish_at_ms = now_ms_ + static_cast<std::int64_t>(kill->grace_ms);
  }
  if (plan.effect) record.effect_by_ms = std::max(now_ms_, record.finish_at_ms) + static_cast<std::int64_t>(plan.effect_within_ms);
  if (const PlanRecord* found = other_of(plan)) {
    PlanRecord other = *found;
    if (const auto* extend = std::get_if<Extend>(&plan.action)) {
      other.restore_at_ms = now_ms_ + static_cast<std::int64_t>(extend->ttl_ms);
      record_done(std::move(other));
    } else {
      other.after = record.after;
      other.sentence = fmt::format("undone by plan {}", to_text(record.digest).substr(0, 12));
      mark_rolled_back(std::move(other));
    }
  }
  live_[record.digest].target = std::move(target);
  look_at_effect(record, plan);
  store(std::move(record));
}

void ExecutorCore::finish_plan(PlanRecord record, State state) {
  record.state = state;
  record.ended_ms = now_ms_;
  store(std::move(record));
}

void ExecutorCore::mark_rolled_back(PlanRecord record) {
  record.rolled_back = true;
  record.restore_at_ms = 0;
  record.acknowledged = false;
  record.outcome_seq = 0;
  record.outcome_hash = {};
  finish_plan(std::move(record), record.effect_missing ? State::failed : record.state);
}

// What can be asked of it no more is not kept: the plan's bytes are most of a record.
void ExecutorCore::store(PlanRecord record) {
  if (is_final(record.state)) {
    if (!can_be_restored(record)) {
      record.plan.clear();
      record.snapshot.clear();
      record.restore_at_ms = 0;
    }
    live_[record.digest] = {};
  }
  record_done(std::move(record));
}

}  // namespace fw::authority
