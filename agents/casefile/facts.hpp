// Plain rows that the aggregator hands over to build a case file; one struct per table of schema.sql, same names, same units.
// The builder gives evidence ids; everything else is as given.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fw::agents {

using OptInt = std::optional<std::int64_t>;

struct EntityRow {
  std::int64_t entity_id = 0;   // chosen by the caller, unique in the file, > 0
  std::string key, kind, name;
  OptInt node_id;
  std::string cgroup_path;
  OptInt cgroup_version;
  std::string runtime, container_id, pod_uid;
  OptInt first_seen_ns, last_seen_ns;
};

struct EdgeRow { std::int64_t from_id = 0; std::string relation; std::int64_t to_id = 0; };

struct SymptomRow { std::int64_t entity_id = 0; std::string kind; std::int64_t first_ns = 0, last_ns = 0, count = 0; };

struct OomProcessRow {
  std::int64_t pid = 0;
  OptInt parent_pid;
  std::string comm;
  OptInt rss_bytes, age_ns, container_main;
};

struct EventRow {
  std::int64_t entity_id = 0;
  std::string kind;
  std::int64_t time_ns = 0, clock_error_ns = 0;
  OptInt pid, parent_pid;
  std::optional<std::string> comm;
  OptInt container_main, age_ns, rss_bytes;
  std::optional<std::string> constraint_kind, constraint_source;
  OptInt limit_bytes, usage_bytes;
  std::optional<std::string> limit_cgroup_path;
  OptInt oom_score_adj, invoker_pid;
  std::optional<std::string> invoker_comm;
  OptInt kills, exit_code, signal, oom_victim, from_kernel, sender_pid;
  std::optional<std::string> sender_comm;
  OptInt sender_uid, sender_in_container;
  std::optional<std::string> resource;
  OptInt before_value, after_value;
  std::optional<std::string> lost_source;
  OptInt lost_count;
  std::optional<std::string> object, reason, before_text, after_text, text;   // what a collector noticed: kind is its word
  OptInt count;
  std::vector<OomProcessRow> top_processes;   // oom_kill only, largest first
};

struct SeriesPoint { std::int64_t t_ns = 0, value = 0; };
struct SeriesRow {
  std::int64_t entity_id = 0;
  std::string metric, unit, kind;
  std::vector<SeriesPoint> points;            // ascending in time
};

struct ChangeFieldRow {
  std::string path;
  std::optional<std::string> before_text, after_text;
  OptInt before_value, after_value;
  std::string mechanism;
};

struct ChangeRow {
  std::string change_id, change_group, source, object_kind, object_name, object_namespace;
  std::string actor = "unknown";
  std::string revision, title, environment;
  std::int64_t started_ns = 0;
  OptInt finished_ns;
  std::string outcome = "unknown";
  std::int64_t received_ns = 0;
  OptInt entity_id;
  std::optional<std::string> match;
  std::vector<ChangeFieldRow> fields;
};

struct PastIncidentRow { std::string card, subject_name; std::int64_t confirmed = 0, refuted = 0; };

struct IncidentFacts {
  std::string id, uid, state;
  std::int64_t subject_id = 0, onset_ns = 0, last_symptom_ns = 0, built_ns = 0;
  std::vector<EntityRow> entities;
  std::vector<EdgeRow> edges;
  std::vector<SymptomRow> symptoms;
  std::vector<EventRow> events;
  std::vector<SeriesRow> series;
  std::vector<ChangeRow> changes;
  std::vector<PastIncidentRow> past_incidents;
};

}  // namespace fw::agents
