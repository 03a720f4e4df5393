// DNS over UDP, port 53, of cgroups (BPF): how many queries, how they end, how long answers take.
//
// Events: dns_failed about a cgroup; object is the name that was asked for, in lower case, at most 255 bytes of [a-z0-9_*.-] with '?'
// for what else it had ("": further names, not told apart), reason NXDOMAIN, SERVFAIL, REFUSED, FORMERR, NOTIMP, "rcode N", or
// TIMEOUT: no answer in 5 s. Names of other queries do not leave the kernel.
//
// Cost: BPF about 0.1 us per packet of any other kind, sent or received, and 1 us per query or answer (kernel.bpf_stats_enabled, its
// own share included, on a busy machine). Per tick one bpf(2) call per due cgroup and one per 256 waiting queries or failures.
// Limits: 20,000 cgroups, 8,192 waiting queries, 2,048 failed names at a time, 32 new ones of a cgroup in 8.6 s; a full map is counted
// as "bpf counters map", events beyond 200 a tick as "observed events".
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
