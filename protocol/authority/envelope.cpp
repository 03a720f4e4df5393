#include "protocol/authority/envelope.hpp"

#include <algorithm>

#include "common/id.hpp"
#include "protocol/authority/documents.hpp"

namespace fw::authority {
namespace {

constexpr std::string_view kMagic = "FLEV1";
constexpr std::uint8_t kFlagStanding = 1;
constexpr std::uint8_t kMaxClass = 3;
constexpr auto kLastAlgorithm = static_cast<std::uint8_t>(Algorithm::sk_p256);

ByteView as_bytes(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

class Writer {
 public:
  void number(std::uint64_t value, unsigned bytes) {
    for (unsigned i = bytes; i-- > 0;) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
  void raw(ByteView bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }
  void block(ByteView bytes, unsigned length_bytes, std::size_t max_bytes) {
    FW_ASSERT(bytes.size() <= max_bytes, "an envelope within its limits");
    number(bytes.size(), length_bytes);
    raw(bytes);
  }
  void signature(const Signature& signature) {
    raw(signature.key);
    number(static_cast<std::uint8_t>(signature.algorithm), 1);
  }
  void digests(const std::vector<Digest>& digests) {
    FW_ASSERT(digests.size() <= kMaxProofPath, "an envelope within its limits");
    number(digests.size(), 1);
    for (const auto& digest : digests) raw(digest);
  }

  Bytes out;
};

// After the first thing that is wrong every read gives nothing and error is set.
class Parser {
 public:
  explicit Parser(ByteView rest) : rest_(rest) {}

  ByteView raw(std::size_t bytes) {
    if (bytes > rest_.size()) fail(Errc::malformed, "cut off");
    if (error) return {};
    const auto out = rest_.first(bytes);
    rest_ = rest_.subspan(bytes);
    return out;
  }
  std::uint64_t number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (const auto byte : raw(bytes)) value = value << 8U | byte;
    return value;
  }
  std::size_t length(std::size_t bytes, std::size_t max, const char* what) {
    const auto value = static_cast<std::size_t>(number(bytes));
    if (value > max) fail(Errc::too_large, what);
    return error ? 0 : value;
  }
  ByteView block(std::size_t length_bytes, std::size_t max_bytes, const char* what) { return raw(length(length_bytes, max_bytes, what)); }
  Bytes bytes(std::size_t length_bytes, std::size_t max_bytes, const char* what) {
    const auto block_bytes = block(length_bytes, max_bytes, what);
    return {block_bytes.begin(), block_bytes.end()};
  }
  std::string text(std::size_t length_bytes, std::size_t max_bytes, const char* what) {
    const auto block_bytes = block(length_bytes, max_bytes, what);
    return {block_bytes.begin(), block_bytes.end()};
  }
  Digest digest() {
    Digest out{};
    const auto bytes = raw(out.size());
    std::copy(bytes.begin(), bytes.end(), out.begin());
    return out;
  }
  std::vector<Digest> digests(const char* what) {
    std::vector<Digest> out(length(1, kMaxProofPath, what));
    for (auto& digest_here : out) digest_here = digest();
    return out;
  }
  // Key and algorithm; the bytes of the signature follow where the layout has them.
  Signature signer() {
    Signature out;
    out.key = digest();
    const auto algorithm = number(1);
    if (algorithm == 0 || algorithm > kLastAlgorithm) fail(Errc::malformed, "unknown algorithm");
    out.algorithm = static_cast<Algorithm>(algorithm);
    return out;
  }
  void fail(Errc errc, const char* why) {
    if (!error) error = Error(errc, std::string("envelope: ") + why);
  }
  bool at_end() const { return rest_.empty(); }

  std::optional<Error> error;

 private:
  ByteView rest_;
};

Vote parse_vote(Parser& in) {
  Vote vote;
  vote.signature = in.signer();
  vote.document = in.bytes(2, kMaxDocumentBytes, "approval too long");
  vote.signature.bytes = in.bytes(2, kMaxSignatureBytes, "signature too long");
  return vote;
}

SignedStanding parse_standing_part(Parser& in) {
  SignedStanding standing;
  standing.document = in.bytes(2, kMaxDocumentBytes, "standing approval too long");
  standing.signatures.resize(in.length(1, kMaxVotes, "too many signatures"));
  for (auto& signature : standing.signatures) {
    signature = in.signer();
    signature.bytes = in.bytes(2, kMaxSignatureBytes, "signature too long");
  }
  return standing;
}

LogProof parse_proof(Parser& in) {
  LogProof proof;
  proof.entry = in.text(2, kMaxEntryBytes, "audit entry too long");
  proof.index = in.number(8);
  proof.path = in.digests("inclusion proof too long");
  proof.consistent_from = in.number(8);
  proof.consistency = in.digests("consistency proof too long");
  proof.note = in.text(2, kMaxNoteBytes, "checkpoint too long");
  return proof;
}

}  // namespace

Bytes encode(const Envelope& envelope) {
  FW_ASSERT(envelope.action_class <= kMaxClass && envelope.votes.size() <= kMaxVotes, "an envelope within its limits");
  Writer to;
  to.raw(as_bytes(kMagic));
  to.number(envelope.action_class, 1);
  to.number(envelope.votes.size(), 1);
  to.number(envelope.standing ? kFlagStanding : 0, 1);
  to.block(envelope.plan, 4, kMaxPlanBytes);
  for (const auto& vote : envelope.votes) {
    to.signature(vote.signature);
    to.block(vote.document, 2, kMaxDocumentBytes);
    to.block(vote.signature.bytes, 2, kMaxSignatureBytes);
  }
  if (envelope.standing) {
    to.block(envelope.standing->document, 2, kMaxDocumentBytes);
    FW_ASSERT(envelope.standing->signatures.size() <= kMaxVotes, "an envelope within its limits");
    to.number(envelope.standing->signatures.size(), 1);
    for (const auto& signature : envelope.standing->signatures) {
      to.signature(signature);
      to.block(signature.bytes, 2, kMaxSignatureBytes);
    }
  }
  const auto& proof = envelope.proof;
  to.block(as_bytes(proof.entry), 2, kMaxEntryBytes);
  to.number(proof.index, 8);
  to.digests(proof.path);
  to.number(proof.consistent_from, 8);
  to.digests(proof.consistency);
  to.block(as_bytes(proof.note), 2, kMaxNoteBytes);
  FW_ASSERT(to.out.size() <= kMaxEnvelopeBytes, "an envelope within its limits");
  return std::move(to.out);
}

Result<Envelope> decode_envelope(ByteView bytes) {
  if (bytes.size() > kMaxEnvelopeBytes) return Error(Errc::too_large, "envelope: " + std::to_string(bytes.size()) + " bytes");
  Parser in(bytes);
  Envelope out;
  const auto magic = in.raw(kMagic.size());
  if (!std::equal(magic.begin(), magic.end(), kMagic.begin(), kMagic.end())) in.fail(Errc::malformed, "no FLEV1");
  out.action_class = static_cast<std::uint8_t>(in.length(1, kMaxClass, "no such class"));
  const auto votes = in.length(1, kMaxVotes, "too many votes");
  const auto flags = in.number(1);
  if ((flags & ~std::uint64_t{kFlagStanding}) != 0) in.fail(Errc::malformed, "unknown flag");
  out.plan = in.bytes(4, kMaxPlanBytes, "plan too long");
  for (std::size_t i = 0; i < votes && !in.error; ++i) out.votes.push_back(parse_vote(in));
  if (flags == kFlagStanding) out.standing = parse_standing_part(in);
  out.proof = parse_proof(in);
  if (!in.at_end()) in.fail(Errc::malformed, "more after its end");
  if (in.error) return *in.error;
  return out;
}

Digest release_digest(const Envelope& envelope) {
  std::vector<Digest> votes;
  for (const auto& vote : envelope.votes) votes.push_back(document_digest(Domain::approval, vote.document));
  std::sort(votes.begin(), votes.end());

  Writer to;
  to.raw(as_bytes("fleet/release/v1\n"));
  to.raw(plan_digest(envelope.action_class, envelope.plan));
  to.number(votes.size(), 1);
  for (const auto& digest : votes) to.raw(digest);
  if (envelope.standing) to.raw(document_digest(Domain::standing, envelope.standing->document));
  return sha256(to.out);
}

bool entry_names_release(std::string_view entry, const Digest& release) {
  return entry.find(",\"release\":\"" + to_text(release) + "\"") != std::string_view::npos;
}

}  // namespace fw::authority
