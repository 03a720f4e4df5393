#include "aggregator/app/coordinator.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <algorithm>
#include <array>

#include "aggregator/app/views.hpp"
#include "aggregator/ingest/translate.hpp"

namespace fw::app {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kMaxRestored = 10'000;
constexpr std::size_t kMaxReplayed = 50'000;
constexpr std::chrono::milliseconds kSaveRetry{500};
constexpr std::chrono::seconds kLastSave{2};
constexpr std::uint64_t kHousekeepingSeconds = 60;
constexpr int kMostPrunes = 100;             // in a minute
constexpr std::uint64_t kStuckNs = 10'000'000'000;

std::int64_t ago(const Clock& clock, std::chrono::nanoseconds by) { return clock.wall_ns() - by.count(); }

}  // namespace

Coordinator::Coordinator(incidents::EngineConfig config, Retention retention, Deps deps)
    : deps_(deps), retention_(retention), work_(asio::make_work_guard(io_)), timer_(io_), second_(io_), engine_(std::move(config), deps.clock),
      store_limiter_(deps.clock), investigate_limiter_(deps.clock) {}

Coordinator::~Coordinator() { stop(); }

bool Coordinator::alive() const noexcept { return deps_.clock.mono_ns() - turned_mono_ns_.load() < kStuckNs; }

template <class F>
void Coordinator::hand_over(std::size_t facts, F take) {
  backlog_.fetch_add(facts, std::memory_order_relaxed);
  asio::post(io_, [this, facts, take = std::move(take)]() mutable {
    take();
    backlog_.fetch_sub(facts, std::memory_order_relaxed);
  });
}

Result<void> Coordinator::restore() {
  auto nodes = deps_.store.nodes();
  if (!nodes) return nodes.error();
  for (const store::NodeRow& row : *nodes) {
    fleet::NodeState& node = fleet_.node(row.uid, row.first_seen_ns);
    node.name = row.name;
    node.agent_version = row.agent_version;
    node.kernel_release = row.kernel_release;
    node.cgroup_mode = row.cgroup_mode;
    node.boot_id = row.boot_id;
    node.last_seen_ns = row.last_seen_ns;
    node.clock_offset_ns = row.clock_offset_ns;
    node.clock_error_ns = row.clock_error_ns;
  }
  auto changes = deps_.store.changes(ago(deps_.clock, incidents::ChangeLog::kHorizon), incidents::ChangeLog::kMax);
  if (!changes) return changes.error();
  for (changes::Change& change : *changes) changes_.add(std::move(change), fleet_);
  auto outcomes = deps_.store.outcomes();
  if (!outcomes) return outcomes.error();
  outcomes_ = std::move(*outcomes);

  auto stored = deps_.store.incidents(false, kMaxRestored);
  if (!stored) return stored.error();
  std::vector<incidents::Incident> incidents;
  for (const store::StoredIncident& row : *stored) {
    auto incident = fold(row);
    if (incident) {
      incidents.push_back(std::move(*incident));
    } else {
      log::error("an incident cannot be read from the store", {{"error", incident.error().message()}});
    }
  }
  // The last minutes before the end of the run before, however long ago that was: an event may be durable and its incident not yet.
  auto newest = deps_.store.events_since(0, 1);
  if (!newest) return newest.error();
  std::int64_t until_ns = deps_.clock.wall_ns();
  if (!newest->empty()) until_ns = std::min(until_ns, newest->front().row.received_ns);
  const std::int64_t since_ns = until_ns - incidents::EventHistory::kHorizon.count();
  auto refs = deps_.store.symptom_refs_since(since_ns - incidents::EventHistory::kHorizon.count());   // for a clock set back
  if (!refs) return refs.error();
  auto events = deps_.store.events_since(since_ns, kMaxReplayed);
  if (!events) return events.error();
  engine_.restore(std::move(incidents), std::move(*refs));
  for (const store::StoredEvent& row : *events) {
    auto event = ingest::from_stored(row);
    if (event) {
      take_event(*event);
    } else {
      log::error("an event cannot be read from the store", {{"error", event.error().message()}});
    }
  }
  engine_.end_replay();
  static_cast<void>(engine_.take_focus());   // no agent is connected yet; a new symptom focuses again
  return {};
}

