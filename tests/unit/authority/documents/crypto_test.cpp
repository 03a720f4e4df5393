#include <gmock/gmock.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <set>

#include "common/id.hpp"
#include "tests/support/authority_builder.hpp"

namespace fw::authority {
namespace {

Bytes hex(std::string_view text) {
  const auto bytes = from_hex(text).value();
  return {bytes.begin(), bytes.end()};
}
Bytes text(std::string_view text) { return {text.begin(), text.end()}; }

template <class T>
Errc code_of(const Result<T>& result) { return result ? Errc{} : static_cast<Errc>(result.error().code.value()); }

// RFC 8032, section 7.1, test 2.
const Bytes kRfcKey = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
const Bytes kRfcSignature =
    hex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");

TEST(Digest, is_sha256_as_hex) {
  EXPECT_EQ(to_text(sha256(text("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(parse_digest(to_text(sha256({}))).value(), sha256({}));
  EXPECT_EQ(parse_digest("sha256:" + to_text(sha256({}))).value(), sha256({}));
}

TEST(Digest, is_not_read_from_anything_else) {
  for (const std::string& bad : {std::string(), std::string(63, 'a'), std::string(65, 'a'), std::string(64, 'g'), "sha512:" + std::string(64, 'a')})
    EXPECT_EQ(code_of(parse_digest(bad)), Errc::malformed) << bad;
}

TEST(Ed25519, takes_the_vector_of_the_rfc) {
  const PublicKey key{Algorithm::ed25519, kRfcKey};
  EXPECT_TRUE(verify_signature(key, Bytes{0x72}, kRfcSignature));
  const auto seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
  std::array<std::uint8_t, 32> bytes{};
  std::copy(seed.begin(), seed.end(), bytes.begin());
  const auto signer = PrivateKey::from_seed(bytes);
  EXPECT_EQ(signer.public_key(), key);
  EXPECT_EQ(signer.sign(Bytes{0x72}), kRfcSignature);
}

TEST(Ed25519, refuses_every_flipped_bit_of_the_signature) {
  const PublicKey key{Algorithm::ed25519, kRfcKey};
  for (std::size_t bit = 0; bit < 8 * kRfcSignature.size(); ++bit) {
    auto flipped = kRfcSignature;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_EQ(code_of(verify_signature(key, Bytes{0x72}, flipped)), Errc::permission) << bit;
  }
  EXPECT_EQ(code_of(verify_signature(key, Bytes{0x73}, kRfcSignature)), Errc::permission);
  EXPECT_EQ(code_of(verify_signature(key, {}, kRfcSignature)), Errc::permission);
}

TEST(Ed25519, refuses_keys_and_signatures_of_another_length) {
  auto short_key = kRfcKey, long_key = kRfcKey, short_signature = kRfcSignature, long_signature = kRfcSignature;
  short_key.pop_back();
  long_key.push_back(0);
  short_signature.pop_back();
  long_signature.push_back(0);
  EXPECT_EQ(code_of(verify_signature({Algorithm::ed25519, short_key}, Bytes{0x72}, kRfcSignature)), Errc::malformed);
  EXPECT_EQ(code_of(verify_signature({Algorithm::ed25519, long_key}, Bytes{0x72}, kRfcSignature)), Errc::malformed);
  EXPECT_EQ(code_of(verify_signature({Algorithm::ed25519, kRfcKey}, Bytes{0x72}, short_signature)), Errc::malformed);
  EXPECT_EQ(code_of(verify_signature({Algorithm::ed25519, kRfcKey}, Bytes{0x72}, long_signature)), Errc::malformed);
  EXPECT_EQ(code_of(verify_signature({Algorithm::ed25519, kRfcKey}, Bytes{0x72}, {})), Errc::malformed);
}

// With the neutral element as key, R = neutral and s = 0 "sign" every message.
TEST(Ed25519, refuses_keys_that_anybody_can_sign_for) {
  Bytes neutral(32), forged(64);
  neutral[0] = 1;
  forged[0] = 1;
  EXPECT_EQ(code_of(verify_signature({Algorithm::ed25519, neutral}, text("anything"), forged)), Errc::malformed);

  // y = 0, 1, -1, the points of order 8, and second encodings (y + p): with and without the sign bit.
  for (const std::string_view weak :
       {"0000000000000000000000000000000000000000000000000000000000000000", "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"}) {
    auto key = hex(weak);
    EXPECT_EQ(code_of(check_key({Algorithm::ed25519, key})), Errc::malformed) << weak;
    key[31] |= 0x80U;
    EXPECT_EQ(code_of(check_key({Algorithm::ed25519, key})), Errc::malformed) << weak;
  }
  EXPECT_TRUE(check_key({Algorithm::ed25519, kRfcKey}));
}

TEST(Algorithms, are_a_closed_list) {
  EXPECT_EQ(code_of(verify_signature({Algorithm::unknown, kRfcKey}, Bytes{0x72}, kRfcSignature)), Errc::unsupported);
  EXPECT_EQ(code_of(verify_signature({static_cast<Algorithm>(4), kRfcKey}, Bytes{0x72}, kRfcSignature)), Errc::unsupported);
  EXPECT_EQ(code_of(check_key({Algorithm::unknown, kRfcKey})), Errc::unsupported);
  // A plain key is none of a security key, and the other way round.
  EXPECT_NE(code_of(verify_signature({Algorithm::sk_ed25519, kRfcKey}, Bytes{0x72}, kRfcSignature)), Errc{});
  EXPECT_EQ(code_of(check_key({Algorithm::ed25519, test::public_key_of("erin").bytes})), Errc::malformed);
}

TEST(Algorithms, have_the_names_that_people_read) {
  EXPECT_EQ(to_string(Algorithm::ed25519), "ed25519");
  EXPECT_EQ(to_string(Algorithm::sk_ed25519), "sk-ed25519");
  EXPECT_EQ(to_string(Algorithm::sk_p256), "sk-p256");
  EXPECT_EQ(to_string(Algorithm::unknown), "unknown");
  EXPECT_EQ(to_string(static_cast<Algorithm>(99)), "unknown");
}

// Just below the second names of points: their last bytes alone make no key weak.
TEST(Ed25519, takes_what_only_looks_like_a_second_name) {
  for (const std::string_view good :
       {"ebffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7e"}) {
    EXPECT_TRUE(check_key({Algorithm::ed25519, hex(good)})) << good;
  }
}

TEST(Keys, are_named_by_algorithm_and_bytes) {
  Bytes input = text("fleet/key/v1\n");
  input.push_back(1);
  input.insert(input.end(), kRfcKey.begin(), kRfcKey.end());
  EXPECT_EQ(key_id({Algorithm::ed25519, kRfcKey}), sha256(input));
  EXPECT_NE(key_id({Algorithm::sk_ed25519, kRfcKey}), sha256(input));
}

TEST(SigningInput, is_domain_length_and_document) {
  const auto input = signing_input(Domain::approval, text("hello"));
  EXPECT_EQ(input, hex("666c6565742f617070726f76616c2f76310a" "0000000000000005" "68656c6c6f"));
  EXPECT_EQ(document_digest(Domain::approval, text("hello")), sha256(input));
}

TEST(SigningInput, makes_a_signature_valid_in_one_domain_only) {
  const std::vector<Domain> domains = {Domain::approval, Domain::policy, Domain::standing, Domain::statement, Domain::result, Domain::checkpoint};
  std::set<Bytes> inputs;
  const auto key = test::key_of("alice");
  const auto document = text("document");
  const auto signature = key.sign(Domain::approval, document);
  EXPECT_EQ(signature.key, key_id(key.public_key()));
  for (const auto domain : domains) {
    inputs.insert(signing_input(domain, document));
    EXPECT_EQ(verify_signature(key.public_key(), signing_input(domain, document), signature.bytes).has_value(), domain == Domain::approval);
  }
  EXPECT_EQ(inputs.size(), domains.size());
}

TEST(PlanDigest, binds_class_length_and_bytes) {
  Bytes input = text("fleet/plan/v1\n");
  for (const int byte : {2, 0, 0, 0, 0, 0, 0, 0, 1, 0x55}) input.push_back(static_cast<std::uint8_t>(byte));
  EXPECT_EQ(plan_digest(2, Bytes{0x55}), sha256(input));
  EXPECT_NE(plan_digest(1, Bytes{0x55}), plan_digest(2, Bytes{0x55}));
}

TEST(PrivateKey, survives_its_pem_text) {
  const auto key = PrivateKey::generate();
  const auto again = PrivateKey::from_pem(key.to_pem());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->public_key(), key.public_key());
  EXPECT_TRUE(verify_signature(key.public_key(), text("message"), again->sign(text("message"))));
}

std::string pem_of(EVP_PKEY* key, const EVP_CIPHER* cipher) {
  std::string passphrase = "secret";
  BIO* file = BIO_new(BIO_s_mem());
  PEM_write_bio_PKCS8PrivateKey(file, key, cipher, passphrase.data(), static_cast<int>(passphrase.size()), nullptr, nullptr);
  char* data = nullptr;
  const auto bytes = BIO_get_mem_data(file, &data);
  std::string out(data, static_cast<std::size_t>(bytes));
  BIO_free(file);
  return out;
}

TEST(PrivateKey, is_not_read_from_other_keys_or_encrypted_files) {
  EVP_PKEY* other = EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519");
  EXPECT_EQ(code_of(PrivateKey::from_pem(pem_of(other, nullptr))), Errc::unsupported);
  EVP_PKEY_free(other);
  EVP_PKEY* own = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  EXPECT_TRUE(PrivateKey::from_pem(pem_of(own, nullptr)));
  EXPECT_EQ(code_of(PrivateKey::from_pem(pem_of(own, EVP_aes_128_cbc()))), Errc::malformed);   // and nobody is asked for a passphrase
  EVP_PKEY_free(own);
  EXPECT_EQ(code_of(PrivateKey::from_pem("")), Errc::malformed);
  EXPECT_EQ(code_of(PrivateKey::from_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")), Errc::malformed);
  EXPECT_EQ(code_of(PrivateKey::from_pem(std::string(5000, 'x'))), Errc::too_large);
}

}  // namespace
}  // namespace fw::authority
