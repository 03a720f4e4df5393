// Memory of cgroups: use, limits, faults, OOM kills, reclaim stalls.
#pragma once
#include <memory>

#include "node-agent/collectors/collector.hpp"

namespace fw::collectors {

std::unique_ptr<Collector> make_memory_collector();
const CollectorInfo& memory_collector_info() noexcept;

}  // namespace fw::collectors
