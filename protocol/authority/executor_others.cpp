// Plans that are about another plan, and plans on a value that another plan gives back.
//
// What a plan gives back is the value that it saw, as people signed it. So that several on one value end in the value of before them all,
// they are taken back in the order of a stack: the newest first, whoever's time is over.
#include <algorithm>
#include <fmt/format.h>

#include "protocol/authority/executor_core.hpp"
#include "protocol/authority/verify_parts.hpp"

namespace fw::authority {
namespace {

// Undoing is restoring what another plan recorded, on that plan's target.
class UndoTarget final : public OpenTarget {
 public:
  UndoTarget(std::unique_ptr<OpenTarget> target, Bytes snapshot) : target_(std::move(target)), snapshot_(std::move(snapshot)) {}
  std::string identity() const override { return target_->identity(); }
  Result<std::int64_t> read(Probe probe) override { return target_->read(probe); }
  Result<Bytes> snapshot() override { return Bytes(); }
  Result<std::string> apply() override { return target_->restore(snapshot_); }
  Result<bool> happened(ByteView) override { return false; }   // and if it has: restoring is idempotent
  Result<std::string> restore(ByteView) override { return Error(Errc::unsupported, "an undo is not undone"); }

 private:
  std::unique_ptr<OpenTarget> target_;
  Bytes snapshot_;
};

// Extending changes the journal, nothing else.
class ExtendTarget final : public OpenTarget {
 public:
  ExtendTarget(std::unique_ptr<OpenTarget> target, std::uint64_t ttl_ms) : target_(std::move(target)), ttl_ms_(ttl_ms) {}
  std::string identity() const override { return target_->identity(); }
  Result<std::int64_t> read(Probe probe) override { return target_->read(probe); }
  Result<Bytes> snapshot() override { return Bytes(); }
  Result<std::string> apply() override { return fmt::format("restored {} s from now", ttl_ms_ / 1000); }
  Result<bool> happened(ByteView) override { return false; }
  Result<std::string> restore(ByteView) override { return Error(Errc::unsupported, "an extension is not undone"); }

