#include "protocol/authority/checkpoint.hpp"

#include <gtest/gtest.h>

#include "common/base64.hpp"
#include "common/id.hpp"
#include "protocol/authority/merkle.hpp"

namespace fw::authority {
namespace {

constexpr std::string_view kOrigin = "fleetwright/acme/audit";
constexpr std::string_view kWitness = "node/0193b2d0";
constexpr std::int64_t kTime = 1'790'000'000;

PrivateKey key(std::uint8_t seed) {
  std::array<std::uint8_t, 32> bytes{};
  bytes.fill(seed);
  return PrivateKey::from_seed(bytes);
}
Checkpoint checkpoint() { return {std::string(kOrigin), 42, leaf_hash("a root")}; }
std::string good_note() { return sign_note(checkpoint(), key(1)); }
Errc code_of(const Error& error) { return static_cast<Errc>(error.code.value()); }

// The example of the C2SP documents, from outside: we read it as it stands and find its signature's key hash under its name.
TEST(Checkpoint, reads_the_note_of_the_c2sp_document) {
  const std::string text =
      "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
      "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
      "\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
  const auto note = parse_note(text);
  ASSERT_TRUE(note) << note.error().message();
  EXPECT_EQ(note->checkpoint.origin, "example.com/behind-the-sofa");
  EXPECT_EQ(note->checkpoint.size, 20852163U);
  EXPECT_EQ(encode_base64(note->checkpoint.root), "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=");
  ASSERT_EQ(note->signatures.size(), 2U);
  EXPECT_EQ(note->signatures[0].bytes.size(), 4U + 64U);
  EXPECT_EQ(note->signatures[1].name, "witness.example.com/w1");
  EXPECT_EQ(note->signatures[1].bytes.size(), 4U + 8U + 64U);
  EXPECT_EQ(note_text(note->checkpoint), note->text);
}

TEST(Checkpoint, what_was_signed_is_read_and_verified) {
  const auto note = parse_note(good_note());
  ASSERT_TRUE(note) << note.error().message();
  EXPECT_EQ(note->checkpoint, checkpoint());
  EXPECT_TRUE(verify_note(*note, kOrigin, key(1).public_key()));
}

// The key hash and the signed bytes are those of signed-note: SHA-256(name, newline, type, key)[:4], and the text itself.
TEST(Checkpoint, the_signature_is_plain_ed25519_over_the_text) {
  const auto note = *parse_note(good_note());
  const auto public_key = key(1).public_key();
  Bytes hashed(kOrigin.begin(), kOrigin.end());
  hashed.push_back('\n');
  hashed.push_back(1);
  hashed.insert(hashed.end(), public_key.bytes.begin(), public_key.bytes.end());
  const auto hash = sha256(hashed);
  ASSERT_EQ(note.signatures.size(), 1U);
  const auto& bytes = note.signatures[0].bytes;
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.begin() + 4, hash.begin()));
  EXPECT_TRUE(verify_signature(public_key, {reinterpret_cast<const std::uint8_t*>(note.text.data()), note.text.size()}, ByteView(bytes).subspan(4)));
}

TEST(Checkpoint, another_key_or_origin_is_refused) {
  const auto note = *parse_note(good_note());
  EXPECT_EQ(code_of(verify_note(note, kOrigin, key(2).public_key()).error()), Errc::permission);
  EXPECT_EQ(code_of(verify_note(note, "fleetwright/other/audit", key(1).public_key()).error()), Errc::permission);
  auto other = note;
  other.checkpoint.origin = "fleetwright/other/audit";
  EXPECT_EQ(code_of(verify_note(other, "fleetwright/other/audit", key(1).public_key()).error()), Errc::permission);
  EXPECT_EQ(code_of(verify_note(note, kOrigin, {Algorithm::sk_ed25519, key(1).public_key().bytes}).error()), Errc::permission);
}

TEST(Checkpoint, every_changed_bit_is_refused) {
  const auto text = good_note();
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      auto changed = text;
      changed[i] = static_cast<char>(static_cast<unsigned char>(changed[i]) ^ (1U << bit));
      const auto note = parse_note(changed);
      if (note) { EXPECT_FALSE(verify_note(*note, kOrigin, key(1).public_key())) << "bit " << bit << " of byte " << i; }
    }
  }
}

