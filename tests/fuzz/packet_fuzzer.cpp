// Any bytes as a packet between executor and aggregator: an error, or a packet whose bytes these are.
#include "protocol/authority/packets.hpp"

#include <algorithm>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fw::ByteView bytes(data, size);
  const auto packet = fw::authority::parse_packet(bytes);
  if (!packet) return 0;
  const auto again = fw::authority::to_bytes(*packet);
  if (!std::equal(again.begin(), again.end(), bytes.begin(), bytes.end())) std::abort();
  return 0;
}
