#include "tests/simulation/checker.hpp"

#include <algorithm>

namespace fw::sim {

using namespace authority;

std::uint8_t naive_class(const Plan& plan) {
  const auto by_ttl = [](std::uint64_t ttl_ms) -> std::uint8_t { return ttl_ms == 0 ? 2 : 1; };
  if (std::holds_alternative<Diagnose>(plan.action)) return 0;
  if (const auto* a = std::get_if<SetMemoryLimit>(&plan.action)) return by_ttl(a->ttl_ms);
  if (const auto* a = std::get_if<SetCpuMax>(&plan.action)) return by_ttl(a->ttl_ms);
  if (const auto* a = std::get_if<SetCpuWeight>(&plan.action)) return by_ttl(a->ttl_ms);
  if (const auto* a = std::get_if<SetPidsMax>(&plan.action)) return by_ttl(a->ttl_ms);
  if (const auto* a = std::get_if<SetSysctl>(&plan.action)) return by_ttl(a->ttl_ms);
  if (std::holds_alternative<KillProcess>(plan.action) || std::holds_alternative<KillCgroup>(plan.action)) return 2;
  return 1;
}

namespace {

bool at_most_once(const Plan& plan) { return std::holds_alternative<RotateLog>(plan.action); }

bool is_end(State state) {
  return state == State::done || state == State::failed || state == State::unknown || state == State::refused || state == State::expired;
}

// May `to` be seen after `from`? Steps between may have passed unseen.
bool path(State from, State to) {
  if (from == to) return true;
  switch (from) {
    case State::unset: return true;
    case State::received: return to != State::unset;
    case State::verified: return to != State::unset && to != State::received;
    case State::claimed: return to == State::done || to == State::failed || to == State::unknown;
    case State::unknown: return to == State::done || to == State::failed;   // settled by a person
    default: return false;
  }
}

}  // namespace

void Checker::broken(std::string invariant, std::string what) {
  violations_.push_back({std::move(invariant), std::move(what), timeline_.now_ms() - kStartNs / kNsPerMs, timeline_.steps()});
}

void Checker::on_started(Node& node) {
  auto& seen = seen_[node.number()];
  const auto status = node.executor()->status();
  const bool other = seen.any && !seen.lost && seen.incarnation != status.incarnation;
  if (other && seen.durable) broken("I8", name(node) + " has a new journal, nobody removed the old one");
  if (other && !seen.durable) {   // a journal whose first write never was complete: nothing was done upon it
    seen.lost = true;
    seen.gone.push_back(seen.incarnation);
  }
  if (seen.lost) {
    Seen fresh;
    fresh.gone = std::move(seen.gone);
    fresh.effects = std::move(seen.effects);
    seen = std::move(fresh);
  }
  if (std::find(seen.gone.begin(), seen.gone.end(), status.incarnation) != seen.gone.end()) {
    broken("I5", name(node) + " lost its journal and has the same incarnation again");
  }
  seen.any = true;
  seen.incarnation = status.incarnation;
  seen.known_ms = std::max(seen.floor_ms, node.clock().wall_ns() / kNsPerMs);
  seen.known_at_ns = timeline_.now_ns();
}

void Checker::on_start_failed(Node& node, const Error& error) {
  marks_.reach("start failed");
  if (error.code == make_error_code(Errc::io)) return;
  // Whatever a crash left must be readable: nobody comes to mend it.
  broken("I8", name(node) + " cannot start from what the crash left: " + error.message());
}

void Checker::on_wiped(Node& node) {
  auto& seen = seen_[node.number()];
  if (!seen.any || seen.lost) return;
  seen.lost = true;
  seen.gone.push_back(seen.incarnation);
}

void Checker::on_delivered(Node& node, const Bytes& packet) {
  const auto parsed = parse_packet(packet);
  if (!parsed) return;
  const auto* delivered = std::get_if<DeliverPlan>(&*parsed);
  if (delivered == nullptr) return;
  auto envelope = decode_envelope(delivered->envelope);
  if (!envelope) return;
  // Whoever made it: what counts is who signed it.
  if (const auto plan = parse_plan(envelope->plan)) truth_.plan(*plan, envelope->plan, timeline_.now_ms());
  auto& known = seen_[node.number()].envelopes[plan_digest(envelope->action_class, envelope->plan)];
  if (known.size() < 16) known.push_back(std::move(*envelope));
}

void Checker::on_step(Node& node) {
  auto& seen = seen_[node.number()];
  const auto elapsed_ms = (timeline_.now_ns() - seen.known_at_ns) / kNsPerMs;
  // The floor also holds what a clock said during a start that failed.
  seen.known_ms = std::max({seen.known_ms + elapsed_ms, node.clock().wall_ns() / kNsPerMs, node.executor()->status().time_floor_ms});
  seen.known_at_ns = timeline_.now_ns();
  // While the journal cannot be written, what was only read back is not durable and nothing is done upon it: the next power cut may take it.
  // So it is held against what was seen before, and not remembered.
  const bool durable = node.executor()->status().journal_problem.empty();
  seen.durable = seen.durable || durable;
  check_status(node, seen, durable);
  check_outcomes(node, seen, durable);
}

// I9: what must never go down.
void Checker::check_status(Node& node, Seen& seen, bool durable) {
  const auto status = node.executor()->status();
  if (status.policy_version < seen.policy_version) {
    broken("I9", name(node) + " went from policy version " + std::to_string(seen.policy_version) + " back to " + std::to_string(status.policy_version));
  }
  if (status.time_floor_ms < seen.floor_ms) {
    broken("I9", name(node) + "'s time floor went down by " + std::to_string(seen.floor_ms - status.time_floor_ms) + " ms");
  }
  if (status.policy_version > seen.policy_version || !(status.policy == seen.policy)) {
    const auto known = std::find_if(truth_.policies.begin(), truth_.policies.end(), [&](const auto& one) {
      return one.policy.version == status.policy_version && one.digest == status.policy;
    });
    // The first one is installed by other hands.
    if (known == truth_.policies.end() || (known->policy.version > 1 && known->roots.size() < known->policy.root_threshold)) {
      broken("I9", name(node) + " follows a policy that the roots did not sign, version " + std::to_string(status.policy_version));
    }
    marks_.reach("policy " + std::to_string(std::min<std::uint64_t>(status.policy_version, 3)));
  }
  if (seen.paused && !status.paused) {
    const auto* before = policy_of(node, seen);
    const bool by_policy = before != nullptr && before->paused && status.policy_version > seen.policy_version;
    const auto allowed = by_policy || std::any_of(truth_.statements.begin(), truth_.statements.end(), [](const auto& one) {
      return std::holds_alternative<Resume>(one.statement.body) && one.people.size() >= 2;
    });
    if (!allowed) broken("I9", name(node) + " resumed, and nobody said so");
    marks_.reach("resumed");
  }
  if (!status.checkpoint.empty()) {
    const auto head = head_of(status.checkpoint);
    if (!head) {
      broken("I19", name(node) + " reports a checkpoint that cannot be read");
    } else if (!(*head == seen.head)) {
      if (heads_.leaves(*head) == nullptr) broken("I19", name(node) + " took a head that the log never signed, size " + std::to_string(head->size));
      else if (head->origin == seen.head.origin && !heads_.continues(seen.head, *head)) {
        broken("I19", name(node) + " took a head of size " + std::to_string(head->size) + " that does not continue the one of size " +
                          std::to_string(seen.head.size));
      }
      if (durable) seen.head = *head;
    }
  } else if (seen.head.size > 0) {
    broken("I9", name(node) + " forgot the head that it saw");
  }
  if (!durable) return;
  seen.policy_version = status.policy_version;
  seen.policy = status.policy;
  seen.floor_ms = status.time_floor_ms;
  seen.paused = status.paused;
}

// I8: every plan in one state, and the states a path.
void Checker::check_outcomes(Node& node, Seen& seen, bool durable) {
  std::map<Digest, Outcome> now;
  for (auto& outcome : node.executor()->outcomes()) {
    const auto digest = outcome.plan;
    if (!now.emplace(digest, std::move(outcome)).second) broken("I8", name(node) + " has a plan in two states");
  }
  for (const auto& [digest, outcome] : now) {
    marks_.reach("state " + std::string(to_string(outcome.state)));
    if (!outcome.code.empty()) marks_.reach("code " + outcome.code);
    if (outcome.rolled_back) marks_.reach("rolled back");
    const auto before = seen.plans.find(digest);
    if (before != seen.plans.end() && !path(before->second.state, outcome.state)) {
      broken("I8", name(node) + ": plan " + to_text(digest).substr(0, 8) + " went from " + std::string(to_string(before->second.state)) + " to " +
                       std::string(to_string(outcome.state)));
    }
  }
  for (const auto& [digest, outcome] : seen.plans) {
    if (now.contains(digest)) continue;
    // Forgotten: only long after nobody can deliver it any more.
    const auto plan = std::find_if(truth_.plans().begin(), truth_.plans().end(),
                                   [&](const auto& one) { return plan_digest(naive_class(one->plan), one->bytes) == digest; });
    if (plan != truth_.plans().end() && (*plan)->plan.not_after_ms + 24LL * 3'600'000 > seen.known_ms) {
      broken("I8", name(node) + " lost plan " + to_text(digest).substr(0, 8) + ", which was " + std::string(to_string(outcome.state)));
    }
  }
  if (durable) seen.plans = std::move(now);
}

// I7: the claim is durable before the effect.
void Checker::before_effect(Node& node, const Plan& plan) {
  const auto outcomes = node.outcomes_after_power_cut();
  const auto* known = truth_.find(plan);
  if (known == nullptr) return;   // after_effect says so
  auto& seen = seen_[node.number()];
  auto& effects = seen.effects[{known, seen.gone.size()}];
  if (effects.attempts++ == 0) effects.first_ms = timeline_.now_ms();
  const auto digest = plan_digest(naive_class(plan), known->bytes);
  const bool claimed = outcomes && std::any_of(outcomes->begin(), outcomes->end(), [&](const auto& one) {
    return one.plan == digest && (one.state == State::claimed || one.state == State::done || one.state == State::failed || one.state == State::unknown);
  });
  if (!claimed) broken("I7", name(node) + " acts, and after a power cut it would not know that it claimed the plan");
}

void Checker::on_failed(Node& node, const Plan& plan) {
  auto& seen = seen_[node.number()];
  if (const auto* known = truth_.find(plan)) ++seen.effects[{known, seen.gone.size()}].errors;
}

void Checker::after_effect(Node& node, const Act& act) {
  auto& seen = seen_[node.number()];
  const auto* known = truth_.find(act.plan);
  if (known == nullptr) {
    ++unapproved_;
    return broken("I1", name(node) + " executed a plan that nobody ever wrote down: " + describe(act.plan.action));
  }
  if (act.restore) {
    marks_.reach("restored");
    return check_restore(node, seen, *known);
  }
  ++effects_;
  marks_.reach("effect " + std::string(info_of(act.plan.action).name));
  const bool first = seen.effects[{known, seen.gone.size()}].applies == 0;
  check_once(node, seen, *known, act);
  check_target(node, seen, act.plan);
  if (!first) return;   // a second one is check_once's; what follows was judged at the first
  check_time(node, seen, act.plan);
  if (!act.preconditions_held) broken("I12", name(node) + " acted, and a precondition was false");
  if (!act.identity_held) broken("I10", name(node) + " acted on another object than the plan names");
  if (seen.paused && naive_class(act.plan) >= 1) broken("I13", name(node) + " acted while it was paused");
  const auto* policy = policy_of(node, seen);
  if (policy == nullptr) return;
  if (!check_people(node, seen, *known, *policy, first)) ++unapproved_;
  check_logged(node, seen, *known, *policy);
}

// What is put back was changed before, and there is a reason: its time is over, its effect never came, or people signed an undo.
void Checker::check_restore(Node& node, const Seen& seen, const TruePlan& plan) {
  const auto effects = seen.effects.find({&plan, seen.gone.size()});
  const auto digest = plan_digest(naive_class(plan.plan), plan.bytes);
  if (effects == seen.effects.end()) {
    // It died between claim and act, and found the world as the plan wants it: somebody else's change is taken for its own. It cannot tell.
    const auto claimed = seen.plans.find(digest);
    if (claimed == seen.plans.end() || claimed->second.state == State::verified) broken("I4", name(node) + " restored what it never claimed");
    return;
  }
  const bool undo = std::any_of(truth_.plans().begin(), truth_.plans().end(), [&](const auto& one) {
    const auto* action = std::get_if<Undo>(&one->plan.action);
    return action != nullptr && action->plan == digest && !one->votes.empty();
  });
  const auto slack_ms = 1000 + std::abs(node.clock().error_ns() / kNsPerMs);
  const auto ttl = ttl_ms(plan.plan.action);
  const bool over = ttl > 0 && timeline_.now_ms() + slack_ms >= effects->second.first_ms + static_cast<std::int64_t>(ttl);
  if (!undo && !over && !plan.plan.effect && effects->second.errors == 0) broken("I1", name(node) + " took back " + describe(plan.plan.action) + ", and nobody wanted that");
}

// I4.
void Checker::check_once(Node& node, Seen& seen, const TruePlan& plan, const Act& act) {
  auto& effects = seen.effects[{&plan, seen.gone.size()}];
  const auto epoch = node.machine().epoch(plan.plan.target.cgroup_path);
  if (effects.epoch != epoch) effects.changes = 0;   // the world made the object anew, or changed it by hand
  effects.epoch = epoch;
  ++effects.applies;
  if (act.changed) ++effects.changes;
  const auto digest = plan_digest(naive_class(plan.plan), plan.bytes);
  const auto last = seen.plans.find(digest);
  const bool ended = last != seen.plans.end() && is_end(last->second.state);
  const auto* kill = std::get_if<KillProcess>(&plan.plan.action);
  const std::uint64_t most = kill != nullptr && kill->grace_ms > 0 ? 2 : 1;
  const auto what = name(node) + ": " + describe(plan.plan.action);
  if (at_most_once(plan.plan) && effects.applies > 1) broken("I4", what + " was done " + std::to_string(effects.applies) + " times, it may be done once");
  if (effects.changes > most) broken("I4", what + " had " + std::to_string(effects.changes) + " effects");
  if (ended) broken("I4", what + " was done again after it was " + std::string(to_string(last->second.state)));
}

// I3, I5.
void Checker::check_target(Node& node, const Seen& seen, const Plan& plan) {
  if (plan.target.node != node.config().node) broken("I3", name(node) + " executed a plan for another node");
  if (std::find(seen.gone.begin(), seen.gone.end(), plan.target.incarnation) != seen.gone.end()) {
    broken("I5", name(node) + " executed a plan from before its journal was lost");
  } else if (seen.any && plan.target.incarnation != seen.incarnation) {
    broken("I3", name(node) + " executed a plan for another incarnation");
  }
}

// I6. A clock that is wrong by more than the skew deceives only a node that could not know better: known_ms is the least that its clocks and
// its journal had told it.
void Checker::check_time(Node& node, const Seen& seen, const Plan& plan) {
  const auto* policy = policy_of(node, seen);
  const auto skew_ms = policy == nullptr ? 120'000 : policy->time_skew_ms;
  const auto wall_ms = node.clock().wall_ns() / kNsPerMs;
  const auto error_ms = node.clock().error_ns() / kNsPerMs;
  const auto known_ms = std::max(wall_ms, seen.known_ms + (node.starting() ? 0 : (timeline_.now_ns() - seen.known_at_ns) / kNsPerMs));
  if (known_ms > plan.not_after_ms + skew_ms + 1000) {
    broken("I6", name(node) + " executed a plan " + std::to_string((known_ms - plan.not_after_ms) / 1000) + " s after its end");
  }
  if (timeline_.now_ms() + std::max<std::int64_t>(error_ms, 0) < plan.not_before_ms - skew_ms) {
    broken("I6", name(node) + " executed a plan before its beginning");
  }
}

const Policy* Checker::policy_of(Node&, const Seen& seen) {
  const auto known = std::find_if(truth_.policies.begin(), truth_.policies.end(), [&](const auto& one) { return one.digest == seen.policy; });
  return known == truth_.policies.end() ? nullptr : &known->policy;
}

// I7, second half: an outcome is durable before anybody hears of it.
void Checker::on_sent(Node& node, const Packet& packet) {
  if (const auto* notice = std::get_if<Notice>(&packet)) {
    marks_.reach("code " + (notice->code.empty() ? "ok" : notice->code));
  }
  if (const auto* status = std::get_if<ExecutorStatus>(&packet)) {
    if (const auto head = head_of(status->checkpoint)) heads_.cosigned(*head, "node/" + node.config().node.str());
  }
  const auto* report = std::get_if<OutcomeReport>(&packet);
  if (report == nullptr) return;
  const auto outcome = parse_outcome(report->outcome);
  if (!outcome) return broken("I7", name(node) + " reports an outcome that cannot be read");
  // Sent again and again until it is acknowledged: looked at once.
  auto& told = seen_[node.number()].told;
  if (!told.insert({outcome->plan, outcome->state, outcome->rolled_back}).second) return;
  const auto durable = node.outcomes_after_power_cut();
  const bool there = durable && std::any_of(durable->begin(), durable->end(), [&](const auto& one) {
    return one.plan == outcome->plan && path(outcome->state, one.state) && (one.rolled_back || !outcome->rolled_back);
  });
  if (there) return;
  std::string left = durable ? "the plan is unknown" : "the journal cannot be read";
  for (const auto& one : durable.value_or(std::vector<Outcome>{})) {
    if (one.plan == outcome->plan) left = "it is " + std::string(to_string(one.state)) + " (" + one.sentence + ")";
  }
  broken("I7", name(node) + " reports " + std::string(to_string(outcome->state)) + ", and after a power cut " + left);
}

std::vector<std::string> Checker::unfinished(Node& node) const {
  std::vector<std::string> out;
  for (const auto& outcome : node.executor()->outcomes()) {
    if (is_end(outcome.state)) continue;
    std::string what = to_text(outcome.plan).substr(0, 8);
    for (const auto& plan : truth_.plans()) {
      if (plan_digest(naive_class(plan->plan), plan->bytes) == outcome.plan) what += " (" + describe(plan->plan.action) + ")";
    }
    out.push_back(what + " is " + std::string(to_string(outcome.state)) + ": " + outcome.sentence);
  }
  return out;
}

}  // namespace fw::sim
