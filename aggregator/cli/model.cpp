#include "aggregator/cli/model.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <tuple>

namespace fw::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 32;

// Missing keys and wrong types give the type's default.
const json::value* find(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::string text(const json::object& object, std::string_view key) {
  const auto* value = find(object, key);
  const auto* string = value != nullptr ? value->if_string() : nullptr;
  return string != nullptr ? std::string(*string) : std::string();
}

std::optional<std::string> optional_text(const json::object& object, std::string_view key) {
  const auto* value = find(object, key);
  if (value == nullptr) return std::nullopt;
  if (const auto* string = value->if_string()) return std::string(*string);
  return json::serialize(*value);  // numbers and the like as their JSON text
}

std::optional<std::int64_t> optional_integer(const json::object& object, std::string_view key) {
  const auto* value = find(object, key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  json::error_code error;
  const auto number = value->to_number<std::int64_t>(error);
  return error ? std::nullopt : std::optional(number);
}

std::int64_t integer(const json::object& object, std::string_view key) {
  return optional_integer(object, key).value_or(0);
}

// Absent times are left out or zero.
std::optional<std::int64_t> optional_time(const json::object& object, std::string_view key) {
  const auto time = optional_integer(object, key);
  return time && *time != 0 ? time : std::nullopt;
}

bool boolean(const json::object& object, std::string_view key) {
  const auto* value = find(object, key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

const json::object* child(const json::object& object, std::string_view key) {
  const auto* value = find(object, key);
  return value != nullptr ? value->if_object() : nullptr;
}

template <class Visit>
void each_object(const json::object& object, std::string_view key, Visit visit) {
  const auto* value = find(object, key);
  const auto* array = value != nullptr ? value->if_array() : nullptr;
  if (array == nullptr) return;
  for (const auto& item : *array) {
    if (const auto* inner = item.if_object()) visit(*inner);
  }
}

Result<json::object> parse(std::string_view bytes, std::string_view kind) {
  json::error_code error;
  json::parse_options options;
  options.max_depth = kMaxDepth;
  auto value = json::parse(bytes, error, {}, options);
  if (error) return Error(Errc::malformed, "not JSON: " + error.message());
  auto* object = value.if_object();
  if (object == nullptr) return Error(Errc::malformed, "not a JSON object");
  const auto found = text(*object, "kind");
  if (found != kind) {
    return Error(Errc::malformed, "expected kind " + std::string(kind) + ", got " + (found.empty() ? "none" : found));
  }
  return std::move(*object);
}

Incident incident_of(const json::object& object) {
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
  each_object(object, "symptoms", [&](const json::object& symptom) {
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
  out.taken_by = text(object, "takenBy");
  out.closed_by = text(object, "closedBy");
  out.close_reason = text(object, "closeReason");
  out.confirmed_cause = text(object, "confirmedCause");
  each_object(object, "notes", [&](const json::object& note) {
    out.notes.push_back({text(note, "author"), text(note, "text"), integer(note, "timeNs")});
  });
  return out;
}

Change change_of(const json::object& object) {
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
  each_object(object, "fields", [&](const json::object& field) {
    out.fields.push_back({text(field, "path"), optional_text(field, "before"), optional_text(field, "after")});
  });
  return out;
}

Node node_of(const json::object& object) {
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
  if (const auto* lacking = find(object, "lacking"); lacking != nullptr && lacking->is_array()) {
    for (const auto& item : lacking->get_array()) {
      if (const auto* string = item.if_string()) out.lacking.emplace_back(*string);
    }
  }
  return out;
}

template <class T, class Convert>
Result<std::vector<T>> read_list(std::string_view bytes, std::string_view kind, Convert convert) {
  auto object = parse(bytes, kind);
  if (!object) return object.error();
  std::vector<T> out;
  each_object(*object, "items", [&](const json::object& item) { out.push_back(convert(item)); });
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
  each_object(*object, "checks", [&](const json::object& check) {
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