void Coordinator::govern(std::unique_ptr<Governor> governor) {
  governor_ = std::move(governor);
  for (const incidents::Incident* incident : engine_.visible()) tell_governor(*incident);
}

void Coordinator::start(ingest::Ingest* ingest) {
  ingest_ = ingest;
  turned_mono_ns_ = deps_.clock.mono_ns();
  asio::post(io_, [this] {
    each_second();
    pump();
  });
  thread_ = std::thread([this] { io_.run(); });
}

void Coordinator::stop() {
  if (!thread_.joinable()) return;
  asio::post(io_, [this] {
    stopping_ = true;
    timer_.cancel();
    second_.expires_after(kLastSave);   // what is not durable by then is found again from the events at the next start
    second_.async_wait([this](boost::system::error_code) { io_.stop(); });
    pump();
  });
  thread_.join();
  if (governor_) governor_->stop();
  worker_.stop();
  worker_.join();
  reads_.join();
}

void Coordinator::on_connected(ingest::Connected c) {
  hand_over(1, [this, c = std::move(c)] {
    sessions_[c.node] = c.session;
    fleet_.on_connected(c.node, c.hello.boot_id, c.received_ns);
    fleet::NodeState& node = fleet_.node(c.node, c.received_ns);
    node.name = c.hello.node_name;
    node.agent_version = c.hello.agent_version;
    node.kernel_release = c.hello.kernel_release;
    node.cgroup_mode = c.hello.cgroup_mode;
    node.lacking = c.hello.lacking;
    node.connected = true;
    node.last_seen_ns = c.received_ns;
    log::info("agent connected", {{"node", node.name}, {"uid", node.uid.str()}, {"version", node.agent_version}});
    save_node(node.uid);
    if (governor_) {
      governor_->core().on_node_connected(node.uid);
      pump();
    }
  });
}

void Coordinator::save_node(const Uuid& uid) {
  const fleet::NodeState* node = fleet_.find_node(uid);
  if (node == nullptr) return;
  deps_.store.submit(store::WriteNode{{.uid = uid, .name = node->name, .agent_version = node->agent_version, .kernel_release = node->kernel_release,
                                       .cgroup_mode = node->cgroup_mode, .boot_id = node->boot_id, .first_seen_ns = node->first_seen_ns,
                                       .last_seen_ns = node->last_seen_ns, .clock_offset_ns = node->clock_offset_ns,
                                       .clock_error_ns = node->clock_error_ns}},
                     [this, uid](const Result<store::Written>& written) {
                       if (!written) asio::post(io_, [this, uid] { owed_nodes_.insert(uid); });
                     });
}

void Coordinator::save_change(const Uuid& id) {
  const changes::Change* change = changes_.find(id);
  if (change == nullptr) return;
  deps_.store.submit(store::WriteChange{.change = *change, .delivery_id = ""}, [this, id](const Result<store::Written>& written) {
    if (!written) asio::post(io_, [this, id] { owed_changes_.insert(id); });
  });
}

void Coordinator::save_owed() {
  for (const Uuid& uid : std::exchange(owed_nodes_, {})) save_node(uid);
  for (const Uuid& id : std::exchange(owed_changes_, {})) save_change(id);
}

void Coordinator::on_disconnected(const Uuid& uid, const Uuid& session) {
  hand_over(1, [this, uid, session] {
    const auto known = sessions_.find(uid);
    if (known == sessions_.end() || known->second != session) return;   // a newer one took over
    sessions_.erase(known);
    fleet::NodeState& node = fleet_.node(uid, deps_.clock.wall_ns());
    node.connected = false;
    node.last_seen_ns = deps_.clock.wall_ns();
    save_node(uid);
    if (governor_) governor_->core().on_node_disconnected(uid);
    log::info("agent disconnected", {{"node", node.name}, {"uid", uid.str()}});
  });
}

void Coordinator::on_entities(const Uuid& node, std::vector<fleet::EntityPtr> known, std::vector<fleet::EntityKey> removed) {
  const std::size_t facts = known.size() + removed.size();
  hand_over(facts, [this, node, known = std::move(known), removed = std::move(removed)] {
    const std::int64_t now_ns = deps_.clock.wall_ns();
    for (const fleet::EntityPtr& entity : known) fleet_.upsert(entity, now_ns);
    for (const fleet::EntityKey& key : removed) fleet_.remove(key, now_ns);
  });
}

