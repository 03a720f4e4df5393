// Who runs where: nodes and their entities; an entity runs on its node and is part of the pod that Entity::parent_cgroup_id names.
// Bounded; what is gone ages out.
#pragma once
#include <chrono>
#include <optional>
#include <unordered_map>
#include <vector>

#include "aggregator/fleet/entity.hpp"
#include "protocol/limits.hpp"

namespace fw::fleet {

struct NodeState {
  Uuid uid;
  std::string name, agent_version, kernel_release, cgroup_mode;
  Uuid boot_id;
  std::vector<std::string> lacking;
  bool connected = false;
  std::int64_t first_seen_ns = 0, last_seen_ns = 0;
  std::int64_t clock_offset_ns = 0, clock_error_ns = 0;
  std::int64_t events_total = 0, lost_samples_total = 0, lost_events_total = 0;
};

struct EntityState {
  EntityPtr entity;
  std::int64_t first_seen_ns = 0, last_seen_ns = 0;
  std::optional<std::int64_t> gone_ns;
};

struct FleetLimits {
  std::size_t entities_per_node = limits::kMaxEntitiesPerNode;
  std::size_t nodes = limits::kMaxSessionsPerAggregator;
  std::chrono::nanoseconds keep_gone = std::chrono::minutes(60);
};

// Threading: one executor. Times are ours and only grow.
class Fleet {
 public:
  explicit Fleet(FleetLimits limits = {}) : limits_(limits) {}

  NodeState& node(const Uuid& uid, std::int64_t now_ns);   // made when new
  const NodeState* find_node(const Uuid& uid) const;
  std::vector<const NodeState*> nodes() const;             // by name

  // A new boot id means that every entity of the boot before is gone.
  void on_connected(const Uuid& node, const Uuid& boot, std::int64_t now_ns);

  // False when the node is over its limit and nothing gone can make room: counted.
  bool upsert(const EntityPtr& entity, std::int64_t now_ns);
  void remove(const EntityKey& key, std::int64_t now_ns);
  void expire(std::int64_t now_ns);                        // forgets what is gone for longer than keep_gone

  const EntityState* find(const EntityKey& key) const;
  std::vector<const EntityState*> entities_of(const Uuid& node) const;   // also those gone and not yet forgotten
  std::size_t live_entities(const Uuid& node) const;
  std::uint64_t refused_total() const noexcept { return refused_total_; }

 private:
  struct Node {
    NodeState state;
    std::unordered_map<EntityKey, EntityState> entities;
  };
  FleetLimits limits_;
  std::unordered_map<Uuid, Node> nodes_;
  std::uint64_t refused_total_ = 0;
};

}  // namespace fw::fleet
