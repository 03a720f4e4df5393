// What programs count by key (a peer, a name) and what is told of it: at most one event per entity, object and reason and tick.
#pragma once
#include <algorithm>
#include <compare>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "node-agent/collectors/collector.hpp"
#include "node-agent/kernel/bpf_map.hpp"

namespace fw::collectors {

// A map of the kernel from Key to a growing count. Key has no padding that is not zero.
//
// Entries are erased only after a call in which they did not grow: between reading and erasing one, a program may count.
template <class Key>
class CountedKeys {
 public:
  // use(key, count) for each entry that grew since the last call, by how much. What use returns false for it gets again later,
  // kMaxTries times: a new cgroup may fail before it is known as an entity.
  template <class Use>
  void take(const kernel::BpfMap& map, Use use) {
    finished_.clear();
    map.each<Key, std::uint64_t>([&](const Key& key, std::span<const std::uint64_t> count) {
      auto& entry = seen_[key];
      if (count[0] <= entry.count || entry.tries == kMaxTries) {
        finished_.push_back(key);
      } else if (use(key, count[0] - entry.count)) {
        entry = {count[0], 0};
      } else {
        ++entry.tries;
      }
    });
    for (const auto& key : finished_) {
      map.erase(key);
      seen_.erase(key);
    }
  }

 private:
  static constexpr unsigned kMaxTries = 10;
  struct Entry {
    std::uint64_t count = 0;   // that was used
    unsigned tries = 0;
  };
  struct Less {
    bool operator()(const Key& a, const Key& b) const noexcept { return std::memcmp(&a, &b, sizeof(Key)) < 0; }
  };
  std::map<Key, Entry, Less> seen_;   // as many as the kernel's map at most
  std::vector<Key> finished_;
};

// Failures of one tick.
class Tally {
 public:
  void add(std::uint32_t entity_id, std::string object, std::string_view reason, std::uint64_t count) {
    counts_[{entity_id, {std::move(object), std::string{reason}}}] += count;
  }

  // Every entity's most frequent failure first, then every second one and so on: where the sink cuts, none is left out because of
  // another's many.
  void tell(SampleSink& sink, std::string_view what) {
    if (counts_.empty()) return;
    struct Row {
      std::size_t rank;
      std::uint32_t entity_id;
      wire::Observed observed;
    };
    std::vector<Row> rows;
    for (const auto& [key, count] : counts_) {
      rows.push_back({0, key.first, {.what = std::string{what}, .object = key.second.first, .reason = key.second.second, .count = count}});
    }
    counts_.clear();
    std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
      return a.entity_id != b.entity_id ? a.entity_id < b.entity_id : a.observed.count > b.observed.count;
    });
    for (std::size_t i = 1; i < rows.size(); ++i) {
      if (rows[i].entity_id == rows[i - 1].entity_id) rows[i].rank = rows[i - 1].rank + 1;
    }
    std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.rank < b.rank; });
    for (auto& row : rows) sink.observe(row.entity_id, std::move(row.observed));
  }

 private:
  std::map<std::pair<std::uint32_t, std::pair<std::string, std::string>>, std::uint64_t> counts_;
};

// Erases the counters of cgroups that have been no entity at two sweeps in a row. Not at once when one goes: a socket may outlive
// its cgroup and count once more; nor when it is unknown once: a new one is found some seconds later.
template <class Counters>
class CounterSweep {
 public:
  void run(const kernel::BpfMap& map, const SampleSink& sink, std::uint64_t mono_ns) {
    if (mono_ns - last_ns_ < kPeriodNs) return;
    last_ns_ = mono_ns;
    std::vector<std::uint64_t> unknown;
    map.each<std::uint64_t, Counters>([&](std::uint64_t cgroup_id, std::span<const Counters>) {
      if (!sink.entity_of(cgroup_id)) unknown.push_back(cgroup_id);
    });
    std::sort(unknown.begin(), unknown.end());
    std::vector<std::uint64_t> once;
    for (const auto cgroup_id : unknown) {
      if (std::binary_search(unknown_.begin(), unknown_.end(), cgroup_id)) {
        map.erase(cgroup_id);
      } else {
        once.push_back(cgroup_id);
      }
    }
    unknown_ = std::move(once);
  }

 private:
  static constexpr std::uint64_t kPeriodNs = 60'000'000'000;
  std::uint64_t last_ns_ = 0;
  std::vector<std::uint64_t> unknown_;   // ascending
};

}  // namespace fw::collectors
