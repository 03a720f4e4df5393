#include "aggregator/fleet/entity.hpp"

#include <array>

namespace fw::fleet {
namespace {

constexpr std::array<std::string_view, 9> kKinds{"unknown", "node", "pod", "container", "service", "cgroup", "filesystem", "device", "interface"};

}  // namespace

std::string EntityKey::str() const { return node.str() + "/" + boot.str() + "/" + std::to_string(cgroup_id); }

std::string lineage_of(const Entity& entity) {
  if (!entity.pod_uid.empty()) return "pod:" + entity.pod_uid;
  if (entity.key.cgroup_id == 0) return "node:" + entity.key.node.str();
  if ((entity.key.cgroup_id & wire::kNoCgroup) != 0) return "part:" + entity.key.node.str() + ":" + std::string(to_string(entity.kind)) + ":" + entity.name;
  return "path:" + entity.key.node.str() + ":" + entity.cgroup_path;
}

std::string_view to_string(wire::EntityKind kind) {
  const auto index = static_cast<std::size_t>(kind);
  return index < kKinds.size() ? kKinds.at(index) : kKinds.front();
}

wire::EntityKind entity_kind_from(std::string_view text) {
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    if (kKinds.at(i) == text) return static_cast<wire::EntityKind>(i);
  }
  return wire::EntityKind::unknown;
}

}  // namespace fw::fleet
