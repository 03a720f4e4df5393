#include "protocol/authority/executor_state.hpp"

#include <algorithm>

namespace fw::authority {
namespace {

constexpr std::int64_t kUsesCountMs = 24LL * 3600 * 1000;
constexpr std::size_t kRecordOverheadBytes = 512;   // of a plan's record, beside what varies

std::size_t size_of(const PlanRecord& plan) {
  return plan.plan.size() + plan.snapshot.size() + plan.code.size() + plan.sentence.size() + plan.before.size() + plan.after.size() +
         kRecordOverheadBytes;
}

// The one that is over soonest makes room: these are people's documents, far fewer than that.
void keep(std::map<Digest, std::int64_t>& kept, const Digest& digest, std::int64_t until_ms) {
  if (kept.size() >= kMaxKept && !kept.contains(digest)) {
    kept.erase(std::ranges::min_element(kept, {}, [](const auto& entry) { return entry.second; }));
  }
  kept[digest] = until_ms;
}

}  // namespace

bool can_be_restored(const PlanRecord& plan) noexcept {
  return (plan.state == State::done || plan.state == State::unknown) && !plan.snapshot.empty() && !plan.rolled_back;
}

void ExecutorState::apply(Record record, std::uint64_t seq, const Digest& hash) {
  time_floor_ms_ = std::max(time_floor_ms_, record.time_ms);
  if (auto* identity = std::get_if<IdentityRecord>(&record.body)) {
    identity_ = std::move(*identity);
  } else if (auto* policy = std::get_if<PolicyRecord>(&record.body)) {
    if (policy->active) pending_.reset();
    (policy->active ? active_ : pending_) = std::move(*policy);
  } else if (auto* facts = std::get_if<FactsRecord>(&record.body)) {
    facts->replay_floor_ms = std::max(facts->replay_floor_ms, facts_.replay_floor_ms);
    facts_ = std::move(*facts);
  } else if (auto* plan = std::get_if<PlanRecord>(&record.body)) {
    if (is_final(plan->state) && plan->outcome_seq == 0) {
      plan->outcome_seq = seq;
      plan->outcome_hash = hash;
    }
    auto& kept = plans_[plan->digest];
    if (kept.state != State::unset) plan_bytes_ -= size_of(kept);
    kept = std::move(*plan);
    plan_bytes_ += size_of(kept);
  } else if (const auto* denial = std::get_if<DenialRecord>(&record.body)) {
    keep(denials_, denial->plan, denial->keep_until_ms);
  } else if (const auto* statement = std::get_if<StatementRecord>(&record.body)) {
    keep(statements_, statement->digest, statement->keep_until_ms);
  }
}

std::vector<JournalRecord> ExecutorState::records() const {
  std::vector<JournalRecord> out;
  const auto add = [&](RecordBody body) {
    const Record record{time_floor_ms_, std::move(body)};
    out.push_back({0, record_type(record), to_bytes(record), {}});
  };
  if (identity_) add(*identity_);
  if (active_) add(*active_);
  if (pending_) add(*pending_);
  add(facts_);
  for (const auto& [digest, plan] : plans_) add(plan);
  for (const auto& [digest, until_ms] : denials_) add(DenialRecord{digest, until_ms});
  for (const auto& [digest, until_ms] : statements_) add(StatementRecord{digest, until_ms});
  return out;
}

const PlanRecord* ExecutorState::find(const Digest& plan) const {
  const auto it = plans_.find(plan);
  return it == plans_.end() ? nullptr : &it->second;
}

Memory ExecutorState::memory(const Policy& policy, std::int64_t now_ms) const {
  Memory memory;
  memory.time_floor_ms = std::max(now_ms, time_floor_ms_);
  for (const auto& [digest, plan] : plans_) {
    // A plan that was verified and never claimed is judged anew, from its envelope, whenever it is tried.
    if (plan.state != State::verified) memory.known_plans.insert(digest);
    if (plan.state == State::unknown) memory.unknown_plans[digest] = plan.action_class;
    if (plan.started_ms == 0 || plan.started_ms <= memory.time_floor_ms - kUsesCountMs) continue;
    for (const auto& use : plan.uses) memory.uses.push_back({use, plan.started_ms});
  }
  for (const auto& [digest, until_ms] : denials_) memory.denied_plans.insert(digest);
  memory.paused = facts_.paused;
  memory.newest_pause_ms = facts_.newest_pause_ms;
  memory.replay_floor_ms = facts_.replay_floor_ms;
  const bool moved = !facts_.log_origin.empty() && facts_.log_replaces == policy.log_origin;
  memory.log_origin = moved ? facts_.log_origin : policy.log_origin;
  memory.log_key = moved ? facts_.log_key : policy.log_key;
  if (facts_.checkpoint && facts_.checkpoint->origin == memory.log_origin) memory.checkpoint = facts_.checkpoint;
  return memory;
}

void ExecutorState::forget_plans(std::int64_t now_ms, std::int64_t skew_ms, Keep keep) {
  for (auto it = plans_.begin(); it != plans_.end();) {
    const PlanRecord& plan = it->second;
    const std::int64_t over_ms = plan.not_after_ms + skew_ms;
    bool needed = now_ms <= over_ms + kForgetAfterMs || !is_final(plan.state) || plan.restore_at_ms != 0;
    if (keep == Keep::undoable && now_ms <= over_ms + kUndoKeptMs) needed |= !plan.acknowledged || can_be_restored(plan);
    if (needed) {
      ++it;
      continue;
    }
    facts_.replay_floor_ms = std::max(facts_.replay_floor_ms, plan.not_after_ms);
    plan_bytes_ -= size_of(plan);
    it = plans_.erase(it);
  }
}

void ExecutorState::forget(std::int64_t now_ms, std::int64_t skew_ms) {
  forget_plans(now_ms, skew_ms, Keep::undoable);
  const auto over = [now_ms](const auto& entry) { return entry.second < now_ms; };
  std::erase_if(denials_, over);
  std::erase_if(statements_, over);
}

bool ExecutorState::has_room_for(std::size_t plan_bytes, std::int64_t now_ms, std::int64_t skew_ms) {
  const auto fits = [&] { return plans_.size() < kMaxPlans && plan_bytes_ + plan_bytes + kRecordOverheadBytes <= kMaxStateBytes; };
  if (!fits()) forget_plans(now_ms, skew_ms, Keep::window_only);
  return fits();
}

}  // namespace fw::authority