 private:
  std::unique_ptr<OpenTarget> target_;
  std::uint64_t ttl_ms_;
};

// The value that it changes; freeze and thaw change one as well.
Probe value_of(const Action& action) {
  if (std::holds_alternative<Freeze>(action) || std::holds_alternative<Thaw>(action)) return Probe::frozen;
  return changed_probe(action);
}

// Of one container in whatever cgroup it runs, of one cgroup, or of the node.
bool change_one_value(const Plan& a, const Plan& b) {
  if (value_of(a.action) == Probe::unknown || value_of(a.action) != value_of(b.action)) return false;
  const auto* sysctl = std::get_if<SetSysctl>(&a.action);
  if (sysctl) return sysctl->key == std::get<SetSysctl>(b.action).key;
  const Target &x = a.target, &y = b.target;
  const bool one_container = !x.pod_uid.empty() && x.pod_uid == y.pod_uid && x.container_name == y.container_name;
  return one_container || x.cgroup_path == y.cgroup_path;
}

// Claims never overlap, so those of one millisecond ended in the order of their outcomes.
bool is_newer(const PlanRecord& plan, const PlanRecord& than) {
  if (plan.started_ms != than.started_ms) return plan.started_ms > than.started_ms;
  return plan.outcome_seq == 0 || (than.outcome_seq != 0 && plan.outcome_seq > than.outcome_seq);
}

std::string name_of(const PlanRecord& plan) { return "plan " + to_text(plan.digest).substr(0, 12); }

}  // namespace

const PlanRecord* ExecutorCore::other_of(const Plan& plan) const {
  if (const auto* undo = std::get_if<Undo>(&plan.action)) return state_.find(undo->plan);
  if (const auto* extend = std::get_if<Extend>(&plan.action)) return state_.find(extend->plan);
  return nullptr;
}

Result<std::unique_ptr<OpenTarget>> ExecutorCore::open_target(const Plan& plan) {
  const auto* undo = std::get_if<Undo>(&plan.action);
  const auto* extend = std::get_if<Extend>(&plan.action);
  if (!undo && !extend) return actuator_.open(plan);

  const PlanRecord* other = other_of(plan);
  if (!other || !can_be_restored(*other)) return Error(Errc::not_found, "there is nothing of that plan on this node that could be restored");
  const auto other_plan = parse_plan(other->plan);
  if (!other_plan) return other_plan.error();
  // People with scope for one target must not restore another.
  if (other_plan->target != plan.target) return Error(Errc::not_found, "that plan has another target");
  if (extend && other->restore_at_ms == 0) return Error(Errc::not_found, "that plan has no time that could be extended");
  auto target = actuator_.open(*other_plan);
  if (!target) return target.error();
  if (extend) return std::unique_ptr<OpenTarget>(std::make_unique<ExtendTarget>(std::move(*target), extend->ttl_ms));
  return std::unique_ptr<OpenTarget>(std::make_unique<UndoTarget>(std::move(*target), other->snapshot));
}

// How long an action lasts is bounded by the catalogue and the policy in force, also when its end is moved.
std::optional<Refusal> ExecutorCore::check_extension(const Plan& plan) const {
  const auto* extend = std::get_if<Extend>(&plan.action);
  const PlanRecord* other = extend ? other_of(plan) : nullptr;
  const auto other_plan = other ? parse_plan(other->plan) : Result<Plan>(Error(Errc::not_found, ""));
  if (!other_plan) return {};   // opening it says why
  auto limit_ms = info_of(other_plan->action).max_ttl_ms;
  for (const auto& bound : policy_.bounds) {
    if (bound.action == other_plan->action.index() && bound.max_ttl_ms != 0) limit_ms = std::min(limit_ms, bound.max_ttl_ms);
  }
  if (extend->ttl_ms <= limit_ms) return {};
  return Refusal{Code::out_of_bounds, fmt::format("{} lasts at most {} s from now: extend it by less", info_of(other_plan->action).name, limit_ms / 1000)};
}

const PlanRecord* ExecutorCore::newer_on(const PlanRecord& plan) const {
  const auto parsed = parse_plan(plan.plan);
  if (!parsed) return nullptr;   // unreachable: its bytes were parsed before they were kept
  for (const auto& [digest, other] : state_.plans()) {
    if (other.restore_at_ms == 0 || digest == plan.digest || !is_newer(other, plan)) continue;
    const auto other_plan = parse_plan(other.plan);
    if (other_plan && change_one_value(*parsed, *other_plan)) return &other;
  }
  return nullptr;
}

// What is kept would be overwritten at the end of the older one's time. What is undone below a newer one would be put back by that one.
std::optional<Refusal> ExecutorCore::check_held(const Plan& plan) const {
  if (std::holds_alternative<Undo>(plan.action)) {
    const PlanRecord* other = other_of(plan);
    const PlanRecord* newer = other && can_be_restored(*other) ? newer_on(*other) : nullptr;
    if (!newer) return {};
    return Refusal{Code::busy, name_of(*newer) + " changed the same value later and gives it back at " + verify::time_text(newer->restore_at_ms) +
                                   ": this one comes after it; or undo that one first"};
  }
  if (value_of(plan.action) == Probe::unknown || ttl_ms(plan.action) != 0) return {};
  for (const auto& [digest, other] : state_.plans()) {
    if (other.restore_at_ms == 0) continue;
    const auto other_plan = parse_plan(other.plan);
    if (!other_plan || !change_one_value(plan, *other_plan)) continue;
    return Refusal{Code::precondition_changed, name_of(other) + " holds " + std::string(to_string(value_of(plan.action))) + " and gives it back at " +
                                                   verify::time_text(other.restore_at_ms) + ": nothing is kept on that; undo it first, or propose this for a time"};
  }
  return {};
}

}  // namespace fw::authority
