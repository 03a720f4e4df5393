#include <algorithm>
#include <limits>
#include <type_traits>

#include "protocol/wire/schema_io.hpp"

namespace fw::wire {
namespace {

Error malformed(std::string what) { return {Errc::malformed, "samples: " + std::move(what)}; }

Result<void> at_most(const char* field, std::size_t count, std::size_t limit) {
  if (count > limit) return Error(Errc::too_large, std::string(field) + ": " + std::to_string(count) + " entries");
  return {};
}

template <class To, class From>
bool all_fit(const std::vector<From>& values) {
  return std::all_of(values.begin(), values.end(), [](From v) { return std::in_range<To>(v); });
}

template <class Number, class List, class Values>
void fill(List list, const Values& values) {
  for (unsigned i = 0; i < list.size(); ++i) list.set(i, static_cast<Number>(values[i]));
}

void write_set(const std::vector<std::uint32_t>& ids, schema::EntitySet::Builder to) {
  to.setFirst(ids.front());
  std::vector<std::uint32_t> distances;
  for (std::size_t i = 1; i < ids.size(); ++i) distances.push_back(ids[i] - ids[i - 1]);
  const auto count = static_cast<unsigned>(distances.size());
  if (all_fit<std::uint8_t>(distances)) return fill<std::uint8_t>(to.getGaps().initBits8(count), distances);
  if (all_fit<std::uint16_t>(distances)) return fill<std::uint16_t>(to.getGaps().initBits16(count), distances);
  fill<std::uint32_t>(to.getGaps().initBits32(count), distances);
}

template <class List>
Result<std::vector<std::uint32_t>> ids_after(std::uint32_t first, List gaps) {
  if (auto ok = at_most("samples: entity set", gaps.size(), limits::kMaxEntitiesPerNode - 1); !ok) return ok.error();
  std::vector<std::uint32_t> ids{first};
  for (const std::uint32_t gap : gaps) {
    if (gap > std::numeric_limits<std::uint32_t>::max() - ids.back()) return malformed("entity set: ids beyond 32 bits");
    ids.push_back(ids.back() + gap);
  }
  return ids;
}

Result<std::vector<std::uint32_t>> read_set(schema::EntitySet::Reader from) {
  const auto gaps = from.getGaps();
  switch (gaps.which()) {
    case schema::EntitySet::Gaps::UNSET: return malformed("entity set: no gaps");
    case schema::EntitySet::Gaps::BITS8: return ids_after(from.getFirst(), gaps.getBits8());
    case schema::EntitySet::Gaps::BITS16: return ids_after(from.getFirst(), gaps.getBits16());
    case schema::EntitySet::Gaps::BITS32: return ids_after(from.getFirst(), gaps.getBits32());
  }
  return Error(Errc::unsupported, "samples: entity set: unknown width");
}

void write_differences(const std::vector<std::int64_t>& values, schema::Column::Differences::Builder to) {
  const auto count = static_cast<unsigned>(values.size());
  if (count == 0) return;
  if (all_fit<std::int8_t>(values)) return fill<std::int8_t>(to.initBits8(count), values);
  if (all_fit<std::int16_t>(values)) return fill<std::int16_t>(to.initBits16(count), values);
  if (all_fit<std::int32_t>(values)) return fill<std::int32_t>(to.initBits32(count), values);
  fill<std::int64_t>(to.initBits64(count), values);
}

template <class List>
Result<std::vector<std::int64_t>> read_values(List list) {
  if (auto ok = at_most("samples: differences", list.size(), limits::kMaxEntitiesPerNode); !ok) return ok.error();
  return to_vector<std::int64_t>(list);
}

Result<std::vector<std::int64_t>> read_differences(schema::Column::Differences::Reader from) {
  switch (from.which()) {
    case schema::Column::Differences::UNSET: return std::vector<std::int64_t>();
    case schema::Column::Differences::BITS8: return read_values(from.getBits8());
    case schema::Column::Differences::BITS16: return read_values(from.getBits16());
    case schema::Column::Differences::BITS32: return read_values(from.getBits32());
    case schema::Column::Differences::BITS64: return read_values(from.getBits64());
  }
  return Error(Errc::unsupported, "samples: differences: unknown width");
}

Result<std::vector<MetricEntry>> read_metrics(capnp::List<schema::MetricEntry>::Reader from) {
  if (auto ok = at_most("samples: metrics", from.size(), limits::kMaxMetricsPerNode); !ok) return ok.error();
  std::vector<MetricEntry> metrics;
  for (const auto entry : from) {
    MetricEntry m;
    m.id = entry.getId();
    auto kind = read_enum("samples: metric: kind", entry.getKind(), MetricKind::counter);
    if (!kind) return kind.error();
    m.kind = *kind;
    m.name = to_string(entry.getName());
    m.unit = to_string(entry.getUnit());
    metrics.push_back(std::move(m));
  }
  return metrics;
}

Result<std::vector<DeltaColumn>> read_columns(capnp::List<schema::Column>::Reader from) {
  if (auto ok = at_most("samples: columns", from.size(), limits::kMaxMetricsPerNode); !ok) return ok.error();
  std::vector<DeltaColumn> columns;
  for (const auto entry : from) {
    DeltaColumn column;
    column.metric_id = entry.getMetricId();
    column.entity_set = entry.getEntitySet();
    const auto changed = entry.getChanged();
    if (auto ok = at_most("samples: changed", changed.size(), (limits::kMaxEntitiesPerNode + 7) / 8); !ok) return ok.error();
    column.changed.assign(changed.begin(), changed.end());
    auto differences = read_differences(entry.getDifferences());
    if (!differences) return differences.error();
    column.differences = std::move(*differences);
    columns.push_back(std::move(column));
  }
  return columns;
}

}  // namespace

void write_entities(const std::vector<EntityEntry>& entities, capnp::List<schema::EntityEntry>::Builder list) {
  for (unsigned i = 0; i < list.size(); ++i) {
    const EntityEntry& e = entities[i];
    auto to = list[i];
    to.setId(e.id);
    to.setKind(static_cast<schema::EntityKind>(e.kind));
    to.setParentId(e.parent_id);
    to.setCgroupId(e.cgroup_id);
    to.setCgroupPath(to_text(e.cgroup_path));
    to.setName(to_text(e.name));
    to.setRuntime(to_text(e.runtime));
    to.setContainerId(to_text(e.container_id));
    to.setPodUid(to_text(e.pod_uid));
    to.setQosClass(to_text(e.qos_class));
    to.setContainerName(to_text(e.container_name));
    to.setPodName(to_text(e.pod_name));
    to.setPodNamespace(to_text(e.pod_namespace));
    to.setImage(to_text(e.image));
  }
}

Result<std::vector<EntityEntry>> read_entities(capnp::List<schema::EntityEntry>::Reader list) {
  if (auto ok = at_most("entities", list.size(), limits::kMaxEntitiesPerNode); !ok) return ok.error();
  std::vector<EntityEntry> entities;
  entities.reserve(list.size());
  for (const auto from : list) {
    EntityEntry e;
    e.id = from.getId();
    auto kind = read_enum("entity: kind", from.getKind(), EntityKind::interface);
    if (!kind) return kind.error();
    e.kind = *kind;
    e.parent_id = from.getParentId();
    e.cgroup_id = from.getCgroupId();
    e.cgroup_path = to_string(from.getCgroupPath());
    e.name = to_string(from.getName());
    e.runtime = to_string(from.getRuntime());
    e.container_id = to_string(from.getContainerId());
    e.pod_uid = to_string(from.getPodUid());
    e.qos_class = to_string(from.getQosClass());
    e.container_name = to_string(from.getContainerName());
    e.pod_name = to_string(from.getPodName());
    e.pod_namespace = to_string(from.getPodNamespace());
    e.image = to_string(from.getImage());
    entities.push_back(std::move(e));
  }
  return entities;
}

void write(const DeltaSamples& samples, schema::Samples::Builder to) {
  to.setTick(samples.tick);
  to.setTimeNs(samples.time_ns);
  to.setForm(static_cast<schema::Form>(samples.form));
  to.setBaseTick(samples.base_tick);
  write_entities(samples.entities, to.initEntities(static_cast<unsigned>(samples.entities.size())));
  auto metrics = to.initMetrics(static_cast<unsigned>(samples.metrics.size()));
  for (unsigned i = 0; i < metrics.size(); ++i) {
    const MetricEntry& m = samples.metrics[i];
    metrics[i].setId(m.id);
    metrics[i].setKind(static_cast<schema::MetricKind>(m.kind));
    metrics[i].setName(to_text(m.name));
    metrics[i].setUnit(to_text(m.unit));
  }
  fill<std::uint32_t>(to.initRemovedEntityIds(static_cast<unsigned>(samples.removed_entity_ids.size())), samples.removed_entity_ids);
  auto sets = to.initEntitySets(static_cast<unsigned>(samples.entity_sets.size()));
  for (unsigned i = 0; i < sets.size(); ++i) write_set(samples.entity_sets[i], sets[i]);
  auto columns = to.initColumns(static_cast<unsigned>(samples.columns.size()));
  for (unsigned i = 0; i < columns.size(); ++i) {
    const DeltaColumn& c = samples.columns[i];
    columns[i].setMetricId(c.metric_id);
    columns[i].setEntitySet(c.entity_set);
    if (!c.changed.empty()) columns[i].setChanged(capnp::Data::Reader(c.changed.data(), c.changed.size()));
    write_differences(c.differences, columns[i].getDifferences());
  }
}

Result<DeltaSamples> read(schema::Samples::Reader from) {
  DeltaSamples out;
  out.tick = from.getTick();
  out.time_ns = from.getTimeNs();
  auto form = read_enum("samples: form", from.getForm(), SampleForm::self_contained);
  if (!form) return form.error();
  out.form = *form;
  out.base_tick = from.getBaseTick();
  auto entities = read_entities(from.getEntities());
  if (!entities) return with_context(entities.error(), "samples");
  out.entities = std::move(*entities);
  auto metrics = read_metrics(from.getMetrics());
  if (!metrics) return metrics.error();
  out.metrics = std::move(*metrics);
  const auto removed = from.getRemovedEntityIds();
  if (auto ok = at_most("samples: removed_entity_ids", removed.size(), limits::kMaxEntitiesPerNode); !ok) return ok.error();
  out.removed_entity_ids = to_vector<std::uint32_t>(removed);
  const auto sets = from.getEntitySets();
  if (auto ok = at_most("samples: entity_sets", sets.size(), limits::kMaxMetricsPerNode); !ok) return ok.error();
  for (const auto entry : sets) {
    auto set = read_set(entry);
    if (!set) return set.error();
    out.entity_sets.push_back(std::move(*set));
  }
  auto columns = read_columns(from.getColumns());
  if (!columns) return columns.error();
  out.columns = std::move(*columns);
  return out;
}

}  // namespace fw::wire
