// Network of cgroups (TCP, by BPF), of network namespaces, of the node and of its interfaces.
//
// Events: connect_failed about a cgroup; object is the peer "10.0.0.7:5432" or "[fd00::7]:5432" ("": further peers, not told apart),
// reason the errno's name, or GAVE_UP when the program closed the socket before an answer or an error came.
//
// Cost: BPF about 0.1 us per reset and 1 to 2 us per change of state of a connect that fails (kernel.bpf_stats_enabled,
// its own share included, on a busy machine). Per tick one bpf(2) call per due cgroup and one per 256 failures; per namespace, at
// most once in 10 s, three files of /proc.
// Limits: 20,000 cgroups, 4,096 peers at a time, 32 new ones of a cgroup in 8.6 s, 64 interfaces, 64 namespaces a round; a full map
// is counted as "bpf counters map", events beyond 200 a tick as "observed events".
//
// Not seen: connects that have no route at all (ENETUNREACH) change no state of the socket; netns_no_route_total counts them.
#pragma once
#include <memory>
#include <string>

#include "node-agent/bpf/network.h"
#include "node-agent/collectors/collector.hpp"

namespace fw::collectors {

struct NetworkPaths {
  std::string proc = "/proc";
  std::string sys = "/sys";
};

std::unique_ptr<Collector> make_network_collector(NetworkPaths paths);
const CollectorInfo& network_collector_info() noexcept;

// The object and the reason of a connect_failed event. Pure.
std::string peer_text(const fw_connect_failure& failure);
std::string connect_error_text(unsigned error);

}  // namespace fw::collectors
