#include "protocol/wire/sample_codec.hpp"

#include <algorithm>
#include <bit>

namespace fw::wire {
namespace {

Error malformed(std::string what) { return {Errc::malformed, "samples: " + std::move(what)}; }

bool ascends(const std::vector<std::uint32_t>& ids) {
  return std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end();
}

std::int64_t minus(std::int64_t a, std::int64_t b) {  // modulo 2^64
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
std::int64_t plus(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

bool contains(const std::vector<std::uint32_t>& ascending, std::uint32_t id) {
  return std::binary_search(ascending.begin(), ascending.end(), id);
}

// The dictionary part of a tick against what is known before it. `T` is Samples or DeltaSamples.
template <class T>
Result<void> check_dictionary(const SampleState& state, const T& tick) {
  if (!ascends(tick.removed_entity_ids)) return malformed("removed entity ids do not ascend");
  for (const auto id : tick.removed_entity_ids) {
    if (!state.entities.contains(id)) return malformed("removed entity " + std::to_string(id) + " is not known");
  }
  std::size_t entities = state.entities.size() - tick.removed_entity_ids.size();
  for (const auto& entity : tick.entities) {
    if (contains(tick.removed_entity_ids, entity.id)) return malformed("entity " + std::to_string(entity.id) + " is removed and sent");
    if (!state.entities.contains(entity.id)) ++entities;
  }
  std::size_t metrics = state.metrics.size();
  for (const auto& metric : tick.metrics) {
    if (!state.metrics.contains(metric.id)) ++metrics;
  }
  if (entities > limits::kMaxEntitiesPerNode) return Error(Errc::too_large, "samples: more than kMaxEntitiesPerNode entities");
  if (metrics > limits::kMaxMetricsPerNode) return Error(Errc::too_large, "samples: more than kMaxMetricsPerNode metrics");
  return {};
}

void erase_entities(SampleColumn& column, const std::vector<std::uint32_t>& removed) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < column.entity_ids.size(); ++i) {
    if (contains(removed, column.entity_ids[i])) continue;
    column.entity_ids[kept] = column.entity_ids[i];
    column.values[kept++] = column.values[i];
  }
  column.entity_ids.resize(kept);
  column.values.resize(kept);
}

template <class T>
void apply_dictionary(SampleState& state, const T& tick) {
  if (!tick.removed_entity_ids.empty()) {
    for (const auto id : tick.removed_entity_ids) state.entities.erase(id);
    for (auto& [metric, column] : state.columns) erase_entities(column, tick.removed_entity_ids);
  }
  for (const auto& entity : tick.entities) state.entities.insert(entity.id);
  for (const auto& metric : tick.metrics) state.metrics.insert(metric.id);
}

// Walks two ascending id lists: calls with the value that each id of `ids` had in `old`, or 0.
template <class Use>
void with_old_values(const std::vector<std::uint32_t>& ids, const SampleColumn& old, Use use) {
  std::size_t j = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    while (j < old.entity_ids.size() && old.entity_ids[j] < ids[i]) ++j;
    use(i, j < old.entity_ids.size() && old.entity_ids[j] == ids[i] ? old.values[j] : 0);
  }
}

DeltaColumn difference(const SampleColumn& column, const SampleColumn& old) {
  DeltaColumn delta;
  delta.metric_id = column.metric_id;
  std::vector<std::uint8_t> changed((column.entity_ids.size() + 7) / 8);
  with_old_values(column.entity_ids, old, [&](std::size_t i, std::int64_t before) {
    if (column.values[i] == before) return;
    changed[i / 8] = static_cast<std::uint8_t>(changed[i / 8] | (1U << (i % 8)));
    delta.differences.push_back(minus(column.values[i], before));
  });
  if (!delta.differences.empty()) delta.changed = std::move(changed);
  return delta;
}

Result<std::vector<std::int64_t>> sum(const DeltaColumn& delta, const std::vector<std::uint32_t>& ids, const SampleColumn& old) {
  const std::string where = "column of metric " + std::to_string(delta.metric_id) + ": ";
  if (!delta.changed.empty() && delta.changed.size() != (ids.size() + 7) / 8) return malformed(where + "bitmap of another length");
  std::size_t bits = 0;
  for (const auto byte : delta.changed) bits += static_cast<std::size_t>(std::popcount(byte));
  if (bits != delta.differences.size()) return malformed(where + "as many differences as set bits are needed");
  if (!delta.changed.empty() && ids.size() % 8 != 0 && (delta.changed.back() >> (ids.size() % 8)) != 0)
    return malformed(where + "bits after the last entity");
  std::vector<std::int64_t> values(ids.size());
  std::size_t next = 0;
  with_old_values(ids, old, [&](std::size_t i, std::int64_t before) {
    const bool differs = !delta.changed.empty() && ((unsigned{delta.changed[i / 8]} >> (i % 8)) & 1U) != 0;
    values[i] = differs ? plus(before, delta.differences[next++]) : before;
  });
  return values;
}

std::size_t values_of(const SampleState& state) {
  std::size_t values = 0;
  for (const auto& [metric, column] : state.columns) values += column.values.size();
  return values;
}

Result<void> check_total(std::size_t values) {
  if (values > limits::kMaxValuesPerSamples) return Error(Errc::too_large, "samples: more than kMaxValuesPerSamples values");
  return {};
}

}  // namespace

