#include "protocol/authority/sshsig.hpp"

#include <openssl/sha.h>

#include <algorithm>

namespace fw::authority {
namespace {

constexpr std::string_view kMagic = "SSHSIG";
constexpr std::string_view kEd25519Type = "sk-ssh-ed25519@openssh.com";
constexpr std::string_view kP256Type = "sk-ecdsa-sha2-nistp256@openssh.com";
constexpr std::string_view kP256Curve = "nistp256";
constexpr std::size_t kP256ScalarBytes = 32;

std::string_view as_text(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// Reads SSH's wire types; after the first thing that is not there every read gives nothing and ok() is false.
class Reader {
 public:
  explicit Reader(ByteView rest) : rest_(rest) {}

  ByteView raw(std::size_t bytes) {
    if (bytes > rest_.size()) ok_ = false;
    if (!ok_) return {};
    const auto out = rest_.first(bytes);
    rest_ = rest_.subspan(bytes);
    return out;
  }
  std::uint32_t u32() {
    std::uint32_t value = 0;
    for (const auto byte : raw(4)) value = value << 8U | byte;
    return value;
  }
  std::uint8_t u8() {
    const auto byte = raw(1);
    return byte.empty() ? std::uint8_t{0} : byte.front();
  }
  ByteView string() { return raw(u32()); }
  // A positive number in the shortest form, without its sign byte.
  ByteView positive() {
    auto number = string();
    if (number.empty() || (number.front() & 0x80U) != 0) ok_ = false;
    if (!ok_ || number.front() != 0) return number;
    if (number.size() < 2 || (number[1] & 0x80U) == 0) ok_ = false;
    return number.subspan(1);
  }
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && rest_.empty(); }

 private:
  ByteView rest_;
  bool ok_ = true;
};

Error malformed(const char* what) { return {Errc::malformed, what}; }

void append(Bytes& to, ByteView bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }
void append_u32(Bytes& to, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) to.push_back(static_cast<std::uint8_t>(value >> static_cast<unsigned>(shift)));
}
ByteView as_bytes(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }
void append_string(Bytes& to, ByteView bytes) {
  append_u32(to, static_cast<std::uint32_t>(bytes.size()));
  append(to, bytes);
}

}  // namespace

Result<SshKey> parse_ssh_key(ByteView blob) {
  if (blob.size() > kMaxSshBlobBytes) return malformed("SSH key: longer than any");
  Reader in(blob);
  SshKey key;
  const auto type = as_text(in.string());
  if (type == kEd25519Type) {
    key.algorithm = Algorithm::sk_ed25519;
    key.point = in.string();
    if (in.ok() && key.point.size() != 32) return malformed("SSH key: not 32 bytes of Ed25519");
  } else if (type == kP256Type) {
    key.algorithm = Algorithm::sk_p256;
    if (as_text(in.string()) != kP256Curve) return malformed("SSH key: not on nistp256");
    key.point = in.string();
    if (in.ok() && (key.point.size() != 1 + 2 * kP256ScalarBytes || key.point.front() != 0x04))
      return malformed("SSH key: not an uncompressed point");
  } else {
    return in.ok() ? Error(Errc::unsupported, "SSH key: not of a security key") : malformed("SSH key: cut off");
  }
  key.application = as_text(in.string());
  if (!in.at_end()) return malformed("SSH key: cut off, or more after it");
  // Tokens sign for web pages under other names: such a signature must never pass for an approval.
  if (!key.application.starts_with("ssh:")) return malformed("SSH key: made for something else than SSH");
  return key;
}

Result<SshSignature> parse_ssh_signature(ByteView blob) {
  if (blob.size() > kMaxSshBlobBytes) return malformed("SSH signature: longer than any");
  Reader in(blob);
  if (as_text(in.raw(kMagic.size())) != kMagic) return malformed("SSH signature: no SSHSIG");
  SshSignature out;
  if (const auto version = in.u32(); in.ok() && version != 1) return Error(Errc::unsupported, "SSH signature: not version 1");
  out.public_key = in.string();
  out.name_space = as_text(in.string());
  const auto reserved = in.string();
  out.hash_name = as_text(in.string());
  Reader signature(in.string());
  if (!in.at_end()) return malformed("SSH signature: cut off, or more after it");
  if (!reserved.empty()) return Error(Errc::unsupported, "SSH signature: its reserved field is used");

  out.type = as_text(signature.string());
  Reader inner(signature.string());
  if (!signature.ok()) return malformed("SSH signature: cut off");
  if (out.type == kEd25519Type) {
    out.first = inner.raw(64);
  } else if (out.type == kP256Type) {
    out.first = inner.positive();
    out.second = inner.positive();
    if (out.first.size() > kP256ScalarBytes || out.second.size() > kP256ScalarBytes) return malformed("SSH signature: numbers too large");
  } else {
    return Error(Errc::unsupported, "SSH signature: not of a security key");
  }
  out.flags = signature.u8();
  out.counter = signature.u32();
  if (!inner.at_end() || !signature.at_end()) return malformed("SSH signature: not of its type's form");
  return out;
}

Bytes security_key_input(const SshKey& key, const SshSignature& signature, ByteView message) {
  std::array<std::uint8_t, SHA512_DIGEST_LENGTH> hash{};
  SHA512(message.data(), message.size(), hash.data());
  Bytes inner;
  append(inner, as_bytes(kMagic));
  append_string(inner, as_bytes(signature.name_space));
  append_string(inner, {});
  append_string(inner, as_bytes(signature.hash_name));
  append_string(inner, hash);

  Bytes out;
  append(out, sha256(as_bytes(key.application)));
  out.push_back(signature.flags);
  append_u32(out, signature.counter);
  append(out, sha256(inner));
  return out;
}

}  // namespace fw::authority
