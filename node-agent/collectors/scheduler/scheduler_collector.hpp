// How long the threads of cgroups wait for a CPU (BPF): a container that is slow though it is not throttled. The same that
// /proc/PID/schedstat says of each thread.
//
// Cost: 160 ns for each switch to a thread that waited (kernel.bpf_stats_enabled, a machine under load): 0.3 % of a core at 20,000 a second.
// Limits: threads of cgroups that are no entity are counted and not told; 20,000 cgroups, more are counted as "bpf counters map".
// Kernels without SCHED_INFO or FAIR_GROUP_SCHED tell nothing.
#pragma once
#include <memory>

#include "node-agent/collectors/collector.hpp"

namespace fw::collectors {

std::unique_ptr<Collector> make_scheduler_collector();
const CollectorInfo& scheduler_collector_info() noexcept;

}  // namespace fw::collectors
