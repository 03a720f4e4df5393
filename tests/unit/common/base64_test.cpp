#include "common/base64.hpp"

#include <gtest/gtest.h>

#include "common/utf8.hpp"

namespace fw {
namespace {

Bytes bytes(std::string_view text) { return {text.begin(), text.end()}; }

TEST(Base64, goes_both_ways) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},         {"f", "Zg=="},         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},  {"foob", "Zm9vYg=="},  {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfb", "//77"}};
  for (const auto& [plain, text] : vectors) {
    EXPECT_EQ(encode_base64(bytes(plain)), text);
    EXPECT_EQ(decode_base64(text), bytes(plain));
  }
}

TEST(Base64, has_one_spelling) {
  for (const auto* text : {"Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zm 9", "Zm-_", "Zg==Zg=="}) EXPECT_EQ(decode_base64(text), std::nullopt) << text;
}

TEST(Utf8, takes_what_rfc_3629_takes) {
  for (const auto* text : {"", "a", "\u00e9", "\u2014", "\U0001F600", "a\u00e9\u2014\U0001F600z"}) EXPECT_TRUE(valid_utf8(text)) << text;
  for (const auto* text : {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "a\xe2\x80"}) EXPECT_FALSE(valid_utf8(text)) << text;
}

TEST(Utf8, knows_spaces) {
  for (const auto* text : {" ", "a\tb", "\u00a0", "x\u2003", "\u3000"}) EXPECT_TRUE(has_space(text)) << text;
  for (const auto* text : {"", "fleetwright/acme", "\u00e9\u2014\U0001F600"}) EXPECT_FALSE(has_space(text)) << text;
}

}  // namespace
}  // namespace fw
