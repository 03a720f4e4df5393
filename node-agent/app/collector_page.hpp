// docs/metrics.md, made of the tables of all collectors. Pure.
#pragma once
#include <string>
#include <vector>

#include "node-agent/collectors/collector.hpp"

namespace fw::agent {

// The collectors of this program and what else sends events, each with its tables.
std::vector<collectors::CollectorInfo> all_collectors();

std::string collector_page(const std::vector<collectors::CollectorInfo>& collectors);

}  // namespace fw::agent
