// 128-bit identifiers, their text forms, and random bytes.
#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace fw {

// A UUID: node uids, boot ids, stream ids, session ids, change ids, incident uids.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  friend auto operator<=>(const Uuid&, const Uuid&) = default;
  bool is_nil() const noexcept { return *this == Uuid{}; }
  std::string str() const;                          // 8-4-4-4-12, lower case
  static Result<Uuid> parse(std::string_view text); // with or without dashes; Errc::malformed
};

// RFC 9562 version 7: 48 bit Unix ms, then random bits. Ids made in one process with a clock that stands still or goes back are
// still distinct; they are ordered only between different milliseconds. Thread-safe.
Uuid make_uuid_v7(std::int64_t wall_ns);
Uuid make_uuid_v4();

// getrandom(2); aborts when the kernel cannot give random bytes.
void fill_random(std::span<std::uint8_t> out);

std::string to_hex(std::span<const std::uint8_t> bytes);                    // lower case
Result<std::string> from_hex(std::string_view text);                        // bytes as a string; Errc::malformed

}  // namespace fw

template <>
struct std::hash<fw::Uuid> {
  std::size_t operator()(const fw::Uuid& id) const noexcept {
    std::size_t h = 1469598103934665603ULL;  // FNV-1a; the bytes are random already
    for (const auto b : id.bytes) h = (h ^ b) * 1099511628211ULL;
    return h;
  }
};
