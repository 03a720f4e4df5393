#include "protocol/authority/ssh_signing.hpp"

#include <openssl/sha.h>

namespace fw::authority {
namespace {

constexpr std::string_view kMagic = "SSHSIG";
constexpr std::string_view kHashName = "sha512";
constexpr std::uint8_t kVersion = 1;

ByteView as_bytes(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }
void append(Bytes& to, ByteView bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }
void append_string(Bytes& to, ByteView bytes) {
  const auto size = static_cast<std::uint32_t>(bytes.size());
  for (const auto shift : {24U, 16U, 8U, 0U}) to.push_back(static_cast<std::uint8_t>(size >> shift & 0xFFU));
  append(to, bytes);
}

}  // namespace

Bytes ssh_signed_data(ByteView message) {
  std::array<std::uint8_t, SHA512_DIGEST_LENGTH> hash{};
  SHA512(message.data(), message.size(), hash.data());
  Bytes out;
  append(out, as_bytes(kMagic));
  append_string(out, as_bytes(kSshNamespace));
  append_string(out, {});
  append_string(out, as_bytes(kHashName));
  append_string(out, hash);
  return out;
}

Bytes ssh_signature_blob(const PublicKey& key, ByteView signature) {
  Bytes out;
  append(out, as_bytes(kMagic));
  append(out, Bytes{0, 0, 0, kVersion});
  append_string(out, key.bytes);
  append_string(out, as_bytes(kSshNamespace));
  append_string(out, {});
  append_string(out, as_bytes(kHashName));
  append_string(out, signature);
  return out;
}

}  // namespace fw::authority
