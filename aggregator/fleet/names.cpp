#include "aggregator/fleet/names.hpp"

#include <algorithm>

namespace fw::fleet {
namespace {

constexpr std::size_t kShownCandidates = 8, kShortId = 12;

// What tells candidates of one name apart.
std::string candidate(const Entity& entity) {
  if (!entity.cgroup_path.empty()) return entity.cgroup_path;
  return std::string(to_string(entity.kind)) + "/" + entity.name;
}

}  // namespace

Result<const NodeState*> find_node(const Fleet& fleet, std::string_view name) {
  const NodeState* found = nullptr;
  for (const NodeState* node : fleet.nodes()) {
    if (node->uid.str() == name) return node;
    if (node->name != name) continue;
    if (found != nullptr) return Error(Errc::conflict, "several nodes are called " + std::string(name) + ": give the uid");
    found = node;
  }
  if (found == nullptr) return Error(Errc::not_found, "no node is called " + std::string(name));
  return found;
}

std::string display_name(const Entity& entity) {
  if (entity.kind == wire::EntityKind::pod && !entity.pod_name.empty()) return entity.pod_name;
  if (entity.container_name.empty()) return entity.name;
  return entity.pod_name.empty() ? entity.container_name : entity.pod_name + "/" + entity.container_name;
}

std::vector<std::string> names_of(const Entity& entity) {
  const bool is_pod = entity.kind == wire::EntityKind::pod;
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (const std::string& own : {entity.name, is_pod ? entity.pod_name : entity.container_name}) {
    if (own.empty()) continue;
    add(own);
    add(std::string(to_string(entity.kind)) + "/" + own);
  }
  const std::string inner = display_name(entity);
  add(inner);
  if (!entity.pod_namespace.empty() && !entity.pod_name.empty()) add(entity.pod_namespace + "/" + inner);
  add(entity.cgroup_path);
  if (entity.cgroup_path.starts_with('/')) add(entity.cgroup_path.substr(1));
  add(entity.container_id);
  if (entity.container_id.size() > kShortId) add(entity.container_id.substr(0, kShortId));
  if (is_pod) add(entity.pod_uid);
  return names;
}

Result<EntityPtr> find_entity(const std::vector<const EntityState*>& entities, std::string_view name) {
  std::vector<EntityPtr> alive, gone;
  for (const EntityState* state : entities) {
    const auto names = names_of(*state->entity);
    if (std::find(names.begin(), names.end(), name) == names.end()) continue;
    (state->gone_ns ? gone : alive).push_back(state->entity);
  }
  auto& found = alive.empty() ? gone : alive;
  if (found.empty()) return Error(Errc::not_found, "nothing there is called " + std::string(name));
  if (found.size() == 1) return found.front();
  std::vector<std::string> candidates;
  for (const EntityPtr& entity : found) candidates.push_back(candidate(*entity));
  std::sort(candidates.begin(), candidates.end());
  std::string text = std::to_string(found.size()) + " things are called " + std::string(name) + ": ";
  for (std::size_t i = 0; i < std::min(candidates.size(), kShownCandidates); ++i) text += (i == 0 ? "" : ", ") + candidates[i];
  return Error(Errc::conflict, text + (candidates.size() > kShownCandidates ? ", ..." : ""));
}

}  // namespace fw::fleet
