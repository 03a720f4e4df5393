#include "aggregator/incidents/case_facts.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "aggregator/incidents/change_match.hpp"

namespace fw::incidents {
namespace {

using agents::IncidentFacts;
using agents::OptInt;

constexpr std::chrono::nanoseconds kSiblingSpacing = std::chrono::seconds(60);
const std::vector<std::string> kSiblingMetrics{"memory_current_bytes", "memory_limit_bytes", "memory_anon_bytes"};

bool is_workload(const fleet::Entity& entity) {
  return entity.key.cgroup_id != 0 && entity.kind != wire::EntityKind::pod && entity.kind != wire::EntityKind::node;
}

// Other containers of the node: live before gone, then by key.
std::vector<const fleet::EntityState*> siblings_of(const Incident& incident, const fleet::Fleet& fleet, const CaseLimits& limits) {
  std::vector<const fleet::EntityState*> siblings;
  for (const fleet::EntityState* state : fleet.entities_of(incident.subject.key.node)) {
    if (is_workload(*state->entity) && fleet::lineage_of(*state->entity) != incident.lineage) siblings.push_back(state);
  }
  std::stable_partition(siblings.begin(), siblings.end(), [](const fleet::EntityState* s) { return !s->gone_ns.has_value(); });
  const std::size_t most = incident.node_level ? limits.node_level_siblings : limits.siblings;
  if (siblings.size() > most) siblings.resize(most);
  return siblings;
}

class Builder {
 public:
  explicit Builder(const CaseInputs& inputs) : in_(inputs), node_(in_.fleet.find_node(in_.incident.subject.key.node)) {
    if (node_ != nullptr) {
      node_name_ = node_->name;
      offset_ns_ = node_->clock_offset_ns;
    }
  }

  IncidentFacts build() {
    const Incident& incident = in_.incident;
    facts_.id = "INC-" + std::to_string(incident.number);
    facts_.uid = incident.uid.str();
    facts_.state = to_string(incident.state);
    facts_.onset_ns = incident.first_symptom_ns;
    facts_.last_symptom_ns = incident.last_symptom_ns;
    facts_.built_ns = in_.now_ns;
    add_entities();
    for (const SymptomCount& s : incident.symptoms) {
      facts_.symptoms.push_back({.entity_id = facts_.subject_id, .kind = std::string(to_string(s.kind)), .first_ns = s.first_ns, .last_ns = s.last_ns,
                                 .count = s.count});
    }
    add_events();
    add_series();
    add_changes();
    for (const store::Outcome& o : in_.outcomes) {
      facts_.past_incidents.push_back({.card = o.card, .subject_name = o.subject_name, .confirmed = o.confirmed, .refuted = o.refuted});
    }
    return std::move(facts_);
  }

 private:
  // One row per lineage; the newest incarnation describes it.
  std::int64_t entity_id(const fleet::Entity& entity, const fleet::EntityState* state) {
    const std::string lineage = entity.key.cgroup_id != 0 && entity.kind == wire::EntityKind::pod ? "pod-cgroup:" + entity.key.str() : fleet::lineage_of(entity);
    const auto [at, fresh] = ids_.try_emplace(lineage, static_cast<std::int64_t>(facts_.entities.size()) + 1);
    by_cgroup_[{entity.key.boot, entity.key.cgroup_id}] = at->second;
    const OptInt first = state == nullptr ? OptInt{} : OptInt{state->first_seen_ns}, last = state == nullptr ? OptInt{} : OptInt{state->last_seen_ns};
    if (fresh) {
      agents::EntityRow row;
      row.entity_id = at->second;
      describe(row, entity);
      row.first_seen_ns = first;
      row.last_seen_ns = last;
      facts_.entities.push_back(std::move(row));
      described_.push_back(std::make_shared<const fleet::Entity>(entity));
    } else if (state != nullptr) {
      agents::EntityRow& row = facts_.entities[static_cast<std::size_t>(at->second - 1)];
      if (!row.first_seen_ns || *row.first_seen_ns > state->first_seen_ns) row.first_seen_ns = first;
      if (!row.last_seen_ns || *row.last_seen_ns < state->last_seen_ns) row.last_seen_ns = last;
    }
    return at->second;
  }

  void describe(agents::EntityRow& row, const fleet::Entity& entity) const {
    row.key = entity.key.str();
    row.kind = entity.key.cgroup_id == 0 ? "node" : fleet::to_string(entity.kind);
    row.name = entity.key.cgroup_id == 0 && !node_name_.empty() ? node_name_ : entity.name;
    row.cgroup_path = entity.cgroup_path;
    if (node_ != nullptr && entity.key.cgroup_id != 0) row.cgroup_version = node_->cgroup_mode == "v2" ? 2 : 1;
    row.runtime = entity.runtime;
    row.container_id = entity.container_id;
    row.pod_uid = entity.pod_uid;
  }

