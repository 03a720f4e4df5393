#include "node-agent/uplink/sample_blocks.hpp"

#include <algorithm>
#include <unordered_map>

namespace fw::uplink {

wire::Samples self_contained(const wire::Samples& tick, const Dictionary& all) {
  std::unordered_map<std::uint32_t, const wire::EntityEntry*> by_id;
  for (const auto& entity : all.entities) by_id.emplace(entity.id, &entity);
  std::unordered_set<std::uint32_t> used;
  std::unordered_set<std::uint32_t> used_metrics;
  for (const auto& column : tick.columns) {
    used_metrics.insert(column.metric_id);
    for (auto id : column.entity_ids) {
      while (id != 0 && used.insert(id).second) {
        const auto entity = by_id.find(id);
        id = entity == by_id.end() ? 0 : entity->second->parent_id;
      }
    }
  }
  wire::Samples block{.tick = tick.tick, .time_ns = tick.time_ns, .entities = {}, .metrics = {}, .removed_entity_ids = {},
                      .columns = tick.columns, .self_contained = true};
  for (const auto& entity : all.entities) {
    if (used.contains(entity.id)) block.entities.push_back(entity);
  }
  for (const auto& metric : all.metrics) {
    if (used_metrics.contains(metric.id)) block.metrics.push_back(metric);
  }
  return block;
}

wire::Samples Announced::prepare(wire::Samples tick, const Dictionary& all) const {
  if (needs_all_) {
    std::unordered_set<std::uint32_t> present;
    for (const auto& entity : all.entities) present.insert(entity.id);
    tick.removed_entity_ids.clear();
    for (const auto id : ids_) {
      if (!present.contains(id)) tick.removed_entity_ids.push_back(id);
    }
    std::sort(tick.removed_entity_ids.begin(), tick.removed_entity_ids.end());
    tick.entities = all.entities;
    tick.metrics = all.metrics;
  } else {
    std::erase_if(tick.removed_entity_ids, [&](std::uint32_t id) { return !ids_.contains(id); });
  }
  return tick;
}

void Announced::sent(const wire::Samples& tick) {
  needs_all_ = false;
  for (const auto id : tick.removed_entity_ids) ids_.erase(id);
  for (const auto& entity : tick.entities) ids_.insert(entity.id);
}

}  // namespace fw::uplink
