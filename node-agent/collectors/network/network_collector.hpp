// Network of cgroups (TCP, by BPF), of network namespaces, of the node and of its interfaces.
//
// Events: connect_failed about a cgroup; object is the peer "10.0.0.7:5432" or "[fd00::7]:5432" ("": further peers, not told apart),
// reason the errno's name, or GAVE_UP when the program closed the socket before an answer or an error came.
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