Result<DeltaSamples> SampleEncoder::encode(const Samples& samples) const {
  static const SampleState kNothing;
  const SampleState& state = samples.self_contained ? kNothing : state_;
  if (state.tick && samples.tick <= *state.tick) return malformed("tick " + std::to_string(samples.tick) + " does not grow");
  if (auto ok = check_dictionary(state, samples); !ok) return ok.error();

  DeltaSamples out;
  out.tick = samples.tick;
  out.time_ns = samples.time_ns;
  out.form = samples.self_contained ? SampleForm::self_contained : state.tick ? SampleForm::difference : SampleForm::absolute;
  out.base_tick = state.tick.value_or(0);
  out.entities = samples.entities;
  out.metrics = samples.metrics;
  out.removed_entity_ids = samples.removed_entity_ids;

  std::unordered_set<std::uint32_t> new_entities;
  for (const auto& entity : samples.entities) new_entities.insert(entity.id);
  const auto known = [&](std::uint32_t id) {
    return new_entities.contains(id) || (state.entities.contains(id) && !contains(samples.removed_entity_ids, id));
  };
  std::unordered_set<std::uint32_t> new_metrics;
  for (const auto& metric : samples.metrics) new_metrics.insert(metric.id);

  std::size_t total = values_of(state);
  std::uint32_t last_metric = 0;
  for (const auto& column : samples.columns) {
    if (column.entity_ids.empty()) continue;
    if (column.metric_id <= last_metric) return malformed("metric ids do not ascend");
    last_metric = column.metric_id;
    const std::string where = "column of metric " + std::to_string(column.metric_id) + ": ";
    if (!new_metrics.contains(column.metric_id) && !state.metrics.contains(column.metric_id)) return malformed(where + "not announced");
    if (column.entity_ids.size() != column.values.size()) return malformed(where + "as many entities as values are needed");

    SampleColumn old;
    if (const auto it = state.columns.find(column.metric_id); it != state.columns.end()) {
      total -= it->second.values.size();
      old = it->second;
      erase_entities(old, samples.removed_entity_ids);
    }
    total += column.values.size();
    if (auto ok = check_total(total); !ok) return ok.error();

    const bool same_entities = column.entity_ids == old.entity_ids;
    if (!same_entities) {
      if (!ascends(column.entity_ids)) return malformed(where + "entity ids do not ascend");
      const auto unknown = std::find_if_not(column.entity_ids.begin(), column.entity_ids.end(), known);
      if (unknown != column.entity_ids.end()) return malformed(where + "entity " + std::to_string(*unknown) + " was not announced");
    }
    DeltaColumn delta = difference(column, old);
    if (!same_entities) {
      auto set = std::find(out.entity_sets.begin(), out.entity_sets.end(), column.entity_ids);
      if (set == out.entity_sets.end()) set = out.entity_sets.insert(set, column.entity_ids);
      delta.entity_set = static_cast<std::uint16_t>(set - out.entity_sets.begin() + 1);
    }
    out.columns.push_back(std::move(delta));
  }
  return out;
}

void SampleEncoder::commit(const Samples& samples) {
  FW_ASSERT(!samples.self_contained, "self-contained samples are not part of a connection's state");
  apply_dictionary(state_, samples);
  for (const auto& column : samples.columns) {
    if (!column.entity_ids.empty()) state_.columns[column.metric_id] = column;
  }
  state_.tick = samples.tick;
}

Result<Samples> SampleDecoder::decode(DeltaSamples delta) {
  const bool self_contained = delta.form == SampleForm::self_contained;
  SampleState alone;
  SampleState& state = self_contained ? alone : state_;
  if (delta.form == SampleForm::unknown) return malformed("form is not set");
  if (delta.form == SampleForm::absolute && state.tick) return malformed("absolute tick, but not the first of the connection");
  if (delta.form == SampleForm::difference) {
    if (!state.tick || *state.tick != delta.base_tick) return malformed("difference to tick " + std::to_string(delta.base_tick) + ", which was not the last one");
    if (delta.tick <= delta.base_tick) return malformed("tick " + std::to_string(delta.tick) + " does not grow");
  }
  if (auto ok = check_dictionary(state, delta); !ok) return ok.error();
  apply_dictionary(state, delta);
  for (const auto& set : delta.entity_sets) {
    if (set.empty() || !ascends(set)) return malformed("an entity set is empty or does not ascend");
    for (const auto id : set) {
      if (!state.entities.contains(id)) return malformed("entity " + std::to_string(id) + " was not announced");
    }
  }

  Samples out;
  out.tick = delta.tick;
  out.time_ns = delta.time_ns;
  out.self_contained = self_contained;
  std::size_t total = values_of(state);
  std::uint32_t last_metric = 0;
  for (auto& column : delta.columns) {
    const std::string where = "column of metric " + std::to_string(column.metric_id) + ": ";
    if (column.metric_id <= last_metric) return malformed("metric ids do not ascend");
    last_metric = column.metric_id;
    if (!state.metrics.contains(column.metric_id)) return malformed(where + "not announced");
    if (column.entity_set > delta.entity_sets.size()) return malformed(where + "no such entity set");
    SampleColumn& current = state.columns[column.metric_id];
    const auto& ids = column.entity_set == 0 ? current.entity_ids : delta.entity_sets[column.entity_set - 1U];
    if (ids.empty()) return malformed(where + "no entities");
    total = total - current.values.size() + ids.size();
    if (auto ok = check_total(total); !ok) return ok.error();
    auto values = sum(column, ids, current);
    if (!values) return values.error();
    current = SampleColumn{column.metric_id, ids, std::move(*values)};
    out.columns.push_back(current);
  }
  state.tick = delta.tick;
  out.entities = std::move(delta.entities);
  out.metrics = std::move(delta.metrics);
  out.removed_entity_ids = std::move(delta.removed_entity_ids);
  return out;
}

}  // namespace fw::wire
