// HTTP/1.x servers of cgroups, plain and through OpenSSL: responses by status class and their time. BPF counts; docs/http-signals.md
// says what is seen and what is not.
//
// Cost: about 0.35 us for a response and 0.1 us for any other TCP segment (tests/bench/http_overhead.py), about 1 us more for each call of
// SSL_write in a process that serves TLS. A tick is one lookup per due cgroup, or one batch read of the map when many are due.
#pragma once
#include <memory>
#include <string>

#include "node-agent/collectors/collector.hpp"

namespace fw::collectors {

std::unique_ptr<Collector> make_http_collector(std::string proc_root);
const CollectorInfo& http_collector_info() noexcept;

}  // namespace fw::collectors
