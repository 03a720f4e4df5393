// Plans: from an explanation, over enough votes, to the end of the symptom.
#include <algorithm>

#include "aggregator/governance/impl.hpp"
#include "protocol/authority/catalogue.hpp"

namespace fw::governance {

using authority::Decision;

namespace {

constexpr std::int64_t kEventGraceNs = 2'000'000'000;    // an event's time may be off by this much against the action's
constexpr std::size_t kMostPlansOfIncident = 20;         // by the engine

bool by_engine(const PlanRecord& plan) { return plan.plan.proposer == authority::Proposer::engine; }

bool is_follow_up(const authority::Plan& plan) {
  return std::holds_alternative<authority::Undo>(plan.action) || std::holds_alternative<authority::Extend>(plan.action);
}

}  // namespace

PlanSetting Core::Impl::setting(const Uuid& node, std::uint8_t action_class) const {
  PlanSetting setting{.cluster = config.cluster, .incarnation = {}, .now_ms = now_ms(), .window = config.plan_window, .ttl = config.ttl};
  if (const auto at = executors.find(node); at != executors.end()) setting.incarnation = at->second.status.incarnation;
  if (const authority::Policy* in_force = policy_of(node)) {
    for (const authority::ClassRule& rule : in_force->classes) {
      if (rule.action_class == action_class && rule.max_validity_ms > 0) setting.window = std::min(setting.window, std::chrono::milliseconds(rule.max_validity_ms));
    }
  }
  return setting;
}

PlanRecord& Core::Impl::add_plan(authority::Plan plan, PlanFacts facts, const Uuid& incident, std::int64_t incident_number) {
  make_room_for_plan();
  PlanRecord record;
  record.document = authority::to_bytes(plan);
  record.action_class = authority::class_of(plan);
  record.digest = authority::plan_digest(record.action_class, record.document);
  record.plan = std::move(plan);
  record.facts = std::move(facts);
  record.incident = incident;
  record.incident_number = incident_number;
  record.created_ns = now_ns();
  PlanRecord& added = plans[record.digest] = std::move(record);
  if (const auto at = cases.find(incident); at != cases.end()) at->second.plans.push_back(added.digest);
  next.plans.push_back({.digest = digest_text(added.digest), .incident = incident, .incident_number = incident_number, .created_ns = added.created_ns,
                        .action_class = added.action_class, .document = std::string(added.document.begin(), added.document.end()),
                        .facts = to_json(added.facts)});
  ++stats.plans_total;
  add_event(added, Proposed{});
  try_release(added);                                    // an automatic standing approval needs nobody
  return added;
}

// Finished plans leave the memory first; the store keeps them.
void Core::Impl::make_room_for_plan() {
  while (plans.size() >= config.plans) {
    auto oldest = plans.end();
    for (auto at = plans.begin(); at != plans.end(); ++at) {
      const bool done_with = is_finished(at->second.state) && (at->second.state != PlanState::done || at->second.fixed);
      if (done_with && (oldest == plans.end() || at->second.created_ns < oldest->second.created_ns)) oldest = at;
    }
    if (oldest == plans.end()) return;
    if (const auto found = cases.find(oldest->second.incident); found != cases.end()) std::erase(found->second.plans, oldest->first);
    deliveries.erase(oldest->first);
    plans.erase(oldest);
  }
}

void Core::on_explained(const Explanation& explanation) {
  const auto at = impl_->cases.find(explanation.incident);
  if (at == impl_->cases.end()) return;
  at->second.explanation = explanation;
  impl_->propose_for(at->second);
}

// Whether a plan that the engine wants now says something new, and nothing else is under way.
bool Core::Impl::wants_plan(const Case& found, const authority::Plan& wanted) const {
  std::size_t of_engine = 0;
  for (const authority::Digest& digest : found.plans) {
    const PlanRecord& plan = plans.at(digest);
    if (awaits_node(plan.state) || plan.state == PlanState::unknown) return false;
    if (plan.state == PlanState::done && !plan.fixed) return false;         // its effect is watched
    if (awaits_people(plan.state) && (!plan.votes.empty() || !by_engine(plan) || is_follow_up(plan.plan))) return false;
    if (by_engine(plan) && !is_follow_up(plan.plan)) ++of_engine;
    if (!same_action(plan.plan, wanted)) continue;
    // What was said once is not said again, except that nobody answered in time.
    if (plan.state != PlanState::expired) return false;
  }
  return of_engine < kMostPlansOfIncident;
}

void Core::Impl::propose_for(Case& found) {
  if (!found.explanation || found.view.over || found.view.number == 0 || not_now()) return;
  const Explanation& explanation = *found.explanation;
  if (explanation.confidence == agents::Confidence::guess || explanation.remedies.empty()) return;
  const auto executor = executors.find(found.view.node);
  if (executor == executors.end()) return;                                   // nobody there who could do it; `by hand` remains
  NewPlan made = plan_of(explanation.remedies.front(), found.view, explanation.by_hand, explanation.findings, setting(found.view.node, 1));
  const std::uint8_t action_class = authority::class_of(made.plan);
  const PlanSetting in_class = setting(found.view.node, action_class);
  made.plan.not_after_ms = made.plan.not_before_ms + in_class.window.count();
  if (!authority::check_plan(made.plan).empty() || !wants_plan(found, made.plan)) return;
  std::vector<authority::Digest> replaced;
  for (const authority::Digest& digest : found.plans) {
    if (awaits_people(plans.at(digest).state)) replaced.push_back(digest);
  }
  const PlanRecord& added = add_plan(std::move(made.plan), std::move(made.facts), found.view.uid, found.view.number);
  for (const authority::Digest& digest : replaced) {
    add_event(plans.at(digest), Superseded{.by = digest_text(added.digest), .why = "the explanation changed"});
  }
}

// ---- release ------------------------------------------------------------------------------------------------------

std::vector<authority::Vote> Core::Impl::good_votes(const PlanRecord& plan, const authority::Policy& in_force) const {
  std::vector<authority::Vote> good;
  std::set<authority::Person> people;
  for (const VoteRecord& vote : plan.votes) {
    if (vote.approval.decision != Decision::approve || good.size() == authority::kMaxVotes) continue;
    const auto alone = authority::count_votes(plan.document, {vote.vote}, std::nullopt, in_force, now_ms());
    if (alone.bad.empty() && people.insert(vote.approval.person).second) good.push_back(vote.vote);
  }
  return good;
}

std::vector<authority::Vote> Core::Impl::released_votes(const PlanRecord& plan) const {
  std::vector<authority::Vote> votes;
  for (const VoteRecord& vote : plan.votes) {
    const std::string document = digest_text(vote.document);
    if (plan.release && std::find(plan.release->votes.begin(), plan.release->votes.end(), document) != plan.release->votes.end()) votes.push_back(vote.vote);
  }
  return votes;
}

void Core::Impl::try_release(PlanRecord& plan) {
  if (!awaits_people(plan.state) || not_now()) return;
  if (now_ms() >= plan.plan.not_after_ms) return;
  if (release_with(plan, nullptr)) return;
  plan.standing.clear();
  for (const auto& [digest, document] : documents) {
    if (document.kind != DocumentKind::standing || document.state != DocumentState::active) continue;
    if (release_with(plan, &document)) return;
  }
}

// With these votes and this standing approval, or shown as the one that would do with one more vote.
bool Core::Impl::release_with(PlanRecord& plan, const DocumentRecord* standing) {
  const authority::Policy* in_force = policy_of(plan.plan.target.node);
  if (in_force == nullptr || (standing == nullptr && plan.votes.empty() && plan.action_class > 0)) return false;
  std::optional<authority::SignedStanding> document;
  if (standing != nullptr) document = authority::SignedStanding{standing->document, standing->signatures};
  authority::Envelope envelope{.action_class = plan.action_class, .plan = plan.document, .votes = good_votes(plan, *in_force), .standing = document, .proof = {}};
  const authority::Progress counted = authority::count_votes(plan.document, envelope.votes, document, *in_force, now_ms());
  if (standing != nullptr && counted.bad.empty() && plan.standing.empty()) plan.standing = digest_text(standing->digest);
  if (!counted.enough || !counted.bad.empty()) return false;
  Released released{.release = authority::release_digest(envelope), .votes = {}, .standing = standing == nullptr ? "" : digest_text(standing->digest)};
  for (const authority::Vote& vote : envelope.votes) {
    released.votes.push_back(digest_text(authority::document_digest(authority::Domain::approval, vote.document)));
  }
  add_event(plan, std::move(released));
  return true;
}

// ---- the symptom --------------------------------------------------------------------------------------------------

std::chrono::nanoseconds Core::Impl::watch_time(const IncidentView& view) const {
  std::chrono::nanoseconds gap{0};
  if (view.symptoms_total > 1) gap = std::chrono::nanoseconds((view.last_symptom_ns - view.first_symptom_ns) / (view.symptoms_total - 1));
  return std::clamp(3 * gap, config.watch_least, config.watch_most);
}

void Core::Impl::watch(Case& found) {
  for (std::size_t i = 0; i < found.plans.size(); ++i) {
    PlanRecord& plan = plans.at(found.plans[i]);
    if (plan.state != PlanState::done || plan.fixed || is_follow_up(plan.plan)) continue;
    const IncidentView& view = found.view;
    if (view.last_symptom_ns > plan.done_ns + kEventGraceNs) {
      add_event(plan, EffectMissing{"the symptom went on after it"});
      say(view.uid, IncidentWord::Kind::note, "plan " + short_digest(plan.digest) + " was done and the symptom went on; undoing it is proposed");
      NewPlan undo = undo_of(plan, nullptr, setting(plan.plan.target.node, 1));
      if (authority::check_plan(undo.plan).empty()) add_plan(std::move(undo.plan), std::move(undo.facts), view.uid, view.number);
      return;                                            // found.plans has changed
    }
    const std::int64_t quiet_ns = now_ns() - std::max(plan.done_ns, view.last_symptom_ns);
    if (now_ns() - plan.done_ns < watch_time(view).count()) continue;
    add_event(plan, Fixed{quiet_ns});
    say(view.uid, IncidentWord::Kind::fixed, "fixed by plan " + short_digest(plan.digest) + ": " + authority::describe(plan.plan.action));
  }
}

void Core::on_incident(const IncidentView& incident) {
  Impl::Case& found = impl_->cases[incident.uid];
  const bool first = found.view.number == 0;
  found.view = incident;
  impl_->watch(found);
  if (first) impl_->propose_for(found);
  if (!incident.over) return;
  for (const authority::Digest& digest : found.plans) {
    PlanRecord& plan = impl_->plans.at(digest);
    if (awaits_people(plan.state) && by_engine(plan) && !is_follow_up(plan.plan)) {
      impl_->add_event(plan, Superseded{.by = "", .why = "the incident is over without it"});
    }
  }
  const bool nothing_left = std::none_of(found.plans.begin(), found.plans.end(), [&](const authority::Digest& digest) {
    const PlanRecord& plan = impl_->plans.at(digest);
    return !is_finished(plan.state) || (plan.state == PlanState::done && !plan.fixed);
  });
  if (nothing_left) impl_->cases.erase(incident.uid);
}

void Core::on_limit_changed(const Uuid& node, const std::string& cgroup_path, std::int64_t limit_bytes, std::int64_t our_time_ns, const std::string& comm) {
  Impl& c = *impl_;
  for (auto& [digest, plan] : c.plans) {
    const authority::Target& target = plan.plan.target;
    if (target.node != node || target.cgroup_path != cgroup_path || our_time_ns < plan.created_ns) continue;
    if (!awaits_people(plan.state) && plan.state != PlanState::approved && plan.state != PlanState::released) continue;
    const auto needed = needed_value(plan);
    if (!needed || (limit_bytes >= 0 && limit_bytes < *needed)) continue;
    // Ours: the node's word for it is on its way. Another's program may have any name, so the value must be ours as well.
    const auto* wanted = std::get_if<authority::SetMemoryLimit>(&plan.plan.action);
    const bool ours = !awaits_people(plan.state) && wanted != nullptr && wanted->limit_bytes == limit_bytes && (comm.empty() || comm.starts_with("fleetwright"));
    if (ours) continue;
    c.add_event(plan, Superseded{.by = "", .why = "somebody set the limit to " + (limit_bytes < 0 ? "no limit" : std::to_string(limit_bytes) + " bytes") + " by hand"});
    c.deliveries.erase(digest);
    c.say(plan.incident, IncidentWord::Kind::note, "mended by hand: the memory limit is " + (limit_bytes < 0 ? "gone" : std::to_string(limit_bytes) + " bytes") +
                                                       " now; plan " + short_digest(digest) + " is not needed any more");
  }
}

// Windows that are over, for people and for nodes.
void Core::Impl::end_what_is_over() {
  const std::int64_t ms = now_ms();
  std::vector<authority::Digest> ended;
  for (auto& [digest, plan] : plans) {
    if (awaits_people(plan.state) && ms > plan.plan.not_after_ms) {
      add_event(plan, Expired{plan.votes.empty() ? "nobody approved it in time" : "too few people approved it in time"});
      ended.push_back(digest);
    } else if (awaits_node(plan.state) && ms > plan.plan.not_after_ms + config.answer_grace.count() / kNsPerMs) {
      const bool sent = plan.state != PlanState::approved;
      add_event(plan, Expired{sent ? "the node did not say what became of it; if it acted, its word still counts when it comes"
                                   : "it could not be released in time"});
      deliveries.erase(digest);
    }
  }
  for (const authority::Digest& digest : ended) {
    if (const auto at = cases.find(plans.at(digest).incident); at != cases.end()) propose_for(at->second);
  }
}

}  // namespace fw::governance
