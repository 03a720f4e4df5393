#include "aggregator/ingest/translate.hpp"

#include "protocol/limits.hpp"

namespace fw::ingest {
namespace {

fleet::EntityPtr to_entity(const Origin& origin, const wire::EntityEntry& entry, std::uint64_t parent_cgroup_id) {
  return std::make_shared<const fleet::Entity>(
      fleet::Entity{.key = {.node = origin.node, .boot = origin.boot, .cgroup_id = entry.kind == wire::EntityKind::node ? 0 : entry.cgroup_id},
                    .kind = entry.kind,
                    .parent_cgroup_id = parent_cgroup_id,
                    .cgroup_path = entry.cgroup_path,
                    .name = entry.name,
                    .runtime = entry.runtime,
                    .container_id = entry.container_id,
                    .pod_uid = entry.pod_uid,
                    .qos_class = entry.qos_class,
                    .container_name = entry.container_name,
                    .pod_name = entry.pod_name,
                    .pod_namespace = entry.pod_namespace,
                    .image = entry.image});
}

}  // namespace

std::vector<fleet::EntityPtr> Dictionary::add(const Origin& origin, std::span<const wire::EntityEntry> entries) {
  std::unordered_map<std::uint32_t, std::uint64_t> cgroups;   // a parent may follow its child in the same message
  for (const wire::EntityEntry& entry : entries) cgroups[entry.id] = entry.kind == wire::EntityKind::node ? 0 : entry.cgroup_id;
  std::vector<fleet::EntityPtr> added;
  for (const wire::EntityEntry& entry : entries) {
    if (entities_.size() >= limits::kMaxEntitiesPerNode && !entities_.contains(entry.id)) continue;
    std::uint64_t parent = 0;
    if (const auto here = cgroups.find(entry.parent_id); here != cgroups.end()) {
      parent = here->second;
    } else if (const auto known = find(entry.parent_id)) {
      parent = known->key.cgroup_id;
    }
    added.push_back(entities_[entry.id] = to_entity(origin, entry, parent));
  }
  return added;
}

std::vector<fleet::EntityKey> Dictionary::remove(const Origin&, std::span<const std::uint32_t> ids) {
  std::vector<fleet::EntityKey> keys;
  for (const std::uint32_t id : ids) {
    if (const auto found = entities_.find(id); found != entities_.end()) {
      keys.push_back(found->second->key);
      entities_.erase(found);
    }
  }
  return keys;
}

fleet::EntityPtr Dictionary::find(std::uint32_t id) const {
  const auto found = entities_.find(id);
  return found == entities_.end() ? nullptr : found->second;
}

std::vector<fleet::NodeEventPtr> translate(const Origin& origin, const wire::Events& frame, std::int64_t received_ns) {
  Dictionary dictionary;
  dictionary.add(origin, frame.entities);
  fleet::EntityPtr node;
  std::vector<fleet::NodeEventPtr> events;
  events.reserve(frame.events.size());
  for (std::uint32_t index = 0; index < frame.events.size(); ++index) {
    const wire::Event& event = frame.events[index];
    fleet::EntityPtr entity = dictionary.find(event.entity_id);
    if (!entity) {
      if (!node) {
        wire::EntityEntry entry;
        entry.kind = wire::EntityKind::node;
        node = to_entity(origin, entry, 0);
      }
      entity = node;
    }
    events.push_back(std::make_shared<const fleet::NodeEvent>(fleet::NodeEvent{.ref = {.stream = origin.stream, .seq = frame.seq, .index = index},
                                                                               .entity = std::move(entity),
                                                                               .time_ns = event.time_ns,
                                                                               .received_ns = received_ns,
                                                                               .clock_offset_ns = origin.clock_offset_ns,
                                                                               .clock_error_ns = origin.clock_error_ns,
                                                                               .body = event.body}));
  }
  return events;
}

store::Frame to_frame(std::uint64_t seq, std::span<const fleet::NodeEventPtr> events) {
  store::Frame frame{.seq = seq, .events = {}};
  frame.events.reserve(events.size());
  for (const fleet::NodeEventPtr& e : events) {
    frame.events.push_back({.index = e->ref.index, .boot_id = e->entity->key.boot, .cgroup_id = e->entity->key.cgroup_id, .time_ns = e->time_ns,
                            .received_ns = e->received_ns, .clock_offset_ns = e->clock_offset_ns, .clock_error_ns = e->clock_error_ns,
                            .kind = std::string(fleet::kind_of(*e)), .entity = fleet::entity_json(*e->entity), .body = fleet::body_json(*e)});
  }
  return frame;
}

Result<fleet::NodeEventPtr> from_stored(const store::StoredEvent& stored) {
  auto entity = fleet::parse_entity(stored.row.entity);
  if (!entity) return entity.error();
  auto body = fleet::parse_body(stored.row.kind, stored.row.body);
  if (!body) return body.error();
  entity->key = {.node = stored.node, .boot = stored.row.boot_id, .cgroup_id = stored.row.cgroup_id};
  return std::make_shared<const fleet::NodeEvent>(
      fleet::NodeEvent{.ref = {.stream = stored.stream, .seq = stored.seq, .index = stored.row.index},
                       .entity = std::make_shared<const fleet::Entity>(std::move(*entity)),
                       .time_ns = stored.row.time_ns,
                       .received_ns = stored.row.received_ns,
                       .clock_offset_ns = stored.row.clock_offset_ns,
                       .clock_error_ns = stored.row.clock_error_ns,
                       .body = std::move(*body)});
}

}  // namespace fw::ingest
