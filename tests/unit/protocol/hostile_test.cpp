// Frames with right checksums and evil content: each must end in a named error, before memory is spent on it.
#include <capnp/message.h>
#include <capnp/serialize.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include <cstring>

#include "protocol/wire/codec.hpp"
#include "schema/control.capnp.h"
#include "schema/events.capnp.h"
#include "schema/samples.capnp.h"

namespace fw::wire {
namespace {

using testing::HasSubstr;
using Words = std::vector<std::uint64_t>;   // little endian machines only, as all of ours

Words words_of(capnp::MessageBuilder& builder) {
  const auto flat = capnp::messageToFlatArray(builder);
  Words words(flat.size());
  std::memcpy(words.data(), flat.begin(), flat.asBytes().size());
  return words;
}

Bytes bytes_of(const Words& words) {
  Bytes bytes(words.size() * 8);
  std::memcpy(bytes.data(), words.data(), bytes.size());
  return bytes;
}

Result<Message> decode_plain(FrameKind kind, const Words& words) {
  const auto payload = bytes_of(words);
  const auto size = static_cast<std::uint32_t>(payload.size());
  return Codec().decode(Frame{FrameHeader{kind, 0, size, size, crc32c(payload)}, payload});
}

Result<Message> decode_zstd(const Bytes& payload, std::size_t announced) {
  const FrameHeader header{FrameKind::samples, kFlagCompressed, static_cast<std::uint32_t>(payload.size()), static_cast<std::uint32_t>(announced),
                           crc32c(payload)};
  return Codec().decode(Frame{header, payload});
}

Bytes zstd(const Bytes& plain) {
  Bytes out(ZSTD_compressBound(plain.size()));
  out.resize(ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), 1));
  return out;
}

void expect_error(const Result<Message>& result, Errc errc, const char* text) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, errc) << result.error().message();
  EXPECT_THAT(result.error().message(), HasSubstr(text));
}

// The frame of a window descriptor and a content size, with one raw block of `content`.
Bytes zstd_frame(std::uint8_t window_log, std::uint32_t content_size, std::uint8_t content) {
  Bytes out = {0x28, 0xb5, 0x2f, 0xfd, 0x80, static_cast<std::uint8_t>((window_log - 10) << 3)};
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<std::uint8_t>(content_size >> (8 * i)));
  const std::uint32_t block = 1U | (1U << 1) | (content_size << 3);  // last, RLE
  for (int i = 0; i < 3; ++i) out.push_back(static_cast<std::uint8_t>(block >> (8 * i)));
  out.push_back(content);
  return out;
}

TEST(HostileZstd, window_at_the_limit_is_taken_and_above_it_is_refused) {
  expect_error(decode_zstd(zstd_frame(23, 4096, 0), 4096), Errc::malformed, "message: segment table");  // zstd was fine
  expect_error(decode_zstd(zstd_frame(24, 4096, 0), 4096), Errc::too_large, "zstd: window of 16777216 bytes");
  expect_error(decode_zstd(zstd_frame(31, 4096, 0), 4096), Errc::too_large, "zstd: window");
}

TEST(HostileZstd, a_bomb_must_announce_itself_and_is_then_bounded) {
  const auto bomb = zstd(Bytes(limits::kMaxUncompressedBytes * 4));
  EXPECT_LT(bomb.size(), 10'000U);
  expect_error(decode_zstd(bomb, 4096), Errc::malformed, "content size is not the announced one");
  expect_error(decode_zstd(zstd(Bytes(limits::kMaxUncompressedBytes)), limits::kMaxUncompressedBytes), Errc::malformed, "segment table");
}

TEST(HostileZstd, content_size_must_be_there) {
  const std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_contentSizeFlag, 0);
  const Bytes plain(4096);
  Bytes out(ZSTD_compressBound(plain.size()));
  out.resize(ZSTD_compress2(context.get(), out.data(), out.size(), plain.data(), plain.size()));
  expect_error(decode_zstd(out, 4096), Errc::malformed, "content size is not the announced one");
}

TEST(HostileZstd, one_frame_and_nothing_else) {
  auto two = zstd(Bytes(4096));
  const auto one = two;
  two.insert(two.end(), one.begin(), one.end());
  expect_error(decode_zstd(two, 4096), Errc::malformed, "zstd: bytes after the frame");
  expect_error(decode_zstd({0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4}, 8), Errc::malformed, "zstd: not a frame");
  expect_error(decode_zstd({1, 2, 3, 4, 5, 6, 7, 8}, 8), Errc::malformed, "zstd:");
  for (std::size_t n = 0; n < one.size(); ++n) EXPECT_FALSE(decode_zstd(Bytes(one.begin(), one.begin() + static_cast<std::ptrdiff_t>(n)), 4096));
}

Words ping() {
  capnp::MallocMessageBuilder builder;
  builder.initRoot<schema::Control>().initPing().setToken(5);
  return words_of(builder);
}

TEST(HostileSegments, the_table_must_agree_with_the_length) {
  ASSERT_TRUE(decode_plain(FrameKind::control, ping()));
  const auto with_table = [](std::uint64_t first) {
    auto words = ping();
    words[0] = first;
    return decode_plain(FrameKind::control, words);
  };
  const auto size = static_cast<std::uint64_t>(ping().size() - 1);
  expect_error(with_table((size + 1) << 32), Errc::malformed, "segment table disagrees");
  expect_error(with_table((size - 1) << 32), Errc::malformed, "segment table disagrees");
  expect_error(with_table(0xffffffffULL << 32), Errc::malformed, "segment table disagrees");
  expect_error(with_table(size << 32 | limits::kMaxSegments), Errc::too_large, "message: 65 segments");
  expect_error(with_table(size << 32 | 0xffffffffULL), Errc::too_large, "segments");
  expect_error(with_table(size << 32 | 63), Errc::malformed, "cut off in its segment table");
}

