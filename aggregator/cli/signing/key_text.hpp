// Public keys as people write them. Pure.
//
//   ed25519:<base64 of 32 bytes> [comment]                         key of a file, or a plain key of an SSH agent
//   ssh-ed25519 AAAA... [comment]                                  the same, as OpenSSH prints it
//   sk-ssh-ed25519@openssh.com AAAA... [comment]                   a security key
//   sk-ecdsa-sha2-nistp256@openssh.com AAAA... [comment]           a security key
#pragma once
#include <string>
#include <string_view>

#include "protocol/authority/crypto.hpp"

namespace fw::cli {

std::string key_text(const authority::PublicKey& key);                      // the first, third or fourth form
Result<authority::PublicKey> parse_key_text(std::string_view text);         // Errc::malformed, Errc::unsupported (kind of key)
Result<authority::PublicKey> key_of_ssh_blob(ByteView blob);                // as above
Bytes ssh_blob_of(const authority::PublicKey& key);

// The first 16 hex digits of the key id: what people compare.
std::string short_key_id(const authority::PublicKey& key);

}  // namespace fw::cli
