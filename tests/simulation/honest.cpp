#include "tests/simulation/honest.hpp"

#include <algorithm>

namespace fw::sim {

using namespace authority;
using governance::Core;
using governance::PlanRecord;
using governance::PlanState;

namespace {

constexpr std::int64_t kMinuteMs = 60'000;

}  // namespace

Honest::Honest(Deps deps, Rng rng, std::optional<std::size_t> stolen) : deps_(deps), rng_(rng), stolen_(stolen) {}

void Honest::start() {
  deps_.aggregator.on_restored = [this](Core& core) {
    for (const auto& incident : incidents_) tell(core, incident);
  };
  deps_.aggregator.on_word = [this](const governance::IncidentWord& word) {
    if (word.kind != governance::IncidentWord::Kind::fixed) return;
    deps_.marks.reach("incident fixed");
    for (auto& incident : incidents_) {
      if (incident.view.uid == word.incident) incident.view.over = true;
    }
  };
  const auto many = rng_.between(2, 4);
  for (std::int64_t i = 0; i < many; ++i) deps_.timeline.in(rng_.between(2 * kSecond, 4 * kMinute), [this] { begin_incident(); });
}

// ---- incidents ------------------------------------------------------------------------------------------------------

void Honest::begin_incident() {
  auto& node = *deps_.nodes[rng_.below(deps_.nodes.size())];
  auto& cgroups = node.machine().state().cgroups;
  auto at = cgroups.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(rng_.below(cgroups.size())));
  Incident incident;
  incident.node = node.number();
  incident.path = at->first;
  incident.needed = at->second.limit + (rng_.between(8, 64) << 20);
  rng_.fill(incident.view.uid.bytes);
  incident.view.number = ++next_number_;
  incident.view.lineage = node.config().node.str() + at->first;
  incident.view.node = node.config().node;
  incident.view.node_name = "node-" + std::to_string(node.number());
  incident.view.subject_path = at->first;
  incident.view.subject_name = at->first.substr(at->first.rfind('/') + 1);
  if (at->first.starts_with("/batch")) incident.view.pod_uid = "pod-1", incident.view.name_space = "batch";
  else incident.view.name_space = "shop";
  incident.view.first_symptom_ns = deps_.aggregator.clock().wall_ns();
  incidents_.push_back(std::move(incident));
  symptom(incidents_.size() - 1);
}

void Honest::symptom(std::size_t index) {
  auto& incident = incidents_[index];
  if (incident.view.over) return;
  auto& node = *deps_.nodes[static_cast<std::size_t>(incident.node - 1)];
  const auto limit = node.machine().state().cgroups.at(incident.path).limit;
  if (limit < incident.needed) {
    incident.view.last_symptom_ns = deps_.aggregator.clock().wall_ns();
    ++incident.view.symptoms_total;
    deps_.aggregator.with_core([&](Core& core) { tell(core, incident); });
    explain(incident);
  }
  if (!stopped_ || incident.view.symptoms_total == 0) deps_.timeline.in(rng_.between(20 * kSecond, 2 * kMinute), [this, index] { symptom(index); });
}

void Honest::tell(Core& core, const Incident& incident) { core.on_incident(incident.view); }

void Honest::explain(const Incident& incident) {
  if (stopped_) return;
  auto& node = *deps_.nodes[static_cast<std::size_t>(incident.node - 1)];
  const auto limit = node.machine().state().cgroups.at(incident.path).limit;
  governance::Explanation explanation;
  explanation.incident = incident.view.uid;
  explanation.confidence = agents::Confidence::likely;
  agents::Remedy remedy;
  remedy.cgroup_path = incident.path;
  remedy.value = incident.needed + (16 << 20);
  remedy.value_now = limit;
  remedy.safe_min = incident.needed;
  remedy.safe_max = incident.needed * 4;
  remedy.why = "it needs more than it has";
  explanation.remedies.push_back(remedy);
  deps_.aggregator.with_core([&](Core& core) { core.on_explained(explanation); });
}

// ---- people ---------------------------------------------------------------------------------------------------------

const Policy* Honest::policy() const {
  const auto* record = deps_.aggregator.core() == nullptr ? nullptr : deps_.aggregator.core()->policy();
  return record == nullptr ? nullptr : std::get_if<Policy>(&record->parsed);
}

// What people read becomes known: who signs knows these bytes.
void Honest::see_plans() {
  for (const auto* plan : deps_.aggregator.core()->plans(Uuid{})) deps_.truth.plan(plan->plan, plan->document, deps_.timeline.now_ms());
}

// A copy: the core may be gone after the next call.
std::optional<PlanRecord> Honest::some_plan(const std::function<bool(const PlanRecord&)>& want) {
  std::vector<const PlanRecord*> found;
  for (const auto* plan : deps_.aggregator.core()->plans(Uuid{})) {
    if (want(*plan)) found.push_back(plan);
  }
  if (found.empty()) return std::nullopt;
  return *rng_.pick(found);
}

