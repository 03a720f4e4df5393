// Signed tree heads in the text form of C2SP: tlog-checkpoint in a signed-note, cosignatures as tlog-cosignature (cosignature/v1).
//
//   fleetwright/acme/audit
//   42
//   <base64 root>
//
//   — fleetwright/acme/audit <base64 of 4 bytes key hash and the signature>
//   — node/0193... <base64 of 4 bytes key hash, u64 time in s, signature>
//
// The origin is pinned in the trust policy, never taken from the log. Note signatures are plain Ed25519 over the note text as C2SP wants
// it (not signing_input): any tool of that family can check them.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "protocol/authority/crypto.hpp"

namespace fw::authority {

// A note has at most 16 signatures: the log's, these, and that of the node which takes it.
inline constexpr std::size_t kMaxCosignatures = 14;

struct Checkpoint {
  std::string origin;
  std::uint64_t size = 0;
  Digest root{};
  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

struct NoteSignature { std::string name; Bytes bytes; };        // bytes: key hash and signature, as in the line
struct Note { Checkpoint checkpoint; std::string text; std::vector<NoteSignature> signatures; };   // text: what is signed

std::string note_text(const Checkpoint& checkpoint);
std::string sign_note(const Checkpoint& checkpoint, const PrivateKey& log_key);         // the whole note, signer name = origin
// One more line for the note's end. time_s: the witness's clock.
std::string cosign_note(const Note& note, std::string_view witness_name, const PrivateKey& witness_key, std::int64_t time_s);

Result<Note> parse_note(std::string_view note);                 // Errc::malformed, Errc::too_large; at most 16 signatures
Result<void> verify_note(const Note& note, std::string_view origin, const PublicKey& log_key);   // Errc::permission
// The time of a good cosignature by that witness; Errc::not_found when there is none, Errc::permission when it is bad.
Result<std::int64_t> verify_cosignature(const Note& note, std::string_view witness_name, const PublicKey& witness_key);

}  // namespace fw::authority
