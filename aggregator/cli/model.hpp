// The API's objects as plain data (docs/api.md). Pure.
//
// Reading is tolerant: unknown fields are skipped, absent ones keep their default, a field of the wrong type counts as
// absent; only text that is not JSON, or not of the expected kind, is an error. Texts are as the server sent them: not
// escaped.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace fw::cli {

struct Symptom {
  std::string kind;
  std::int64_t count = 0, first_ns = 0, last_ns = 0;
};

struct Note {
  std::string author, text;
  std::int64_t time_ns = 0;
};

struct Cause {
  std::string card, title, confidence;
  std::optional<double> probability;
};

struct SuspectChange {
  std::string id, summary, actor, source;
};

struct Incident {
  std::string id, uid, severity, state, scope;
  std::string subject_kind, subject_key, node, cgroup_path;
  std::int64_t opened_ns = 0, first_symptom_ns = 0, last_symptom_ns = 0;
  std::optional<std::int64_t> explained_ns, resolved_ns, closed_ns;
  std::vector<Symptom> symptoms;
  std::optional<Cause> cause;
  std::string verdict;
  std::optional<SuspectChange> suspect;
  std::string plan, plan_state;                 // digest and state of its newest plan
  std::optional<std::int64_t> plan_class;
  std::string taken_by, closed_by, close_reason, confirmed_cause;
  std::vector<Note> notes;

  bool unfinished() const noexcept { return state != "resolved" && state != "closed"; }
};

struct Node {
  std::string uid, name, agent_version, kernel_release, cgroup_mode, boot_id;
  bool connected = false;
  std::int64_t last_seen_ns = 0, clock_offset_ns = 0, clock_error_ns = 0;
  std::int64_t entities = 0, events_total = 0, lost_samples_total = 0, lost_events_total = 0;
  std::vector<std::string> lacking;
};

struct ChangeField {
  std::string path;
  std::optional<std::string> before, after;
};

struct Change {
  std::string id, source, source_key, group;
  std::string object_kind, object_namespace, object_name;  // name, else the cgroup path or the container id
  std::string actor, revision, title, environment, url, outcome;
  std::int64_t started_ns = 0, received_ns = 0;
  std::optional<std::int64_t> finished_ns;
  std::vector<ChangeField> fields;

  std::string object() const;   // "kind/name"
  std::string summary() const;  // the first field "path before -> after", else the title, else the revision
};

struct Check {
  std::string name, detail;
  bool ok = false;
};

struct Status {
  std::string version, person;
  std::vector<Check> checks;
};

struct ApiError {
  std::string reason, message, hint;
};

Result<Incident> read_incident(std::string_view json);
Result<std::vector<Incident>> read_incidents(std::string_view json);  // unfinished first, then newest first
Result<std::vector<Node>> read_nodes(std::string_view json);
Result<std::vector<Change>> read_changes(std::string_view json);
Result<Status> read_status(std::string_view json);
ApiError read_error(std::string_view json);  // empty fields when it is something else

// 7, INC-7, inc-7 -> "INC-7"; nothing for anything else.
std::optional<std::string> normal_incident_id(std::string_view text);
std::int64_t incident_number(std::string_view id);  // 7 of "INC-7"; 0 when it is not an id

}  // namespace fw::cli
