#include <algorithm>
#include <tuple>
#include <utility>

#include "node-agent/collectors/sensors.hpp"

namespace fw::collectors {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kScanPeriodWithEventsNs = 60 * std::uint64_t{kNsPerSecond};   // BPF tells of new folders
constexpr std::size_t kDrainPerTick = 20'000;

void sort_by_entity(wire::SampleColumn& column) {
  if (std::is_sorted(column.entity_ids.begin(), column.entity_ids.end())) return;
  std::vector<std::pair<std::uint32_t, std::int64_t>> values(column.values.size());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = {column.entity_ids[i], column.values[i]};
  std::sort(values.begin(), values.end());
  for (std::size_t i = 0; i < values.size(); ++i) std::tie(column.entity_ids[i], column.values[i]) = values[i];
}

}  // namespace

std::uint64_t Sensors::next_tick_mono_ns() const {
  return anything_hot_ || registry_.has_new_folders() ? std::min(next_regular_ns_, next_hot_ns_) : next_regular_ns_;
}

wire::Samples Sensors::tick() {
  const auto now = clock_.mono_ns();
  const bool regular = now >= next_regular_ns_;
  // Events first: an OOM kill is reported by its own event before its counter is looked at.
  take_filled_folders(now);
  take_written_limits(now);
  take_kernel_events(kDrainPerTick, now);
  report_drops(now);
  if (regular && (now >= next_scan_ns_ || !bpf_tells_folders_)) scan(now);
  registry_.check_candidates(now);
  runtime_words_in_tick_ = 0;
  settle_containers(now);

  std::vector<SampledEntity> due;
  anything_hot_ = false;
  for (auto& [id, entity] : registry_.entities()) {
    if (!entity.reader) continue;
    const bool hot = now < entity.hot_until_ns;
    anything_hot_ = anything_hot_ || hot;
    if (regular || hot) due.push_back({id, entity.entry.cgroup_id, &*entity.reader, false});
  }
  SampleContext context{.due = due, .regular = regular, .node_id = registry_.node_id(), .mono_ns = now, .bpf = bpf_.get()};
  collect(context);
  unreadable_total_ += context.unreadable;
  for (const auto& entity : due) {
    if (entity.gone) remove(entity.id, now);
  }
  schedule(now, regular);
  return finish_tick(now);
}

void Sensors::focus(std::span<const std::uint64_t> cgroup_ids, std::uint64_t until_mono_ns) {
  for (auto& [id, entity] : registry_.entities()) {
    if (std::find(cgroup_ids.begin(), cgroup_ids.end(), entity.entry.cgroup_id) == cgroup_ids.end()) continue;
    make_hot(entity, until_mono_ns);
  }
}

void Sensors::set_periods(milliseconds sample, milliseconds hot) {
  const auto now = clock_.mono_ns();
  config_.sample_period = std::max(sample, milliseconds{100});
  config_.hot_period = std::clamp(hot, milliseconds{100}, config_.sample_period);
  next_regular_ns_ = std::min(next_regular_ns_, now + ns_of(config_.sample_period));
  next_hot_ns_ = std::min(next_hot_ns_, now + ns_of(config_.hot_period));
}

void Sensors::collect(SampleContext& context) {
  base_ = 0;
  for (const auto& collector : collectors_) {
    observed_in_tick_ = 0;
    collector->collect(context, *this);
    base_ += collector->info().metrics.size();
  }
}

void Sensors::put(std::size_t metric, std::uint32_t entity_id, std::int64_t value) {
  auto& column = columns_[base_ + metric];
  column.entity_ids.push_back(entity_id);
  column.values.push_back(value);
  ++counters_.samples_total;
}

void Sensors::oom_kills(std::uint32_t entity_id, std::uint64_t kills_total, std::optional<std::uint64_t> oom_total) {
  const bool other_source = bpf_tells_oom_ || log_.has_value();
  auto kill = reconciler_.at_reading(entity_id, kills_total, oom_total, other_source);
  if (!kill) return;
  const auto now = clock_.mono_ns();
  if (auto* const entity = registry_.find(entity_id)) {
    make_hot(*entity, now + kSymptomIsHotNs);
    if (const auto known = limits_.find(entity_id); known != limits_.end() && kill->constraint == wire::OomConstraint::memcg) {
      for (const auto& [resource, value] : known->second) {
        if (resource == "memory.max" && value >= 0) kill->limit_bytes = value;
      }
      kill->limit_cgroup_path = entity->entry.cgroup_path;
    }
  }
  push(entity_id, now, std::move(*kill));
}

void Sensors::observe(std::uint32_t entity_id, wire::Observed what) {
  if (++observed_in_tick_ > kMaxObservedPerTick) {
    ++observed_dropped_;
    return;
  }
  push(entity_id, clock_.mono_ns(), std::move(what));
}

void Sensors::make_hot(Entity& entity, std::uint64_t until_mono_ns) {
  if (!entity.reader) return;
  entity.hot_until_ns = std::max(entity.hot_until_ns, until_mono_ns);
  if (!anything_hot_) {
    anything_hot_ = true;
    next_hot_ns_ = clock_.mono_ns() + ns_of(config_.hot_period);
  }
}

void Sensors::scan(std::uint64_t now) {
  registry_.scan(now);
  next_scan_ns_ = now + kScanPeriodWithEventsNs;
  if (bpf_) bpf_->sweep([this](std::uint64_t cgroup_id) { return registry_.known(cgroup_id); });
}

void Sensors::remove(std::uint32_t id, std::uint64_t now) {
  registry_.mark_removed(id, now);
  ++counters_.gone_total;
}

void Sensors::schedule(std::uint64_t now, bool regular) {
  if (regular) {
    next_regular_ns_ += ns_of(config_.sample_period);
    if (next_regular_ns_ <= now) next_regular_ns_ = now + ns_of(config_.sample_period);   // late: skip, never catch up
  }
  next_hot_ns_ += ns_of(config_.hot_period);
  if (next_hot_ns_ <= now) next_hot_ns_ = now + ns_of(config_.hot_period);
}

wire::Samples Sensors::finish_tick(std::uint64_t now) {
  wire::Samples samples;
  samples.tick = ++counters_.ticks_total;
  samples.time_ns = static_cast<std::int64_t>(now) + offset_ns_;
  auto changes = registry_.take_changes();
  for (const auto id : changes.removed) {
    for (const auto& collector : collectors_) collector->forget(id);
    reconciler_.forget(id);
    limits_.erase(id);
    if (watch_) watch_->remove(id);
  }
  for (const auto& entry : changes.entries) {
    if (const auto* const entity = registry_.find(entry.id)) watch_limits(*entity);
  }
  samples.entities = std::move(changes.entries);
  samples.removed_entity_ids = std::move(changes.removed);
  if (samples.tick == 1) samples.metrics = metrics_;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].values.empty()) continue;
    columns_[i].metric_id = metrics_[i].id;
    sort_by_entity(columns_[i]);
    const auto size = columns_[i].values.size();
    samples.columns.push_back(std::exchange(columns_[i], {}));
    columns_[i].entity_ids.reserve(size);
    columns_[i].values.reserve(size);
  }
  return samples;
}

}  // namespace fw::collectors
