// Tasks of cgroups.
#pragma once
#include <memory>

#include "node-agent/collectors/collector.hpp"

namespace fw::collectors {

std::unique_ptr<Collector> make_pids_collector();
const CollectorInfo& pids_collector_info() noexcept;

}  // namespace fw::collectors
