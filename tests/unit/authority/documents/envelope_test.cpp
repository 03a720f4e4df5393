#include <gmock/gmock.h>

#include "tests/support/authority_builder.hpp"

namespace fw::authority {
namespace {

template <class T>
Errc code_of(const Result<T>& result) { return result ? Errc{} : static_cast<Errc>(result.error().code.value()); }

Envelope good() {
  test::Log log;
  log.append("{}");
  return test::released(test::envelope(test::plan(), {"alice", "bob"}, test::sign(test::standing(), {"carol"})), log, 1);
}

// Offsets of the fixed layout, from its description in envelope.hpp.
constexpr std::size_t kClassAt = 5, kVotesAt = 6, kFlagsAt = 7, kPlanLengthAt = 8, kPlanAt = 12;

TEST(Envelope, is_read_as_written) {
  EXPECT_EQ(decode_envelope(encode(good())).value(), good());
  Envelope small;
  EXPECT_EQ(decode_envelope(encode(small)).value(), small);
  small.votes.resize(kMaxVotes);
  for (auto& vote : small.votes) vote.signature.algorithm = Algorithm::sk_p256;
  small.action_class = 3;
  EXPECT_EQ(decode_envelope(encode(small)).value(), small);
}

TEST(Envelope, has_the_layout_that_its_header_describes) {
  const auto envelope = good();
  const auto bytes = encode(envelope);
  EXPECT_EQ(std::string(bytes.begin(), bytes.begin() + 5), "FLEV1");
  EXPECT_EQ(bytes[kClassAt], 2);
  EXPECT_EQ(bytes[kVotesAt], 2);
  EXPECT_EQ(bytes[kFlagsAt], 1);
  EXPECT_EQ(bytes[kPlanLengthAt + 2] * 256U + bytes[kPlanLengthAt + 3], envelope.plan.size());
  EXPECT_TRUE(std::equal(envelope.plan.begin(), envelope.plan.end(), bytes.begin() + kPlanAt));
  const std::size_t vote_at = kPlanAt + envelope.plan.size();
  EXPECT_TRUE(std::equal(envelope.votes[0].signature.key.begin(), envelope.votes[0].signature.key.end(), bytes.begin() + static_cast<std::ptrdiff_t>(vote_at)));
  EXPECT_EQ(bytes[vote_at + 32], 1);
}

TEST(Envelope, has_one_form_for_what_it_says) {
  const auto bytes = encode(good());
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    auto flipped = bytes;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    const auto read = decode_envelope(flipped);
    EXPECT_TRUE(!read || encode(*read) == flipped) << bit;
  }
}

TEST(Envelope, cut_at_any_place_or_with_more_after_it_is_refused) {
  auto bytes = encode(good());
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode_envelope(ByteView(bytes).first(size))) << size;
  bytes.push_back(0);
  EXPECT_EQ(code_of(decode_envelope(bytes)), Errc::malformed);
}

Errc with_byte(std::size_t at, std::uint8_t value) {
  auto bytes = encode(good());
  bytes.at(at) = value;
  return code_of(decode_envelope(bytes));
}

TEST(Envelope, knows_its_own_version_classes_flags_and_algorithms_only) {
  EXPECT_EQ(with_byte(4, '2'), Errc::malformed);
  EXPECT_EQ(with_byte(kClassAt, 3), Errc{});
  EXPECT_EQ(with_byte(kClassAt, 4), Errc::too_large);
  EXPECT_EQ(with_byte(kVotesAt, 9), Errc::too_large);
  EXPECT_EQ(with_byte(kFlagsAt, 3), Errc::malformed);
  EXPECT_EQ(with_byte(kFlagsAt, 0x80), Errc::malformed);
  const auto algorithm_at = kPlanAt + good().plan.size() + 32;
  EXPECT_EQ(with_byte(algorithm_at, 0), Errc::malformed);
  EXPECT_EQ(with_byte(algorithm_at, 2), Errc{});
  EXPECT_EQ(with_byte(algorithm_at, 4), Errc::malformed);
}

