// A change that people (or their pipelines) made, as every source reports it. One row per (source, source_key).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/id.hpp"

namespace fw::changes {

enum class Outcome : std::uint8_t { unknown = 0, in_progress, success, failure, cancelled };
std::string_view to_string(Outcome outcome);

// What was changed. Only what the source said; matching to entities happens in incidents.
struct ObjectRef {
  std::string cluster, kind, namespace_name, name, uid;
  std::string cgroup_path, container_id, node;
};

struct Field {
  std::string path;                          // "resources.limits.memory"
  std::optional<std::string> before, after;  // text as given; numbers as their JSON text
};

struct Change {
  Uuid id;
  std::string source;                        // "github", "cloudevents", "node"
  std::string source_key;                    // unique within the source, stable over redelivery and over state updates
  std::string change_group;                  // commit sha or deployment id; "" when the source gave neither
  ObjectRef object;
  std::string actor = "unknown";
  std::string revision;
  std::string title;
  std::string environment;
  std::string url;
  std::int64_t started_ns = 0;
  std::optional<std::int64_t> finished_ns;
  Outcome outcome = Outcome::unknown;
  std::vector<Field> fields;
  std::int64_t received_ns = 0;
};

}  // namespace fw::changes
