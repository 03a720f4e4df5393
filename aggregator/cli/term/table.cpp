#include "aggregator/cli/term/table.hpp"

#include <algorithm>
#include <numeric>

#include "aggregator/cli/term/text.hpp"
#include "common/result.hpp"

namespace fw::cli::term {
namespace {

constexpr std::size_t kGap = 2;

std::size_t total_width(const std::vector<std::size_t>& widths) {
  return std::accumulate(widths.begin(), widths.end(), std::size_t{0}) +
         kGap * (widths.empty() ? 0 : widths.size() - 1);
}

// Takes columns from the widest column that may shrink, until it fits or none may.
void fit(std::vector<std::size_t>& widths, const std::vector<Column>& columns, std::size_t limit) {
  while (total_width(widths) > limit) {
    std::size_t widest = widths.size();
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (columns[i].min_columns == 0 || widths[i] <= columns[i].min_columns) continue;
      if (widest == widths.size() || widths[i] > widths[widest]) widest = i;
    }
    if (widest == widths.size()) return;
    const std::size_t excess = total_width(widths) - limit;
    widths[widest] -= std::min(excess, std::max<std::size_t>(1, (widths[widest] - columns[widest].min_columns) / 2));
  }
}

}  // namespace

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {
  for (auto& column : columns_) column.title = escape(column.title);
}

void Table::add(std::vector<Cell> row) {
  FW_ASSERT(row.size() == columns_.size(), "a row has one cell per column");
  for (auto& cell : row) cell.text = escape(cell.text);
  rows_.push_back(std::move(row));
}

std::string Table::render(const Layout& layout) const {
  return layout.for_people ? render_for_people(layout) : render_for_scripts(layout);
}

std::string Table::render_for_scripts(const Layout& layout) const {
  std::string out;
  if (layout.header) {
    for (std::size_t i = 0; i < columns_.size(); ++i) out.append(i == 0 ? "" : "\t").append(columns_[i].title);
    out += '\n';
  }
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i)
      out.append(i == 0 ? "" : "\t").append(paint(row[i].text, row[i].role, layout.ink));
    out += '\n';
  }
  return out;
}

std::string Table::render_for_people(const Layout& layout) const {
  std::vector<std::size_t> widths;
  widths.reserve(columns_.size());
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = display_width(columns_[i].title);
    for (const auto& row : rows_) width = std::max(width, display_width(row[i].text));
    widths.push_back(width);
  }
  fit(widths, columns_, layout.columns);

  std::string out;
  const auto put = [&](std::size_t i, std::string_view text, Role role) {
    const auto cut = truncate(text, widths[i]);
    out += paint(cut, role, layout.ink);
    if (i + 1 < columns_.size()) out.append(widths[i] - display_width(cut) + kGap, ' ');
  };
  for (std::size_t i = 0; i < columns_.size(); ++i) put(i, columns_[i].title, Role::bold);
  out += '\n';
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) put(i, row[i].text, row[i].role);
    out += '\n';
  }
  return out;
}

}  // namespace fw::cli::term
