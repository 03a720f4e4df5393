// Cuts fuzzer input into numbers and pieces, and puts right checksums on frames: a fuzzer cannot find a CRC, a hostile peer computes it.
#pragma once
#include <algorithm>
#include <cstdlib>

#include "protocol/wire/codec.hpp"

namespace fw::fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}

  bool empty() const { return rest_.empty(); }
  std::uint64_t number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (const auto byte : piece(bytes)) value = value << 8U | byte;
    return value;
  }
  wire::ByteView piece(std::size_t bytes) {
    const auto out = rest_.first(std::min(bytes, rest_.size()));
    rest_ = rest_.subspan(out.size());
    return out;
  }
  wire::ByteView rest() { return piece(rest_.size()); }

 private:
  wire::ByteView rest_;
};

inline wire::FrameHeader header_for(wire::FrameKind kind, bool compressed, std::uint32_t announced_bytes, wire::ByteView payload) {
  const auto bytes = static_cast<std::uint32_t>(payload.size());
  return {kind, compressed ? wire::kFlagCompressed : std::uint8_t{0}, bytes, compressed ? announced_bytes : bytes, wire::crc32c(payload)};
}

// Kind, flag, announced length and payload from the input; nothing when the header itself would be refused.
inline std::optional<wire::Bytes> framed(Input& input, std::size_t payload_bytes) {
  const auto kind = static_cast<wire::FrameKind>(1 + input.number(1) % 3);
  const bool compressed = (input.number(1) & 1U) != 0;
  const auto announced = static_cast<std::uint32_t>(input.number(3) % (limits::kMaxUncompressedBytes + 1));
  const auto payload = input.piece(payload_bytes);
  const auto header = wire::encode_header(header_for(kind, compressed, announced, payload));
  if (!wire::decode_header(header)) return std::nullopt;
  wire::Bytes out(header.begin(), header.end());
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}

inline void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace fw::fuzz
