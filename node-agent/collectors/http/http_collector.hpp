// HTTP/1.x servers of cgroups, plain and through OpenSSL: responses by status class and their time. BPF counts; docs/http-signals.md
// says what is seen and what is not.
//
// Cost: 0.4 us of a server's time for a response, up to 1 us on a machine whose caches others use (docs/adr/0019-http-from-segments.md), and a
// trap for each call of SSL_write of a library that serves TLS. A tick is one lookup per due cgroup, or one batch read of the map when
// many are due.
#pragma once
#include <memory>
#include <string>

#include "node-agent/collectors/collector.hpp"

namespace fw::collectors {

std::unique_ptr<Collector> make_http_collector(std::string proc_root);
const CollectorInfo& http_collector_info() noexcept;

}  // namespace fw::collectors
