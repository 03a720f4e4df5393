#include "common/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "tests/support/manual_clock.hpp"

namespace fw::log {
namespace {

constexpr std::int64_t kTime = 1'795'521'600'123'000'000;

TEST(Log, text_has_the_message_then_fields) {
  EXPECT_EQ(render(Format::text, Level::info, kTime, "uplink connected", {{"peer", "10.0.0.1"}, {"attempt", 3}, {"ok", true}}),
            "2026-11-24T12:00:00.123Z info uplink connected peer=10.0.0.1 attempt=3 ok=true");
}

TEST(Log, what_comes_from_outside_cannot_forge_a_line_or_a_field) {
  EXPECT_EQ(render(Format::text, Level::warn, kTime, "m", {{"name", "a b=c\n\"x\" \x1b[31m"}, {"empty", ""}}),
            "2026-11-24T12:00:00.123Z warn m name=\"a b=c\\n\\\"x\\\" \\u001b[31m\" empty=\"\"");
}

TEST(Log, json_lines_parse_whatever_is_in_them) {
  const std::string bytes("quote \" back \\ nul \0 bad \xff\xc3 euro \xe2\x82\xac overlong \xc0\xaf surrogate \xed\xa0\x80", 63);
  const auto line = render(Format::json, Level::error, kTime, "m", {{"text", bytes}, {"n", -5}, {"nan", std::nan("")}}, 7);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto parsed = boost::json::parse(line).as_object();
  EXPECT_EQ(parsed.at("level"), "error");
  EXPECT_EQ(parsed.at("n"), -5);
  EXPECT_EQ(parsed.at("nan"), "nan");
  EXPECT_EQ(parsed.at("hidden"), 7);
  const std::string text(parsed.at("text").as_string());
  EXPECT_THAT(text, ::testing::HasSubstr("\xe2\x82\xac"));
  EXPECT_THAT(text, ::testing::HasSubstr("bad \xef\xbf\xbd"));
}

TEST(Log, long_text_is_cut) {
  EXPECT_LT(render(Format::json, Level::info, kTime, "m", {{"text", std::string(100'000, 'x')}}).size(), 5000U);
}

TEST(Log, a_limiter_says_how_many_it_hid) {
  test::ManualClock clock;
  Limiter limiter(clock, std::chrono::seconds{60});
  std::vector<std::string> lines;
  set_output([&](Level, std::string_view line) { lines.emplace_back(line); });
  for (int i = 0; i < 5; ++i) write(limiter, Level::warn, "again");
  clock.advance(std::chrono::seconds{61});
  write(limiter, Level::warn, "again");
  set_output({});
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(lines[0], ::testing::EndsWith("warn again"));
  EXPECT_THAT(lines[1], ::testing::EndsWith("warn again hidden=4"));
}

TEST(Log, levels_below_the_configured_one_are_not_written) {
  std::vector<std::string> lines;
  set_output([&](Level, std::string_view line) { lines.emplace_back(line); });
  configure(Level::warn, Format::text);
  info("no");
  error("yes");
  configure(Level::info, Format::text);
  set_output({});
  EXPECT_EQ(lines.size(), 1U);
}

}  // namespace
}  // namespace fw::log
