// Frames: a fixed header of 32 bytes, then the payload. Pure; knows nothing of Cap'n Proto.
//
//   offset  size  field            all integers little endian
//        0     4  magic            "FWP1"
//        4     2  version          kFrameVersion
//        6     1  kind             FrameKind
//        7     1  flags            kFlag*; an unknown bit is an error
//        8     4  wire bytes       length of the payload that follows, 1..kMaxFrameBytes
//       12     4  uncompressed     length of the Cap'n Proto message, 1..kMaxUncompressedBytes; equal to wire bytes when not compressed
//       16     8  reserved         0
//       24     4  payload CRC32C
//       28     4  header CRC32C    of the 28 bytes before: checked before any length above is believed
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/bytes.hpp"
#include "common/result.hpp"
#include "protocol/limits.hpp"

namespace fw::wire {

using fw::Bytes;
using fw::ByteView;

inline constexpr std::uint16_t kFrameVersion = 1;

// Samples and events travel apart, so that a queue, a spool and back-pressure can treat them apart without decoding (ADR 0002).
enum class FrameKind : std::uint8_t { unknown = 0, control = 1, samples = 2, events = 3 };

inline constexpr std::uint8_t kFlagCompressed = 0x01;   // the payload is one zstd frame with its content size in it

struct FrameHeader {
  FrameKind kind = FrameKind::unknown;
  std::uint8_t flags = 0;
  std::uint32_t wire_bytes = 0;
  std::uint32_t uncompressed_bytes = 0;
  std::uint32_t payload_crc32c = 0;
};

std::uint32_t crc32c(ByteView bytes);

std::array<std::uint8_t, limits::kFrameHeaderBytes> encode_header(const FrameHeader& header);

// Errc::malformed (magic, header CRC, reserved bytes, lengths that disagree), Errc::unsupported (version, kind, flag),
// Errc::too_large (a length above its limit).
Result<FrameHeader> decode_header(std::span<const std::uint8_t, limits::kFrameHeaderBytes> bytes);

struct Frame {
  FrameHeader header;
  ByteView payload;      // into the reader's buffer, or into the caller's bytes
};

// One whole frame and nothing after it, as the spool keeps it: header and payload CRC checked. Errc::malformed also when bytes are
// missing or left over.
Result<Frame> parse_frame(ByteView bytes);

// Cuts a byte stream into frames. Invariant: holds at most one header and one payload of kMaxFrameBytes plus what the caller pushed
// at once. After an error the stream cannot be read further: every next() returns that error.
// Threading: one executor. Lifetime: a returned payload is valid until the next push() or next().
class FrameReader {
 public:
  void push(ByteView bytes);
  Result<std::optional<Frame>> next();   // empty: more bytes are needed. Errors of decode_header, and Errc::malformed for the payload CRC
  std::size_t buffered_bytes() const noexcept { return buffer_.size() - begin_; }

 private:
  Bytes buffer_;
  std::size_t begin_ = 0;
  std::optional<FrameHeader> header_;    // of the frame whose payload is not complete yet
  std::optional<Error> failed_;
};

}  // namespace fw::wire
