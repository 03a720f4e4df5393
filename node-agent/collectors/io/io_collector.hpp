// Requests to block devices: of each disk by the kernel's own counters, their latency and their failures by BPF, and what of it belongs to
// which cgroup (BPF).
//
// A request belongs to the cgroup whose memory it reads into or writes from (the memory controller's, on v1 as on v2): reads, direct I/O, and
// what a kernel thread writes back later. It belongs to none where the memory is the kernel's: metadata of filesystems, copies that
// encryption or RAID makes. Devices that only hand on (md, dm) have the kernel's counters and no latency; those below them have both.
//
// Events: io_error about a device; object is its name, reason an errno's name, count the requests that failed.
//
// Cost: about 1 us for each request that ends (kernel.bpf_stats_enabled, a machine under load), one file at a regular tick.
// Limits: kMaxDisks whole disks that did something; partitions are part of theirs. 20,000 cgroups.
#pragma once
#include <memory>
#include <string>

#include "node-agent/collectors/collector.hpp"

namespace fw::collectors {

inline constexpr std::size_t kMaxDisks = 64;

struct IoPaths {
  std::string proc = "/proc";
  std::string sys = "/sys";
};

std::unique_ptr<Collector> make_io_collector(IoPaths paths);
const CollectorInfo& io_collector_info() noexcept;

}  // namespace fw::collectors
