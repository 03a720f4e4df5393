#include "aggregator/governance/signatures.hpp"

#include <algorithm>

namespace fw::governance {

std::string encode_signatures(const std::vector<authority::Signature>& signatures) {
  std::string out(1, static_cast<char>(signatures.size()));
  for (const authority::Signature& s : signatures) {
    out.append(s.key.begin(), s.key.end());
    out.push_back(static_cast<char>(s.algorithm));
    out.push_back(static_cast<char>(s.bytes.size() >> 8U));
    out.push_back(static_cast<char>(s.bytes.size() & 0xffU));
    out.append(s.bytes.begin(), s.bytes.end());
  }
  return out;
}

Result<std::vector<authority::Signature>> decode_signatures(std::string_view bytes) {
  const Error bad(Errc::malformed, "signatures");
  if (bytes.empty()) return bad;
  std::vector<authority::Signature> signatures(static_cast<unsigned char>(bytes.front()));
  bytes.remove_prefix(1);
  for (authority::Signature& s : signatures) {
    constexpr std::size_t kHead = 32 + 1 + 2;
    if (bytes.size() < kHead) return bad;
    std::copy_n(bytes.begin(), s.key.size(), s.key.begin());
    s.algorithm = static_cast<authority::Algorithm>(bytes[32]);
    const std::size_t length = static_cast<unsigned char>(bytes[33]) * std::size_t{256} + static_cast<unsigned char>(bytes[34]);
    bytes.remove_prefix(kHead);
    if (bytes.size() < length) return bad;
    s.bytes.assign(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
    bytes.remove_prefix(length);
  }
  if (!bytes.empty()) return bad;
  return signatures;
}

std::optional<authority::Algorithm> parse_algorithm(std::string_view text) {
  using authority::Algorithm;
  for (const Algorithm algorithm : {Algorithm::ed25519, Algorithm::sk_ed25519, Algorithm::sk_p256}) {
    if (authority::to_string(algorithm) == text) return algorithm;
  }
  return std::nullopt;
}

}  // namespace fw::governance
