#include "aggregator/changes/rfc3339.hpp"

#include <gtest/gtest.h>

namespace fw::changes {
namespace {

TEST(Rfc3339, reads_offsets_and_fractions) {
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00Z").value(), 0);
  EXPECT_EQ(parse_rfc3339("2026-11-24T02:47:03.120Z").value(), 1'795'488'423'120'000'000);
  EXPECT_EQ(parse_rfc3339("2026-11-24T04:47:03.12+02:00").value(), 1'795'488'423'120'000'000);
  EXPECT_EQ(parse_rfc3339("2026-11-23t21:17:03.12-05:30").value(), 1'795'488'423'120'000'000);
  EXPECT_EQ(parse_rfc3339("2026-11-24T02:47:03.1234567899Z").value(), 1'795'488'423'123'456'789);
  EXPECT_EQ(parse_rfc3339("2024-02-29T00:00:00Z").value(), 1'709'164'800'000'000'000);
  EXPECT_EQ(parse_rfc3339("2016-12-31T23:59:60Z").value(), 1'483'228'800'000'000'000);
}

TEST(Rfc3339, refuses_everything_else) {
  for (const auto* text : {"", "2026-11-24", "2026-11-24T02:47Z", "2026-11-24T02:47:03", "2026-11-24T02:47:03.Z", "2026-11-24T02:47:03+0200",
                           "2026-13-24T02:47:03Z", "2026-02-30T02:47:03Z", "2026-11-24T24:00:00Z", "2026-11-24T02:60:03Z", "2026-11-24T02:47:61Z",
                           "2026-11-24T02:47:03Zx", "1969-12-31T23:59:59Z", "2262-01-01T00:00:00Z", "+026-11-24T02:47:03Z",
                           "2026-11-24T02:47:03+24:00", "1970-01-01T00:00:00+00:01"}) {
    EXPECT_TRUE(parse_rfc3339(text).has_error()) << text;
  }
}

TEST(Rfc3339, writes_milliseconds_in_utc) {
  EXPECT_EQ(format_rfc3339(1'795'488'423'120'999'999), "2026-11-24T02:47:03.120Z");
  EXPECT_EQ(format_rfc3339(0), "1970-01-01T00:00:00.000Z");
}

}  // namespace
}  // namespace fw::changes
