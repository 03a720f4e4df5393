#include "protocol/authority/text.hpp"

#include <gtest/gtest.h>

#include <string>

namespace fw::authority {
namespace {

using enum TextKind;

TEST(DocumentText, is_utf8_of_any_script) {
  for (const std::string_view good : {"", "checkout", "Gr\xc3\xb6\xc3\x9f" "e", "\xe6\x97\xa5\xe6\x9c\xac", "\xf0\x9f\x98\x80"}) {
    EXPECT_TRUE(is_document_text(good, name)) << good;
    EXPECT_TRUE(is_document_text(good, prose)) << good;
  }
}

TEST(DocumentText, is_not_what_is_no_utf8) {
  for (const std::string_view bad : {"\xff", "\xc3", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80"}) {
    EXPECT_FALSE(is_document_text(bad, name));
    EXPECT_FALSE(is_document_text(bad, prose));
  }
}

TEST(DocumentText, holds_line_ends_only_in_prose) {
  EXPECT_FALSE(is_document_text("a\nb", name));
  EXPECT_TRUE(is_document_text("a\nb", prose));
  EXPECT_FALSE(is_document_text("a\r\nb", prose));
}

TEST(DocumentText, holds_no_control_characters) {
  for (int c = 0; c < 0xa0; ++c) {
    if ((c >= 0x20 && c < 0x7f) || c == '\n') continue;
    const std::string text = c < 0x80 ? std::string(1, static_cast<char>(c)) : std::string{'\xc2', static_cast<char>(c)};
    EXPECT_FALSE(is_document_text("a" + text, name)) << c;
    EXPECT_FALSE(is_document_text("a" + text, prose)) << c;
  }
}

// Bidi controls, zero-width spaces, separators, the soft hyphen, tags: a terminal shows something else than what is there.
TEST(DocumentText, holds_nothing_that_is_not_seen) {
  for (const std::string_view bad : {"\xc2\xad", "\xd8\x9c", "\xe2\x80\x8b", "\xe2\x80\x8e", "\xe2\x80\x8f", "\xe2\x80\xa8", "\xe2\x80\xaa", "\xe2\x80\xae",
                                     "\xe2\x81\xa0", "\xe2\x81\xa6", "\xe2\x81\xa9", "\xe2\x81\xaf", "\xef\xbb\xbf", "\xf3\xa0\x80\x81", "\xf3\xa0\x81\xbf"}) {
    EXPECT_FALSE(is_document_text(bad, name));
    EXPECT_FALSE(is_document_text(bad, prose));
  }
  EXPECT_FALSE(is_document_text("\xe2\x80\x8d", name));
  EXPECT_TRUE(is_document_text("\xe2\x80\x8d", prose));      // the joiner of some scripts
  EXPECT_TRUE(is_document_text("\xe2\x80\x90\xe2\x80\xaf", name));   // their neighbours
}

}  // namespace
}  // namespace fw::authority
