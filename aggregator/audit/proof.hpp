// A proof to keep: one entry, its path to the root and the signed head, in the text form of C2SP tlog-proof with the entry as its extra
// data. It can be checked years later by anybody who knows the log's origin and key.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/audit/verify.hpp"

namespace fw::audit {

inline constexpr std::size_t kMaxProofBytes = 64 * 1024;
inline constexpr std::string_view kProofName = ".tlog-proof";

struct Proof {
  std::string entry;                        // the line, without its end
  std::uint64_t index = 0;
  std::vector<authority::Digest> path;
  std::string note;
};

std::string render_proof(const Proof& proof);
Result<Proof> parse_proof(std::string_view text);   // Errc::malformed, Errc::too_large

// The head under which the entry stands. Errc::permission: the proof is not good; Errc::malformed; Errc::not_found: witnesses are missing.
Result<authority::Checkpoint> check_proof(const Proof& proof, const Trust& trust);

// The class by which the entry's plan is these bytes; nothing: it is another plan.
std::optional<std::uint8_t> names_plan(std::string_view entry, ByteView plan);

}  // namespace fw::audit
