#include "aggregator/cli/signing/key_text.hpp"

#include <array>

#include "aggregator/cli/signing/bytes_text.hpp"
#include "aggregator/cli/signing/ssh_wire.hpp"

namespace fw::cli {
namespace {

using authority::Algorithm;
using authority::PublicKey;

constexpr std::string_view kPrefix = "ed25519:";
constexpr std::string_view kPlain = "ssh-ed25519";
constexpr std::string_view kSkEd25519 = "sk-ssh-ed25519@openssh.com";
constexpr std::string_view kSkP256 = "sk-ecdsa-sha2-nistp256@openssh.com";
constexpr std::string_view kCurve = "nistp256";
constexpr std::size_t kEd25519Bytes = 32, kPointBytes = 65, kMaxApplicationBytes = 256;

Error malformed(std::string why) { return {Errc::malformed, std::move(why)}; }

std::string_view next_word(std::string_view& text) {
  const auto start = std::min(text.find_first_not_of(" \t"), text.size());
  text.remove_prefix(start);
  const auto end = std::min(text.find_first_of(" \t"), text.size());
  const auto word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

}  // namespace

Result<PublicKey> key_of_ssh_blob(ByteView blob) {
  ssh::Reader reader(blob);
  const auto kind = reader.text();
  if (!kind) return malformed("not an SSH public key");
  if (*kind == kPlain) {
    const auto key = reader.string();
    if (!key || key->size() != kEd25519Bytes || !reader.at_end()) return malformed("not an ssh-ed25519 key");
    return PublicKey{Algorithm::ed25519, Bytes(key->begin(), key->end())};
  }
  if (*kind != kSkEd25519 && *kind != kSkP256) {
    return Error(Errc::unsupported, "keys of the kind " + std::string(*kind) + " cannot sign here; use ed25519 or a security key");
  }
  const bool is_p256 = *kind == kSkP256;
  if (is_p256 && reader.text() != kCurve) return malformed("not a key on nistp256");
  const auto key = reader.string();
  const auto application = reader.string();
  if (!key || key->size() != (is_p256 ? kPointBytes : kEd25519Bytes) || !application ||
      application->size() > kMaxApplicationBytes || !reader.at_end()) {
    return malformed("not a key of a security key");
  }
  return PublicKey{is_p256 ? Algorithm::sk_p256 : Algorithm::sk_ed25519, Bytes(blob.begin(), blob.end())};
}

Bytes ssh_blob_of(const PublicKey& key) {
  if (key.algorithm != Algorithm::ed25519) return key.bytes;
  Bytes out;
  ssh::put_string(out, kPlain);
  ssh::put_string(out, key.bytes);
  return out;
}

std::string key_text(const PublicKey& key) {
  switch (key.algorithm) {
    case Algorithm::ed25519: return std::string(kPrefix) + encode_base64(key.bytes);
    case Algorithm::sk_ed25519: return std::string(kSkEd25519) + " " + encode_base64(key.bytes);
    case Algorithm::sk_p256: return std::string(kSkP256) + " " + encode_base64(key.bytes);
    case Algorithm::unknown: break;
  }
  return "none";
}

Result<PublicKey> parse_key_text(std::string_view text) {
  const auto first = next_word(text);
  if (first.starts_with(kPrefix)) {
    const auto bytes = decode_base64(first.substr(kPrefix.size()));
    if (!bytes || bytes->size() != kEd25519Bytes) {
      return malformed("after ed25519: there must be the base64 of 32 bytes");
    }
    return PublicKey{Algorithm::ed25519, *bytes};
  }
  const auto blob = decode_base64(next_word(text));
  if (!blob || blob->empty()) return malformed("a key looks like ed25519:BASE64 or sk-ssh-ed25519@openssh.com BASE64");
  auto key = key_of_ssh_blob(*blob);
  if (key && ssh::Reader(*blob).text() != first) return malformed("the key is of another kind than the word before it");
  return key;
}

std::string short_key_id(const PublicKey& key) {
  constexpr std::size_t kShown = 16;
  return authority::to_text(authority::key_id(key)).substr(0, kShown);
}

}  // namespace fw::cli
