#include "aggregator/fleet/fleet.hpp"

#include <algorithm>

namespace fw::fleet {

NodeState& Fleet::node(const Uuid& uid, std::int64_t now_ns) {
  if (const auto found = nodes_.find(uid); found != nodes_.end()) return found->second.state;
  if (nodes_.size() >= limits_.nodes) {   // certificates bound the number of nodes; the oldest absent one makes room
    auto oldest = nodes_.end();
    for (auto it = nodes_.begin(); it != nodes_.end(); ++it) {
      if (it->second.state.connected) continue;
      if (oldest == nodes_.end() || it->second.state.last_seen_ns < oldest->second.state.last_seen_ns) oldest = it;
    }
    if (oldest != nodes_.end()) nodes_.erase(oldest);
  }
  NodeState& state = nodes_[uid].state;
  state.uid = uid;
  state.first_seen_ns = now_ns;
  state.last_seen_ns = now_ns;
  return state;
}

const NodeState* Fleet::find_node(const Uuid& uid) const {
  const auto found = nodes_.find(uid);
  return found == nodes_.end() ? nullptr : &found->second.state;
}

std::vector<const NodeState*> Fleet::nodes() const {
  std::vector<const NodeState*> all;
  all.reserve(nodes_.size());
  for (const auto& [uid, node] : nodes_) all.push_back(&node.state);
  std::sort(all.begin(), all.end(), [](const NodeState* a, const NodeState* b) { return std::tie(a->name, a->uid) < std::tie(b->name, b->uid); });
  return all;
}

void Fleet::on_connected(const Uuid& uid, const Uuid& boot, std::int64_t now_ns) {
  node(uid, now_ns).boot_id = boot;
  for (auto& [key, state] : nodes_[uid].entities) {
    if (key.boot != boot && !state.gone_ns) state.gone_ns = now_ns;
  }
}

bool Fleet::upsert(const EntityPtr& entity, std::int64_t now_ns) {
  node(entity->key.node, now_ns);
  auto& entities = nodes_[entity->key.node].entities;
  if (const auto found = entities.find(entity->key); found != entities.end()) {
    found->second.entity = entity;
    found->second.last_seen_ns = now_ns;
    found->second.gone_ns.reset();
    return true;
  }
  if (entities.size() >= limits_.entities_per_node) {
    auto oldest = entities.end();
    for (auto it = entities.begin(); it != entities.end(); ++it) {
      if (it->second.gone_ns && (oldest == entities.end() || *it->second.gone_ns < *oldest->second.gone_ns)) oldest = it;
    }
    if (oldest == entities.end()) {
      ++refused_total_;
      return false;
    }
    entities.erase(oldest);
  }
  entities.emplace(entity->key, EntityState{.entity = entity, .first_seen_ns = now_ns, .last_seen_ns = now_ns, .gone_ns = std::nullopt});
  return true;
}

void Fleet::remove(const EntityKey& key, std::int64_t now_ns) {
  const auto node = nodes_.find(key.node);
  if (node == nodes_.end()) return;
  const auto found = node->second.entities.find(key);
  if (found == node->second.entities.end() || found->second.gone_ns) return;
  found->second.last_seen_ns = now_ns;
  found->second.gone_ns = now_ns;
}

void Fleet::expire(std::int64_t now_ns) {
  for (auto& [uid, node] : nodes_) {
    std::erase_if(node.entities, [&](const auto& item) { return item.second.gone_ns && now_ns - *item.second.gone_ns > limits_.keep_gone.count(); });
  }
}

const EntityState* Fleet::find(const EntityKey& key) const {
  const auto node = nodes_.find(key.node);
  if (node == nodes_.end()) return nullptr;
  const auto found = node->second.entities.find(key);
  return found == node->second.entities.end() ? nullptr : &found->second;
}

std::vector<const EntityState*> Fleet::entities_of(const Uuid& uid) const {
  std::vector<const EntityState*> all;
  const auto node = nodes_.find(uid);
  if (node == nodes_.end()) return all;
  for (const auto& [key, state] : node->second.entities) all.push_back(&state);
  std::sort(all.begin(), all.end(), [](const EntityState* a, const EntityState* b) { return a->entity->key < b->entity->key; });
  return all;
}

std::size_t Fleet::live_entities(const Uuid& uid) const {
  const auto node = nodes_.find(uid);
  if (node == nodes_.end()) return 0;
  return static_cast<std::size_t>(std::count_if(node->second.entities.begin(), node->second.entities.end(),
                                                [](const auto& item) { return !item.second.gone_ns; }));
}

}  // namespace fw::fleet
