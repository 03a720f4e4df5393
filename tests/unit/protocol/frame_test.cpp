#include "protocol/wire/frame.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fw::wire {
namespace {

using testing::HasSubstr;

Bytes make_frame(Bytes payload, FrameKind kind = FrameKind::control) {
  const auto bytes = static_cast<std::uint32_t>(payload.size());
  const auto header = encode_header(FrameHeader{kind, 0, bytes, bytes, crc32c(payload)});
  Bytes out(header.begin(), header.end());
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}

Result<FrameHeader> decoded(const std::array<std::uint8_t, limits::kFrameHeaderBytes>& bytes) { return decode_header(bytes); }

// Puts a right CRC on a header that was changed by hand.
Result<FrameHeader> with_right_crc(std::array<std::uint8_t, limits::kFrameHeaderBytes> bytes) {
  const auto crc = crc32c(ByteView(bytes).first(28));
  for (std::size_t i = 0; i < 4; ++i) bytes[28 + i] = static_cast<std::uint8_t>(crc >> (8 * i));
  return decode_header(bytes);
}

TEST(Crc32c, is_castagnoli) {
  const std::string nine = "123456789";
  EXPECT_EQ(crc32c(ByteView(reinterpret_cast<const std::uint8_t*>(nine.data()), nine.size())), 0xe3069283U);
}

TEST(FrameHeader, comes_back_as_it_was) {
  const FrameHeader header{FrameKind::events, kFlagCompressed, 17, 4096, 0x12345678};
  const auto back = decoded(encode_header(header));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->kind, header.kind);
  EXPECT_EQ(back->flags, header.flags);
  EXPECT_EQ(back->wire_bytes, header.wire_bytes);
  EXPECT_EQ(back->uncompressed_bytes, header.uncompressed_bytes);
  EXPECT_EQ(back->payload_crc32c, header.payload_crc32c);
}

TEST(FrameHeader, every_flipped_bit_is_an_error) {
  const auto good = encode_header(FrameHeader{FrameKind::samples, kFlagCompressed, 100, 1000, 99});
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    auto bad = good;
    bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ (1U << (bit % 8)));
    EXPECT_FALSE(decoded(bad)) << "bit " << bit;
  }
}

TEST(FrameHeader, accepts_each_length_limit_and_refuses_one_more) {
  constexpr auto kWire = static_cast<std::uint32_t>(limits::kMaxFrameBytes);
  constexpr auto kFlat = static_cast<std::uint32_t>(limits::kMaxUncompressedBytes);
  EXPECT_TRUE(decoded(encode_header({FrameKind::samples, kFlagCompressed, kWire, kFlat, 0})));
  EXPECT_EQ(decoded(encode_header({FrameKind::samples, kFlagCompressed, kWire + 1, kFlat, 0})).error().code, Errc::too_large);
  EXPECT_EQ(decoded(encode_header({FrameKind::samples, kFlagCompressed, kWire, kFlat + 1, 0})).error().code, Errc::too_large);
  EXPECT_EQ(decoded(encode_header({FrameKind::samples, kFlagCompressed, 0, 8, 0})).error().code, Errc::malformed);
  EXPECT_EQ(decoded(encode_header({FrameKind::samples, kFlagCompressed, 8, 0, 0})).error().code, Errc::malformed);
  EXPECT_EQ(decoded(encode_header({FrameKind::samples, 0, 8, 16, 0})).error().code, Errc::malformed);
}

TEST(FrameHeader, names_what_it_does_not_know) {
  auto bytes = encode_header({FrameKind::control, 0, 8, 8, 0});
  auto version = bytes, kind = bytes, flags = bytes, reserved = bytes;
  version[4] = 9;
  kind[6] = 4;
  flags[7] = 0x82;
  reserved[20] = 1;
  EXPECT_EQ(with_right_crc(version).error().message(), "frame: version 9");
  EXPECT_EQ(with_right_crc(kind).error().message(), "frame: kind 4");
  EXPECT_EQ(with_right_crc(flags).error().message(), "frame: flags 130");
  EXPECT_EQ(with_right_crc(reserved).error().code, Errc::malformed);
  EXPECT_TRUE(with_right_crc(bytes));
}

TEST(ParseFrame, wants_exactly_one_frame) {
  const auto good = make_frame({1, 2, 3, 4, 5, 6, 7, 8});
  ASSERT_TRUE(parse_frame(good));
  EXPECT_EQ(parse_frame(good)->payload.size(), 8U);
  for (std::size_t n = 0; n < good.size(); ++n) EXPECT_FALSE(parse_frame(ByteView(good).first(n))) << n;
  auto longer = good;
  longer.push_back(0);
  EXPECT_FALSE(parse_frame(longer));
}

TEST(FrameReader, gives_frames_whatever_the_pieces_they_come_in) {
  Bytes stream;
  for (std::uint8_t i = 1; i <= 3; ++i) {
    const auto frame = make_frame(Bytes(i, i));
    stream.insert(stream.end(), frame.begin(), frame.end());
  }
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    FrameReader reader;
    std::vector<std::size_t> sizes;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      reader.push(ByteView(stream).subspan(at, std::min(piece, stream.size() - at)));
      for (;;) {
        const auto frame = reader.next();
        ASSERT_TRUE(frame);
        if (!*frame) break;
        sizes.push_back((*frame)->payload.size());
      }
    }
    EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 2, 3})) << "pieces of " << piece;
    EXPECT_EQ(reader.buffered_bytes(), 0U);
  }
}

TEST(FrameReader, keeps_the_error_once_the_stream_is_broken) {
  FrameReader reader;
  auto bad = make_frame({1, 2, 3});
  bad.back() ^= 1U;
  reader.push(bad);
  EXPECT_THAT(reader.next().error().message(), HasSubstr("payload CRC"));
  reader.push(make_frame({1}));
  EXPECT_THAT(reader.next().error().message(), HasSubstr("payload CRC"));
  EXPECT_EQ(reader.buffered_bytes(), 0U);
}

TEST(FrameReader, refuses_a_length_before_its_bytes_have_come) {
  FrameReader reader;
  const auto header = encode_header({FrameKind::events, kFlagCompressed, static_cast<std::uint32_t>(limits::kMaxFrameBytes) + 1, 8, 0});
  reader.push(header);
  EXPECT_EQ(reader.next().error().code, Errc::too_large);
}

}  // namespace
}  // namespace fw::wire
