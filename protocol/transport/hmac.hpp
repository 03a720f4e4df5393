// HMAC-SHA256 and a comparison in constant time. OpenSSL stays in hmac.cpp.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

namespace fw::transport {

using Digest = std::array<std::uint8_t, 32>;

// Pure. Aborts when OpenSSL has no SHA-256, which no configuration of ours allows.
Digest hmac_sha256(std::string_view secret, std::string_view bytes);

// Takes the same time wherever the two differ.
bool equal_constant_time(const Digest& a, const Digest& b) noexcept;

}  // namespace fw::transport
