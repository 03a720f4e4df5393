// The signer's half of SSHSIG (PROTOCOL.sshsig): what an SSH agent is asked to sign with a security key, and the blob around its answer.
// Pure. The half that checks is verify_signature (crypto.hpp).
#pragma once
#include "protocol/authority/crypto.hpp"

namespace fw::authority {

// "SSHSIG" || namespace || reserved || hash name || SHA512(message), namespace kSshNamespace.
Bytes ssh_signed_data(ByteView message);
// Signature::bytes for sk_ed25519 and sk_p256. `signature`: the SSH signature blob as the agent gave it.
Bytes ssh_signature_blob(const PublicKey& key, ByteView signature);

}  // namespace fw::authority
