// Which change touched what, and how a changed field acts. Pure; the texts come from outside and are only compared and parsed.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "aggregator/changes/change.hpp"
#include "aggregator/fleet/entity.hpp"

namespace fw::incidents {

// How the change names the entity: "observed", "uid", "container_id", "cgroup_path", "name"; empty when it does not.
// `node_name` is the entity's node; a change that names another node never matches.
std::optional<std::string_view> match_change(const changes::Change& change, const fleet::Entity& entity, std::string_view node_name);

// memory_limit, memory_use, image, cpu_limit, config, replicas, probe, other.
std::string_view mechanism_of(std::string_view field_path);

// "64Mi" -> 67108864, "128M", "1.5GiB", "1e3", "max" and "infinity" -> -1. Empty when the text is not a quantity or over int64.
std::optional<std::int64_t> parse_bytes(std::string_view text);
// "500m" -> 500, "2" -> 2000: milli-CPU.
std::optional<std::int64_t> parse_milli(std::string_view text);
// By the field's mechanism: milli for cpu_limit, else bytes.
std::optional<std::int64_t> parse_value(std::string_view field_path, std::string_view text);

// True when `observed` (source "node") is the kernel's view of what `posted` said: the same object, a field of the same mechanism with
// the same value after, near in time.
bool is_same_change(const changes::Change& observed, const changes::Change& posted, std::string_view node_name);

}  // namespace fw::incidents
