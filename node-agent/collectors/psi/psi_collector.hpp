// Pressure: the time that tasks of a cgroup waited for memory, CPU and I/O. v2 hierarchies only, with or without controllers.
#pragma once
#include <memory>

#include "node-agent/collectors/collector.hpp"

namespace fw::collectors {

std::unique_ptr<Collector> make_psi_collector();
const CollectorInfo& psi_collector_info() noexcept;

}  // namespace fw::collectors
