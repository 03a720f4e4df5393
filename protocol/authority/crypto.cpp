#include "protocol/authority/crypto.hpp"

#include <algorithm>
#include <optional>

#include "common/id.hpp"
#include "protocol/authority/openssl.hpp"
#include "protocol/authority/sshsig.hpp"

namespace fw::authority {
namespace {

constexpr std::size_t kEd25519KeyBytes = 32;
constexpr std::size_t kEd25519SignatureBytes = 64;

ByteView as_bytes(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }
void append(Bytes& to, ByteView bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }
void append_u64(Bytes& to, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) to.push_back(static_cast<std::uint8_t>(value >> static_cast<unsigned>(shift)));
}

// A point of small order is "signed for" by signatures that anybody can compute, and OpenSSL takes it as a key. With the encodings of
// y >= p, which are second names of other points, these are all of them: y is 0, 1, -1 or of order 8, whatever the sign bit.
bool is_weak_ed25519(ByteView key) {
  std::array<std::uint8_t, kEd25519KeyBytes> y{};
  std::copy(key.begin(), key.end(), y.begin());
  y[31] &= 0x7fU;
  if (std::all_of(y.begin() + 1, y.end() - 1, [](auto byte) { return byte == 0xff; }) && y[31] == 0x7f && y[0] >= 0xec) return true;
  static constexpr std::array<std::array<std::uint8_t, kEd25519KeyBytes>, 4> kSmallOrder = {{
      {0},
      {1},
      {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
       0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
      {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
       0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
  }};
  return std::find(kSmallOrder.begin(), kSmallOrder.end(), y) != kSmallOrder.end();
}

Result<KeyPtr> ed25519_key(ByteView bytes) {
  if (bytes.size() != kEd25519KeyBytes) return Error(Errc::malformed, "key: not 32 bytes of Ed25519");
  if (is_weak_ed25519(bytes)) return Error(Errc::malformed, "key: a point that anybody can sign for");
  KeyPtr key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes.data(), bytes.size()));
  if (!key) return Error(Errc::malformed, "key: not of Ed25519");
  return key;
}

// From the uncompressed point. OpenSSL checks that it is on the curve.
Result<KeyPtr> p256_key(ByteView point) {
  const KeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  std::array<char, 16> group{"prime256v1"};
  Bytes bytes(point.begin(), point.end());
  const std::array<OSSL_PARAM, 3> parameters = {
      OSSL_PARAM_construct_utf8_string("group", group.data(), 0),
      OSSL_PARAM_construct_octet_string("pub", bytes.data(), bytes.size()),
      OSSL_PARAM_construct_end(),
  };
  EVP_PKEY* key = nullptr;
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, const_cast<OSSL_PARAM*>(parameters.data())) != 1)
    return Error(Errc::malformed, "key: not a point of P-256");
  return KeyPtr(key);
}

Result<void> verify(EVP_PKEY* key, const EVP_MD* hash, ByteView message, ByteView signature) {
  const DigestContextPtr context(EVP_MD_CTX_new());
  const bool good = context && EVP_DigestVerifyInit(context.get(), nullptr, hash, nullptr, key) == 1 &&
                    EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()) == 1;
  if (!good) return Error(Errc::permission, "not a good signature");
  return {};
}

Result<void> verify_ed25519(ByteView key, ByteView message, ByteView signature) {
  const auto parsed = ed25519_key(key);
  if (!parsed) return parsed.error();
  if (signature.size() != kEd25519SignatureBytes) return Error(Errc::malformed, "signature: not 64 bytes of Ed25519");
  return verify(parsed->get(), nullptr, message, signature);
}

// OpenSSL wants r and s as the DER sequence; both are at most 32 bytes, so every length fits in one byte.
Bytes der_signature(ByteView r, ByteView s) {
  const auto integer = [](ByteView number) {
    Bytes out{0x02, 0};
    if ((number.front() & 0x80U) != 0) out.push_back(0);
    append(out, number);
    out[1] = static_cast<std::uint8_t>(out.size() - 2);
    return out;
  };
  Bytes body = integer(r);
  append(body, integer(s));
  Bytes out{0x30, static_cast<std::uint8_t>(body.size())};
  append(out, body);
  return out;
}

