// Pure parsers of the network files below /proc. Unknown names are ignored; what a text does not have is absent.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace fw::collectors {

using OptCount = std::optional<std::uint64_t>;

// Of one network namespace, since it was made.
struct NamespaceCounters {
  OptCount listen_overflows, listen_drops;                            // net/netstat, TcpExt
  OptCount segments_sent, retransmits, resets_sent;                   // net/snmp, Tcp
  OptCount no_route;                                                  // net/snmp, Ip
  OptCount udp_receive_overflows;                                     // net/snmp, Udp
  OptCount tcp_sockets, tcp_time_wait, sockets_used;                  // net/sockstat, now
};

// Pairs of lines, names and values, both after "Protocol:". A value that is no number is absent (Tcp MaxConn may be -1).
void add_protocol_counters(std::string_view text, NamespaceCounters& counters);
// "TCP: inuse 3 orphan 0 tw 2 alloc 5 mem 1"
void add_socket_counts(std::string_view text, NamespaceCounters& counters);

// A line of net/dev, counters since the interface was made.
struct InterfaceCounters {
  std::string_view name;   // into the text
  std::uint64_t received_bytes = 0, received_errors = 0, received_drops = 0;
  std::uint64_t sent_bytes = 0, sent_errors = 0, sent_drops = 0;
};
// At most max interfaces. Errc::malformed: a line without the sixteen numbers.
Result<std::vector<InterfaceCounters>> parse_interfaces(std::string_view text, std::size_t max);

// net/stat/nf_conntrack: a line of names, then one of hexadecimal values per CPU; the sums.
struct ConntrackCounters {
  OptCount drops, early_drops;
};
ConntrackCounters parse_conntrack_counters(std::string_view text);

// sys/net/ipv4/ip_local_port_range: how many ports that are. Errc::malformed.
Result<std::uint64_t> parse_port_range(std::string_view text);

}  // namespace fw::collectors
