// Signatures of OpenSSH's security keys (PROTOCOL.sshsig, PROTOCOL.u2f). Private to protocol/authority.
#pragma once
#include <string_view>

#include "protocol/authority/crypto.hpp"

namespace fw::authority {

inline constexpr std::size_t kMaxSshBlobBytes = 1024;

// The key of a security key's blob. Views into the blob.
struct SshKey {
  Algorithm algorithm = Algorithm::unknown;
  ByteView point;                   // 32 bytes of Ed25519, or 65 bytes of an uncompressed P-256 point
  std::string_view application;     // "ssh:" or "ssh:something"
};
Result<SshKey> parse_ssh_key(ByteView blob);          // Errc::malformed, Errc::unsupported (type)

// What a signature blob says. Views into the blob.
struct SshSignature {
  ByteView public_key;              // must be the key's blob, byte for byte
  std::string_view name_space, hash_name;
  std::string_view type;            // of the inner signature
  ByteView first, second;           // Ed25519: the 64 bytes and nothing; P-256: r and s, unsigned, without leading zeros
  std::uint8_t flags = 0;           // kUserPresent, 0x04: user verified
  std::uint32_t counter = 0;
};
inline constexpr std::uint8_t kUserPresent = 0x01;
Result<SshSignature> parse_ssh_signature(ByteView blob);   // Errc::malformed, Errc::unsupported (version, type)

// What the token signed: SHA256(application) || flags || counter || SHA256("SSHSIG" || namespace || reserved || hash name || SHA512(message)).
Bytes security_key_input(const SshKey& key, const SshSignature& signature, ByteView message);

}  // namespace fw::authority