Result<void> verify_security_key(const PublicKey& key, ByteView message, ByteView blob) {
  const auto parsed = parse_ssh_key(key.bytes);
  if (!parsed) return parsed.error();
  if (parsed->algorithm != key.algorithm) return Error(Errc::malformed, "key: its blob is of another algorithm");
  const auto signature = parse_ssh_signature(blob);
  if (!signature) return signature.error();
  if (!std::equal(key.bytes.begin(), key.bytes.end(), signature->public_key.begin(), signature->public_key.end()))
    return Error(Errc::permission, "signature: made by another key");
  if (signature->name_space != kSshNamespace) return Error(Errc::permission, "signature: made for another namespace");
  if (signature->hash_name != "sha512") return Error(Errc::unsupported, "signature: not over sha512");
  if ((signature->flags & kUserPresent) == 0) return Error(Errc::permission, "signature: nobody touched the key");

  const Bytes input = security_key_input(*parsed, *signature, message);
  const bool ed25519 = key.algorithm == Algorithm::sk_ed25519;
  if (ed25519 != signature->second.empty())
    return Error(Errc::malformed, "signature: of another algorithm than its key");
  if (ed25519) return verify_ed25519(parsed->point, input, signature->first);
  const auto p256 = p256_key(parsed->point);
  if (!p256) return p256.error();
  return verify(p256->get(), EVP_sha256(), input, der_signature(signature->first, signature->second));
}

std::string_view domain_name(Domain domain) {
  switch (domain) {
    case Domain::approval: return "fleet/approval/v1\n";
    case Domain::policy: return "fleet/policy/v1\n";
    case Domain::standing: return "fleet/standing/v1\n";
    case Domain::statement: return "fleet/statement/v1\n";
    case Domain::result: return "fleet/result/v1\n";
    case Domain::checkpoint: return "fleet/checkpoint/v1\n";
  }
  assertion_failed("domain", "not a domain", __FILE__, __LINE__);
}

}  // namespace

Digest sha256(ByteView bytes) {
  // Fetched once: EVP_sha256() is looked up by name again in every call, which costs more than to hash a small document.
  static EVP_MD* const kSha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  Digest out{};
  FW_ASSERT(EVP_Digest(bytes.data(), bytes.size(), out.data(), nullptr, kSha256, nullptr) == 1, "SHA-256 is always there");
  return out;
}

std::string to_text(const Digest& digest) { return to_hex(digest); }

Result<Digest> parse_digest(std::string_view text) {
  if (text.starts_with("sha256:")) text.remove_prefix(7);
  Digest out{};
  if (text.size() != 2 * out.size()) return Error(Errc::malformed, "digest: not 64 hex digits");
  const auto bytes = from_hex(text);
  if (!bytes) return Error(Errc::malformed, "digest: not 64 hex digits");
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return out;
}

std::string_view to_string(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::unknown: break;
    case Algorithm::ed25519: return "ed25519";
    case Algorithm::sk_ed25519: return "sk-ed25519";
    case Algorithm::sk_p256: return "sk-p256";
  }
  return "unknown";
}

Digest key_id(const PublicKey& key) {
  Bytes input;
  append(input, as_bytes("fleet/key/v1\n"));
  input.push_back(static_cast<std::uint8_t>(key.algorithm));
  append(input, key.bytes);
  return sha256(input);
}

Bytes signing_input(Domain domain, ByteView document) {
  Bytes out;
  append(out, as_bytes(domain_name(domain)));
  append_u64(out, document.size());
  append(out, document);
  return out;
}

Digest document_digest(Domain domain, ByteView document) { return sha256(signing_input(domain, document)); }

Digest plan_digest(std::uint8_t action_class, ByteView plan) {
  Bytes input;
  append(input, as_bytes("fleet/plan/v1\n"));
  input.push_back(action_class);
  append_u64(input, plan.size());
  append(input, plan);
  return sha256(input);
}