  void add_entities() {
    const Incident& incident = in_.incident;
    facts_.subject_id = entity_id(incident.subject, in_.fleet.find(incident.subject.key));
    fleet::Entity node;
    node.key = {.node = incident.subject.key.node, .boot = incident.subject.key.boot, .cgroup_id = 0};
    node.kind = wire::EntityKind::node;
    const std::int64_t node_id = entity_id(node, in_.fleet.find(node.key));
    for (const fleet::EntityState* state : in_.fleet.entities_of(incident.subject.key.node)) {
      if (is_workload(*state->entity) && fleet::lineage_of(*state->entity) == incident.lineage) entity_id(*state->entity, state);
    }
    for (const fleet::EntityState* state : siblings_of(incident, in_.fleet, in_.limits)) entity_id(*state->entity, state);

    for (std::size_t i = 0; i < described_.size(); ++i) {   // grows while parents are added
      const fleet::EntityPtr entity = described_[i];
      if (entity->parent_cgroup_id == 0) continue;
      const fleet::EntityState* parent = in_.fleet.find({entity->key.node, entity->key.boot, entity->parent_cgroup_id});
      if (parent == nullptr || parent->entity->key == entity->key) continue;
      const std::int64_t from = facts_.entities[i].entity_id;
      const std::int64_t to = entity_id(*parent->entity, parent);
      if (from != to) facts_.edges.push_back({.from_id = from, .relation = "part_of", .to_id = to});
    }
    for (agents::EntityRow& row : facts_.entities) {
      row.node_id = node_id;
      if (row.entity_id != node_id) facts_.edges.push_back({.from_id = row.entity_id, .relation = "runs_on", .to_id = node_id});
    }
  }

  // Known from its events only.
  std::int64_t late_entity(const fleet::Entity& entity) {
    const std::size_t before = facts_.entities.size();
    const std::int64_t id = entity_id(entity, in_.fleet.find(entity.key));
    if (facts_.entities.size() > before) {
      facts_.entities.back().node_id = facts_.entities.front().node_id;
      facts_.edges.push_back({.from_id = id, .relation = "runs_on", .to_id = *facts_.entities.front().node_id});
    }
    return id;
  }

  static OptInt maybe(const std::optional<bool>& flag) { return flag ? OptInt{*flag ? 1 : 0} : OptInt{}; }
  static OptInt maybe(const std::optional<std::uint64_t>& value) { return value ? OptInt{static_cast<std::int64_t>(*value)} : OptInt{}; }

  static void put_process(agents::EventRow& row, const wire::ProcessInfo& p) {
    row.pid = p.pid;
    row.parent_pid = p.parent_pid;
    row.comm = p.comm;
    row.container_main = maybe(p.container_main);
    row.age_ns = maybe(p.age_ns);
    row.rss_bytes = p.rss_bytes;
  }

  struct PutBody {
    agents::EventRow& row;
    const fleet::Entity& entity;
    void operator()(const std::monostate&) const {}
    void operator()(const wire::OomKill& e) const {
      static constexpr std::array<const char*, 4> kConstraints{"unknown", "memcg", "node", "cpuset"};
      static constexpr std::array<const char*, 4> kSources{"unknown", "kernel_log", "bpf", "counters"};
      put_process(row, e.victim);
      row.constraint_kind = kConstraints.at(static_cast<std::size_t>(e.constraint) % kConstraints.size());
      row.constraint_source = kSources.at(static_cast<std::size_t>(e.constraint_source) % kSources.size());
      row.limit_bytes = e.limit_bytes;
      row.usage_bytes = e.usage_bytes;
      row.limit_cgroup_path = e.limit_cgroup_path;
      if (e.oom_score_adj) row.oom_score_adj = *e.oom_score_adj;
      row.invoker_pid = e.invoker_pid;
      row.invoker_comm = e.invoker_comm;
      row.kills = e.kills_total;
      for (const wire::ProcessInfo& p : e.top_processes) {
        row.top_processes.push_back({.pid = p.pid, .parent_pid = p.parent_pid, .comm = p.comm, .rss_bytes = p.rss_bytes, .age_ns = maybe(p.age_ns),
                                     .container_main = maybe(p.container_main)});
      }
    }
    void operator()(const wire::ProcessExit& e) const {
      put_process(row, e.process);
      row.exit_code = e.exit_code;
      row.signal = e.signal;
      row.oom_victim = e.oom_victim ? 1 : 0;
    }
    void operator()(const wire::ProcessSignal& e) const {
      put_process(row, e.target);
      row.signal = e.signal;
      row.from_kernel = e.from_kernel ? 1 : 0;
      row.sender_pid = e.sender.pid;
      row.sender_comm = e.sender.comm;
      row.sender_uid = e.sender_uid;
      row.sender_in_container = e.sender_cgroup_id == entity.key.cgroup_id ? 1 : 0;
    }
    void operator()(const wire::LimitChanged& e) const {
      row.resource = e.resource;
      row.before_value = e.before;
      row.after_value = e.after;
    }
    void operator()(const wire::Observed& e) const {
      const auto known = [](const std::string& text) { return text.empty() ? std::optional<std::string>() : std::optional(text); };
      row.object = known(e.object);
      row.reason = known(e.reason);
      row.before_text = known(e.before);
      row.after_text = known(e.after);
      row.text = known(e.text);
      row.count = static_cast<std::int64_t>(e.count);
    }
    void operator()(const wire::Lost& e) const {
      row.lost_source = e.source;
      row.lost_count = static_cast<std::int64_t>(e.count);
    }
  };

