// CPU time and throttling of cgroups.
#pragma once
#include <memory>

#include "node-agent/collectors/collector.hpp"

namespace fw::collectors {

std::unique_ptr<Collector> make_cpu_collector();
const CollectorInfo& cpu_collector_info() noexcept;

}  // namespace fw::collectors