TEST(HostileSegments, a_length_that_is_not_whole_words_is_refused) {
  const Bytes payload(12);
  expect_error(Codec().decode(Frame{FrameHeader{FrameKind::control, 0, 12, 12, crc32c(payload)}, payload}), Errc::malformed, "not whole words");
}

TEST(HostilePointers, out_of_the_message_is_refused) {
  auto words = ping();
  words[1] = 0x7ffffffc;  // root: a struct far away
  words[1] |= 1ULL << 32;
  expect_error(decode_plain(FrameKind::control, words), Errc::malformed, "message:");
}

// A Hello whose 64 texts are all the same 4000 bytes: 4.6 KB that would become 256 KB.
TEST(HostilePointers, pointing_to_the_same_bytes_again_and_again_is_refused) {
  capnp::MallocMessageBuilder builder(4096);
  auto hello = builder.initRoot<schema::Control>().initHello();
  hello.initStreamId().setHigh(1);
  auto lacking = hello.initLacking(static_cast<unsigned>(limits::kMaxLacking));
  const std::string text(4000, 'x');
  lacking.set(0, text.c_str());
  auto words = words_of(builder);
  ASSERT_TRUE(decode_plain(FrameKind::control, words));
  const std::uint64_t wanted = (4001ULL << 3) | 2;  // list of 4001 bytes
  const auto first = std::find_if(words.begin(), words.end(), [&](std::uint64_t w) { return (w >> 32) == wanted && (w & 3U) == 1; });
  ASSERT_NE(first, words.end());
  for (std::ptrdiff_t i = 1; i < static_cast<std::ptrdiff_t>(limits::kMaxLacking); ++i)
    *(first + i) = *first - static_cast<std::uint64_t>(i) * 4;   // the offset counts from the pointer
  expect_error(decode_plain(FrameKind::control, words), Errc::malformed, "message:");
}

TEST(HostilePointers, a_cycle_is_refused) {
  capnp::MallocMessageBuilder builder(4096);
  auto hello = builder.initRoot<schema::Control>().initHello();
  hello.initStreamId().setHigh(1);
  hello.initLacking(3).set(0, "abc");
  auto words = words_of(builder);
  const auto list = std::find_if(words.begin(), words.end(), [](std::uint64_t w) { return (w >> 32) == ((3ULL << 3) | 6) && (w & 3U) == 1; });
  ASSERT_NE(list, words.end());
  const auto offset = static_cast<std::ptrdiff_t>((*list & 0xffffffffU) >> 2);
  // Each element becomes a list of 3 pointers: itself.
  for (std::uint64_t i = 0; i < 3; ++i) *(list + 1 + offset + static_cast<std::ptrdiff_t>(i)) = (((3ULL << 3) | 6) << 32) | ((0x3fffffffULL - i) << 2) | 1U;
  expect_error(decode_plain(FrameKind::control, words), Errc::malformed, "message:");
}

// Behind pointers that no field of ours follows; refused all the same.
TEST(HostilePointers, deep_nesting_is_refused) {
  Words words = {0};
  words.push_back(1ULL << 48 | 1ULL << 32);         // root: 1 data word, 1 pointer
  words.push_back(3);                               // Control: ack
  for (int i = 0; i < 100'000; ++i) words.push_back(1ULL << 48);  // a struct of one pointer, to the next word, and so on
  words.push_back(0);
  words[0] = static_cast<std::uint64_t>(words.size() - 1) << 32;
  expect_error(decode_plain(FrameKind::control, words), Errc::malformed, "nested");
}

TEST(HostilePointers, lists_of_nothing_are_refused_by_their_count) {
  capnp::MallocMessageBuilder builder(4096);
  auto root = builder.initRoot<schema::Samples>();
  root.setForm(schema::Form::ABSOLUTE);
  root.initColumns(3);
  auto words = words_of(builder);
  const auto columns = std::find_if(words.begin(), words.end(), [](std::uint64_t w) { return (w & 3U) == 1 && ((w >> 32) & 7U) == 7; });
  ASSERT_NE(columns, words.end());
  *columns = 0x1fffffffULL << 35 | 1U;  // half a billion elements of size 0
  expect_error(decode_plain(FrameKind::samples, words), Errc::malformed, "message:");
}

TEST(HostileValues, unknown_union_members_and_enum_values_are_named) {
  auto words = ping();
  words[2] = (words[2] & ~0xffffULL) | 99;
  expect_error(decode_plain(FrameKind::control, words), Errc::unsupported, "control: message 99");
  words[2] &= ~0xffffULL;
  expect_error(decode_plain(FrameKind::control, words), Errc::malformed, "control: no message");

  capnp::MallocMessageBuilder builder;
  auto events = builder.initRoot<schema::Events>();
  events.setSeq(1);
  auto entity = events.initEntities(1)[0];
  entity.setId(1);
  entity.setKind(static_cast<schema::EntityKind>(77));
  expect_error(decode_plain(FrameKind::events, words_of(builder)), Errc::malformed, "entity: kind: value 77");
}

TEST(HostileValues, text_without_its_final_zero_is_refused) {
  capnp::MallocMessageBuilder builder;
  builder.initRoot<schema::Control>().initGoodbye().setReason("1234567");
  auto words = words_of(builder);
  words.back() |= 0x41ULL << 56;
  expect_error(decode_plain(FrameKind::control, words), Errc::malformed, "message:");
}

TEST(HostileValues, bytes_of_one_kind_are_no_message_of_another) {
  for (const auto kind : {FrameKind::samples, FrameKind::events}) EXPECT_FALSE(decode_plain(kind, ping()));
}

}  // namespace
}  // namespace fw::wire