  // The subject's and the node's events first; siblings' as far as there is room. In time order.
  void add_events() {
    std::vector<fleet::NodeEventPtr> own, others;
    for (const fleet::NodeEventPtr& event : in_.history.of(in_.incident.subject.key.node)) {
      const bool close = fleet::lineage_of(*event->entity) == in_.incident.lineage || event->entity->key.cgroup_id == 0 ||
                         (event->entity->key.cgroup_id & wire::kNoCgroup) != 0;
      (close ? own : others).push_back(event);
    }
    const auto newest = [&](std::vector<fleet::NodeEventPtr>& events, std::size_t room) {
      if (events.size() > room) events.erase(events.begin(), events.end() - static_cast<std::ptrdiff_t>(room));
    };
    newest(own, in_.limits.events);
    newest(others, in_.limits.events - own.size());
    own.insert(own.end(), others.begin(), others.end());
    std::stable_sort(own.begin(), own.end(), [](const auto& a, const auto& b) { return a->our_time_ns() < b->our_time_ns(); });
    for (const fleet::NodeEventPtr& event : own) {
      agents::EventRow row;
      const auto known = by_cgroup_.find({event->entity->key.boot, event->entity->key.cgroup_id});
      row.entity_id = known != by_cgroup_.end() ? known->second : late_entity(*event->entity);
      row.kind = fleet::kind_of(*event);
      row.time_ns = event->our_time_ns();
      row.clock_error_ns = event->clock_error_ns;
      std::visit(PutBody{row, *event->entity}, event->body);
      facts_.events.push_back(std::move(row));
    }
  }

  void add_series() {
    static constexpr std::array<const char*, 3> kKinds{"unknown", "gauge", "counter"};
    std::map<std::pair<std::int64_t, std::string>, agents::SeriesRow> rows;
    for (const series::Series& s : in_.series) {
      const auto id = by_cgroup_.find({in_.incident.subject.key.boot, s.cgroup_id});
      if (id == by_cgroup_.end()) continue;
      agents::SeriesRow& row = rows[{id->second, s.metric}];
      row.entity_id = id->second;
      row.metric = s.metric;
      row.unit = s.unit;
      row.kind = kKinds.at(static_cast<std::size_t>(s.kind) % kKinds.size());
      for (const series::Point& p : s.points) row.points.push_back({.t_ns = p.t_ns - offset_ns_, .value = p.value});
    }
    for (auto& [key, row] : rows) {   // incarnations of a lineage one after the other
      std::stable_sort(row.points.begin(), row.points.end(), [](const auto& a, const auto& b) { return a.t_ns < b.t_ns; });
      facts_.series.push_back(std::move(row));
    }
  }

  struct Matched { const changes::Change* change = nullptr; OptInt entity; std::optional<std::string> match; };

  Matched match(const changes::Change& change) const {
    if (const auto how = match_change(change, in_.incident.subject, node_name_)) return {&change, facts_.subject_id, std::string(*how)};
    for (std::size_t i = 1; i < described_.size(); ++i) {
      if (const auto how = match_change(change, *described_[i], node_name_)) return {&change, facts_.entities[i].entity_id, std::string(*how)};
    }
    return {&change, OptInt{}, std::nullopt};
  }

