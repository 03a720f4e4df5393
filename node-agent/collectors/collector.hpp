// A collector reads one kind of signal of many entities, once per tick. Each has its own folder and one metric table.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "protocol/wire/messages.hpp"

namespace fw::kernel {
class BpfSensors;
class CgroupReader;
}

namespace fw::collectors {

enum class Unit : std::uint8_t { bytes, microseconds, milliseconds, count, percent };

struct MetricDesc {
  std::string_view name;   // "memory_current_bytes"
  Unit unit;
  wire::MetricKind kind;
  std::string_view help;
  std::string_view proof = {};   // the test that causes it for real and compares with an independent source
};

std::string_view unit_text(Unit unit) noexcept;   // "bytes", "us", "ms", "1", "%"

// One word of wire::Observed::what that a collector says, and what the event's fields are then.
struct ObservedDesc {
  std::string_view word;     // "connect_failed"
  std::string_view object;   // "the peer, address:port"; "" when the field stays empty
  std::string_view reason;   // "errno name"; "" when the field stays empty
  std::string_view help;
  std::string_view proof = {};
};

// Of this docs/metrics.md is made (`--list-collectors=markdown`); a metric or a word that is not here must not be sent.
struct CollectorInfo {
  std::string_view name;
  std::span<const MetricDesc> metrics;
  std::span<const ObservedDesc> observed = {};
};

// A cgroup that is due in this tick. A collector that finds it removed sets gone; the following ones skip it.
struct SampledEntity {
  std::uint32_t id = 0;              // dictionary id
  std::uint64_t cgroup_id = 0;       // inode of the memory controller's folder
  kernel::CgroupReader* reader = nullptr;
  bool gone = false;
};

struct SampleContext {
  std::span<SampledEntity> due;      // cgroups, ascending by id
  bool regular = true;               // false: a tick of hot entities only; what belongs to the node is left for the next regular one
  std::uint32_t node_id = 0;         // dictionary id of the node itself, smaller than every other
  std::uint64_t mono_ns = 0;
  kernel::BpfSensors* bpf = nullptr; // nullptr when no program could be loaded
  std::uint64_t unreadable = 0;      // files with errors or unexpected content in this tick, counted by the collectors
};

// Takes what a collector found.
class SampleSink {
 public:
  virtual ~SampleSink() = default;
  virtual void put(std::size_t metric, std::uint32_t entity_id, std::int64_t value) = 0;   // index in info().metrics; in any order, once a tick
  virtual void limit(std::uint32_t entity_id, std::string_view resource, std::int64_t value) = 0;  // -1: no limit
  // The cgroup's own counters: OOM kills of its processes, and OOM situations because of its limit (absent on v1).
  virtual void oom_kills(std::uint32_t entity_id, std::uint64_t kills_total, std::optional<std::uint64_t> oom_total) = 0;
  // An event about an entity, now. Bounded per second and collector; beyond it dropped and counted.
  virtual void observe(std::uint32_t entity_id, wire::Observed what) = 0;
  // Dictionary id of a filesystem, device or interface of this node, made when it is new. 0: there are too many entities.
  virtual std::uint32_t part(wire::EntityKind kind, std::uint64_t number, std::string_view name) = 0;
  virtual void part_gone(std::uint32_t entity_id) = 0;
  // What BPF programs know things by. nullopt: not a cgroup that is an entity.
  virtual std::optional<std::uint32_t> entity_of(std::uint64_t cgroup_id) const = 0;
};

// Threading: one thread. Blocking: reads kernel files (short). Errors: an entity that is gone or a file that this kernel
// does not offer is not an error; its values are absent.
class Collector {
 public:
  virtual ~Collector() = default;
  virtual const CollectorInfo& info() const noexcept = 0;
  virtual void collect(SampleContext& context, SampleSink& sink) = 0;
  virtual void forget(std::uint32_t entity_id) = 0;   // the entity was removed
};

}  // namespace fw::collectors
