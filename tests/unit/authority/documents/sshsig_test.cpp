// Vectors of tests/golden/authority/sk, which ssh-keygen agreed with (make_sk_vectors.py).
#include "protocol/authority/sshsig.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "tests/support/authority_builder.hpp"

namespace fw::authority {
namespace {

Bytes vector(const std::string& name) {
  std::ifstream file(std::string(FW_SOURCE_DIR) + "/tests/golden/authority/sk/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

template <class T>
Errc code_of(const Result<T>& result) { return result ? Errc{} : static_cast<Errc>(result.error().code.value()); }

class SecurityKey : public ::testing::TestWithParam<const char*> {
 protected:
  PublicKey key(const std::string& file = "key") const {
    const bool ed25519 = std::string(GetParam()) == "ed25519";
    return {ed25519 ? Algorithm::sk_ed25519 : Algorithm::sk_p256, vector(std::string(GetParam()) + "." + file)};
  }
  Bytes signature(const std::string& name) const { return vector(std::string(GetParam()) + "." + name + ".sig"); }
  Errc verdict(const std::string& name, const std::string& key_file = "key") const {
    return code_of(verify_signature(key(key_file), message_, signature(name)));
  }
  const Bytes message_ = vector("message.bin");
};

TEST_P(SecurityKey, signs_for_itself) {
  EXPECT_TRUE(check_key(key()));
  EXPECT_EQ(verdict("good"), Errc{});
  EXPECT_EQ(verdict("verified_user"), Errc{});
  EXPECT_EQ(verdict("other_application", "other_application.key"), Errc{});
}

TEST_P(SecurityKey, needs_a_touch) { EXPECT_EQ(verdict("no_touch"), Errc::permission); }
TEST_P(SecurityKey, signs_in_our_namespace_only) { EXPECT_EQ(verdict("other_namespace"), Errc::permission); }
TEST_P(SecurityKey, takes_no_other_hash) { EXPECT_EQ(verdict("sha256"), Errc::unsupported); }
TEST_P(SecurityKey, takes_no_reserved_field) { EXPECT_EQ(verdict("reserved"), Errc::unsupported); }
TEST_P(SecurityKey, takes_no_other_version) { EXPECT_EQ(verdict("version_2"), Errc::unsupported); }
TEST_P(SecurityKey, of_a_web_page_counts_for_nothing) {
  EXPECT_EQ(code_of(check_key(key("web_application.key"))), Errc::malformed);
  EXPECT_EQ(verdict("web_application", "web_application.key"), Errc::malformed);
}
TEST_P(SecurityKey, must_be_the_key_inside_of_the_signature) {
  EXPECT_EQ(verdict("other_application"), Errc::permission);
  EXPECT_EQ(verdict("good", "other_application.key"), Errc::permission);
}
TEST_P(SecurityKey, signs_one_message) {
  EXPECT_EQ(code_of(verify_signature(key(), {}, signature("good"))), Errc::permission);
  auto other = message_;
  other.back() ^= 1U;
  EXPECT_EQ(code_of(verify_signature(key(), other, signature("good"))), Errc::permission);
}
TEST_P(SecurityKey, is_of_one_algorithm) {
  auto other = key();
  other.algorithm = other.algorithm == Algorithm::sk_p256 ? Algorithm::sk_ed25519 : Algorithm::sk_p256;
  EXPECT_EQ(code_of(check_key(other)), Errc::malformed);
  EXPECT_EQ(code_of(verify_signature(other, message_, signature("good"))), Errc::malformed);
}

TEST_P(SecurityKey, refuses_every_flipped_bit) {
  const auto good = signature("good");
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    auto flipped = good;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_FALSE(verify_signature(key(), message_, flipped)) << bit;
  }
}

TEST_P(SecurityKey, refuses_every_cut_and_every_addition) {
  const auto good = signature("good");
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(verify_signature(key(), message_, ByteView(good).first(size))) << size;
  auto longer = good;
  longer.push_back(0);
  EXPECT_EQ(code_of(verify_signature(key(), message_, longer)), Errc::malformed);
  auto huge = good;
  huge.resize(kMaxSshBlobBytes + 1);
  EXPECT_EQ(code_of(verify_signature(key(), message_, huge)), Errc::malformed);

  const auto blob = key().bytes;
  for (std::size_t size = 0; size < blob.size(); ++size) EXPECT_FALSE(parse_ssh_key(ByteView(blob).first(size))) << size;
  auto longer_blob = blob;
  longer_blob.push_back(0);
  EXPECT_EQ(code_of(parse_ssh_key(longer_blob)), Errc::malformed);
  auto huge_blob = blob;
  huge_blob.resize(kMaxSshBlobBytes + 1);
  EXPECT_EQ(code_of(parse_ssh_key(huge_blob)), Errc::malformed);
}

INSTANTIATE_TEST_SUITE_P(Both, SecurityKey, ::testing::Values("ed25519", "p256"));

// ---- the numbers of P-256, whose bytes have more than one possible form

Bytes ssh_string(ByteView bytes) {
  Bytes out{0, 0, 0, static_cast<std::uint8_t>(bytes.size())};
  out.insert(out.end(), bytes.begin(), bytes.end());
  return out;
}
Bytes text(std::string_view text) { return {text.begin(), text.end()}; }
Bytes concat(const std::vector<Bytes>& parts) {
  Bytes out;
  for (const auto& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

Errc p256_numbers(const Bytes& r, const Bytes& s) {
  const auto inner = concat({ssh_string(text("sk-ecdsa-sha2-nistp256@openssh.com")), ssh_string(concat({ssh_string(r), ssh_string(s)})), {1, 0, 0, 0, 7}});
  return code_of(parse_ssh_signature(concat({text("SSHSIG"), {0, 0, 0, 1}, ssh_string({}), ssh_string(text("fleetwright")), ssh_string({}),
                                             ssh_string(text("sha512")), ssh_string(inner)})));
}

TEST(SshNumbers, have_one_form) {
  const Bytes one{1}, high{0, 0x80};
  EXPECT_EQ(p256_numbers(one, high), Errc{});
  EXPECT_EQ(p256_numbers({}, one), Errc::malformed);            // zero
  EXPECT_EQ(p256_numbers(one, {}), Errc::malformed);
  EXPECT_EQ(p256_numbers({0}, one), Errc::malformed);           // zero, too long
  EXPECT_EQ(p256_numbers({0, 1}, one), Errc::malformed);        // a needless zero
  EXPECT_EQ(p256_numbers({0x80}, one), Errc::malformed);        // negative
  EXPECT_EQ(p256_numbers(Bytes(32, 0x7f), one), Errc{});
  EXPECT_EQ(p256_numbers(Bytes(33, 0x7f), one), Errc::malformed);
  EXPECT_EQ(p256_numbers(one, Bytes(33, 0x7f)), Errc::malformed);
}

TEST(SshKeys, must_be_points_of_their_curve) {
  auto key = vector("p256.key");
  key[key.size() - 10] ^= 1U;   // within y
  EXPECT_EQ(code_of(check_key({Algorithm::sk_p256, key})), Errc::malformed);
  const auto plain = concat({ssh_string(text("ssh-ed25519")), ssh_string(Bytes(32, 5))});
  EXPECT_EQ(code_of(parse_ssh_key(plain)), Errc::unsupported);
  const auto weak = concat({ssh_string(text("sk-ssh-ed25519@openssh.com")), ssh_string(Bytes(32)), ssh_string(text("ssh:"))});
  EXPECT_EQ(code_of(check_key({Algorithm::sk_ed25519, weak})), Errc::malformed);
  const auto curve = concat({ssh_string(text("sk-ecdsa-sha2-nistp256@openssh.com")), ssh_string(text("nistp384")), ssh_string(Bytes(65, 4)), ssh_string(text("ssh:"))});
  EXPECT_EQ(code_of(parse_ssh_key(curve)), Errc::malformed);
  const auto compressed = concat({ssh_string(text("sk-ecdsa-sha2-nistp256@openssh.com")), ssh_string(text("nistp256")), ssh_string(Bytes(65, 2)), ssh_string(text("ssh:"))});
  EXPECT_EQ(code_of(parse_ssh_key(compressed)), Errc::malformed);
}

TEST(SshKeys, have_points_of_their_length) {
  const auto ed25519 = [](std::size_t bytes) { return concat({ssh_string(text("sk-ssh-ed25519@openssh.com")), ssh_string(Bytes(bytes, 9)), ssh_string(text("ssh:"))}); };
  EXPECT_EQ(code_of(parse_ssh_key(ed25519(32))), Errc{});
  EXPECT_EQ(code_of(parse_ssh_key(ed25519(31))), Errc::malformed);
  EXPECT_EQ(code_of(parse_ssh_key(ed25519(33))), Errc::malformed);
  for (const std::size_t bytes : {64U, 66U}) {
    EXPECT_EQ(code_of(parse_ssh_key(concat({ssh_string(text("sk-ecdsa-sha2-nistp256@openssh.com")), ssh_string(text("nistp256")), ssh_string(Bytes(bytes, 4)),
                                            ssh_string(text("ssh:"))}))),
              Errc::malformed);
  }
}

Bytes signature_blob(const Bytes& key, const Bytes& inner) {
  return concat({text("SSHSIG"), {0, 0, 0, 1, 0, 0, 0, static_cast<std::uint8_t>(key.size())}, key, ssh_string(text("fleetwright")), ssh_string({}),
                 ssh_string(text("sha512")), ssh_string(inner)});
}

TEST(SshSignatures, end_with_flags_and_counter) {
  const auto numbers = concat({ssh_string(text("sk-ecdsa-sha2-nistp256@openssh.com")), ssh_string(concat({ssh_string(Bytes{1}), ssh_string(Bytes{2})}))});
  EXPECT_EQ(code_of(parse_ssh_signature(signature_blob({}, concat({numbers, {1, 0, 0, 0, 7}})))), Errc{});
  EXPECT_EQ(code_of(parse_ssh_signature(signature_blob({}, numbers))), Errc::malformed);
  EXPECT_EQ(code_of(parse_ssh_signature(signature_blob({}, concat({numbers, {1, 0, 0, 0, 7, 0}})))), Errc::malformed);
}

TEST(SshSignatures, are_of_their_keys_algorithm) {
  const auto inner = concat({ssh_string(text("sk-ssh-ed25519@openssh.com")), ssh_string(Bytes(64, 1)), {1, 0, 0, 0, 7}});
  const auto key = vector("p256.key");
  EXPECT_EQ(code_of(verify_signature({Algorithm::sk_p256, key}, {}, signature_blob(key, inner))), Errc::malformed);
  // Of a key that is no point nothing is good, whatever was accepted before.
  auto bent = key;
  bent[bent.size() - 10] ^= 1U;
  const auto numbers = concat({ssh_string(text("sk-ecdsa-sha2-nistp256@openssh.com")), ssh_string(concat({ssh_string(Bytes{1}), ssh_string(Bytes{2})})), {1, 0, 0, 0, 7}});
  EXPECT_EQ(code_of(verify_signature({Algorithm::sk_p256, bent}, {}, signature_blob(bent, numbers))), Errc::malformed);
}

TEST(SshSignatures, of_the_test_support_are_those_of_the_parser) {
  const auto vote = test::vote(test::plan(), "erin");
  EXPECT_TRUE(verify_signature(test::public_key_of("erin"), signing_input(Domain::approval, vote.document), vote.signature.bytes));
}

}  // namespace
}  // namespace fw::authority
