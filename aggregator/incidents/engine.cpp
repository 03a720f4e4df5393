#include "aggregator/incidents/engine.hpp"

#include <algorithm>

#include "aggregator/incidents/change_match.hpp"

namespace fw::incidents {

Engine::Engine(EngineConfig config, const Clock& clock) : config_(std::move(config)), clock_(clock), detector_(config_.thresholds) {}

void Engine::restore(std::vector<Incident> incidents, std::vector<std::string> known_refs) {
  known_refs_ = {std::make_move_iterator(known_refs.begin()), std::make_move_iterator(known_refs.end())};
  // Oldest first, so that the newest of a lineage is the one that grows.
  std::sort(incidents.begin(), incidents.end(), [](const Incident& a, const Incident& b) { return a.number < b.number; });
  for (Incident& incident : incidents) {
    const std::string lineage = incident.lineage;
    const Uuid uid = incident.uid;
    adopt(std::move(incident));
    by_lineage_[lineage] = uid;
    Live& live = live_.at(uid);
    if (live.incident.state == State::open) schedule(live, true);   // the answer was under way when the program ended
  }
}

void Engine::adopt(Incident incident) {
  const Uuid uid = incident.uid;
  by_number_[incident.number] = uid;
  Live& live = live_[uid];
  for (const SymptomCount& symptom : incident.symptoms) live.symptom_rows += static_cast<std::size_t>(symptom.count);
  live.keep_until_ns = mono_ns() + config_.keep_adopted.count();
  live.incident = std::move(incident);
}

void Engine::record(Live& live, IncidentEvent event) {
  const bool symptom = std::holds_alternative<SymptomSeen>(event.body);
  if (symptom && ++live.symptom_rows > config_.symptom_rows) {
    ++stats_.unsaved_symptoms_total;
    apply(live.incident, event);
    --live.incident.last_seq;
    return;
  }
  apply(live.incident, event);
  live.unsaved.push_back({.seq = live.incident.last_seq, .time_ns = event.time_ns, .kind = std::string(kind_of(event)), .ref = event.ref,
                          .body = body_json(event)});
}

void Engine::on_event(const fleet::NodeEventPtr& event) {
  for (const Symptom& symptom : detector_.on_event(event)) {
    if (!known_refs_.contains(symptom.event->ref.str() + ":" + std::string(to_string(symptom.kind)))) on_symptom(symptom);
  }
}

void Engine::on_symptom(const Symptom& symptom) {
  const std::int64_t now_ns = clock_.wall_ns();
  const fleet::NodeEvent& event = *symptom.event;
  Live* live = incident_for(event);
  if (live == nullptr) {
    ++stats_.refused_total;
    return;
  }
  ++stats_.symptoms_total;
  record(*live, {.time_ns = now_ns,
                 .ref = event.ref.str() + ":" + std::string(to_string(symptom.kind)),
                 // A node whose clock runs ahead of what we know of it must not keep its incident open until then.
                 .body = SymptomSeen{.kind = symptom.kind, .time_ns = std::min(event.our_time_ns(), std::max(event.received_ns, now_ns)),
                                     .node_level = symptom.node_level, .subject = *event.entity}});
  schedule(*live, true);
  focus_.push_back({event.entity->key, config_.focus_for});
}

Engine::Live* Engine::incident_for(const fleet::NodeEvent& event) {
  const std::string lineage = fleet::lineage_of(*event.entity);
  if (const auto known = by_lineage_.find(lineage); known != by_lineage_.end()) return &live_.at(known->second);
  if (live_.size() >= config_.live && !make_room()) return nullptr;
  const std::int64_t now_ns = clock_.wall_ns();
  const Uuid uid = make_uuid_v7(now_ns);
  Live& live = live_[uid];
  live.incident.uid = uid;
  by_lineage_[lineage] = uid;
  ++stats_.opened_total;
  record(live, {.time_ns = now_ns, .ref = "", .body = Opened{*event.entity}});
  return &live;
}

// The quietest incident that the store holds whole goes from memory; people still find it there.
bool Engine::make_room() {
  auto quietest = live_.end();
  for (auto it = live_.begin(); it != live_.end(); ++it) {
    const Live& l = it->second;
    if (l.incident.state != State::resolved || !l.unsaved.empty() || l.unsaved_case || l.in_flight) continue;
    if (quietest == live_.end() || l.incident.last_symptom_ns < quietest->second.incident.last_symptom_ns) quietest = it;
  }
  if (quietest == live_.end()) return false;
  put_away(quietest);
  return true;
}

Engine::LiveMap::iterator Engine::put_away(LiveMap::iterator at) {
  const Incident& incident = at->second.incident;
  if (const auto l = by_lineage_.find(incident.lineage); l != by_lineage_.end() && l->second == incident.uid) by_lineage_.erase(l);
  by_number_.erase(incident.number);
  if (incident.state != State::closed) ++stats_.put_away_total;
  return live_.erase(at);
}

void Engine::schedule(Live& live, bool also_later) {
  const std::int64_t now_ns = mono_ns();
  live.due_ns.insert(now_ns);
  if (!also_later) return;
  // Later rounds count from the newest symptom; earlier plans for them are void.
  live.due_ns.erase(live.due_ns.upper_bound(now_ns), live.due_ns.end());
  for (const auto delay : config_.investigate_again) live.due_ns.insert(now_ns + delay.count());
}

std::int64_t Engine::earliest_ns(const Live& live) const {
  if (live.investigations == 0) return 0;
  const bool full_pace = live.change_due || live.investigations < config_.investigations_at_full_pace;
  const auto spacing = full_pace ? config_.investigate_spacing : config_.investigate_spacing_later;
  return live.investigated_ns + spacing.count();
}

void Engine::on_change(const changes::Change& change, const NodeName& node_name) {
  for (auto& [uid, live] : live_) {
    const Incident& incident = live.incident;
    if (incident.state != State::open && incident.state != State::explained) continue;
    const bool may_matter = !change.change_group.empty() || match_change(change, incident.subject, node_name(incident.subject.key.node));
    if (!may_matter) continue;
    live.change_due = true;
    schedule(live, false);
  }
}

void Engine::on_tick() {
  const std::int64_t now_ns = clock_.wall_ns();
  for (auto it = live_.begin(); it != live_.end();) {
    Live& live = it->second;
    Incident& incident = live.incident;
    const bool active = incident.state == State::open || incident.state == State::explained;
    if (active && now_ns - incident.last_symptom_ns >= config_.resolve_after.count()) {
      record(live, {.time_ns = now_ns, .ref = "", .body = Resolved{}});
    }
    const bool saved = live.unsaved.empty() && !live.unsaved_case && !live.in_flight && !live.investigating;
    const bool old = incident.state == State::resolved && now_ns - incident.resolved_ns.value_or(now_ns) >= config_.keep_resolved.count();
    it = saved && mono_ns() >= live.keep_until_ns && (incident.state == State::closed || old) ? put_away(it) : std::next(it);
  }
}

std::vector<Uuid> Engine::take_due() {
  const std::int64_t now_ns = mono_ns();
  std::vector<Uuid> due;
  for (auto& [uid, live] : live_) {
    if (live.investigating || live.incident.number == 0 || live.incident.state == State::closed) continue;
    if (live.due_ns.empty() || *live.due_ns.begin() > now_ns || earliest_ns(live) > now_ns) continue;
    live.due_ns.erase(live.due_ns.begin(), live.due_ns.upper_bound(now_ns));
    live.investigating = true;
    live.change_due = false;
    live.investigated_ns = now_ns;
    ++live.investigations;
    ++stats_.investigations_total;
    due.push_back(uid);
  }
  return due;
}

void Engine::on_explained(const Uuid& uid, Explained explained, store::CaseFileRow case_file) {
  const auto found = live_.find(uid);
  if (found == live_.end()) return;
  Live& live = found->second;
  live.investigating = false;
  if (live.incident.state == State::closed) return;
  live.unsaved_case = std::make_shared<const store::CaseFileRow>(std::move(case_file));
  if (live.incident.explanation != explained) record(live, {.time_ns = clock_.wall_ns(), .ref = "", .body = std::move(explained)});
}

void Engine::on_investigation_failed(const Uuid& uid) {
  if (const auto found = live_.find(uid); found != live_.end()) found->second.investigating = false;
}

Engine::Live* Engine::live(std::int64_t number) {
  const auto found = by_number_.find(number);
  return found == by_number_.end() ? nullptr : &live_.at(found->second);
}

namespace {

Error not_live(std::int64_t number) { return {Errc::not_found, "INC-" + std::to_string(number)}; }
Error is_closed(const Incident& incident) {
  return {Errc::conflict, "INC-" + std::to_string(incident.number) + " was closed by " + incident.closed_by};
}

}  // namespace

Result<void> Engine::take(std::int64_t number, std::string person) {
  Live* l = live(number);
  if (l == nullptr) return not_live(number);
  if (l->incident.state == State::closed) return is_closed(l->incident);
  if (l->incident.taken_by != person) record(*l, {.time_ns = clock_.wall_ns(), .ref = "", .body = Taken{std::move(person)}});
  return {};
}

Result<void> Engine::note(std::int64_t number, std::string person, std::string text) {
  Live* l = live(number);
  if (l == nullptr) return not_live(number);
  constexpr std::size_t kMaxNotes = 1'000;
  if (l->incident.notes.size() >= kMaxNotes) return Error(Errc::conflict, "INC-" + std::to_string(number) + " has 1000 notes already");
  record(*l, {.time_ns = clock_.wall_ns(), .ref = "", .body = Noted{std::move(person), std::move(text)}});
  return {};
}

void Engine::resolve(const Uuid& uid, std::string by) {
  const auto at = live_.find(uid);
  if (at == live_.end()) return;
  const State state = at->second.incident.state;
  if (state != State::open && state != State::explained) return;
  record(at->second, {.time_ns = clock_.wall_ns(), .ref = "", .body = Resolved{std::move(by)}});
}

Result<void> Engine::close(std::int64_t number, std::string person, std::string reason, std::string confirmed_cause) {
  Live* l = live(number);
  if (l == nullptr) return not_live(number);
  Incident& incident = l->incident;
  if (incident.state == State::closed) return is_closed(incident);
  const std::string shown = incident.explanation ? incident.explanation->card : std::string();
  if (!confirmed_cause.empty()) {
    l->unsaved_outcomes.push_back({.card = confirmed_cause, .subject_name = incident.subject.name, .confirmed = 1, .refuted = 0});
    if (!shown.empty() && shown != confirmed_cause) {
      l->unsaved_outcomes.push_back({.card = shown, .subject_name = incident.subject.name, .confirmed = 0, .refuted = 1});
    }
  }
  record(*l, {.time_ns = clock_.wall_ns(), .ref = "", .body = Closed{std::move(person), std::move(reason), std::move(confirmed_cause)}});
  if (const auto at = by_lineage_.find(incident.lineage); at != by_lineage_.end() && at->second == incident.uid) by_lineage_.erase(at);
  return {};
}

std::vector<store::WriteIncident> Engine::take_unsaved() {
  std::vector<store::WriteIncident> writes;
  for (auto& [uid, live] : live_) {
    if (live.in_flight || (live.unsaved.empty() && !live.unsaved_case)) continue;
    const Incident& incident = live.incident;
    store::WriteIncident write{.row = {.uid = uid, .number = incident.number, .lineage = incident.lineage, .state = std::string(to_string(incident.state)),
                                       .opened_ns = incident.opened_ns, .updated_ns = clock_.wall_ns()},
                               .events = {live.unsaved.begin(), live.unsaved.end()},
                               .case_file = std::nullopt,
                               .outcomes = live.unsaved_outcomes};
    if (live.unsaved_case) write.case_file = *live.unsaved_case;
    live.saving = live.unsaved.size();
    live.saving_outcomes = live.unsaved_outcomes.size();
    live.saving_case = live.unsaved_case;
    live.in_flight = true;
    writes.push_back(std::move(write));
  }
  return writes;
}

void Engine::on_saved(const Uuid& uid, const Result<store::Written>& written) {
  const auto found = live_.find(uid);
  if (found == live_.end()) return;
  Live& live = found->second;
  live.in_flight = false;
  if (!written) return;
  if (live.incident.number == 0) {
    live.incident.number = written->incident_number;
    by_number_[live.incident.number] = uid;
  }
  live.unsaved.erase(live.unsaved.begin(), live.unsaved.begin() + static_cast<std::ptrdiff_t>(live.saving));
  if (live.unsaved_case == live.saving_case) live.unsaved_case.reset();
  live.saving_case.reset();
  live.unsaved_outcomes.erase(live.unsaved_outcomes.begin(), live.unsaved_outcomes.begin() + static_cast<std::ptrdiff_t>(live.saving_outcomes));
}

std::optional<std::int64_t> Engine::next_deadline_ns() const {
  std::optional<std::int64_t> next;
  const auto earlier = [&](std::int64_t t) { next = next ? std::min(*next, t) : t; };
  for (const auto& [uid, live] : live_) {
    if (!live.investigating && live.incident.number != 0 && !live.due_ns.empty() && live.incident.state != State::closed) {
      earlier(clock_.wall_ns() + std::max(*live.due_ns.begin(), earliest_ns(live)) - mono_ns());
    }
    if (live.incident.state == State::open || live.incident.state == State::explained) {
      earlier(live.incident.last_symptom_ns + config_.resolve_after.count());
    }
  }
  return next;
}

const Incident* Engine::find(const Uuid& uid) const {
  const auto found = live_.find(uid);
  return found == live_.end() ? nullptr : &found->second.incident;
}

const Incident* Engine::find(std::int64_t number) const {
  const auto found = by_number_.find(number);
  return found == by_number_.end() ? nullptr : find(found->second);
}

std::vector<const Incident*> Engine::visible() const {
  std::vector<const Incident*> all;
  for (const auto& [uid, live] : live_) {
    if (live.incident.number != 0) all.push_back(&live.incident);
  }
  std::sort(all.begin(), all.end(), [](const Incident* a, const Incident* b) { return a->number > b->number; });
  return all;
}

bool Engine::all_saved() const {
  return std::all_of(live_.begin(), live_.end(), [this](const auto& item) { return is_saved(item.first) && !item.second.unsaved_case; });
}

bool Engine::is_saved(const Uuid& uid) const {
  const auto found = live_.find(uid);
  return found == live_.end() || (found->second.unsaved.empty() && !found->second.in_flight);
}

std::shared_ptr<const store::CaseFileRow> Engine::unsaved_case(std::int64_t number) const {
  const auto found = by_number_.find(number);
  return found == by_number_.end() ? nullptr : live_.at(found->second).unsaved_case;
}

}  // namespace fw::incidents
