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

enum class Unit : std::uint8_t { bytes, microseconds, count };

struct MetricDesc {
  std::string_view name;   // "memory_current_bytes"
  Unit unit;
  wire::MetricKind kind;
  std::string_view help;
};

std::string_view unit_text(Unit unit) noexcept;   // "bytes", "us", "1"

struct CollectorInfo {
  std::string_view name;
  std::span<const MetricDesc> metrics;
};

// A cgroup that is due in this tick. A collector that finds it removed sets gone; the following ones skip it.
struct SampledEntity {
  std::uint32_t id = 0;              // dictionary id
  std::uint64_t cgroup_id = 0;       // inode of the memory controller's folder
  kernel::CgroupReader* reader = nullptr;
  bool gone = false;
};

struct SampleContext {
  std::span<SampledEntity> due;      // ascending by id
  std::uint64_t mono_ns = 0;
  kernel::BpfSensors* bpf = nullptr; // nullptr when no program could be loaded
  std::uint64_t unreadable = 0;      // files with errors or unexpected content in this tick, counted by the collectors
};

// Takes what a collector found. Values of one metric must arrive with ascending entity ids.
class SampleSink {
 public:
  virtual ~SampleSink() = default;
  virtual void put(std::size_t metric, std::uint32_t entity_id, std::int64_t value) = 0;   // index in info().metrics
  virtual void limit(std::uint32_t entity_id, std::string_view resource, std::int64_t value) = 0;  // -1: no limit
  // The cgroup's own counters: OOM kills of its processes, and OOM situations because of its limit (absent on v1).
  virtual void oom_kills(std::uint32_t entity_id, std::uint64_t kills_total, std::optional<std::uint64_t> oom_total) = 0;
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
