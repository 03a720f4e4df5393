#include "node-agent/collectors/network/network_files.hpp"

#include <array>
#include <charconv>

namespace fw::collectors {
namespace {

std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  const auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

// The next word, "" at the end.
std::string_view take_word(std::string_view& line) {
  const auto begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return line = {};
  line.remove_prefix(begin);
  const auto word = line.substr(0, line.find_first_of(" \t"));
  line.remove_prefix(word.size());
  return word;
}

OptCount number(std::string_view word, int base = 10) {
  std::uint64_t value = 0;
  const auto result = std::from_chars(word.data(), word.data() + word.size(), value, base);
  if (word.empty() || result.ec != std::errc{} || result.ptr != word.data() + word.size()) return std::nullopt;
  return value;
}

struct WantedCounter {
  std::string_view protocol, name;
  OptCount NamespaceCounters::*value;
};

constexpr std::array kWanted{
    WantedCounter{"TcpExt:", "ListenOverflows", &NamespaceCounters::listen_overflows},
    WantedCounter{"TcpExt:", "ListenDrops", &NamespaceCounters::listen_drops},
    WantedCounter{"Tcp:", "OutSegs", &NamespaceCounters::segments_sent},
    WantedCounter{"Tcp:", "RetransSegs", &NamespaceCounters::retransmits},
    WantedCounter{"Tcp:", "OutRsts", &NamespaceCounters::resets_sent},
    WantedCounter{"Ip:", "OutNoRoutes", &NamespaceCounters::no_route},
    WantedCounter{"Udp:", "RcvbufErrors", &NamespaceCounters::udp_receive_overflows},
};

}  // namespace

void add_protocol_counters(std::string_view text, NamespaceCounters& counters) {
  while (!text.empty()) {
    auto names = take_line(text);
    auto values = take_line(text);
    const auto protocol = take_word(names);
    if (protocol.empty() || take_word(values) != protocol) continue;
    for (auto name = take_word(names); !name.empty(); name = take_word(names)) {
      const auto value = take_word(values);
      for (const auto& wanted : kWanted) {
        if (wanted.protocol == protocol && wanted.name == name) counters.*wanted.value = number(value);
      }
    }
  }
}

void add_socket_counts(std::string_view text, NamespaceCounters& counters) {
  while (!text.empty()) {
    auto line = take_line(text);
    const auto protocol = take_word(line);
    for (auto name = take_word(line); !name.empty(); name = take_word(line)) {
      const auto value = number(take_word(line));
      if (protocol == "sockets:" && name == "used") counters.sockets_used = value;
      if (protocol == "TCP:" && name == "inuse") counters.tcp_sockets = value;
      if (protocol == "TCP:" && name == "tw") counters.tcp_time_wait = value;
    }
  }
}

Result<std::vector<InterfaceCounters>> parse_interfaces(std::string_view text, std::size_t max) {
  std::vector<InterfaceCounters> interfaces;
  take_line(text);   // two lines of headings
  take_line(text);
  while (!text.empty() && interfaces.size() < max) {
    auto line = take_line(text);
    // A large number may touch the colon; a name has none (an alias has, but is not listed).
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return Error{Errc::malformed, "net/dev: a line without a name"};
    auto name = line.substr(0, colon);
    line.remove_prefix(colon + 1);
    InterfaceCounters counters;
    counters.name = take_word(name);
    std::array<std::uint64_t, 16> values{};
    for (auto& value : values) {
      const auto read = number(take_word(line));
      if (!read) return Error{Errc::malformed, "net/dev: bad number"};
      value = *read;
    }
    if (counters.name.empty()) return Error{Errc::malformed, "net/dev: a line without a name"};
    counters.received_bytes = values[0];
    counters.received_errors = values[2];
    counters.received_drops = values[3];
    counters.sent_bytes = values[8];
    counters.sent_errors = values[10];
    counters.sent_drops = values[11];
    interfaces.push_back(counters);
  }
  return interfaces;
}

ConntrackCounters parse_conntrack_counters(std::string_view text) {
  ConntrackCounters counters;
  const auto names = take_line(text);
  while (!text.empty()) {
    auto line = take_line(text), left = names;
    for (auto name = take_word(left); !name.empty(); name = take_word(left)) {
      const auto value = number(take_word(line), 16);
      if (!value) continue;
      if (name == "drop") counters.drops = counters.drops.value_or(0) + *value;
      if (name == "early_drop") counters.early_drops = counters.early_drops.value_or(0) + *value;
    }
  }
  return counters;
}

Result<std::uint64_t> parse_port_range(std::string_view text) {
  auto line = take_line(text);
  const auto first = number(take_word(line)), last = number(take_word(line));
  if (!first || !last || *last < *first || *last > 65535) return Error{Errc::malformed, "ip_local_port_range: bad range"};
  return *last - *first + 1;
}

}  // namespace fw::collectors
