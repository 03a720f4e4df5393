#include "aggregator/cli/watch.hpp"

#include <gtest/gtest.h>

#include "aggregator/cli/term/text.hpp"

namespace fw::cli {
namespace {

Incident incident(const std::string& id, const std::string& state) {
  Incident out;
  out.id = id;
  out.state = state;
  out.severity = "critical";
  out.scope = "checkout";
  out.opened_ns = 1'000'000'000;
  return out;
}

TEST(Watch, reports_only_what_is_new_or_changed_oldest_first) {
  const std::vector before{incident("INC-2", "open"), incident("INC-1", "open")};
  const std::vector now{incident("INC-3", "open"), incident("INC-2", "open"), incident("INC-1", "resolved")};
  const auto changed = changed_incidents(before, now);
  ASSERT_EQ(changed.size(), 2U);
  EXPECT_EQ(changed[0].id, "INC-1");
  EXPECT_EQ(changed[1].id, "INC-3");
  EXPECT_TRUE(changed_incidents(now, now).empty());
}

TEST(Watch, frame_fits_the_screen) {
  WatchState state;
  state.server = "https://127.0.0.1:7444";
  for (int i = 1; i < 60; ++i) state.incidents.push_back(incident("INC-" + std::to_string(i), "open"));
  term::Layout layout;
  layout.for_people = true;
  for (const std::size_t rows : {5U, 10U, 24U}) {
    for (const std::size_t columns : {60U, 80U}) {
      layout.columns = columns;
      const auto frame = render_watch(state, layout, rows, 5'000'000'000);
      EXPECT_LE(static_cast<std::size_t>(std::count(frame.begin(), frame.end(), '\n')) + 1, rows);
      for (std::size_t start = 0; start <= frame.size();) {
        const auto end = std::min(frame.find('\n', start), frame.size());
        EXPECT_LE(term::display_width(std::string_view(frame).substr(start, end - start)), columns);
        start = end + 1;
      }
    }
  }
}

TEST(Watch, marks_stale_data_with_its_age_and_reason) {
  WatchState state;
  state.server = "https://s";
  state.incidents = {incident("INC-1", "open")};
  state.stale_since_ns = 10'000'000'000;
  state.why_stale = "connection refused\x1b[2J";
  term::Layout layout;
  layout.for_people = true;
  const auto frame = render_watch(state, layout, 24, 22'000'000'000);
  EXPECT_NE(frame.find("stale for 12s: connection refused\\x1b[2J"), std::string::npos);
  EXPECT_NE(frame.find("INC-1"), std::string::npos);
}

TEST(Watch, frame_is_the_same_while_nothing_changes) {
  WatchState state;
  state.incidents = {incident("INC-1", "open")};
  term::Layout layout;
  layout.for_people = true;
  EXPECT_EQ(render_watch(state, layout, 24, 600'000'000'000), render_watch(state, layout, 24, 600'400'000'000));
}

}  // namespace
}  // namespace fw::cli
