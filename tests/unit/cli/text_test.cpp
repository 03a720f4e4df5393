#include "aggregator/cli/term/text.hpp"

#include <gtest/gtest.h>

#include <random>

#include "aggregator/cli/term/style.hpp"
#include "aggregator/cli/term/time_format.hpp"

namespace fw::cli::term {
namespace {

TEST(Escape, leaves_ordinary_text_alone) {
  for (const auto* text :
       {"checkout", "prod/checkout 256Mi -> 64Mi", "Gebühr", "日本語", "echo 1 > C:\\x", "e\xcc\x81"})
    EXPECT_EQ(escape(text), text);
}

TEST(Escape, makes_every_trick_visible) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"a\x1b[31mred", "a\\x1b[31mred"},           // colours
      {"\x1b]0;title\x07", "\\x1b]0;title\\x07"},  // window title
      {"one\ntwo\r\tthree", "one\\ntwo\\r\\tthree"},
      {std::string("nul\0byte", 8), "nul\\x00byte"},
      {"\x7f", "\\x7f"},
      {"\xc2\x9b"
       "31m",
       "\\u{9b}31m"},  // C1 control sequence introducer
      {"a\xe2\x80\xae"
       "b",
       "a\\u{202e}b"},  // right-to-left override
      {"a\xe2\x81\xa6"
       "b",
       "a\\u{2066}b"},  // bidi isolate
      {"a\xe2\x80\x8b"
       "b",
       "a\\u{200b}b"},  // zero width space
      {"\xef\xbb\xbf"
       "a",
       "\\u{feff}a"},
      {"\xe2\x80\xa8", "\\u{2028}"},        // line separator
      {"\xf3\xa0\x81\x81", "\\u{e0041}"},   // tag character
      {"\xff\xc0\xaf", "\\xff\\xc0\\xaf"},  // not UTF-8, overlong
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},  // surrogate
      {"cut\xe2\x82", "cut\\xe2\\x82"},
      {"e\xcc\x81\xcc\x81\xcc\x81", "e\xcc\x81\xcc\x81\\u{301}"}};  // a tower of accents
  for (const auto& [text, expected] : cases) EXPECT_EQ(escape(text), expected);
}

TEST(Escape, output_of_random_bytes_has_no_control_byte_and_is_a_fixed_point) {
  std::mt19937 random(7);  // the seed is part of the test
  for (int round = 0; round < 200; ++round) {
    std::string text(random() % 40, '\0');
    for (auto& c : text) c = static_cast<char>(random() % 256);
    const auto escaped = escape(text);
    for (const char c : escaped) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    EXPECT_EQ(escape(escaped), escaped);
  }
}

TEST(DisplayWidth, counts_columns_not_bytes) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("日本"), 4U);
  EXPECT_EQ(display_width("e\xcc\x81"), 1U);
}

TEST(Truncate, never_cuts_a_character_and_never_exceeds_the_width) {
  EXPECT_EQ(truncate("abcdef", 6), "abcdef");
  EXPECT_EQ(truncate("abcdef", 4), "abc~");
  EXPECT_EQ(truncate("日本語", 4), "日~");
  EXPECT_EQ(truncate("abc", 0), "");
  for (std::size_t columns = 0; columns < 8; ++columns)
    EXPECT_LE(display_width(truncate("日a本b語c", columns)), columns);
}

TEST(Wrap, breaks_at_blanks_and_keeps_long_words_whole) {
  EXPECT_EQ(wrap("one two three", 7), (std::vector<std::string>{"one two", "three"}));
  EXPECT_EQ(wrap("x /sys/fs/cgroup/memory y", 6), (std::vector<std::string>{"x", "/sys/fs/cgroup/memory", "y"}));
  EXPECT_TRUE(wrap("", 10).empty());
}

TEST(DecideColor, follows_the_documented_order) {
  const auto with = [](ColorMode mode, ColorEnvironment environment, bool terminal) {
    return decide_color(mode, environment, terminal) == Ink::on;
  };
  EXPECT_TRUE(with(ColorMode::automatic, {}, true));
  EXPECT_FALSE(with(ColorMode::automatic, {}, false));
  EXPECT_FALSE(with(ColorMode::automatic, {.no_color = "1"}, true));
  EXPECT_TRUE(with(ColorMode::automatic, {.no_color = ""}, true));
  EXPECT_FALSE(with(ColorMode::automatic, {.clicolor = "0"}, true));
  EXPECT_TRUE(with(ColorMode::automatic, {.clicolor_force = "1"}, false));
  EXPECT_FALSE(with(ColorMode::automatic, {.no_color = "1", .clicolor_force = "1"}, false));
  EXPECT_FALSE(with(ColorMode::automatic, {.term = "dumb"}, true));
  EXPECT_TRUE(with(ColorMode::always, {.no_color = "1"}, false));
  EXPECT_FALSE(with(ColorMode::never, {.clicolor_force = "1"}, true));
}

TEST(Time, is_utc_and_exact_for_scripts) {
  EXPECT_EQ(rfc3339(1'795'488'423'120'000'000), "2026-11-24T02:47:03.120Z");
  EXPECT_EQ(rfc3339(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(clock_time(1'795'488'423'120'000'000), "02:47:03.120");
}

TEST(Time, ages_are_short) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  EXPECT_EQ(age(0, 5 * kSecond), "5s");
  EXPECT_EQ(age(0, 119 * kSecond), "119s");
  EXPECT_EQ(age(0, 120 * kSecond), "2m");
  EXPECT_EQ(age(0, 3 * 3600 * kSecond + 65 * kSecond), "3h01m");
  EXPECT_EQ(age(0, 49 * 3600 * kSecond), "2d");
  EXPECT_EQ(age(10, 5), "0s");
}

TEST(Time, parses_lengths_and_nothing_else) {
  EXPECT_EQ(parse_duration_ns("15m"), 900'000'000'000);
  EXPECT_EQ(parse_duration_ns("7d"), 604'800'000'000'000);
  for (const auto* bad : {"", "15", "m", "-1s", "1x", "1mm", "99999999999d"})
    EXPECT_FALSE(parse_duration_ns(bad)) << bad;
}

}  // namespace
}  // namespace fw::cli::term