void Coordinator::on_clock(const Uuid& node, ingest::ClockOf clock) {
  hand_over(1, [this, node, clock] {
    fleet::NodeState& state = fleet_.node(node, deps_.clock.wall_ns());
    state.clock_offset_ns = clock.offset_ns;
    state.clock_error_ns = clock.error_ns;
    state.last_seen_ns = deps_.clock.wall_ns();
  });
}

void Coordinator::on_lost_samples(const Uuid& node, std::uint64_t values) {
  hand_over(1, [this, node, values] { fleet_.node(node, deps_.clock.wall_ns()).lost_samples_total += static_cast<std::int64_t>(values); });
}

void Coordinator::on_executor(const Uuid& node, Bytes packet) {
  hand_over(1, [this, node, packet = std::move(packet)] {
    if (!governor_) return;
    governor_->core().on_packet(node, packet);
    pump();
  });
}

// At each change of an incident that is visible.
void Coordinator::tell_governor(const incidents::Incident& incident) {
  if (!governor_) return;
  const fleet::NodeState* node = fleet_.find_node(incident.subject.key.node);
  governance::IncidentView view{.uid = incident.uid, .number = incident.number, .lineage = incident.lineage,
                                .over = incident.state == incidents::State::resolved || incident.state == incidents::State::closed,
                                .node = incident.subject.key.node, .node_name = node == nullptr ? "" : node->name,
                                .subject_path = incident.subject.cgroup_path, .subject_name = incident.subject.name, .pod_uid = incident.subject.pod_uid,
                                .container_id = incident.subject.container_id, .name_space = "", .first_symptom_ns = incident.first_symptom_ns,
                                .last_symptom_ns = incident.last_symptom_ns, .symptoms_total = 0};
  for (const incidents::SymptomCount& symptom : incident.symptoms) view.symptoms_total += symptom.count;
  governor_->core().on_incident(view);
}

void Coordinator::on_events(const Uuid& node, std::vector<fleet::NodeEventPtr> events) {
  const std::size_t facts = events.size();
  hand_over(facts, [this, node, events = std::move(events)] {
    fleet::NodeState& state = fleet_.node(node, deps_.clock.wall_ns());
    state.last_seen_ns = deps_.clock.wall_ns();
    state.events_total += static_cast<std::int64_t>(events.size());
    for (const fleet::NodeEventPtr& event : events) {
      if (const auto* lost = std::get_if<wire::Lost>(&event->body)) {
        const bool samples = lost->source.find("sample") != std::string::npos;
        deps_.metrics.add(samples ? Metric::ingest_lost_samples : Metric::ingest_lost_events, static_cast<double>(lost->count));
        (samples ? state.lost_samples_total : state.lost_events_total) += static_cast<std::int64_t>(lost->count);
      }
      if (event->entity->key.cgroup_id != 0 && fleet_.find(event->entity->key) == nullptr) fleet_.upsert(event->entity, event->received_ns);
      take_event(event);
    }
    pump();
  });
}

void Coordinator::take_event(const fleet::NodeEventPtr& event) {
  history_.add(event);
  if (const auto* limit = std::get_if<wire::LimitChanged>(&event->body)) {
    observe_limit(*event, *limit);
    if (governor_ && limit->resource == "memory.max") {
      governor_->core().on_limit_changed(event->entity->key.node, event->entity->cgroup_path, limit->after, event->our_time_ns(), "");
    }
  }
  engine_.on_event(event);
}

// In the log at once, so that the kill that follows finds it; the store gets it behind. A restart makes it again from the event.
void Coordinator::observe_limit(const fleet::NodeEvent& event, const wire::LimitChanged& limit) {
  const std::string key = event.ref.str();
  for (const changes::Change& known : changes_.all()) {
    if (known.source == "node" && known.source_key == key) return;
  }
  const changes::Change change = incidents::observed_change(event, limit);
  if (change.started_ns < ago(deps_.clock, incidents::ChangeLog::kHorizon)) return;   // replayed after a long time; the store has it
  learn(change);
  save_change(change.id);
}

