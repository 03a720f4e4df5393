#include "node-agent/app/once.hpp"

#include <boost/json.hpp>
#include <map>

#include "common/version.hpp"

namespace fw::agent {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxEvents = 1000;

std::string_view text_of(wire::EntityKind kind) {
  switch (kind) {
    case wire::EntityKind::node: return "node";
    case wire::EntityKind::pod: return "pod";
    case wire::EntityKind::container: return "container";
    case wire::EntityKind::service: return "service";
    case wire::EntityKind::cgroup: return "cgroup";
    case wire::EntityKind::filesystem: return "filesystem";
    case wire::EntityKind::device: return "device";
    case wire::EntityKind::interface: return "interface";
    case wire::EntityKind::unknown: break;
  }
  return "unknown";
}

std::string_view text_of(const wire::Event& event) {
  constexpr std::string_view kNames[] = {"unknown", "oom_kill", "process_exit", "process_signal", "limit_changed", "lost", "observed"};
  static_assert(std::variant_size_v<decltype(event.body)> == std::size(kNames));
  if (const auto* observed = std::get_if<wire::Observed>(&event.body)) return observed->what;
  return kNames[event.body.index()];
}

json::object to_json(const wire::EntityEntry& entity) {
  json::object out{{"id", entity.id}, {"kind", text_of(entity.kind)}, {"name", entity.name}, {"cgroupPath", entity.cgroup_path},
                   {"cgroupId", entity.cgroup_id}};
  if (entity.parent_id != 0) out["parentId"] = entity.parent_id;
  if (!entity.runtime.empty()) out["runtime"] = entity.runtime;
  if (!entity.container_id.empty()) out["containerId"] = entity.container_id;
  if (!entity.pod_uid.empty()) out["podUid"] = entity.pod_uid;
  if (!entity.qos_class.empty()) out["qosClass"] = entity.qos_class;
  if (!entity.container_name.empty()) out["containerName"] = entity.container_name;
  if (!entity.pod_name.empty()) out["podName"] = entity.pod_name;
  if (!entity.pod_namespace.empty()) out["podNamespace"] = entity.pod_namespace;
  if (!entity.image.empty()) out["image"] = entity.image;
  return out;
}

json::object to_json(const collectors::SensorCounters& counters) {
  json::object lost;
  for (const auto& [source, count] : counters.lost) lost[source] = count;
  return {{"eventsTotal", counters.events_total}, {"samplesTotal", counters.samples_total}, {"ticksTotal", counters.ticks_total},
          {"entities", counters.entities}, {"openFiles", counters.open_files},
          {"entitiesRefusedTotal", counters.entities_refused_total}, {"goneTotal", counters.gone_total},
          {"unreadableTotal", counters.unreadable_total}, {"foldersUnwatchedTotal", counters.folders_unwatched_total}, {"lost", std::move(lost)}};
}

}  // namespace

std::string sample_once(collectors::NodeSensors& sensors, const NodeIdentity& identity) {
  const auto samples = sensors.tick();
  const auto batch = sensors.drain(kMaxEvents);

  std::map<std::uint32_t, std::string> metric_names;
  for (const auto& metric : sensors.metrics()) metric_names.emplace(metric.id, metric.name);
  std::map<std::uint32_t, json::object> values;
  for (const auto& column : samples.columns) {
    for (std::size_t i = 0; i < column.entity_ids.size(); ++i) values[column.entity_ids[i]][metric_names[column.metric_id]] = column.values[i];
  }
  json::array entities;
  for (const auto& entity : sensors.entities()) {
    auto out = to_json(entity);
    out["values"] = std::move(values[entity.id]);
    entities.push_back(std::move(out));
  }
  json::array events;
  for (const auto& event : batch.events) events.push_back({{"kind", text_of(event)}, {"entityId", event.entity_id}, {"timeNs", event.time_ns}});

  const auto& features = sensors.features();
  json::array lacking;
  for (const auto& sentence : features.lacking()) lacking.emplace_back(sentence);
  json::object node{{"name", identity.name}, {"bootId", identity.boot_id}, {"kernelRelease", features.release}, {"cgroupMode", features.cgroup_mode}};
  if (!identity.uid.empty()) node["uid"] = identity.uid;
  const json::object out{{"apiVersion", "fleetwright/v1alpha1"}, {"kind", "AgentSample"}, {"agentVersion", kVersion},
                         {"timeNs", samples.time_ns}, {"node", std::move(node)}, {"lacking", std::move(lacking)},
                         {"entities", std::move(entities)}, {"events", std::move(events)}, {"counters", to_json(sensors.counters())}};
  return json::serialize(out) + "\n";
}

}  // namespace fw::agent
