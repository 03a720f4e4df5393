#include "aggregator/cli/signing/signer.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "aggregator/cli/files.hpp"
#include "aggregator/cli/signing/key_text.hpp"
#include "aggregator/cli/signing/ssh_agent.hpp"

namespace fw::cli {
namespace {

using authority::PublicKey;

class FileSigner final : public Signer {
 public:
  FileSigner(authority::PrivateKey key, const std::string& path)
      : Signer(key.public_key(), path), private_key_(std::move(key)) {}

 private:
  Result<Bytes> make_signature(ByteView message) override { return private_key_.sign(message); }
  authority::PrivateKey private_key_;
};

class AgentSigner final : public Signer {
 public:
  AgentSigner(ssh::Agent agent, const ssh::Identity& identity)
      : Signer(identity.key, "SSH agent (" + identity.comment + ")"), agent_(std::move(agent)) {}

 private:
  Result<Bytes> make_signature(ByteView message) override { return agent_.sign(key(), message); }
  ssh::Agent agent_;
};

bool matches(const ssh::Identity& identity, std::string_view wanted, const std::vector<PublicKey>& listed) {
  if (!wanted.empty()) {
    return identity.comment.find(wanted) != std::string::npos ||
           authority::to_text(authority::key_id(identity.key)).starts_with(wanted);
  }
  return listed.empty() || std::find(listed.begin(), listed.end(), identity.key) != listed.end();
}

}  // namespace

bool is_agent_key(std::string_view key) noexcept {
  return key.starts_with(kAgentKey) && (key.size() == kAgentKey.size() || key[kAgentKey.size()] == ':');
}

Result<Bytes> Signer::sign(ByteView message) {
  auto signature = make_signature(message);
  if (!signature) return signature;
  if (const auto good = authority::verify_signature(key_, message, *signature); !good) {
    return with_context(good.error(), "the signature of " + where_ + " is not good");
  }
  return signature;
}

Result<authority::Signature> Signer::sign(authority::Domain domain, ByteView document) {
  auto bytes = sign(authority::signing_input(domain, document));
  if (!bytes) return bytes.error();
  return authority::Signature{authority::key_id(key_), key_.algorithm, std::move(*bytes)};
}

Result<std::unique_ptr<Signer>> file_signer(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return errno_error(errno, path);
  if ((status.st_mode & 077U) != 0) {
    return Error(Errc::permission, path + ": others may read this key; chmod 600 it, or make a new one if they did");
  }
  const auto pem = read_file(path, kMaxConfigBytes);
  if (!pem) return pem.error();
  auto key = authority::PrivateKey::from_pem(*pem);
  if (!key) return with_context(key.error(), path);
  return std::unique_ptr<Signer>(std::make_unique<FileSigner>(std::move(*key), path));
}

Result<std::unique_ptr<Signer>> agent_signer(const std::string& socket_path, std::string_view wanted,
                                             const std::vector<PublicKey>& listed) {
  auto agent = ssh::Agent::connect(socket_path);
  if (!agent) return agent.error();
  auto identities = agent->identities();
  if (!identities) return identities.error();
  std::erase_if(*identities, [&](const ssh::Identity& identity) { return !matches(identity, wanted, listed); });
  if (identities->empty()) {
    return Error(Errc::not_found, wanted.empty() ? "the SSH agent holds no key that counts; `ssh-add -l` lists its keys"
                                                 : "the SSH agent holds no key '" + std::string(wanted) + "' that can sign here");
  }
  if (identities->size() > 1) {
    std::string which;
    for (const auto& identity : *identities) which += (which.empty() ? "" : ", ") + short_key_id(identity.key) + " (" + identity.comment + ")";
    return Error(Errc::conflict, "the SSH agent holds several: " + which + "; name one with --key ssh-agent:WORD");
  }
  return std::unique_ptr<Signer>(std::make_unique<AgentSigner>(std::move(*agent), identities->front()));
}

std::string public_key_path(const std::string& key_path) {
  constexpr std::string_view kEnding = ".key";
  auto out = key_path;
  if (out.ends_with(kEnding)) out.resize(out.size() - kEnding.size());
  return out + ".pub";
}

Result<PublicKey> make_key_file(const std::string& path, std::string_view comment) {
  const auto key = authority::PrivateKey::generate();
  auto line = key_text(key.public_key());
  if (!comment.empty()) line += " " + std::string(comment);
  if (const auto made = create_file(path, key.to_pem(), FileMode::secret); !made) return made.error();
  if (const auto made = replace_file(public_key_path(path), line + "\n", FileMode::plain); !made) return made.error();
  return key.public_key();
}

}  // namespace fw::cli
