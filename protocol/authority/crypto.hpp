// Digests, keys and signatures of the command authority. OpenSSL 3, one-shot calls only; the algorithms are a closed list.
#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/bytes.hpp"
#include "common/result.hpp"

namespace fw::authority {

using Digest = std::array<std::uint8_t, 32>;   // SHA-256

Digest sha256(ByteView bytes);
std::string to_text(const Digest& digest);                 // 64 hex digits, lower case
Result<Digest> parse_digest(std::string_view text);        // "sha256:" in front is allowed; Errc::malformed

// ed25519: RFC 8032, the key's 32 bytes; file keys and plain keys of an SSH agent.
// sk_ed25519, sk_p256: security keys of OpenSSH. bytes = the SSH public key blob; the signature is the SSHSIG blob (PROTOCOL.sshsig)
// in namespace kSshNamespace with hash sha512; user presence is required.
enum class Algorithm : std::uint8_t { unknown = 0, ed25519 = 1, sk_ed25519 = 2, sk_p256 = 3 };
std::string_view to_string(Algorithm algorithm);
inline constexpr std::string_view kSshNamespace = "fleetwright";

struct PublicKey {
  Algorithm algorithm = Algorithm::unknown;
  Bytes bytes;
  friend auto operator<=>(const PublicKey&, const PublicKey&) = default;
};

// SHA-256("fleet/key/v1\n" || u8 algorithm || bytes). Always recomputed from the key, never taken from a message.
Digest key_id(const PublicKey& key);

// What is signed is never a document alone: "fleet/<domain>/v1\n" || u64be(length) || document. A signature is valid in one place only.
enum class Domain : std::uint8_t { approval = 1, policy, standing, statement, result, checkpoint };
Bytes signing_input(Domain domain, ByteView document);
Digest document_digest(Domain domain, ByteView document);  // SHA-256(signing_input)
// The identity of a plan: SHA-256("fleet/plan/v1\n" || u8 class || u64be(length) || plan bytes). Nobody signs a plan itself: an approval
// holds this digest.
Digest plan_digest(std::uint8_t action_class, ByteView plan);

// One signature over signing_input(domain, document).
struct Signature {
  Digest key{};              // key_id of the signer
  Algorithm algorithm = Algorithm::unknown;
  Bytes bytes;
  friend bool operator==(const Signature&, const Signature&) = default;
};

// Whether the key is of its algorithm's form and a key at all: a point that anybody can sign for is none. Errc::malformed, Errc::unsupported.
Result<void> check_key(const PublicKey& key);

// Errc::permission: not a good signature; Errc::malformed: key or signature are not of their algorithm's form; Errc::unsupported.
Result<void> verify_signature(const PublicKey& key, ByteView message, ByteView signature);

// An Ed25519 key in memory; cleansed at the end. Movable.
class PrivateKey {
 public:
  static PrivateKey generate();
  static Result<PrivateKey> from_pem(std::string_view pem);    // PKCS#8, not encrypted
  static PrivateKey from_seed(const std::array<std::uint8_t, 32>& seed);   // tests and golden files
  PrivateKey(PrivateKey&&) noexcept;
  PrivateKey& operator=(PrivateKey&&) noexcept;
  ~PrivateKey();

  std::string to_pem() const;
  PublicKey public_key() const;
  Bytes sign(ByteView message) const;
  Signature sign(Domain domain, ByteView document) const;

 private:
  struct Impl;
  explicit PrivateKey(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fw::authority
