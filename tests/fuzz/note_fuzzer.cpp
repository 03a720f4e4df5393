// parse_note: text of a server, a node or a file. What it reads is written the same, and no text but the one that was signed is good.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "protocol/authority/checkpoint.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fw::authority;
  static const auto key = PrivateKey::from_seed([] {
    std::array<std::uint8_t, 32> seed{};
    seed.fill(8);   // no file of the corpus is signed by it: what it verifies is forged, but for this one head
    return seed;
  }());
  static const Checkpoint known{"fleetwright/acme/audit", 42, {}};
  const auto note = parse_note({reinterpret_cast<const char*>(data), size});
  if (!note) return 0;
  if (note_text(note->checkpoint) != note->text) std::abort();
  if (verify_note(*note, known.origin, key.public_key()) && note->text != note_text(known)) std::abort();
  (void)verify_cosignature(*note, "node/a", key.public_key());
  return 0;
}