TEST(Checkpoint, every_cut_is_refused) {
  const auto text = good_note();
  for (std::size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(parse_note(text.substr(0, size))) << size;
}

TEST(Checkpoint, a_bad_signature_of_the_known_key_spoils_the_note_and_unknown_ones_do_not) {
  auto text = good_note();
  auto bytes = parse_note(text)->signatures[0].bytes;
  bytes[20] ^= 1;
  const auto bad_line = "\u2014 " + std::string(kOrigin) + " " + encode_base64(bytes) + "\n";
  EXPECT_EQ(code_of(verify_note(*parse_note(text + bad_line), kOrigin, key(1).public_key()).error()), Errc::permission);
  bytes[0] ^= 1;   // another key hash: somebody else's
  const auto unknown_line = "\u2014 " + std::string(kOrigin) + " " + encode_base64(bytes) + "\n";
  EXPECT_TRUE(verify_note(*parse_note(text + unknown_line), kOrigin, key(1).public_key()));
}

TEST(Checkpoint, a_witness_signs_it_with_a_time) {
  const auto text = good_note();
  const auto cosigned = text + cosign_note(*parse_note(text), kWitness, key(9), kTime);
  const auto note = parse_note(cosigned);
  ASSERT_TRUE(note) << note.error().message();
  EXPECT_TRUE(verify_note(*note, kOrigin, key(1).public_key()));
  const auto time_s = verify_cosignature(*note, kWitness, key(9).public_key());
  ASSERT_TRUE(time_s);
  EXPECT_EQ(*time_s, kTime);
  EXPECT_EQ(code_of(verify_cosignature(*note, "node/other", key(9).public_key()).error()), Errc::not_found);
  EXPECT_EQ(code_of(verify_cosignature(*note, kWitness, key(1).public_key()).error()), Errc::not_found);
  EXPECT_EQ(code_of(verify_cosignature(*parse_note(text), kWitness, key(9).public_key()).error()), Errc::not_found);
}

TEST(Checkpoint, a_cosignature_with_another_time_or_text_is_refused) {
  const auto text = good_note();
  const auto line = cosign_note(*parse_note(text), kWitness, key(9), kTime);
  auto note = *parse_note(text + line);
  for (std::size_t i = 4; i < note.signatures[1].bytes.size(); ++i) {
    auto changed = note;
    changed.signatures[1].bytes[i] ^= 1;
    EXPECT_EQ(code_of(verify_cosignature(changed, kWitness, key(9).public_key()).error()), Errc::permission) << i;
  }
  auto cut = note;
  cut.signatures[1].bytes.pop_back();
  EXPECT_EQ(code_of(verify_cosignature(cut, kWitness, key(9).public_key()).error()), Errc::permission);
  auto larger = checkpoint();
  larger.size = 43;
  const auto other = *parse_note(sign_note(larger, key(1)) + line);
  EXPECT_EQ(code_of(verify_cosignature(other, kWitness, key(9).public_key()).error()), Errc::permission);
}

TEST(Checkpoint, a_witness_has_an_ed25519_key_and_a_time_that_is_one) {
  const auto text = good_note();
  const auto line = cosign_note(*parse_note(text), kWitness, key(9), kTime);
  auto note = *parse_note(text + line);
  EXPECT_EQ(code_of(verify_cosignature(note, kWitness, {Algorithm::sk_ed25519, key(9).public_key().bytes}).error()), Errc::permission);
  note.signatures.back().bytes[4] |= 0x80U;   // before 1970
  EXPECT_EQ(code_of(verify_cosignature(note, kWitness, key(9).public_key()).error()), Errc::permission);
}

TEST(Checkpoint, has_three_lines_and_a_name_that_is_one) {
  const auto signature = good_note().substr(good_note().find("\n\n"));
  for (const std::string& body : {std::string("one"), std::string("one\n2"), std::string(""), "one\n2\n" + encode_base64(leaf_hash("x")) + "\nmore",
                                  std::string(257, 'n') + "\n2\n" + encode_base64(leaf_hash("x"))}) {
    EXPECT_EQ(code_of(parse_note(body + signature).error()), Errc::malformed) << body;
  }
}

// The log's own signature is no cosignature, and the other way round, though the key may be the same.
TEST(Checkpoint, the_types_of_signature_are_not_mixed_up) {
  const auto text = good_note();
  const auto as_witness = text + cosign_note(*parse_note(text), kOrigin, key(1), kTime);
  EXPECT_EQ(code_of(verify_cosignature(*parse_note(text), kOrigin, key(1).public_key()).error()), Errc::not_found);
  EXPECT_TRUE(verify_note(*parse_note(as_witness), kOrigin, key(1).public_key()));
  EXPECT_TRUE(verify_cosignature(*parse_note(as_witness), kOrigin, key(1).public_key()));
}

TEST(Checkpoint, other_forms_are_refused) {
  const auto root = encode_base64(leaf_hash("a root"));
  const std::string end = "\n\n\u2014 o AAAAAAAA\n";
  EXPECT_TRUE(parse_note("o\n0\n" + root + end));
  const std::string forms[] = {
      "",
      "o\n0\n" + root + "\n",                                   // no signature part
      "o\n0\n" + root + "\n\n",                                 // no signature
      "o\n0\n" + root + "\nmore" + end,                         // an extension line, which this log never writes
      "o\n0" + end,
      "\n0\n" + root + end,
      "o p\n0\n" + root + end,
      "o+p\n0\n" + root + end,
      "o\u2003p\n0\n" + root + end,
      "o\n00\n" + root + end,
      "o\n+1\n" + root + end,
      "o\n-1\n" + root + end,
      "o\n1x\n" + root + end,
      "o\n\n" + root + end,
      "o\n18446744073709551616\n" + root + end,                 // 2^64
      "o\n0\n" + root.substr(4) + end,
      "o\n0\n" + root + "\r" + end,
      "o\n0\n" + root + "\n\n- o AAAAAAAA\n",                   // a plain dash
      "o\n0\n" + root + "\n\n\u2014 oAAAAAAAA\n",
      "o\n0\n" + root + "\n\n\u2014 o AAAAAA==\n",              // a key hash alone
      "o\n0\n" + root + "\n\n\u2014 o AAAAAAAA",                // no line end
      "o\n0\n" + root + "\n\n\u2014 o AAAAAAA\n",
      "o\xff\n0\n" + root + end,
  };
  for (const auto& form : forms) EXPECT_FALSE(parse_note(form)) << form;
}

TEST(Checkpoint, sixteen_signatures_are_taken_and_seventeen_not) {
  auto text = good_note();
  for (std::uint8_t i = 0; i < 15; ++i) text += cosign_note(*parse_note(good_note()), "w" + std::to_string(i), key(i), kTime);
  EXPECT_EQ(parse_note(text)->signatures.size(), 16U);
  text += cosign_note(*parse_note(good_note()), "w16", key(16), kTime);
  EXPECT_EQ(code_of(parse_note(text).error()), Errc::too_large);
  EXPECT_EQ(code_of(parse_note(std::string(9000, 'a')).error()), Errc::too_large);
}

}  // namespace
}  // namespace fw::authority
