// Claimed plans until their end: the effect, the roll-back, the end of a TTL, and what a crash left.
#include <fmt/format.h>

#include "protocol/authority/executor_core.hpp"

namespace fw::authority {
namespace {

constexpr std::int64_t kLookAgainMs = 250;
constexpr std::int64_t kAskAgainMs = 1'000;
constexpr std::int64_t kRestoreAgainMs = 5'000;
constexpr std::int64_t kGiveUpRollBackMs = 600'000;
constexpr std::int64_t kGiveUpAskingMs = 60'000;   // while it is asked, nothing else begins on this node

bool is(const Error& error, Errc errc) { return error.code == make_error_code(errc); }

// What is gone has no life in it: after a restart a killed process cannot even be opened.
Result<std::int64_t> read(const Result<OpenTarget*>& target, Probe probe) {
  auto value = target ? (*target)->read(probe) : Result<std::int64_t>(target.error());
  if (!value && is(value.error(), Errc::gone) && (probe == Probe::process_alive || probe == Probe::populated)) return 0;
  return value;
}

}  // namespace

void ExecutorCore::watch() {
  std::vector<PlanRecord> due;
  for (const auto& [digest, plan] : state_.plans()) {
    const bool claimed = plan.state == State::claimed;
    if (!claimed && (plan.restore_at_ms == 0 || plan.restore_at_ms > now_ms_ || newer_on(plan))) continue;
    const auto live = live_.find(digest);
    if (live == live_.end() || live->second.next_ms <= now_ms_) due.push_back(plan);
  }
  for (auto& record : due) {
    if (record.state != State::claimed || record.effect_missing) {
      restore(std::move(record));
    } else if (!record.acted) {
      recover(std::move(record));
    } else {
      const auto plan = parse_plan(record.plan);
      const bool changed = !plan || look_at_effect(record, *plan);
      if (changed) {
        store(std::move(record));
      } else {
        look_again(record.digest, kLookAgainMs);
      }
    }
  }
}

// What a crash between claim and outcome means. The claim is durable, so whatever is found here was allowed once.
void ExecutorCore::recover(PlanRecord record) {
  const auto plan = parse_plan(record.plan);
  const auto end = [&](State state, std::string_view code, std::string sentence) {
    record.code = code;
    record.sentence = "the executor was interrupted after the claim: " + sentence;
    finish_plan(std::move(record), state);
  };
  if (!plan || info_of(plan->action).recovery == Recovery::at_most_once) {
    return end(State::unknown, "interrupted", "whether it was done cannot be asked; look, then fleetwright settle");
  }
  auto target = open_target(*plan);
  auto happened = target ? (*target)->happened(record.snapshot) : Result<bool>(target.error());
  if (!happened) {
    const PlanRecord* other = other_of(*plan);
    const bool checkable = info_of(plan->action).recovery == Recovery::checkable;
    const Error& error = happened.error();
    if (is(error, Errc::not_found) && other && other->rolled_back) return end(State::done, "", "it had been done");
    if (is(error, Errc::not_found)) return end(State::failed, to_string(Code::nothing_to_undo), error.context);
    if (is(error, Errc::gone) && checkable) return end(State::done, "", "its target is gone, as it should be");
    if (is(error, Errc::gone)) return end(State::failed, to_string(Code::target_gone), "its target is gone, and what was done with it");
    if (!target || !is(error, Errc::unsupported)) {
      // It may be asked later; not for ever.
      auto& ask_until_ms = live_[record.digest].ask_until_ms;
      if (ask_until_ms == 0) ask_until_ms = std::min(now_ms_ + kGiveUpAskingMs, record.not_after_ms + policy_.time_skew_ms);
      if (now_ms_ <= ask_until_ms) return look_again(record.digest, kAskAgainMs);
      return end(State::unknown, "interrupted", error.message() + "; look, then fleetwright settle");
    }
    if (checkable) return end(State::unknown, "interrupted", "whether it was done cannot be asked; look, then fleetwright settle");
    happened = false;
  }
  if (*happened) return acted(std::move(record), *plan, std::move(*target), "found done after an interruption");
  if (const auto refusal = may_run_again(record, *plan, **target)) {
    return end(State::failed, to_string(refusal->code), refusal->sentence + ": nothing was done");
  }
  act(std::move(record), *plan, std::move(*target));
}

std::optional<Refusal> ExecutorCore::may_run_again(const PlanRecord& record, const Plan& plan, OpenTarget& target) const {
  if (now_ms_ > record.not_after_ms + policy_.time_skew_ms) return Refusal{Code::expired, "its window is over"};
  if (record.action_class >= 1 && (state_.facts().paused || policy_.paused)) return Refusal{Code::paused, "all actions are paused"};
  if (config_.observe_only) return Refusal{Code::observe_only, "this node only observes"};
  if (record.policy_version != policy_.version) {
    return Refusal{Code::policy_version_other, "it was approved under policy version " + std::to_string(record.policy_version) + ", this node has version " +
                                                   std::to_string(policy_.version) + " by now"};
  }
  if (other_of(plan)) return check_extension(plan);   // what they check beside that was changed by themselves
  for (const auto& check : plan.preconditions) {
    const auto read = target.read(check.probe);
    if (!read || !holds(check, *read)) return Refusal{Code::precondition_changed, "no longer " + to_string(check)};
  }
  return {};
}

// The second half of a kill, then the effect. Whether the record changed.
bool ExecutorCore::look_at_effect(PlanRecord& record, const Plan& plan) {
  Live& live = live_[record.digest];
  const auto end = [&](State state) {
    record.state = state;
    record.ended_ms = now_ms_;
    return true;
  };
  bool changed = false;
  if (record.finish_at_ms != 0) {
    const auto target = open_live(plan, live);
    const auto alive = read(target, Probe::process_alive);
    const bool ended = alive && *alive == 0;
    if (!ended && now_ms_ < record.finish_at_ms) return false;
    record.finish_at_ms = 0;
    changed = true;
    if (!ended) {
      auto finished = target ? (*target)->finish() : Result<std::string>(target.error());
      if (finished) record.after = std::move(*finished);
      if (!finished && !is(finished.error(), Errc::gone)) {
        record.code = "action-failed";
        record.sentence = finished.error().message();
        return end(State::failed);
      }
    }
  }
  if (!plan.effect) return end(State::done);
  const auto target = open_live(plan, live);
  const auto found = read(target, plan.effect->probe);
  if (found && holds(*plan.effect, *found)) return end(State::done);
  if (!found && is(found.error(), Errc::gone)) live.target.reset();   // the container came back as another one: that is asked next
  if (now_ms_ < record.effect_by_ms) return changed;
  record.code = "effect-missing";
  record.sentence = fmt::format("{} was expected within {} s, but {}", to_string(*plan.effect), plan.effect_within_ms / 1000,
                                found ? to_string(Check{plan.effect->probe, Comparison::equal, *found}) : found.error().message());
  if (record.snapshot.empty()) return end(State::failed);
  record.effect_missing = true;
  record.restore_at_ms = now_ms_;
  return true;
}

Result<OpenTarget*> ExecutorCore::open_live(const Plan& plan, Live& live) {
  if (!live.target) {
    auto opened = open_target(plan);
    if (!opened) return opened.error();
    live.target = std::move(*opened);
  }
  return live.target.get();
}

// At the end of a TTL and when the effect is missing; also while paused. It is tried until it works.
void ExecutorCore::restore(PlanRecord record) {
  const auto plan = parse_plan(record.plan);
  if (!plan) return;   // unreachable: its bytes were parsed before they were kept
  const auto target = actuator_.open(*plan);
  // After a boot most of what was set is gone with the kernel that had it: then nobody's value is overwritten.
  auto needed = Result<bool>(true);
  if (target && record.boot != config_.boot && !record.effect_missing) needed = (*target)->happened(record.snapshot);
  const bool skip = needed && !*needed;
  auto restored = target ? (skip ? Result<std::string>("the node booted since: nothing is left of it") : (*target)->restore(record.snapshot))
                         : Result<std::string>(target.error());
  if (!restored && is(restored.error(), Errc::gone)) restored = "its target is gone, and what was done with it";
  if (!restored) {
    if (!record.effect_missing || now_ms_ < record.restore_at_ms + kGiveUpRollBackMs) return look_again(record.digest, kRestoreAgainMs);
    record.sentence += "; it could not be rolled back (" + restored.error().message() + "): look, then fleetwright settle";
    record.restore_at_ms = 0;
    return finish_plan(std::move(record), State::unknown);
  }
  record.after = std::move(*restored);
  if (record.sentence.empty()) record.sentence = "its time was over: the old value is back";
  mark_rolled_back(std::move(record));
}

}  // namespace fw::authority
