// A plan on its way to a node, with everything that lets the node check it: votes, a standing approval if it is used, the audit entry
// that says so and its proofs. Fixed layout, parsed before any signature is checked, so its parser is small and allocates nothing by a
// number that it has not checked against the bytes that are there.
//
//   "FLEV1" | u8 class | u8 votes (<= 8) | u8 flags (bit 0: standing approval) | u32 plan length | plan
//   votes x { key[32] | u8 algorithm | u16 document length | document | u16 signature length | signature }
//   [standing: u16 document length | document | u8 signatures (<= 8) | each { key[32] | u8 algorithm | u16 length | signature }]
//   proof: u16 entry length | entry | u64 index | u8 path (<= 63) x [32] | u64 consistency from | u8 consistency (<= 63) x [32]
//          | u16 note length | note
//   All integers big endian. Nothing may follow.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "protocol/authority/crypto.hpp"

namespace fw::authority {

inline constexpr std::size_t kMaxVotes = 8;
inline constexpr std::size_t kMaxSignatureBytes = 1024;    // an SSHSIG blob of a security key has about 500
inline constexpr std::size_t kMaxEntryBytes = 16 * 1024;
inline constexpr std::size_t kMaxNoteBytes = 8 * 1024;
inline constexpr std::size_t kMaxProofPath = 63;
inline constexpr std::size_t kMaxEnvelopeBytes = 128 * 1024;

struct Vote { Bytes document; Signature signature; friend bool operator==(const Vote&, const Vote&) = default; };   // document: an Approval
struct SignedStanding { Bytes document; std::vector<Signature> signatures; friend bool operator==(const SignedStanding&, const SignedStanding&) = default; };

// That the release of this plan by these votes stands in the audit log, under a signed checkpoint, which continues the one the node saw.
struct LogProof {
  std::string entry;                    // the JSON line, without its end
  std::uint64_t index = 0;
  std::vector<Digest> path;             // inclusion in the note's tree
  std::uint64_t consistent_from = 0;    // size of the node's newest checkpoint; 0: none
  std::vector<Digest> consistency;
  std::string note;                     // checkpoint with signatures (checkpoint.hpp)
  friend bool operator==(const LogProof&, const LogProof&) = default;
};

struct Envelope {
  std::uint8_t action_class = 0;
  Bytes plan;
  std::vector<Vote> votes;
  std::optional<SignedStanding> standing;
  LogProof proof;
  friend bool operator==(const Envelope&, const Envelope&) = default;
};

Bytes encode(const Envelope& envelope);           // within the limits, or aborts
Result<Envelope> decode_envelope(ByteView bytes); // Errc::malformed, Errc::too_large

// What the released entry commits to: SHA-256("fleet/release/v1\n" || plan digest || u8 n || digests of the vote documents, ascending
// [|| digest of the standing approval]). The entry has it as ,"release":"<64 hex digits>" outside of any text, which a JSON text cannot
// imitate (its quotes are escaped): so the executor needs no JSON parser.
Digest release_digest(const Envelope& envelope);
bool entry_names_release(std::string_view entry, const Digest& release);

}  // namespace fw::authority
