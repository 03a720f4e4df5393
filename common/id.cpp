#include "common/id.hpp"

#include <sys/random.h>

#include <cerrno>

namespace fw {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void set_version(Uuid& id, std::uint8_t version) {
  const unsigned high = id.bytes[6];
  const unsigned variant = id.bytes[8];
  id.bytes[6] = static_cast<std::uint8_t>((high & 0x0fU) | (unsigned{version} << 4U));
  id.bytes[8] = static_cast<std::uint8_t>((variant & 0x3fU) | 0x80U);
}

}  // namespace

std::string Uuid::str() const {
  std::string out;
  out.reserve(36);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += kDigits[bytes[i] >> 4U];
    out += kDigits[bytes[i] & 0x0fU];
  }
  return out;
}

Result<Uuid> Uuid::parse(std::string_view text) {
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '-' && text.size() == 36 && (i == 8 || i == 13 || i == 18 || i == 23)) continue;
    digits += text[i];
  }
  auto raw = from_hex(digits);
  if (!raw || raw->size() != 16) return Error(Errc::malformed, "not a UUID: '" + std::string(text.substr(0, 64)) + "'");
  Uuid id;
  for (std::size_t i = 0; i < 16; ++i) id.bytes[i] = static_cast<std::uint8_t>((*raw)[i]);
  return id;
}

Uuid make_uuid_v7(std::int64_t wall_ns) {
  Uuid id;
  fill_random(id.bytes);
  const auto ms = static_cast<std::uint64_t>(wall_ns / 1'000'000);
  for (std::size_t i = 0; i < 6; ++i) id.bytes[i] = static_cast<std::uint8_t>(ms >> (8 * (5 - i)));
  set_version(id, 7);
  return id;
}

Uuid make_uuid_v4() {
  Uuid id;
  fill_random(id.bytes);
  set_version(id, 4);
  return id;
}

void fill_random(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const ssize_t n = ::getrandom(out.data(), out.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    FW_ASSERT(n > 0, "getrandom failed");
    out = out.subspan(static_cast<std::size_t>(n));
  }
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const auto b : bytes) {
    out += kDigits[b >> 4U];
    out += kDigits[b & 0x0fU];
  }
  return out;
}

Result<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return Error(Errc::malformed, "hex text of odd length");
  std::string out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int hi = hex_value(text[i]);
    const int lo = hex_value(text[i + 1]);
    if (hi < 0 || lo < 0) return Error(Errc::malformed, "not a hex digit");
    out += static_cast<char>(hi * 16 + lo);
  }
  return out;
}

}  // namespace fw
