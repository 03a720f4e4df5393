// Steps and trends of a series by medians and ranks: one wrong sample, or an onset that is a minute off, changes nothing.
// Pure.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "agents/casefile/facts.hpp"

namespace fw::agents {

struct AnomalyRow {
  std::int64_t entity_id = 0;
  std::string metric, kind;      // step_up, step_down, trend_up
  std::int64_t onset_ns = 0;
  double magnitude = 0;          // steps: after / before; trends: relative growth per hour
  double score = 0;              // robust z
};

// Looks at each life of each entity by itself: a life ends when its main process ends or is OOM-killed, so that the
// fall of memory at a restart is no anomaly and the growth before it is not averaged away.
std::vector<AnomalyRow> find_anomalies(const IncidentFacts& facts);

}  // namespace fw::agents
