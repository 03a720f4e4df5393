#include "aggregator/cli/term/table.hpp"

#include <gtest/gtest.h>

#include "aggregator/cli/term/document.hpp"
#include "aggregator/cli/term/text.hpp"

namespace fw::cli::term {
namespace {

Table sample() {
  Table table({{"ID"}, {"SCOPE", 5}, {"AGE"}});
  table.add({{"INC-7"}, {"checkout-with-a-long-name"}, {"4m"}});
  table.add({{"INC-12"}, {"b\tc\x1b[1m"}, {"2d"}});
  return table;
}

TEST(Table, is_tab_separated_whole_and_without_titles_for_scripts) {
  EXPECT_EQ(sample().render({}), "INC-7\tcheckout-with-a-long-name\t4m\nINC-12\tb\\tc\\x1b[1m\t2d\n");
}

TEST(Table, prints_titles_for_scripts_when_asked) {
  Layout layout;
  layout.header = true;
  EXPECT_EQ(sample().render(layout).substr(0, 13), "ID\tSCOPE\tAGE\n");
}

TEST(Table, is_aligned_and_cut_for_people) {
  Layout layout;
  layout.for_people = true;
  layout.columns = 24;
  EXPECT_EQ(sample().render(layout),
            "ID      SCOPE        AGE\n"
            "INC-7   checkout-w~  4m\n"
            "INC-12  b\\tc\\x1b[1m  2d\n");
}

TEST(Table, fits_every_width_down_to_what_its_columns_need) {
  Layout layout;
  layout.for_people = true;
  for (layout.columns = 18; layout.columns < 60; ++layout.columns) {
    const auto text = sample().render(layout);
    for (std::size_t start = 0; start < text.size();) {
      const auto end = text.find('\n', start);
      EXPECT_LE(display_width(std::string_view(text).substr(start, end - start)), layout.columns);
      start = end + 1;
    }
  }
}

TEST(Table, aligns_wide_characters_and_colours) {
  Table table({{"A"}, {"B"}});
  table.add({{"日本", Role::bad}, {"x"}});
  Layout layout;
  layout.for_people = true;
  layout.ink = Ink::on;
  EXPECT_EQ(table.render(layout), "\x1b[1mA\x1b[0m     \x1b[1mB\x1b[0m\n\x1b[31m日本\x1b[0m  x\n");
}

TEST(Document, wraps_under_its_label_for_people_and_never_for_scripts) {
  Layout people;
  people.for_people = true;
  people.columns = 40;
  Document document(people);
  document.item(2, "[E3]", "the kernel killed worker in the container because of its limit");
  EXPECT_EQ(document.take(),
            "  [E3] the kernel killed worker in the\n"
            "       container because of its limit\n");
  Document script{Layout{}};
  script.item(2, "[E3]", "the kernel killed worker in the container because of its limit");
  EXPECT_EQ(script.take(), "  [E3] the kernel killed worker in the container because of its limit\n");
}

}  // namespace
}  // namespace fw::cli::term