TEST(Envelope, refuses_each_part_that_is_too_long) {
  const auto refused = [](const Bytes& head) {   // `head` ends with a length that is one too much
    auto bytes = head;
    bytes.resize(bytes.size() + kMaxPlanBytes + 16);
    return code_of(decode_envelope(bytes)) == Errc::too_large;
  };
  const auto cat = [](std::initializer_list<Bytes> parts) {
    Bytes out;
    for (const auto& part : parts) out.insert(out.end(), part.begin(), part.end());
    return out;
  };
  const auto head = [](std::uint8_t votes, std::uint8_t flags) { return Bytes{'F', 'L', 'E', 'V', '1', 1, votes, flags}; };
  const Bytes no_plan{0, 0, 0, 0};
  Bytes signer(33);
  signer[32] = 1;
  EXPECT_TRUE(refused(cat({head(0, 0), {0, 1, 0, 1}})));                                        // plan
  EXPECT_TRUE(refused(cat({head(0, 0), {0xff, 0xff, 0xff, 0xff}})));
  EXPECT_TRUE(refused(cat({head(1, 0), no_plan, signer, {0x40, 1}})));                          // approval
  EXPECT_TRUE(refused(cat({head(1, 0), no_plan, signer, {0, 0}, {0x04, 1}})));                  // its signature
  EXPECT_TRUE(refused(cat({head(0, 1), no_plan, {0x40, 1}})));                                  // standing approval
  EXPECT_TRUE(refused(cat({head(0, 1), no_plan, {0, 0}, {9}})));                                // its signatures
  EXPECT_TRUE(refused(cat({head(0, 1), no_plan, {0, 0}, {1}, signer, {0x04, 1}})));
  EXPECT_TRUE(refused(cat({head(0, 0), no_plan, {0x40, 1}})));                                  // entry
  EXPECT_TRUE(refused(cat({head(0, 0), no_plan, {0, 0}, Bytes(8), {64}})));                     // inclusion
  EXPECT_TRUE(refused(cat({head(0, 0), no_plan, {0, 0}, Bytes(8), {0}, Bytes(8), {64}})));      // consistency
  EXPECT_TRUE(refused(cat({head(0, 0), no_plan, {0, 0}, Bytes(8), {0}, Bytes(8), {0}, {0x20, 1}})));   // note
  EXPECT_EQ(code_of(decode_envelope(Bytes(kMaxEnvelopeBytes + 1))), Errc::too_large);
}

TEST(Envelope, takes_each_part_of_the_largest_size) {
  Envelope envelope;
  envelope.plan.resize(kMaxPlanBytes);
  envelope.votes.resize(1);
  envelope.votes[0].document.resize(kMaxDocumentBytes);
  envelope.votes[0].signature.algorithm = Algorithm::ed25519;
  envelope.votes[0].signature.bytes.resize(kMaxSignatureBytes);
  envelope.proof.entry.resize(kMaxEntryBytes);
  envelope.proof.path.resize(kMaxProofPath);
  envelope.proof.consistency.resize(kMaxProofPath);
  envelope.proof.note.resize(kMaxNoteBytes);
  envelope.proof.index = envelope.proof.consistent_from = UINT64_MAX;
  EXPECT_EQ(decode_envelope(encode(envelope)).value(), envelope);
}

TEST(EnvelopeDeathTest, beyond_its_limits_cannot_be_written) {
  Envelope envelope;
  envelope.votes.resize(kMaxVotes + 1);
  EXPECT_DEATH(encode(envelope), "within its limits");
  envelope.votes.clear();
  envelope.plan.resize(kMaxPlanBytes + 1);
  EXPECT_DEATH(encode(envelope), "within its limits");
}

// ---- what the log commits to

TEST(Release, is_of_the_plan_and_the_votes_whatever_their_order) {
  const auto envelope = good();
  auto swapped = envelope;
  std::swap(swapped.votes[0], swapped.votes[1]);
  EXPECT_EQ(release_digest(swapped), release_digest(envelope));
  swapped.proof = {};
  EXPECT_EQ(release_digest(swapped), release_digest(envelope));
}

TEST(Release, is_another_one_when_anything_that_was_decided_is) {
  const auto envelope = good();
  const auto digest = release_digest(envelope);
  auto changed = envelope;
  changed.action_class = 1;
  EXPECT_NE(release_digest(changed), digest);
  changed = envelope;
  changed.plan.back() ^= 1U;
  EXPECT_NE(release_digest(changed), digest);
  changed = envelope;
  changed.votes[1].document.back() ^= 1U;
  EXPECT_NE(release_digest(changed), digest);
  changed = envelope;
  changed.votes.pop_back();
  EXPECT_NE(release_digest(changed), digest);
  changed = envelope;
  changed.standing->document.back() ^= 1U;
  EXPECT_NE(release_digest(changed), digest);
  changed = envelope;
  changed.standing.reset();
  EXPECT_NE(release_digest(changed), digest);
}

TEST(Release, is_the_digest_that_its_header_describes) {
  auto envelope = good();
  envelope.votes.resize(1);
  const std::string head = "fleet/release/v1\n";
  Bytes input(head.begin(), head.end());
  const auto add = [&](const Digest& digest) { input.insert(input.end(), digest.begin(), digest.end()); };
  add(plan_digest(2, envelope.plan));
  input.push_back(1);
  add(document_digest(Domain::approval, envelope.votes[0].document));
  add(document_digest(Domain::standing, envelope.standing->document));
  EXPECT_EQ(release_digest(envelope), sha256(input));
}

TEST(Release, is_named_by_an_entry_outside_of_its_texts) {
  const auto envelope = good();
  const auto release = release_digest(envelope);
  EXPECT_TRUE(entry_names_release(test::release_entry(envelope), release));
  EXPECT_FALSE(entry_names_release(test::release_entry(envelope), sha256({})));
  EXPECT_FALSE(entry_names_release("", release));
  const auto hex = to_text(release);
  EXPECT_FALSE(entry_names_release(R"({"reason":"x,\"release\":\")" + hex + R"(\""})", release));
  EXPECT_FALSE(entry_names_release(R"({"a":1,"released":")" + hex + "\"}", release));
  EXPECT_FALSE(entry_names_release(R"({"a":1,"release":")" + hex.substr(1) + "\"}", release));
}

}  // namespace
}  // namespace fw::authority
