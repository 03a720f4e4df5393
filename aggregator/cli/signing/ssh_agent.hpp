// A client of the SSH agent's protocol (draft-miller-ssh-agent): the keys it holds, and one signature.
//
// What an agent answers is outside bytes: it may be another program's socket, or forwarded. Nothing of it is believed before
// verify_signature said so (signer.cpp).
#pragma once
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "common/unique_fd.hpp"
#include "protocol/authority/crypto.hpp"

namespace fw::cli::ssh {

inline constexpr std::size_t kMaxAgentMessageBytes = 256 * 1024;

struct Identity {
  authority::PublicKey key;
  std::string comment;
};

// Messages without their length. Pure.
Bytes identities_request();
Bytes sign_request(const authority::PublicKey& key, ByteView data);
Result<std::vector<Identity>> parse_identities(ByteView message);           // those that can sign here; Errc::malformed
Result<Bytes> parse_signature(ByteView message);                            // the signature's SSH blob; Errc::permission: the agent refused

// The bytes of a Signature (crypto.hpp) for what an agent answered: raw for a plain key, an SSHSIG blob for a security key.
Result<Bytes> signature_of_blob(const authority::PublicKey& key, ByteView blob);  // Errc::malformed

// Threading: one thread. Blocking: at most kAnswerTime for the list, kTouchTime for a signature, which may need a finger.
class Agent {
 public:
  static constexpr std::chrono::seconds kAnswerTime{10}, kTouchTime{120};

  static Result<Agent> connect(const std::string& socket_path);
  Result<std::vector<Identity>> identities();
  Result<Bytes> sign(const authority::PublicKey& key, ByteView message);   // Signature::bytes

 private:
  explicit Agent(UniqueFd socket) : socket_(std::move(socket)) {}
  Result<Bytes> ask(ByteView message, std::chrono::milliseconds patience);
  UniqueFd socket_;
};

}  // namespace fw::cli::ssh
