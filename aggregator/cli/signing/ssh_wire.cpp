#include "aggregator/cli/signing/ssh_wire.hpp"

#include "aggregator/cli/signing/bytes_text.hpp"

namespace fw::cli::ssh {

std::optional<ByteView> Reader::take(std::size_t size) {
  if (failed_ || rest_.size() < size) {
    failed_ = true;
    return std::nullopt;
  }
  const auto out = rest_.first(size);
  rest_ = rest_.subspan(size);
  return out;
}

std::optional<std::uint8_t> Reader::byte() {
  const auto bytes = take(1);
  return bytes ? std::optional((*bytes)[0]) : std::nullopt;
}

std::optional<std::uint32_t> Reader::number() {
  const auto bytes = take(4);
  if (!bytes) return std::nullopt;
  std::uint32_t value = 0;
  for (const auto byte : *bytes) value = value << 8U | byte;
  return value;
}

std::optional<ByteView> Reader::string() {
  const auto size = number();
  return size ? take(*size) : std::nullopt;
}

std::optional<std::string_view> Reader::text() {
  const auto bytes = string();
  return bytes ? std::optional(text_of(*bytes)) : std::nullopt;
}

void put_byte(Bytes& out, std::uint8_t value) { out.push_back(value); }

void put_number(Bytes& out, std::uint32_t value) {
  for (const auto shift : {24U, 16U, 8U, 0U}) out.push_back(static_cast<std::uint8_t>(value >> shift & 0xFFU));
}

void put_string(Bytes& out, ByteView bytes) {
  put_number(out, static_cast<std::uint32_t>(bytes.size()));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void put_string(Bytes& out, std::string_view text) { put_string(out, bytes_of(text)); }

}  // namespace fw::cli::ssh