  // Matched ones first when there are too many, then the newest; what shares a group with a match is a match.
  void add_changes() {
    std::vector<Matched> matched;
    std::map<std::string, OptInt> groups;
    for (const changes::Change& change : in_.changes.all()) {
      if (change.started_ns < in_.incident.first_symptom_ns - ChangeLog::kHorizon.count()) continue;
      matched.push_back(match(change));
      const Matched& m = matched.back();
      if (!m.match || change.change_group.empty()) continue;
      OptInt& entity = groups[change.change_group];
      if (!entity || *m.entity == facts_.subject_id) entity = m.entity;
    }
    for (Matched& m : matched) {
      if (m.match || m.change->change_group.empty()) continue;
      if (const auto group = groups.find(m.change->change_group); group != groups.end()) {
        m.entity = group->second;
        m.match = "group";
      }
    }
    std::stable_sort(matched.begin(), matched.end(), [](const Matched& a, const Matched& b) {
      return a.match.has_value() != b.match.has_value() ? a.match.has_value() : a.change->started_ns > b.change->started_ns;
    });
    if (matched.size() > in_.limits.changes) matched.resize(in_.limits.changes);
    std::stable_sort(matched.begin(), matched.end(), [](const Matched& a, const Matched& b) { return a.change->started_ns < b.change->started_ns; });
    for (const Matched& m : matched) add_change(m);
  }

  void add_change(const Matched& m) {
    static constexpr std::array<const char*, 5> kOutcomes{"unknown", "in_progress", "success", "failure", "cancelled"};
    const changes::Change& c = *m.change;
    agents::ChangeRow row;
    row.change_id = c.id.str();
    row.change_group = c.change_group.empty() ? "change:" + c.id.str() : c.change_group;
    row.source = c.source;
    row.object_kind = c.object.kind;
    row.object_name = c.object.name;
    row.object_namespace = c.object.namespace_name;
    row.actor = c.actor;
    row.revision = c.revision;
    row.title = c.title;
    row.environment = c.environment;
    row.started_ns = c.started_ns;
    row.finished_ns = c.finished_ns;
    row.outcome = kOutcomes.at(static_cast<std::size_t>(c.outcome) % kOutcomes.size());
    row.received_ns = c.received_ns;
    row.entity_id = m.entity;
    row.match = m.match;
    for (const changes::Field& f : c.fields) {
      agents::ChangeFieldRow field{.path = f.path, .before_text = f.before, .after_text = f.after, .before_value = {}, .after_value = {},
                                   .mechanism = std::string(mechanism_of(f.path))};
      if (f.before) field.before_value = parse_value(f.path, *f.before);
      if (f.after) field.after_value = parse_value(f.path, *f.after);
      row.fields.push_back(std::move(field));
    }
    facts_.changes.push_back(std::move(row));
  }

  const CaseInputs& in_;
  const fleet::NodeState* node_;
  std::string node_name_;
  std::int64_t offset_ns_ = 0;
  IncidentFacts facts_;
  std::vector<fleet::EntityPtr> described_;                  // same order as facts_.entities
  std::map<std::string, std::int64_t> ids_;                  // by lineage
  std::map<std::pair<Uuid, std::uint64_t>, std::int64_t> by_cgroup_;
};

}  // namespace

std::vector<series::Selection> wanted_series(const Incident& incident, const fleet::Fleet& fleet, const CaseLimits& limits) {
  std::vector<series::Selection> wanted;
  std::set<std::uint64_t> taken;
  const auto want = [&](std::uint64_t cgroup_id, bool whole) {
    if (!taken.insert(cgroup_id).second) return;
    wanted.push_back({.cgroup_id = cgroup_id, .metrics = whole ? std::vector<std::string>{} : kSiblingMetrics,
                      .spacing = whole ? std::chrono::nanoseconds(0) : kSiblingSpacing});
  };
  want(incident.subject.key.cgroup_id, true);
  for (const fleet::EntityState* state : fleet.entities_of(incident.subject.key.node)) {
    if (state->entity->key.boot == incident.subject.key.boot && is_workload(*state->entity) && fleet::lineage_of(*state->entity) == incident.lineage) {
      want(state->entity->key.cgroup_id, true);
    }
  }
  want(0, true);
  if (incident.subject.parent_cgroup_id != 0) want(incident.subject.parent_cgroup_id, true);
  for (const fleet::EntityState* state : siblings_of(incident, fleet, limits)) want(state->entity->key.cgroup_id, false);
  return wanted;
}

agents::IncidentFacts build_facts(const CaseInputs& inputs) { return Builder(inputs).build(); }

}  // namespace fw::incidents
