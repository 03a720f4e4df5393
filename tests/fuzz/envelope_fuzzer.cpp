// Any bytes as an envelope: an error, or an envelope whose bytes these are.
#include "protocol/authority/envelope.hpp"

#include <algorithm>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fw::authority;
  const fw::ByteView bytes(data, size);
  const auto envelope = decode_envelope(bytes);
  if (!envelope) return 0;
  const auto again = encode(*envelope);
  if (!std::equal(again.begin(), again.end(), bytes.begin(), bytes.end())) std::abort();
  (void)entry_names_release(envelope->proof.entry, release_digest(*envelope));
  return 0;
}