void Coordinator::learn(changes::Change change) {
  const Uuid id = change.id;
  for (incidents::GroupUpdate& update : changes_.add(std::move(change), fleet_)) {
    const Uuid changed = update.change_id;
    deps_.store.submit(store::WriteChangeGroup{.change_id = changed, .group = std::move(update.group)}, [this, changed](const Result<store::Written>& written) {
      if (!written) asio::post(io_, [this, changed] { owed_changes_.insert(changed); });
    });
  }
  const changes::Change* known = changes_.find(id);
  if (known == nullptr) return;
  engine_.on_change(*known, [this](const Uuid& node) {
    const fleet::NodeState* state = fleet_.find_node(node);
    return state == nullptr ? std::string() : state->name;
  });
}

void Coordinator::add_change(const changes::Change& change) {
  learn(change);
  pump();
}

void Coordinator::pump() {
  engine_.on_tick();
  if (governor_) governor_->pump(engine_, ingest_);
  save();
  for (const incidents::FocusRequest& focus : engine_.take_focus()) {
    if (ingest_ != nullptr && focus.entity.cgroup_id != 0) ingest_->focus(focus.entity.node, {focus.entity.cgroup_id}, focus.duration);
  }
  if (stopping_) {
    if (engine_.all_saved() && (!governor_ || governor_->idle())) io_.stop();
    return;
  }
  for (const Uuid& uid : engine_.take_due()) investigate(uid);
  set_timer();
}

void Coordinator::set_timer() {
  const auto next = engine_.next_deadline_ns();
  if (!next) return;
  constexpr std::int64_t kLeastNs = kNsPerMs;
  timer_.expires_after(std::chrono::nanoseconds(std::max(kLeastNs, *next - deps_.clock.wall_ns())));
  timer_.async_wait([this](boost::system::error_code ec) {
    if (!ec) pump();
  });
}

void Coordinator::save() {
  if (save_failed_) return;
  auto writes = engine_.take_unsaved();
  for (store::WriteIncident& write : writes) {
    const Uuid uid = write.row.uid;
    const bool outcomes = !write.outcomes.empty();
    deps_.store.submit(std::move(write), [this, uid, outcomes](Result<store::Written> written) {
      asio::post(io_, [this, uid, outcomes, written = std::move(written)] {
        on_saved(uid, written);
        if (written && outcomes) read_outcomes();
      });
    });
  }
}

void Coordinator::on_saved(const Uuid& uid, const Result<store::Written>& written) {
  engine_.on_saved(uid, written);
  if (const incidents::Incident* incident = engine_.find(uid); written && incident != nullptr) tell_governor(*incident);
  if (written && written->effect == store::Effect::created) {
    if (const incidents::Incident* incident = engine_.find(uid); incident != nullptr && !incident->symptoms.empty()) {
      const std::string_view kind = incidents::to_string(incident->symptoms.front().kind);
      deps_.metrics.add(Metric::incidents_opened, 1, {kind});
      deps_.metrics.observe(Metric::incident_detection_duration,
                            static_cast<double>(deps_.clock.wall_ns() - incident->first_symptom_ns) / static_cast<double>(kNsPerSecond));
      log::info("incident opened", {{"incident", "INC-" + std::to_string(incident->number)}, {"symptom", kind}, {"subject", incident->subject.name}});
    }
  }
  if (!written) {
    log::write(store_limiter_, log::Level::error, "the store does not take incidents", {{"error", written.error().message()}});
    save_failed_ = true;
    auto retry = std::make_shared<asio::steady_timer>(io_, kSaveRetry);
    retry->async_wait([this, retry](boost::system::error_code) {
      save_failed_ = false;
      pump();
    });
  }
  for (auto at = waiters_.begin(); at != waiters_.end();) {
    Waiter& waiter = **at;
    if (waiter.uid == uid && (!written || engine_.is_saved(uid))) {
      waiter.result = written ? Result<void>{} : Result<void>(written.error());
      waiter.timer.cancel();
      at = waiters_.erase(at);
    } else {
      ++at;
    }
  }
  pump();
}

asio::awaitable<Result<void>> Coordinator::saved(Uuid uid) {
  if (engine_.is_saved(uid)) co_return Result<void>{};
  auto waiter = std::make_shared<Waiter>(Waiter{.uid = uid, .timer = asio::steady_timer(io_, std::chrono::seconds(10)), .result = std::nullopt});
  waiters_.push_back(waiter);
  co_await waiter->timer.async_wait(asio::as_tuple(asio::use_awaitable));
  std::erase(waiters_, waiter);
  co_return waiter->result ? *waiter->result : Result<void>(Error(Errc::overloaded, "store: no answer in 10 s"));
}

