#include "aggregator/cli/render/live.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "aggregator/cli/query.hpp"
#include "aggregator/cli/term/text.hpp"
#include "aggregator/cli/top.hpp"

namespace fw::cli {
namespace {

constexpr std::string_view kSeries =
    R"({"kind":"Series","node":"node-a","entity":{"name":"web\u001b[2J","kind":"container"},"metric":"memory_current_bytes","unit":"bytes","counter":false,"perSecond":false,
        "fromNs":0,"toNs":60000000000,"unknownBeforeNs":30000000000,"points":[{"tNs":30000000000,"value":1048576},{"tNs":40000000000,"value":2.097152E6},{"bad":1}]})";

constexpr std::string_view kTop =
    R"({"kind":"Top","takenNs":60000000000,"of":3,"items":[
        {"node":"node-a","name":"web","kind":"container","cgroupPath":"/shop/web","cpuCores":1.25E0,"cpuThrottledRatio":0.5,"memoryBytes":67108864,"memoryLimitBytes":134217728,
         "restarts":2,"oomKills":0,"http5xxPerSecond":3,"newestNs":55000000000,"connected":true},
        {"node":"node-b","name":"evil\u202e","kind":"service","connected":false}]})";

term::Layout people(std::size_t columns = 120) {
  term::Layout layout;
  layout.for_people = true;
  layout.columns = columns;
  return layout;
}

TEST(SeriesText, for_people_has_units_a_line_and_since_when_it_is_known) {
  const auto series = read_series(kSeries);
  ASSERT_TRUE(series);
  const auto text = render::series(*series, people(), render::Detail::normal, render::Glyphs::ascii);
  EXPECT_EQ(text.substr(0, text.find('\n')), "node-a/web\\x1b[2J  memory_current_bytes");
  EXPECT_NE(text.find("unknown before 00:00:30.000"), std::string::npos) << text;
  EXPECT_NE(text.find("\n=#\n"), std::string::npos) << text;
  EXPECT_NE(text.find("least 1.0 MiB  most 2.0 MiB  newest 2.0 MiB"), std::string::npos) << text;
}

TEST(SeriesText, for_scripts_is_exact) {
  const auto series = read_series(kSeries);
  EXPECT_EQ(render::series(*series, {}, render::Detail::normal, render::Glyphs::utf8),
            "1970-01-01T00:00:30.000Z\t1048576\n1970-01-01T00:00:40.000Z\t2097152\n");
  EXPECT_EQ(render::series_csv(*series), "time,value\n1970-01-01T00:00:30.000Z,1048576\n1970-01-01T00:00:40.000Z,2097152\n");
}

TEST(SeriesText, quantiles_carry_their_bounds) {
  Series series;
  series.unit = "us";
  series.quantile = 0.99;
  series.points = {{1'000'000'000, 40, 16.0, 64.0}, {2'000'000'000, 67'108'864, 67'108'864.0, std::nullopt}};
  EXPECT_EQ(render::series_csv(series), "time,value,low,high\n1970-01-01T00:00:01.000Z,40,16,64\n1970-01-01T00:00:02.000Z,67108864,67108864,\n");
  const auto text = render::series(series, people(), render::Detail::normal, render::Glyphs::ascii);
  EXPECT_NE(text.find("40 us"), std::string::npos) << text;
  EXPECT_NE(text.find("67.11 s"), std::string::npos) << text;
}

TEST(Sparkline, shows_the_greatest_of_what_shares_a_column) {
  EXPECT_EQ(render::sparkline({0, 1, 2, 3, 4, 5, 6, 7}, 80, render::Glyphs::ascii), "_.:-=+*#");
  EXPECT_EQ(render::sparkline({0, 7, 0, 0}, 2, render::Glyphs::ascii), "#_");
  EXPECT_EQ(render::sparkline({5, 5}, 80, render::Glyphs::ascii), "##");
  EXPECT_EQ(render::sparkline({0, 0}, 80, render::Glyphs::ascii), "__");
  EXPECT_EQ(render::sparkline({}, 80, render::Glyphs::ascii), "");
  EXPECT_EQ(term::display_width(render::sparkline({1, 2, 3}, 80, render::Glyphs::utf8)), 3U);
}

TEST(Glyphs, follow_the_locale) {
  EXPECT_EQ(render::glyphs_of("", "", "en_US.UTF-8"), render::Glyphs::utf8);
  EXPECT_EQ(render::glyphs_of("C", "", "en_US.UTF-8"), render::Glyphs::ascii);
  EXPECT_EQ(render::glyphs_of("", "C.utf8", ""), render::Glyphs::utf8);
  EXPECT_EQ(render::glyphs_of("", "", ""), render::Glyphs::ascii);
}

TEST(Quantity, is_in_the_metrics_unit) {
  EXPECT_EQ(render::quantity(530'000, "us", true), "53.0%");
  EXPECT_EQ(render::quantity(530'000, "us", false), "530.0 ms");
  EXPECT_EQ(render::quantity(2048, "bytes", true), "2.0 KiB/s");
  EXPECT_EQ(render::quantity(3, "", true), "3/s");
  EXPECT_EQ(render::quantity(-1, "bytes", false), "-1 B");
}

TEST(TopText, unmeasured_is_a_dash_and_foreign_text_is_harmless) {
  const auto top = read_top(kTop);
  ASSERT_TRUE(top);
  const auto text = render::top(*top, {}, render::Detail::normal);
  EXPECT_EQ(text, "node-a\tweb\t1.25\t50%\t67108864\t50%\t2\t0\t3.00\t-\t5s\n"
                  "node-b\tevil\\u{202e}\t-\t-\t-\t-\t-\t-\t-\t-\t-\n");
  const auto wide = render::top(*top, {}, render::Detail::wide);
  EXPECT_NE(wide.find("\t134217728\tcontainer\t/shop/web\n"), std::string::npos) << wide;
}

TEST(TopFrame, fits_the_screen_and_says_what_is_missing) {
  TopState state;
  state.top = *read_top(kTop);
  state.stale_since_ns = 10'000'000'000;
  state.why_stale = "refused\x1b[2J";
  state.server = "https://s";
  state.sort = "cpu";
  for (int i = 0; i < 60; ++i) state.top.rows.push_back(state.top.rows[0]);
  state.top.of = 100;
  for (const std::size_t rows : {5U, 10U, 24U}) {
    const auto frame = render_top_frame(state, people(120), rows, 22'000'000'000, render::Detail::normal);
    EXPECT_LE(static_cast<std::size_t>(std::count(frame.begin(), frame.end(), '\n')) + 1, rows);
    EXPECT_NE(frame.find("62 of 100 by cpu"), std::string::npos);
    EXPECT_NE(frame.find("stale for 12s: refused\\x1b[2J"), std::string::npos);
  }
  EXPECT_NE(render_top_frame({}, people(), 24, 0, render::Detail::normal).find("No sample yet."), std::string::npos);
}

TEST(Answers, of_another_kind_are_refused) {
  EXPECT_FALSE(read_series(kTop));
  EXPECT_FALSE(read_top(kSeries));
  EXPECT_FALSE(read_top("["));
}

TEST(QueryValue, leaves_nothing_that_could_end_it) {
  EXPECT_EQ(query_value("/a b&c=d#e%f+g\xc3\xa4"), "/a%20b%26c%3Dd%23e%25f%2Bg%C3%A4");
}

}  // namespace
}  // namespace fw::cli