Result<void> check_key(const PublicKey& key) {
  const CleanErrorQueue clean;
  if (key.algorithm == Algorithm::ed25519) {
    const auto parsed = ed25519_key(key.bytes);
    return parsed ? Result<void>() : parsed.error();
  }
  if (key.algorithm == Algorithm::unknown) return Error(Errc::unsupported, "key: of no algorithm that is allowed here");
  const auto parsed = parse_ssh_key(key.bytes);
  if (!parsed) return parsed.error();
  if (parsed->algorithm != key.algorithm) return Error(Errc::malformed, "key: its blob is of another algorithm");
  const auto point = parsed->algorithm == Algorithm::sk_ed25519 ? ed25519_key(parsed->point) : p256_key(parsed->point);
  return point ? Result<void>() : point.error();
}

Result<void> verify_signature(const PublicKey& key, ByteView message, ByteView signature) {
  const CleanErrorQueue clean;
  switch (key.algorithm) {
    case Algorithm::unknown: break;
    case Algorithm::ed25519: return verify_ed25519(key.bytes, message, signature);
    case Algorithm::sk_ed25519:
    case Algorithm::sk_p256: return verify_security_key(key, message, signature);
  }
  return Error(Errc::unsupported, "key: of no algorithm that is allowed here");
}

struct PrivateKey::Impl {
  KeyPtr key;   // OpenSSL cleanses it
};

PrivateKey::PrivateKey(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PrivateKey::PrivateKey(PrivateKey&&) noexcept = default;
PrivateKey& PrivateKey::operator=(PrivateKey&&) noexcept = default;
PrivateKey::~PrivateKey() = default;

PrivateKey PrivateKey::generate() {
  KeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  FW_ASSERT(key != nullptr, "no key can be made without random bytes");
  return PrivateKey(std::make_unique<Impl>(Impl{std::move(key)}));
}

PrivateKey PrivateKey::from_seed(const std::array<std::uint8_t, 32>& seed) {
  KeyPtr key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
  FW_ASSERT(key != nullptr, "every seed is a key");
  return PrivateKey(std::make_unique<Impl>(Impl{std::move(key)}));
}

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem) {
  constexpr std::size_t kMaxPemBytes = 4096;   // of this kind of key: about 120
  const CleanErrorQueue clean;
  if (pem.size() > kMaxPemBytes) return Error(Errc::too_large, "private key: longer than any of Ed25519");
  const BioPtr file(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  // Without this callback OpenSSL would ask the terminal for a passphrase.
  const auto no_passphrase = [](char*, int, int, void*) { return -1; };
  KeyPtr key(PEM_read_bio_PrivateKey(file.get(), nullptr, no_passphrase, nullptr));
  if (!key) return Error(Errc::malformed, "private key: not a PEM file of PKCS#8, or encrypted");
  if (EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519) return Error(Errc::unsupported, "private key: not of Ed25519");
  return PrivateKey(std::make_unique<Impl>(Impl{std::move(key)}));
}

std::string PrivateKey::to_pem() const {
  const BioPtr file(BIO_new(BIO_s_secmem()));
  FW_ASSERT(PEM_write_bio_PKCS8PrivateKey(file.get(), impl_->key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1, "a key has a text");
  char* text = nullptr;
  const auto bytes = BIO_get_mem_data(file.get(), &text);
  return {text, static_cast<std::size_t>(bytes)};
}

PublicKey PrivateKey::public_key() const {
  PublicKey out{Algorithm::ed25519, Bytes(kEd25519KeyBytes)};
  std::size_t bytes = out.bytes.size();
  FW_ASSERT(EVP_PKEY_get_raw_public_key(impl_->key.get(), out.bytes.data(), &bytes) == 1, "an Ed25519 key has 32 bytes");
  return out;
}

Bytes PrivateKey::sign(ByteView message) const {
  const CleanErrorQueue clean;
  const DigestContextPtr context(EVP_MD_CTX_new());
  Bytes out(kEd25519SignatureBytes);
  std::size_t bytes = out.size();
  const bool good = context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, impl_->key.get()) == 1 &&
                    EVP_DigestSign(context.get(), out.data(), &bytes, message.data(), message.size()) == 1 && bytes == out.size();
  FW_ASSERT(good, "Ed25519 signs every message");
  return out;
}

Signature PrivateKey::sign(Domain domain, ByteView document) const {
  return {key_id(public_key()), Algorithm::ed25519, sign(signing_input(domain, document))};
}

}  // namespace fw::authority
