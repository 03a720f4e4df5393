#include "aggregator/api/render.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "aggregator/changes/rfc3339.hpp"

namespace fw::api {
namespace json = boost::json;
namespace {

// Absent values are left out, and an empty text is an absent one.
void put(json::object& out, std::string_view name, const std::string& text) {
  if (!text.empty()) out[name] = text;
}

void put(json::object& out, std::string_view name, const std::optional<std::int64_t>& number) {
  if (number) out[name] = *number;
}

json::array texts(const std::vector<std::string>& list) { return json::array(list.begin(), list.end()); }

json::object to_json(const NodeView& node) {
  json::object out;
  out["uid"] = node.uid;
  out["name"] = node.name;
  out["connected"] = node.connected;
  out["lastSeenNs"] = node.last_seen_ns;
  put(out, "agentVersion", node.agent_version);
  put(out, "kernelRelease", node.kernel_release);
  put(out, "cgroupMode", node.cgroup_mode);
  put(out, "bootId", node.boot_id);
  out["clockOffsetNs"] = node.clock_offset_ns;
  out["clockErrorNs"] = node.clock_error_ns;
  out["entities"] = node.entities;
  out["eventsTotal"] = node.events_total;
  out["lostSamplesTotal"] = node.lost_samples_total;
  out["lostEventsTotal"] = node.lost_events_total;
  out["lacking"] = texts(node.lacking);
  return out;
}

json::object to_json(const changes::ObjectRef& object) {
  json::object out;
  put(out, "cluster", object.cluster);
  put(out, "kind", object.kind);
  put(out, "namespace", object.namespace_name);
  put(out, "name", object.name);
  put(out, "uid", object.uid);
  put(out, "cgroupPath", object.cgroup_path);
  put(out, "containerId", object.container_id);
  put(out, "node", object.node);
  return out;
}

json::object to_json(const changes::Change& change) {
  json::object out;
  out["id"] = change.id.str();
  out["source"] = change.source;
  out["sourceKey"] = change.source_key;
  put(out, "group", change.change_group);
  out["object"] = to_json(change.object);
  out["actor"] = change.actor;
  put(out, "revision", change.revision);
  put(out, "title", change.title);
  put(out, "environment", change.environment);
  put(out, "url", change.url);
  out["startedNs"] = change.started_ns;
  put(out, "finishedNs", change.finished_ns);
  out["outcome"] = changes::to_string(change.outcome);
  out["receivedNs"] = change.received_ns;
  json::array fields;
  for (const auto& field : change.fields) {
    json::object entry{{"path", field.path}};
    if (field.before) entry["before"] = *field.before;
    if (field.after) entry["after"] = *field.after;
    fields.push_back(std::move(entry));
  }
  out["fields"] = std::move(fields);
  return out;
}

json::object to_json(const IncidentView& incident) {
  json::object out;
  out["id"] = "INC-" + std::to_string(incident.number);
  out["uid"] = incident.uid;
  out["severity"] = incident.severity;
  out["state"] = incident.state;
  out["scope"] = incident.scope;
  json::object subject{{"kind", incident.subject_kind}, {"key", incident.subject_key}, {"name", incident.scope}};
  put(subject, "node", incident.node_name);
  put(subject, "cgroupPath", incident.cgroup_path);
  out["subject"] = std::move(subject);
  out["opened"] = changes::format_rfc3339(incident.opened_ns);
  out["openedNs"] = incident.opened_ns;
  out["firstSymptomNs"] = incident.first_symptom_ns;
  out["lastSymptomNs"] = incident.last_symptom_ns;
  put(out, "explainedNs", incident.explained_ns);
  put(out, "resolvedNs", incident.resolved_ns);
  put(out, "closedNs", incident.closed_ns);
  json::array symptoms;
  for (const auto& symptom : incident.symptoms) {
    symptoms.push_back(json::object{{"kind", symptom.kind}, {"count", symptom.count}, {"firstNs", symptom.first_ns}, {"lastNs", symptom.last_ns}});
  }
  out["symptoms"] = std::move(symptoms);
  if (!incident.cause_card.empty()) {
    json::object cause{{"card", incident.cause_card}, {"title", incident.cause_title}};
    if (incident.cause_probability) cause["probability"] = *incident.cause_probability;
    put(cause, "confidence", incident.confidence);
    out["cause"] = std::move(cause);
  }
  put(out, "verdict", incident.verdict);
  if (!incident.suspect_change_id.empty()) {
    json::object suspect{{"id", incident.suspect_change_id}};
    put(suspect, "summary", incident.suspect_change_summary);
    put(suspect, "actor", incident.suspect_change_actor);
    put(suspect, "source", incident.suspect_change_source);
    out["suspectChange"] = std::move(suspect);
  }
  if (!incident.plan.empty()) {
    out["plan"] = incident.plan;
    out["planState"] = incident.plan_state;
    out["planClass"] = incident.plan_class;
  }
  put(out, "resolvedBy", incident.resolved_by);
  put(out, "takenBy", incident.taken_by);
  put(out, "closedBy", incident.closed_by);
  put(out, "closeReason", incident.close_reason);
  put(out, "confirmedCause", incident.confirmed_cause);
  json::array notes;
  for (const auto& note : incident.notes) {
    notes.push_back(json::object{{"author", note.author}, {"timeNs", note.time_ns}, {"text", note.text}});
  }
  out["notes"] = std::move(notes);
  return out;
}

// The envelope first, so that a person who reads the bytes sees what they are.
std::string body_of(std::string_view kind, json::object content) {
  json::object out{{"apiVersion", kApiVersion}, {"kind", kind}};
  for (auto& member : content) {
    if (!out.contains(member.key())) out[member.key()] = std::move(member.value());
  }
  return json::serialize(out) + "\n";
}

template <class View>
std::string list_of(std::string_view kind, const std::vector<View>& views) {
  json::array items;
  for (const auto& view : views) items.push_back(to_json(view));
  return body_of(kind, {{"items", std::move(items)}});
}

}  // namespace

std::string render_status(std::string_view version, std::string_view person, const std::vector<Backend::Check>& checks) {
  json::array list;
  for (const auto& check : checks) {
    json::object entry{{"name", check.name}, {"ok", check.ok}};
    put(entry, "detail", check.detail);
    list.push_back(std::move(entry));
  }
  return body_of("Status", {{"version", version}, {"person", person}, {"checks", std::move(list)}});
}

std::string render_nodes(const std::vector<NodeView>& nodes) { return list_of("NodeList", nodes); }
std::string render_changes(const std::vector<changes::Change>& list) { return list_of("ChangeList", list); }
std::string render_incidents(const std::vector<IncidentView>& incidents) { return list_of("IncidentList", incidents); }
std::string render_incident(const IncidentView& incident) { return body_of("Incident", to_json(incident)); }

Result<std::string> render_explanation(std::string_view incident_id, std::string_view findings_json) {
  json::error_code error;
  auto findings = json::parse(findings_json, error);
  if (error || !findings.is_object()) return Error(Errc::malformed, "the stored findings are not readable");
  json::object out{{"incident", incident_id}};
  for (auto& member : findings.get_object()) {
    if (!out.contains(member.key())) out[member.key()] = std::move(member.value());
  }
  return body_of("Explanation", std::move(out));
}

Result<std::string> render_probe(std::string_view node, std::string_view answer_json) {
  json::error_code error;
  auto answer = json::parse(answer_json, error);
  if (error || !answer.is_object()) return Error(Errc::malformed, "the node's answer is not readable");
  return body_of("ProbeResult", {{"node", node}, {"result", std::move(answer)}});
}

}  // namespace fw::api
