#include "protocol/wire/frame.hpp"

#include <algorithm>
#include <boost/crc.hpp>
#include <string>

namespace fw::wire {
namespace {

constexpr std::array<std::uint8_t, 4> kMagic = {'F', 'W', 'P', '1'};
constexpr std::uint8_t kKnownFlags = kFlagCompressed;
constexpr std::size_t kHeaderCrcOffset = 28;

void put(std::uint8_t* at, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) at[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

std::uint32_t get(const std::uint8_t* at, std::size_t bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) value |= static_cast<std::uint32_t>(at[i]) << (8 * i);
  return value;
}

Result<void> check_payload(const FrameHeader& header, ByteView payload) {
  if (crc32c(payload) != header.payload_crc32c) return Error(Errc::malformed, "frame: payload CRC does not match");
  return {};
}

}  // namespace

std::uint32_t crc32c(ByteView bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

std::array<std::uint8_t, limits::kFrameHeaderBytes> encode_header(const FrameHeader& header) {
  std::array<std::uint8_t, limits::kFrameHeaderBytes> out{};
  std::copy(kMagic.begin(), kMagic.end(), out.begin());
  put(&out[4], kFrameVersion, 2);
  put(&out[6], static_cast<std::uint8_t>(header.kind), 1);
  put(&out[7], header.flags, 1);
  put(&out[8], header.wire_bytes, 4);
  put(&out[12], header.uncompressed_bytes, 4);
  put(&out[24], header.payload_crc32c, 4);
  put(&out[kHeaderCrcOffset], crc32c(ByteView(out).first(kHeaderCrcOffset)), 4);
  return out;
}

Result<FrameHeader> decode_header(std::span<const std::uint8_t, limits::kFrameHeaderBytes> bytes) {
  const std::uint8_t* at = bytes.data();
  if (!std::equal(kMagic.begin(), kMagic.end(), at)) return Error(Errc::malformed, "frame: not a frame (magic)");
  if (get(at + kHeaderCrcOffset, 4) != crc32c(bytes.first(kHeaderCrcOffset)))
    return Error(Errc::malformed, "frame: header CRC does not match");
  if (const auto version = get(at + 4, 2); version != kFrameVersion)
    return Error(Errc::unsupported, "frame: version " + std::to_string(version));
  FrameHeader header;
  const auto kind = at[6];
  if (kind == 0 || kind > static_cast<std::uint8_t>(FrameKind::events))
    return Error(Errc::unsupported, "frame: kind " + std::to_string(kind));
  header.kind = static_cast<FrameKind>(kind);
  header.flags = at[7];
  if ((header.flags & ~kKnownFlags) != 0) return Error(Errc::unsupported, "frame: flags " + std::to_string(header.flags));
  header.wire_bytes = get(at + 8, 4);
  header.uncompressed_bytes = get(at + 12, 4);
  header.payload_crc32c = get(at + 24, 4);
  if (std::any_of(at + 16, at + 24, [](std::uint8_t b) { return b != 0; }))
    return Error(Errc::malformed, "frame: reserved bytes are not 0");
  if (header.wire_bytes > limits::kMaxFrameBytes)
    return Error(Errc::too_large, "frame: " + std::to_string(header.wire_bytes) + " bytes on the wire");
  if (header.uncompressed_bytes > limits::kMaxUncompressedBytes)
    return Error(Errc::too_large, "frame: " + std::to_string(header.uncompressed_bytes) + " bytes uncompressed");
  if (header.wire_bytes == 0 || header.uncompressed_bytes == 0) return Error(Errc::malformed, "frame: empty");
  if ((header.flags & kFlagCompressed) == 0 && header.wire_bytes != header.uncompressed_bytes)
    return Error(Errc::malformed, "frame: not compressed, but its lengths disagree");
  return header;
}

Result<Frame> parse_frame(ByteView bytes) {
  if (bytes.size() < limits::kFrameHeaderBytes) return Error(Errc::malformed, "frame: cut off in its header");
  auto header = decode_header(bytes.first<limits::kFrameHeaderBytes>());
  if (!header) return header.error();
  const auto payload = bytes.subspan(limits::kFrameHeaderBytes);
  if (payload.size() != header->wire_bytes) return Error(Errc::malformed, "frame: length is not the announced one");
  if (auto ok = check_payload(*header, payload); !ok) return ok.error();
  return Frame{*header, payload};
}

void FrameReader::push(ByteView bytes) {
  if (failed_) return;
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(begin_));
  begin_ = 0;
  constexpr std::size_t kKeptBytes = 64 * 1024;  // one large frame does not cost a session its memory for ever
  if (buffer_.empty() && buffer_.capacity() > kKeptBytes) buffer_.shrink_to_fit();
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<Frame>> FrameReader::next() {
  const auto fail = [this](Error error) -> Result<std::optional<Frame>> {
    failed_ = error;
    buffer_.clear();
    begin_ = 0;
    return error;
  };
  if (failed_) return *failed_;
  const auto unread = ByteView(buffer_).subspan(begin_);
  if (!header_) {
    if (unread.size() < limits::kFrameHeaderBytes) return std::optional<Frame>();
    auto header = decode_header(unread.first<limits::kFrameHeaderBytes>());
    if (!header) return fail(header.error());
    header_ = *header;
  }
  const std::size_t frame_bytes = limits::kFrameHeaderBytes + header_->wire_bytes;
  if (unread.size() < frame_bytes) return std::optional<Frame>();
  const Frame frame{*header_, unread.subspan(limits::kFrameHeaderBytes, header_->wire_bytes)};
  if (auto ok = check_payload(frame.header, frame.payload); !ok) return fail(ok.error());
  header_.reset();
  begin_ += frame_bytes;
  return std::optional<Frame>(frame);
}

}  // namespace fw::wire