void Coordinator::investigate(const Uuid& uid) {
  const incidents::Incident* incident = engine_.find(uid);
  if (incident == nullptr) return;
  const std::int64_t began_ns = deps_.clock.wall_ns();
  if (ingest_ == nullptr) return run_investigation(uid, began_ns, {});
  const fleet::NodeState* node = fleet_.find_node(incident->subject.key.node);
  const std::int64_t offset_ns = node == nullptr ? 0 : node->clock_offset_ns;
  ingest_->read_series(incident->subject.key.node, incidents::wanted_series(*incident, fleet_),
                       incident->first_symptom_ns + offset_ns - series::kCoarse.horizon.count(), INT64_MAX,
                       [this, uid, began_ns](std::vector<series::Series> series) {
                         asio::post(io_, [this, uid, began_ns, series = std::move(series)]() mutable {
                           run_investigation(uid, began_ns, std::move(series));
                         });
                       });
}

void Coordinator::run_investigation(const Uuid& uid, std::int64_t began_ns, std::vector<series::Series> series) {
  const incidents::Incident* incident = engine_.find(uid);
  if (incident == nullptr || stopping_) return;
  auto facts = incidents::build_facts({.incident = *incident, .fleet = fleet_, .history = history_, .changes = changes_, .series = series,
                                       .outcomes = outcomes_, .now_ns = deps_.clock.wall_ns(), .limits = {}});
  asio::post(worker_, [this, uid, began_ns, facts = std::move(facts)]() mutable { explain(uid, began_ns, std::move(facts)); });
}

void Coordinator::explain(Uuid uid, std::int64_t began_ns, agents::IncidentFacts facts) {
  const auto fail = [&](const Error& error) {
    log::write(investigate_limiter_, log::Level::error, "an investigation failed", {{"incident", facts.id}, {"error", error.message()}});
    asio::post(io_, [this, uid] {
      engine_.on_investigation_failed(uid);
      pump();
    });
  };
  try {
    auto case_file = agents::CaseFile::build(facts);
    if (!case_file) return fail(case_file.error());
    auto findings = agents::investigate(*case_file, deps_.cards);
    if (!findings) return fail(findings.error());
    store::CaseFileRow row{.built_ns = facts.built_ns, .bytes = case_file->serialize(), .findings = agents::to_json(*findings)};
    incidents::Explained explained;
    explained.verdict = findings->verdict;
    if (const agents::Hypothesis* cause = findings->cause()) {
      static constexpr std::array<const char*, 3> kWords{"guess", "likely", "sure"};
      explained.card = cause->card;
      explained.title = cause->title;
      explained.confidence = kWords.at(static_cast<std::size_t>(cause->confidence));
      explained.probability = cause->probability;
      explained.change_id = cause->suspect_change_id.value_or("");
    }
    governance::Explanation can_be_done;
    can_be_done.incident = uid;
    can_be_done.findings = authority::sha256({reinterpret_cast<const std::uint8_t*>(row.findings.data()), row.findings.size()});
    if (const agents::Hypothesis* cause = findings->cause()) {
      can_be_done.confidence = cause->confidence;
      can_be_done.remedies = cause->remedies;
      can_be_done.by_hand = cause->by_hand;
    }
    asio::post(io_, [this, uid, began_ns, explained = std::move(explained), row = std::move(row), can_be_done = std::move(can_be_done)]() mutable {
      if (const auto id = Uuid::parse(explained.change_id)) {
        if (const changes::Change* change = changes_.find(*id)) {
          explained.change_summary = incidents::summary_of(*change);
          explained.change_actor = change->actor;
          explained.change_source = change->source;
        }
      }
      engine_.on_explained(uid, std::move(explained), std::move(row));
      if (const incidents::Incident* incident = engine_.find(uid); governor_ && incident != nullptr) {
        tell_governor(*incident);
        governor_->core().on_explained(can_be_done);
      }
      deps_.metrics.observe(Metric::incident_explanation_duration,
                            static_cast<double>(deps_.clock.wall_ns() - began_ns) / static_cast<double>(kNsPerSecond));
      pump();
    });
  } catch (const std::exception& error) {   // one incident must not end the program, and again after each restart
    fail(Error(Errc::io, error.what()));
  }
}

