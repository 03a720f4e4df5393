// parse_proof: a file from anywhere. What it reads is written the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "aggregator/audit/proof.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fw::audit;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)parse_log_key(text);
  const auto proof = parse_proof(text);
  if (!proof) return 0;
  if (render_proof(*proof) != text) std::abort();
  if (check_proof(*proof, {"fleetwright/acme/audit", {fw::authority::Algorithm::ed25519, fw::Bytes(32, 1)}, {}, 0})) std::abort();
  return 0;
}
