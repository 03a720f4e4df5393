// What one collector says, without the agent around it.
#pragma once
#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "node-agent/collectors/collector.hpp"

namespace fw::test {

class RecordingSink final : public collectors::SampleSink {
 public:
  static constexpr std::uint32_t kNode = 1;

  // One tick of the collector; what it put replaces what the last tick put.
  void tick(collectors::Collector& collector, std::uint64_t mono_ns, bool regular = true) {
    collectors::SampleContext context{.due = {}, .regular = regular, .node_id = kNode, .mono_ns = mono_ns, .bpf = bpf};
    tick(collector, context);
  }
  void tick(collectors::Collector& collector, collectors::SampleContext& context) {
    values_.clear();
    collector.collect(context, *this);
    unreadable += context.unreadable;
    info_ = &collector.info();
  }
  std::optional<std::int64_t> value(std::uint32_t entity_id, std::string_view metric) const {
    for (std::size_t i = 0; i < info_->metrics.size(); ++i) {
      if (info_->metrics[i].name != metric) continue;
      const auto found = values_.find({i, entity_id});
      return found == values_.end() ? std::nullopt : std::optional{found->second};
    }
    return std::nullopt;
  }
  std::uint32_t part_named(std::string_view name) const {   // 0: there is none
    const auto found = std::find_if(parts.begin(), parts.end(), [&](const auto& entry) { return entry.second.second == name; });
    return found == parts.end() ? 0 : found->second.first;
  }
  std::uint64_t told(std::string_view what, std::string_view object, std::string_view reason) const {
    std::uint64_t count = 0;
    for (const auto& [entity, seen] : observed) {
      if (seen.what == what && seen.object == object && seen.reason == reason) count += seen.count;
    }
    return count;
  }

  void put(std::size_t metric, std::uint32_t entity_id, std::int64_t value) override { values_[{metric, entity_id}] = value; }
  void limit(std::uint32_t, std::string_view, std::int64_t) override {}
  void oom_kills(std::uint32_t, std::uint64_t, std::optional<std::uint64_t>) override {}
  void observe(std::uint32_t entity_id, wire::Observed what) override { observed.emplace_back(entity_id, std::move(what)); }
  std::uint32_t part(wire::EntityKind kind, std::uint64_t number, std::string_view name) override {
    auto& entry = parts[wire::key_of(kind, number)];
    if (entry.first == 0) entry.first = ++last_id_;
    entry.second = name;
    return entry.first;
  }
  void part_gone(std::uint32_t entity_id) override {
    std::erase_if(parts, [&](const auto& entry) { return entry.second.first == entity_id; });
  }
  std::optional<std::uint32_t> entity_of(std::uint64_t cgroup_id) const override {
    const auto found = cgroups.find(cgroup_id);
    return found == cgroups.end() ? std::nullopt : std::optional{found->second};
  }

  kernel::BpfSensors* bpf = nullptr;
  std::map<std::uint64_t, std::uint32_t> cgroups;   // id -> entity
  std::map<std::uint64_t, std::pair<std::uint32_t, std::string>> parts;
  std::vector<std::pair<std::uint32_t, wire::Observed>> observed;
  std::uint64_t unreadable = 0;

 private:
  std::uint32_t last_id_ = 100;
  const collectors::CollectorInfo* info_ = nullptr;
  std::map<std::pair<std::size_t, std::uint32_t>, std::int64_t> values_;
};

}  // namespace fw::test
