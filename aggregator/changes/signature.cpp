#include "aggregator/changes/signature.hpp"

#include <algorithm>

#include "common/id.hpp"
#include "protocol/transport/hmac.hpp"

namespace fw::changes {
namespace {
constexpr std::string_view kPrefix = "sha256=";
}

std::string_view to_string(SignatureCheck check) {
  switch (check) {
    case SignatureCheck::ok: return "ok";
    case SignatureCheck::missing: return "missing";
    case SignatureCheck::malformed: return "malformed";
    case SignatureCheck::mismatch: return "mismatch";
  }
  return "mismatch";
}

SignatureCheck check_signature(std::string_view secret, std::optional<std::string_view> header, std::string_view raw_body) {
  if (!header || header->empty()) return SignatureCheck::missing;
  transport::Digest given{};
  if (!header->starts_with(kPrefix) || header->size() != kPrefix.size() + 2 * given.size()) return SignatureCheck::malformed;
  const auto bytes = from_hex(header->substr(kPrefix.size()));
  if (bytes.has_error()) return SignatureCheck::malformed;
  std::copy(bytes->begin(), bytes->end(), given.begin());
  const bool same = transport::equal_constant_time(given, transport::hmac_sha256(secret, raw_body));
  return same && !secret.empty() ? SignatureCheck::ok : SignatureCheck::mismatch;
}

std::string make_signature(std::string_view secret, std::string_view raw_body) {
  return std::string(kPrefix) + to_hex(transport::hmac_sha256(secret, raw_body));
}

}  // namespace fw::changes