std::uint64_t Honest::version_for(const PlanRecord& plan) const {
  for (const auto* executor : deps_.aggregator.core()->executors()) {
    if (executor->node == plan.plan.target.node) return executor->status.policy_version;
  }
  return policy() == nullptr ? 1 : policy()->version;
}

void Honest::vote(std::size_t human, const PlanRecord& plan, const Pens::VoteOptions& options, bool as_other) {
  const auto made = deps_.pens.vote(human, plan.plan, plan.document, plan.action_class, deps_.timeline.now_ms(), options);
  const auto digest = plan.digest;
  const auto who = caller(as_other ? (human + 1) % 5 : human);
  deps_.aggregator.call("vote", [&](Core& core) { return core.vote(digest, made, who); });
}

void Honest::step() {
  if (stopped_ || deps_.aggregator.core() == nullptr || policy() == nullptr) return;
  see_plans();
  const auto human = rng_.below(5);
  const auto dice = rng_.below(100);
  const auto awaits = [](const PlanRecord& plan) { return plan.state == PlanState::proposed; };
  const auto done = [](const PlanRecord& plan) { return plan.state == PlanState::done && !std::holds_alternative<Undo>(plan.plan.action); };
  if (dice < 70) {
    const auto plan = some_plan(awaits);
    if (!plan) return;
    Pens::VoteOptions options;
    options.policy_version = version_for(*plan);
    if (rng_.chance(0.04)) options.decision = Decision::deny;
    vote(human, *plan, options);
  } else if (dice < 76) {
    if (const auto plan = some_plan(done)) {
      const auto digest = plan->digest;
      deps_.aggregator.call("undo", [&](Core& core) { return core.propose_undo(digest, caller(human)); });
    }
  } else if (dice < 80) {
    if (const auto plan = some_plan(done)) {
      const auto digest = plan->digest;
      deps_.aggregator.call("extend", [&](Core& core) { return core.propose_extend(digest, 10 * kMinuteMs, caller(human)); });
    }
  } else if (dice < 84) {
    if (const auto plan = some_plan(awaits); plan && std::holds_alternative<SetMemoryLimit>(plan->plan.action)) {
      auto edited = plan->plan;
      edited.nonce = deps_.pens.nonce();
      edited.proposer = Proposer::person;
      edited.person = Keys::get().humans[human].person;
      std::get<SetMemoryLimit>(edited.action).limit_bytes += 4 << 20;
      if (edited.effect) edited.effect->value += 4 << 20;
      const auto bytes = to_bytes(edited);
      const auto digest = plan->digest;
      deps_.truth.plan(edited, bytes, deps_.timeline.now_ms());
      deps_.aggregator.call("edit", [&](Core& core) { return core.propose_edit(digest, bytes, class_of(edited), caller(human)); });
    }
  } else if (dice < 88) {
    sign_standing();
  } else if (dice < 96) {
    Statement statement;
    statement.nonce = deps_.pens.nonce();
    statement.policy_version = policy()->version;
    statement.issued_ms = deps_.timeline.now_ms();
    statement.expires_ms = statement.issued_ms + 60 * kMinuteMs;
    const auto unknown = some_plan([](const PlanRecord& plan) { return plan.state == PlanState::unknown; });
    if (unknown) statement.body = Settle{unknown->digest, rng_.chance(0.5), "looked"};
    else if (rng_.chance(0.25)) statement.body = Pause{"drill"};
    else statement.body = Resume{"over"};
    sign_statement(statement, {human, (human + 1) % 5});
  } else {
    change_policy();
  }
}

void Honest::sign_statement(Statement statement, const std::vector<std::size_t>& people) {
  const auto bytes = to_bytes(statement);
  for (const auto human : people) {
    const auto signature = deps_.pens.sign_statement(human, statement, bytes, deps_.timeline.now_ms());
    // A pause is taken also while the log cannot be written: it only tightens.
    const auto* what = std::holds_alternative<Pause>(statement.body) ? "pause" : "statement";
    deps_.aggregator.call(what, [&](Core& core) { return core.sign_statement(bytes, signature, caller(human)); });
  }
}

void Honest::sign_standing() {
  StandingApproval terms;
  terms.name = "night-" + std::to_string(standings_.size());
  terms.nonce = deps_.pens.nonce();
  terms.trigger = rng_.chance(0.3) ? Trigger::automatic : Trigger::one_approver;
  terms.policy_version = policy()->version;
  terms.actions = {find_action("set_memory_limit")->index};
  terms.max_class = 2;
  terms.max_value = std::int64_t{512} << 20;
  terms.per_hour = static_cast<std::uint32_t>(rng_.between(1, 3));
  terms.per_day = 6;
  terms.not_before_ms = deps_.timeline.now_ms() - kMinuteMs;
  terms.not_after_ms = deps_.timeline.now_ms() + 12 * 60 * kMinuteMs;
  standings_.push_back(terms);
  const auto bytes = to_bytes(terms);
  for (const auto human : {kAlice, kCarol}) {
    const auto signature = deps_.pens.sign_standing(human, terms, bytes);
    deps_.aggregator.call("standing", [&](Core& core) { return core.sign_standing(bytes, signature, caller(human)); });
  }
}

