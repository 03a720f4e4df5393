// Samples as differences. A tick of many containers changes little: only values that changed travel, as small integers.
//
// The state of a connection is, per metric, the column of the previous tick. DeltaColumn is one column against that state; the codec
// writes DeltaColumns to Cap'n Proto and knows nothing of differences, these two classes know nothing of Cap'n Proto.
#pragma once
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/result.hpp"
#include "protocol/limits.hpp"
#include "protocol/wire/messages.hpp"

namespace fw::wire {

struct DeltaColumn {
  std::uint32_t metric_id = 0;
  std::uint16_t entity_set = 0;                // 0: the entities that this metric had in the previous tick; n: entity_sets[n - 1]
  std::vector<std::uint8_t> changed;           // bit i (LSB first) is set when entity i has a difference; empty: none has
  std::vector<std::int64_t> differences;       // one per set bit: new - old modulo 2^64, old is 0 for an entity new in this metric
};

enum class SampleForm : std::uint8_t { unknown = 0, absolute, difference, self_contained };

struct DeltaSamples {
  std::uint64_t tick = 0;
  std::int64_t time_ns = 0;
  SampleForm form = SampleForm::unknown;       // absolute: the first tick of a connection
  std::uint64_t base_tick = 0;                 // form difference: the tick before
  std::vector<EntityEntry> entities;
  std::vector<MetricEntry> metrics;
  std::vector<std::uint32_t> removed_entity_ids;
  std::vector<std::vector<std::uint32_t>> entity_sets;   // each ascends strictly
  std::vector<DeltaColumn> columns;                      // metric ids ascend strictly
};

// What one side knows of a connection's samples. Both sides hold the same after each tick.
struct SampleState {
  std::optional<std::uint64_t> tick;
  std::unordered_set<std::uint32_t> entities;
  std::unordered_set<std::uint32_t> metrics;
  std::unordered_map<std::uint32_t, SampleColumn> columns;   // by metric id, absolute; the last one received, without removed entities
};

// Errors of both directions: Errc::malformed for ids that were not announced or do not ascend, ticks that do not grow, sizes that
// disagree; Errc::too_large for kMaxEntitiesPerNode, kMaxMetricsPerNode, kMaxValuesPerSamples. An id must have been announced by
// `entities` or `metrics` of this or an earlier tick of the same connection (of this tick when self_contained). A column without
// entities is not sent.
class SampleEncoder {
 public:
  // Against the last committed tick; changes nothing.
  Result<DeltaSamples> encode(const Samples& samples) const;
  // The frame of exactly these samples will be sent. Not for self_contained ones.
  void commit(const Samples& samples);

 private:
  SampleState state_;
};

class SampleDecoder {
 public:
  Result<Samples> decode(DeltaSamples delta);   // after an error the state is undefined

 private:
  SampleState state_;
};

}  // namespace fw::wire