void Coordinator::read_outcomes() {
  asio::post(reads_, [this] {
    auto outcomes = deps_.store.outcomes();
    if (outcomes) asio::post(io_, [this, found = std::move(*outcomes)]() mutable { outcomes_ = std::move(found); });
  });
}

void Coordinator::each_second() {
  if (stopping_) return;
  turned_mono_ns_ = deps_.clock.mono_ns();
  second_.expires_after(std::chrono::seconds(1));
  second_.async_wait([this](boost::system::error_code ec) {
    if (!ec) each_second();
  });
  std::size_t entities = 0;
  const auto nodes = fleet_.nodes();
  if (seconds_ % 5 == 0) {
    for (const fleet::NodeState* node : nodes) entities += fleet_.live_entities(node->uid);
    deps_.metrics.set(Metric::fleet_entities, static_cast<double>(entities));
  }
  deps_.metrics.set(Metric::fleet_nodes, static_cast<double>(nodes.size()));
  std::size_t open = 0;
  for (const incidents::Incident* incident : engine_.visible()) {
    if (incident->state == incidents::State::open || incident->state == incidents::State::explained) ++open;
  }
  deps_.metrics.set(Metric::incidents_open, static_cast<double>(open));
  const store::Stats stats = deps_.store.stats();
  deps_.metrics.set(Metric::store_queue_length, static_cast<double>(stats.queue_length));
  deps_.metrics.add(Metric::store_rejected, static_cast<double>(stats.refused_writes_total - store_reported_.refused_writes_total));
  deps_.metrics.add(Metric::store_errors, static_cast<double>(stats.failed_writes_total - store_reported_.failed_writes_total));
  store_reported_ = stats;
  deps_.metrics.set(Metric::incidents_backlog, static_cast<double>(backlog()));
  if (governor_) report_governance();
  save_owed();
  pump();   // what is due by a wall clock that was set meanwhile
  if (++seconds_ % kHousekeepingSeconds == 0) housekeeping();
}

void Coordinator::report_governance() {
  const governance::CoreStats& now = governor_->core().stats();
  const auto grown = [&](Metric metric, std::uint64_t governance::CoreStats::*total) {
    deps_.metrics.add(metric, static_cast<double>(now.*total - governance_reported_.*total));
  };
  grown(Metric::governance_plans, &governance::CoreStats::plans_total);
  grown(Metric::governance_votes, &governance::CoreStats::votes_total);
  grown(Metric::governance_refusals, &governance::CoreStats::refused_total);
  grown(Metric::governance_deliveries, &governance::CoreStats::deliveries_total);
  grown(Metric::governance_outcomes, &governance::CoreStats::outcomes_total);
  grown(Metric::governance_alarms, &governance::CoreStats::alarms_total);
  governance_reported_ = now;
  deps_.metrics.set(Metric::audit_log_open, governor_->problem().empty() ? 1 : 0);
}

void Coordinator::housekeeping() {
  const std::int64_t now_ns = deps_.clock.wall_ns();
  fleet_.expire(now_ns);
  history_.expire(now_ns);
  changes_.expire(now_ns);
  prune(kMostPrunes);
}

// In steps, so that other writes come in between, and until nothing is left: more may have come since the last time than one step takes.
void Coordinator::prune(int steps) {
  const std::int64_t now_ns = deps_.clock.wall_ns();
  constexpr std::chrono::nanoseconds kKeepDeliveries = std::chrono::hours(24 * 7);   // GitHub redelivers for three days
  const store::WritePrune write{.events_before_ns = now_ns - retention_.keep_events.count(),
                                .changes_before_ns = now_ns - retention_.keep_incidents.count(),
                                .closed_incidents_before_ns = now_ns - retention_.keep_incidents.count(),
                                .deliveries_before_ns = now_ns - kKeepDeliveries.count(),
                                .max_bytes = retention_.max_bytes,
                                .needed_events_since_ns = now_ns - incidents::EventHistory::kHorizon.count()};
  deps_.store.submit(write, [this, steps, most = write.max_rows](const Result<store::Written>& written) {
    if (!written || written->pruned_rows < most || steps <= 1) return;
    asio::post(io_, [this, steps] {
      if (!stopping_) prune(steps - 1);
    });
  });
}

}  // namespace fw::app
