// Program starts of cgroups, counted by BPF: they also show what starts and ends between two ticks.
#pragma once
#include <memory>

#include "node-agent/collectors/collector.hpp"

namespace fw::collectors {

std::unique_ptr<Collector> make_process_collector();
const CollectorInfo& process_collector_info() noexcept;

}  // namespace fw::collectors
