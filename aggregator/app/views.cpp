#include "aggregator/app/views.hpp"

namespace fw::app {

api::IncidentView to_view(const incidents::Incident& i, const fleet::NodeState* node) {
  api::IncidentView view;
  view.number = i.number;
  view.uid = i.uid.str();
  view.severity = incidents::severity(i);
  view.state = incidents::to_string(i.state);
  view.node_name = node == nullptr ? i.subject.key.node.str() : node->name;
  view.subject_kind = i.subject.key.cgroup_id == 0 ? "node" : fleet::to_string(i.subject.kind);
  view.scope = i.subject.key.cgroup_id == 0 ? view.node_name : i.subject.name;
  view.subject_key = i.subject.key.str();
  view.cgroup_path = i.subject.cgroup_path;
  view.opened_ns = i.opened_ns;
  view.first_symptom_ns = i.first_symptom_ns;
  view.last_symptom_ns = i.last_symptom_ns;
  view.explained_ns = i.explained_ns;
  view.resolved_ns = i.resolved_ns;
  view.closed_ns = i.closed_ns;
  for (const incidents::SymptomCount& s : i.symptoms) {
    view.symptoms.push_back({.kind = std::string(incidents::to_string(s.kind)), .count = s.count, .first_ns = s.first_ns, .last_ns = s.last_ns});
  }
  if (i.explanation) {
    const incidents::Explained& e = *i.explanation;
    view.cause_card = e.card;
    view.cause_title = e.title;
    view.confidence = e.confidence;
    view.verdict = e.verdict;
    if (!e.card.empty()) view.cause_probability = e.probability;
    view.suspect_change_id = e.change_id;
    view.suspect_change_summary = e.change_summary;
    view.suspect_change_actor = e.change_actor;
    view.suspect_change_source = e.change_source;
  }
  view.resolved_by = i.resolved_by;
  view.taken_by = i.taken_by;
  view.closed_by = i.closed_by;
  view.close_reason = i.close_reason;
  view.confirmed_cause = i.confirmed_cause;
  for (const incidents::Note& n : i.notes) view.notes.push_back({.author = n.author, .text = n.text, .time_ns = n.time_ns});
  return view;
}

api::NodeView to_view(const fleet::NodeState& n, std::size_t entities) {
  api::NodeView view;
  view.uid = n.uid.str();
  view.name = n.name;
  view.agent_version = n.agent_version;
  view.kernel_release = n.kernel_release;
  view.cgroup_mode = n.cgroup_mode;
  view.boot_id = n.boot_id.str();
  view.connected = n.connected;
  view.last_seen_ns = n.last_seen_ns;
  view.clock_offset_ns = n.clock_offset_ns;
  view.clock_error_ns = n.clock_error_ns;
  view.entities = static_cast<std::int64_t>(entities);
  view.events_total = n.events_total;
  view.lost_samples_total = n.lost_samples_total;
  view.lost_events_total = n.lost_events_total;
  view.lacking = n.lacking;
  return view;
}

Result<incidents::Incident> fold(const store::StoredIncident& stored) {
  incidents::Incident incident;
  incident.uid = stored.row.uid;
  incident.number = stored.row.number;
  incident.lineage = stored.row.lineage;
  for (const store::IncidentEventRow& row : stored.events) {
    auto event = incidents::parse_incident_event(row.time_ns, row.kind, row.ref, row.body);
    if (!event) return with_context(event.error(), "INC-" + std::to_string(stored.row.number) + " event " + std::to_string(row.seq));
    incidents::apply(incident, *event);
    incident.last_seq = row.seq;
  }
  return incident;
}

}  // namespace fw::app
