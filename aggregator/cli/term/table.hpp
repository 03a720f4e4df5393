// Tables: aligned and cut to the screen for people, tab-separated and whole for scripts. Pure.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "aggregator/cli/term/style.hpp"

namespace fw::cli::term {

// How the answer is going to be read.
struct Layout {
  bool for_people = false;  // a terminal: aligned, ages, cut to `columns`
  bool header = false;      // scripts: only with --header
  std::size_t columns = 80;
  Ink ink = Ink::off;
};

struct Column {
  std::string title;            // UPPER-CASE, without blanks
  std::size_t min_columns = 0;  // > 0: may be cut down to this when the table is too wide
};

struct Cell {
  std::string text;  // escaped by the table
  Role role = Role::plain;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns);  // titles are escaped, too: some are names of SQL columns
  void add(std::vector<Cell> row);              // as many cells as columns
  bool empty() const noexcept { return rows_.empty(); }
  std::string render(const Layout& layout) const;

 private:
  std::string render_for_scripts(const Layout& layout) const;
  std::string render_for_people(const Layout& layout) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace fw::cli::term
