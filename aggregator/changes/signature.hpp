// Webhook signatures: HMAC-SHA256 over the raw body, as "sha256=<64 hex digits>".
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fw::changes {

enum class SignatureCheck : std::uint8_t { ok, missing, malformed, mismatch };
std::string_view to_string(SignatureCheck check);

// Constant time in the digest. Hex digits may be upper case, the prefix may not; SHA-1 signatures are malformed. An empty secret
// never matches, so that a source without a secret is closed, not open.
SignatureCheck check_signature(std::string_view secret, std::optional<std::string_view> header, std::string_view raw_body);

// "sha256=<hex>", for clients and tests.
std::string make_signature(std::string_view secret, std::string_view raw_body);

}  // namespace fw::changes
