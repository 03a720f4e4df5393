#include "aggregator/audit/proof.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "aggregator/audit/entry.hpp"
#include "common/base64.hpp"
#include "protocol/authority/envelope.hpp"

namespace fw::audit {
namespace {

constexpr std::string_view kFirstLine = "c2sp.org/tlog-proof@v1\n", kExtra = "extra ", kIndex = "index ";
constexpr std::uint8_t kMaxClass = 3;

Error malformed(std::string_view why) { return Error{Errc::malformed, fmt::format("proof: {}", why)}; }

std::optional<std::string_view> take_line(std::string_view& text) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const auto line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

}  // namespace

std::string render_proof(const Proof& proof) {
  const ByteView entry(reinterpret_cast<const std::uint8_t*>(proof.entry.data()), proof.entry.size());
  auto out = fmt::format("{}{}{}\n{}{}\n", kFirstLine, kExtra, encode_base64(entry), kIndex, proof.index);
  for (const auto& hash : proof.path) out += encode_base64(hash) + "\n";
  return out + "\n" + proof.note;
}

Result<Proof> parse_proof(std::string_view text) {
  if (text.size() > kMaxProofBytes) return Error{Errc::too_large, "proof: longer than 64 KiB"};
  if (!text.starts_with(kFirstLine)) return malformed("it does not begin with c2sp.org/tlog-proof@v1");
  text.remove_prefix(kFirstLine.size());
  Proof proof;
  const auto extra = take_line(text), index = take_line(text);
  if (!extra || !extra->starts_with(kExtra)) return malformed("the entry is missing");
  const auto entry = decode_base64(extra->substr(kExtra.size()));
  if (!entry || entry->empty() || entry->size() > kMaxLineBytes) return malformed("the entry is not base64");
  proof.entry.assign(entry->begin(), entry->end());
  if (!index || !index->starts_with(kIndex)) return malformed("the index is missing");
  const auto digits = index->substr(kIndex.size());
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), proof.index);
  if (error != std::errc{} || end != digits.data() + digits.size() || (digits.front() == '0' && digits.size() > 1))
    return malformed("the index is not a number");
  for (;;) {
    const auto line = take_line(text);
    if (!line) return malformed("there is no checkpoint");
    if (line->empty()) break;
    const auto hash = decode_base64(*line);
    if (!hash || hash->size() != authority::Digest{}.size()) return malformed("a line of its path is not a hash");
    if (proof.path.size() == authority::kMaxProofPath) return Error{Errc::too_large, "proof: the path is too long"};
    std::copy(hash->begin(), hash->end(), proof.path.emplace_back().begin());
  }
  proof.note = text;
  if (const auto note = authority::parse_note(proof.note); !note) return note.error();
  return proof;
}

Result<authority::Checkpoint> check_proof(const Proof& proof, const Trust& trust) {
  const auto note = authority::parse_note(proof.note);
  if (!note) return note.error();
  if (const auto verified = authority::verify_note(*note, trust.origin, trust.log_key); !verified) return verified.error();
  const auto stored = parse_line(proof.entry);
  if (!stored) return stored.error();
  if (stored->seq != proof.index) return Error{Errc::permission, fmt::format("the entry says that it is {}, and the proof {}", stored->seq, proof.index)};
  const auto& head = note->checkpoint;
  if (const auto included = authority::verify_inclusion(authority::leaf_hash(proof.entry), proof.index, head.size, proof.path, head.root); !included)
    return included.error();
  std::uint32_t witnesses = 0;
  for (const auto& witness : trust.witnesses)
    if (authority::verify_cosignature(*note, witness.name, witness.key)) ++witnesses;
  if (witnesses < trust.witness_quorum)
    return Error{Errc::not_found, fmt::format("{} of {} witnesses have signed the head", witnesses, trust.witness_quorum)};
  return head;
}

std::optional<std::uint8_t> names_plan(std::string_view entry, ByteView plan) {
  const auto stored = parse_line(entry);
  if (!stored || stored->entry.plan.empty()) return std::nullopt;
  for (std::uint8_t action_class = 0; action_class <= kMaxClass; ++action_class)
    if (stored->entry.plan == authority::to_text(authority::plan_digest(action_class, plan))) return action_class;
  return std::nullopt;
}

}  // namespace fw::audit
