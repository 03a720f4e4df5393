// Network files of /proc and names of DNS questions, which come from whoever asks: first byte chooses the parser, the rest is its input.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "node-agent/collectors/dns/dns_collector.hpp"
#include "node-agent/collectors/network/network_collector.hpp"
#include "node-agent/collectors/network/network_files.hpp"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fw::collectors;
  if (size == 0) return 0;
  const std::string_view text{reinterpret_cast<const char*>(data) + 1, size - 1};
  NamespaceCounters counters;
  switch (data[0] % 7) {
    case 0: add_protocol_counters(text, counters); break;
    case 1: add_socket_counts(text, counters); break;
    case 2:
      if (const auto read = parse_interfaces(text, 100)) require(read->size() <= 100);
      break;
    case 3: (void)parse_conntrack_counters(text); break;
    case 4:
      if (const auto ports = parse_port_range(text)) require(*ports >= 1 && *ports <= 65'536);
      break;
    case 5: {
      fw_dns_name name{};
      std::memcpy(name.wire, text.data(), std::min(text.size(), sizeof(name.wire)));
      const auto shown = dns_name_text(name);
      require(shown.size() <= 255);
      require(shown.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_*?.") == std::string::npos);
      break;
    }
    default: {
      fw_connect_failure failure{};
      std::memcpy(static_cast<void*>(&failure), text.data(), std::min(text.size(), sizeof(failure)));
      (void)peer_text(failure);
      (void)connect_error_text(failure.error);
      break;
    }
  }
  return 0;
}
