// Rows of `top` from the newest samples of one node. Pure.
#pragma once
#include <string>
#include <unordered_map>
#include <vector>

#include "aggregator/api/live.hpp"
#include "aggregator/fleet/entity.hpp"
#include "aggregator/series/node_series.hpp"

namespace fw::app {

// What NodeSeries::latest is asked for.
const std::vector<std::string>& top_metrics();

struct TopNode {
  std::string name;
  bool connected = false;
  std::int64_t clock_offset_ns = 0;                         // its clock less ours
  std::vector<fleet::EntityPtr> entities;                   // those that live
  std::unordered_map<std::uint64_t, std::int64_t> restarts; // of the last hour, by cgroup
};

// One row per container, service and plain cgroup that has a sample; pods are their containers.
std::vector<api::TopRow> container_rows(const TopNode& node, const std::vector<series::Latest>& latest);

// One row: CPU and memory of its outermost cgroups together, each process counted once; the rest is the sum of all.
api::TopRow node_row(const TopNode& node, const std::vector<series::Latest>& latest);

// Greatest first; what is not measured last; then by node and name. `limit` rows stay.
void sort_rows(std::vector<api::TopRow>& rows, api::TopSort sort, std::size_t limit);

}  // namespace fw::app
