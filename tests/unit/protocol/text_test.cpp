#include "protocol/wire/text.hpp"

#include <gtest/gtest.h>

namespace fw::wire {
namespace {

using namespace std::string_literals;

TEST(WireText, is_strict_utf8_without_nul) {
  for (const auto& good : {""s, "abc"s, "é節🦆"s, "\x7f\n\t"s}) EXPECT_TRUE(is_wire_text(good)) << good;
  for (const auto& bad : {"\0"s, "a\0b"s, "\xff"s, "\xc3"s, "\xc0\x80"s, "\xed\xa0\x80"s, "\xf4\x90\x80\x80"s, "\xe2\x82"s, "\x80"s})
    EXPECT_FALSE(is_wire_text(bad)) << bad;
}

TEST(WireText, replaces_only_the_bytes_that_are_wrong) {
  EXPECT_EQ(to_wire_text("caf\xc3\xa9"), "café");
  EXPECT_EQ(to_wire_text("caf\xe9!"), "caf?!");
  EXPECT_EQ(to_wire_text("a\0b"s), "a?b");
  EXPECT_EQ(to_wire_text("\xe2\x82"), "??");
  for (int byte = 0; byte < 256; ++byte) EXPECT_TRUE(is_wire_text(to_wire_text("x" + std::string(1, static_cast<char>(byte)) + "y")));
}

}  // namespace
}  // namespace fw::wire