// Roots write the next version: it tightens, loosens, or makes the nodes witnesses of the log.
void Honest::change_policy() {
  auto next = *policy();
  ++next.version;
  next.issued_ms = deps_.timeline.now_ms();
  switch (rng_.below(4)) {
    case 0: next.limits.front().per_hour += 1; break;
    case 1: next.time_skew_ms = 60'000; break;
    case 2:
      next.witnesses.clear();
      for (const auto* executor : deps_.aggregator.core()->executors()) {
        next.witnesses.push_back({"node/" + executor->node.str(), executor->status.key});
      }
      next.witness_quorum = next.witnesses.size() >= 2 ? 1 : 0;
      break;
    default:
      if (next.approvers.size() > 3) next.approvers.pop_back();
      break;
  }
  const auto bytes = to_bytes(next);
  std::vector<Signature> signatures;
  for (std::size_t root = 0; root < 2; ++root) signatures.push_back(deps_.pens.root_sign_policy(root, next, bytes));
  deps_.aggregator.call("policy", [&](Core& core) { return core.load_policy(bytes, signatures, caller(kAlice)); });
}

// ---- a stolen key ---------------------------------------------------------------------------------------------------

void Honest::attack() {
  if (!stolen_ || deps_.aggregator.core() == nullptr || policy() == nullptr) return;
  see_plans();
  const auto thief = *stolen_;
  const auto plan = some_plan([](const PlanRecord&) { return true; });
  const auto kind = rng_.below(8);
  if (kind < 5 && !plan) return;
  Pens::VoteOptions options;
  if (plan) options.policy_version = version_for(*plan);
  switch (kind) {
    case 0: deps_.marks.reach("attack key.votes"); vote(thief, *plan, options); break;
    case 1: deps_.marks.reach("attack key.votes_twice"); vote(thief, *plan, options); vote(thief, *plan, options); break;
    case 2:
      deps_.marks.reach("attack key.votes_as_other");
      options.claims = Keys::get().humans[(thief + 1) % 5].person;
      vote(thief, *plan, options, true);
      break;
    case 3: deps_.marks.reach("attack key.sends_as_other"); vote(thief, *plan, options, true); break;
    case 4:
      deps_.marks.reach("attack key.denies");
      if (!rng_.chance(0.2)) return;
      options.decision = Decision::deny;
      vote(thief, *plan, options);
      break;
    case 5: {
      deps_.marks.reach("attack key.resumes_alone");
      Statement statement;
      statement.nonce = deps_.pens.nonce();
      statement.policy_version = policy()->version;
      statement.issued_ms = deps_.timeline.now_ms();
      statement.expires_ms = statement.issued_ms + 60 * kMinuteMs;
      if (rng_.chance(0.3)) statement.body = Pause{"mine"};
      else statement.body = Resume{"mine"};
      sign_statement(statement, {thief, thief});
      break;
    }
    case 6: {
      deps_.marks.reach("attack key.policy");
      auto next = *policy();
      ++next.version;
      next.classes[2].threshold = 1;
      next.profile = Profile::solo;
      const auto bytes = to_bytes(next);
      const auto signature = Keys::get().humans[thief].keys.front().sign(Domain::policy, bytes);
      deps_.aggregator.call("forged policy", [&](Core& core) { return core.load_policy(bytes, {signature, signature}, caller(thief)); });
      break;
    }
    default: {
      deps_.marks.reach("attack key.standing_alone");
      StandingApproval terms;
      terms.name = "mine";
      terms.nonce = deps_.pens.nonce();
      terms.trigger = Trigger::automatic;
      terms.policy_version = policy()->version;
      terms.actions = {find_action("set_memory_limit")->index};
      terms.max_class = 2;
      terms.max_value = std::int64_t{1} << 40;
      terms.per_hour = 1000;
      terms.per_day = 1000;
      terms.not_before_ms = deps_.timeline.now_ms();
      terms.not_after_ms = deps_.timeline.now_ms() + 60 * kMinuteMs;
      const auto bytes = to_bytes(terms);
      const auto signature = deps_.pens.sign_standing(thief, terms, bytes);
      deps_.aggregator.call("standing", [&](Core& core) { return core.sign_standing(bytes, signature, caller(thief)); });
      break;
    }
  }
}

}  // namespace fw::sim
