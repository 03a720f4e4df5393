// Who signs: a key in a file, or one that an SSH agent holds. Nothing leaves here that does not verify.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "protocol/authority/crypto.hpp"

namespace fw::cli {

inline constexpr std::string_view kAgentKey = "ssh-agent";   // `--key ssh-agent`, `--key ssh-agent:WORD`
bool is_agent_key(std::string_view key) noexcept;

// Threading: one thread. Blocking: an agent's key may wait for a finger.
class Signer {
 public:
  virtual ~Signer() = default;
  const authority::PublicKey& key() const noexcept { return key_; }
  const std::string& where() const noexcept { return where_; }   // "people/alice.sign.key", "SSH agent (alice@laptop)"
  // Errc::permission when what came out does not verify with key().
  Result<Bytes> sign(ByteView message);
  Result<authority::Signature> sign(authority::Domain domain, ByteView document);

 protected:
  Signer(authority::PublicKey key, std::string where) : key_(std::move(key)), where_(std::move(where)) {}

 private:
  virtual Result<Bytes> make_signature(ByteView message) = 0;
  authority::PublicKey key_;
  std::string where_;
};

// Errc::permission when others may read the file: a key that others can read is nobody's signature.
Result<std::unique_ptr<Signer>> file_signer(const std::string& path);

// `wanted`: a word of the comment, the beginning of the key id, or "" for the only key that is in `listed` (the keys that count; empty:
// any). Errc::not_found, Errc::conflict (several; the text names them).
Result<std::unique_ptr<Signer>> agent_signer(const std::string& socket_path, std::string_view wanted,
                                             const std::vector<authority::PublicKey>& listed);

// Where a new key goes: PATH (0600) and its public line beside it (0644). Errc::conflict when one exists.
Result<authority::PublicKey> make_key_file(const std::string& path, std::string_view comment);
std::string public_key_path(const std::string& key_path);   // alice.sign.key -> alice.sign.pub

}  // namespace fw::cli
