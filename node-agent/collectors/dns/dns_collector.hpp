// DNS over UDP, port 53, of cgroups (BPF): how many queries, how they end, how long answers take.
//
// Events: dns_failed about a cgroup; object is the name that was asked for, in lower case, at most 255 bytes of [a-z0-9_*.-] with '?'
// for what else it had ("": further names, not told apart), reason NXDOMAIN, SERVFAIL, REFUSED, FORMERR, NOTIMP, "rcode N", or
// TIMEOUT: no answer in 5 s. Names of other queries do not leave the kernel.
#pragma once
#include <memory>
#include <string>

#include "node-agent/bpf/dns.h"
#include "node-agent/collectors/collector.hpp"

namespace fw::collectors {

std::unique_ptr<Collector> make_dns_collector();
const CollectorInfo& dns_collector_info() noexcept;

// The object and the reason of a dns_failed event. Pure; the name may be any bytes.
std::string dns_name_text(const fw_dns_name& name);
std::string dns_reason_text(std::uint64_t rcode);

}  // namespace fw::collectors
