// What signals are about, as the aggregator knows it. Names are attributes, never keys.
#pragma once
#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/id.hpp"
#include "protocol/wire/messages.hpp"

namespace fw::fleet {

// A container without CRI is (node, boot, cgroup inode); cgroup 0 is the node itself.
struct EntityKey {
  Uuid node, boot;
  std::uint64_t cgroup_id = 0;

  friend auto operator<=>(const EntityKey&, const EntityKey&) = default;
  std::string str() const;   // "node/boot/inode"
};

// Immutable once shared.
struct Entity {
  EntityKey key;
  wire::EntityKind kind = wire::EntityKind::unknown;
  std::uint64_t parent_cgroup_id = 0;   // of the pod that holds it; 0: the node
  std::string cgroup_path, name, runtime, container_id, pod_uid, qos_class;
  std::string container_name{}, pod_name{}, pod_namespace{}, image{};   // of CRI

  friend bool operator==(const Entity&, const Entity&) = default;
};
using EntityPtr = std::shared_ptr<const Entity>;

// What stays when the cgroup is made again: the pod, else the path on the node (docs/incidents.md, ADR 0009).
std::string lineage_of(const Entity& entity);

std::string_view to_string(wire::EntityKind kind);
wire::EntityKind entity_kind_from(std::string_view text);

}  // namespace fw::fleet

template <>
struct std::hash<fw::fleet::EntityKey> {
  std::size_t operator()(const fw::fleet::EntityKey& key) const noexcept {
    return std::hash<fw::Uuid>{}(key.node) ^ (std::hash<fw::Uuid>{}(key.boot) * 31U) ^ (std::hash<std::uint64_t>{}(key.cgroup_id) * 1'000'003U);
  }
};
