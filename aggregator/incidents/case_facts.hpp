// What the specialists get to see of one incident: gathers the rows of its case file. Pure.
//
// A lineage is one entity of the case: what its earlier incarnations did counts as its own. Every time is ours: a node's times are moved
// by its clock offset, and the events say how far they may be off.
#pragma once
#include <vector>

#include "agents/casefile/facts.hpp"
#include "aggregator/fleet/fleet.hpp"
#include "aggregator/incidents/incident.hpp"
#include "aggregator/incidents/recent.hpp"
#include "aggregator/series/node_series.hpp"
#include "aggregator/store/store.hpp"

namespace fw::incidents {

struct CaseLimits {
  std::size_t siblings = 50;                    // other containers of the node; all (up to kMaxNodeLevelSiblings) when the node ran out
  std::size_t node_level_siblings = 500;
  std::size_t events = 2'000;
  std::size_t changes = 200;
};

// Which windows the case needs of the subject's node. Subject and node: everything; siblings: memory, one point a minute.
std::vector<series::Selection> wanted_series(const Incident& incident, const fleet::Fleet& fleet, const CaseLimits& limits = {});

struct CaseInputs {
  const Incident& incident;
  const fleet::Fleet& fleet;
  const EventHistory& history;
  const ChangeLog& changes;
  const std::vector<series::Series>& series;    // the answer to wanted_series
  const std::vector<store::Outcome>& outcomes;
  std::int64_t now_ns = 0;
  CaseLimits limits;
};
agents::IncidentFacts build_facts(const CaseInputs& inputs);

}  // namespace fw::incidents
