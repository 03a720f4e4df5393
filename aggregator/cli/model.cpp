#include "aggregator/cli/model.hpp"

#include <algorithm>
#include <charconv>
#include <tuple>

#include "aggregator/cli/json_read.hpp"

namespace fw::cli {
namespace {

using namespace json_read;

Incident incident_of(const Object& object) {
  Incident out;
  out.id = text(object, "id");
  out.uid = text(object, "uid");
  out.severity = text(object, "severity");
  out.state = text(object, "state");
  out.scope = text(object, "scope");
  if (const auto* subject = child(object, "subject")) {
    out.subject_kind = text(*subject, "kind");
    out.subject_key = text(*subject, "key");
    out.node = text(*subject, "node");
    out.cgroup_path = text(*subject, "cgroupPath");
    if (out.scope.empty()) out.scope = text(*subject, "name");
  }
  out.opened_ns = integer(object, "openedNs");
  out.first_symptom_ns = integer(object, "firstSymptomNs");
  out.last_symptom_ns = integer(object, "lastSymptomNs");
  out.explained_ns = optional_time(object, "explainedNs");
  out.resolved_ns = optional_time(object, "resolvedNs");
  out.closed_ns = optional_time(object, "closedNs");
  each_object(object, "symptoms", [&](const Object& symptom) {
    out.symptoms.push_back(
        {text(symptom, "kind"), integer(symptom, "count"), integer(symptom, "firstNs"), integer(symptom, "lastNs")});
  });
  if (const auto* cause = child(object, "cause"); cause != nullptr && !text(*cause, "card").empty()) {
    out.cause = Cause{text(*cause, "card"), text(*cause, "title"), text(*cause, "confidence"), std::nullopt};
    const auto* probability = find(*cause, "probability");
    if (probability != nullptr && probability->is_number()) out.cause->probability = probability->to_number<double>();
  }
  out.verdict = text(object, "verdict");
  if (const auto* suspect = child(object, "suspectChange"); suspect != nullptr && !text(*suspect, "id").empty()) {
    out.suspect = SuspectChange{text(*suspect, "id"), text(*suspect, "summary"), text(*suspect, "actor"),
                                text(*suspect, "source")};
  }
  out.plan = text(object, "plan");
  out.plan_state = text(object, "planState");
  out.plan_class = optional_integer(object, "planClass");
  out.taken_by = text(object, "takenBy");
  out.closed_by = text(object, "closedBy");
  out.close_reason = text(object, "closeReason");
  out.confirmed_cause = text(object, "confirmedCause");
  each_object(object, "notes", [&](const Object& note) {
    out.notes.push_back({text(note, "author"), text(note, "text"), integer(note, "timeNs")});
  });
  return out;
}

Change change_of(const Object& object) {
  Change out;
  out.id = text(object, "id");
  out.source = text(object, "source");
  out.source_key = text(object, "sourceKey");
  out.group = text(object, "group");
  if (const auto* target = child(object, "object")) {
    out.object_kind = text(*target, "kind");
    out.object_namespace = text(*target, "namespace");
    for (const auto key : {"name", "cgroupPath", "containerId"}) {
      if (out.object_name.empty()) out.object_name = text(*target, key);
    }
  }
  out.actor = text(object, "actor");
  out.revision = text(object, "revision");
  out.title = text(object, "title");
  out.environment = text(object, "environment");
  out.url = text(object, "url");
  out.outcome = text(object, "outcome");
  out.started_ns = integer(object, "startedNs");
  out.finished_ns = optional_time(object, "finishedNs");
  out.received_ns = integer(object, "receivedNs");
  each_object(object, "fields", [&](const Object& field) {
    out.fields.push_back({text(field, "path"), optional_text(field, "before"), optional_text(field, "after")});
  });
  return out;
}

Node node_of(const Object& object) {
  Node out;
  out.uid = text(object, "uid");
  out.name = text(object, "name");
  out.agent_version = text(object, "agentVersion");
  out.kernel_release = text(object, "kernelRelease");
  out.cgroup_mode = text(object, "cgroupMode");
  out.boot_id = text(object, "bootId");
  out.connected = boolean(object, "connected");
  out.last_seen_ns = integer(object, "lastSeenNs");
  out.clock_offset_ns = integer(object, "clockOffsetNs");
  out.clock_error_ns = integer(object, "clockErrorNs");
  out.entities = integer(object, "entities");
  out.events_total = integer(object, "eventsTotal");
  out.lost_samples_total = integer(object, "lostSamplesTotal");
  out.lost_events_total = integer(object, "lostEventsTotal");
  out.lacking = texts(object, "lacking");
  return out;
}

template <class T, class Convert>
Result<std::vector<T>> read_list(std::string_view bytes, std::string_view kind, Convert convert) {
  auto object = parse(bytes, kind);
  if (!object) return object.error();
  std::vector<T> out;
  each_object(*object, "items", [&](const Object& item) { out.push_back(convert(item)); });
  return out;
}

}  // namespace

std::string Change::object() const { return object_kind.empty() ? object_name : object_kind + "/" + object_name; }

std::string Change::summary() const {
  if (!fields.empty()) {
    const auto& field = fields.front();
    auto out = field.path + " " + field.before.value_or("<none>") + " -> " + field.after.value_or("<none>");
    if (fields.size() > 1) out += " (+" + std::to_string(fields.size() - 1) + ")";
    return out;
  }
  return title.empty() ? revision : title;
}

Result<Incident> read_incident(std::string_view bytes) {
  auto object = parse(bytes, "Incident");
  if (!object) return object.error();
  return incident_of(*object);
}

Result<std::vector<Incident>> read_incidents(std::string_view bytes) {
  auto list = read_list<Incident>(bytes, "IncidentList", incident_of);
  if (list) {
    std::stable_sort(list->begin(), list->end(), [](const Incident& a, const Incident& b) {
      return std::tuple(!a.unfinished(), -incident_number(a.id)) < std::tuple(!b.unfinished(), -incident_number(b.id));
    });
  }
  return list;
}

Result<std::vector<Node>> read_nodes(std::string_view bytes) { return read_list<Node>(bytes, "NodeList", node_of); }
Result<std::vector<Change>> read_changes(std::string_view bytes) {
  return read_list<Change>(bytes, "ChangeList", change_of);
}

Result<Status> read_status(std::string_view bytes) {
  auto object = parse(bytes, "Status");
  if (!object) return object.error();
  Status out{text(*object, "version"), text(*object, "person"), {}};
  each_object(*object, "checks", [&](const Object& check) {
    out.checks.push_back({text(check, "name"), text(check, "detail"), boolean(check, "ok")});
  });
  return out;
}

ApiError read_error(std::string_view bytes) {
  const auto object = parse(bytes, "Error");
  if (!object) return {};
  return {text(*object, "reason"), text(*object, "message"), text(*object, "hint")};
}

std::optional<std::string> normal_incident_id(std::string_view text) {
  constexpr std::string_view kPrefix = "inc-";
  if (text.size() > kPrefix.size() && std::equal(kPrefix.begin(), kPrefix.end(), text.begin(),
                                                 [](char want, char got) { return want == (got | 0x20); })) {
    text.remove_prefix(kPrefix.size());
  }
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number <= 0) return std::nullopt;
  return "INC-" + std::to_string(number);
}

std::int64_t incident_number(std::string_view id) {
  const auto normal = normal_incident_id(id);
  return normal ? std::stoll(normal->substr(4)) : 0;
}

}  // namespace fw::cli
