// The node as a whole, at regular ticks: open files, threads, load, memory, clock; and what somebody changed on it.
//
// Events about the node, each with before and after ("": there was, or is, none):
//   sysctl_changed        object "vm.swappiness": those of watched_sysctls(), in the agent's network namespace
//   package_changed       object the package's name; dpkg only, told when its database has been at rest from one tick to the next.
//                         Beyond kMaxChangesTold: one with object "" and their number as count
//   kubelet_flag_changed  object "--max-pods"; values redacted
//   version               object a package of kVersionsTold (containerd, kubelet, ...), after its version: once, at the start; the kernel's is in
//                         the agent's greeting
//
// Limits: what changed while no agent ran is not seen. States of systemd's units are not read: without D-Bus there is no simple source. Packages
// of rpm are not read. Cost: about 40 small files of /proc; the package database is read as a stream, and only after it changed.
#pragma once
#include <memory>
#include <string>

#include "node-agent/collectors/collector.hpp"

namespace fw::collectors {

inline constexpr std::size_t kMaxChangesTold = 50;

struct HostPaths {
  std::string proc = "/proc";
  std::string packages = "/var/lib/dpkg/status";
};

std::unique_ptr<Collector> make_host_collector(HostPaths paths);
const CollectorInfo& host_collector_info() noexcept;

}  // namespace fw::collectors
