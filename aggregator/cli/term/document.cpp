#include "aggregator/cli/term/document.hpp"

#include <algorithm>

#include "aggregator/cli/term/text.hpp"

namespace fw::cli::term {
namespace {

constexpr std::size_t kMinTextColumns = 24;

}  // namespace

void Document::heading(std::string_view text) {
  if (!out_.empty()) blank();
  item(0, {}, text, Role::bold);
}

void Document::paragraph(std::string_view text, Role role) { item(0, {}, text, role); }

void Document::item(std::size_t indent, std::string_view label, std::string_view text, Role role) {
  const auto head = escape(label);
  const auto body = escape(text);
  const std::size_t hang = indent + (head.empty() ? 0 : display_width(head) + 1);
  std::string lead(indent, ' ');
  if (!head.empty()) lead += paint(head, role, layout_.ink) + ' ';
  const auto text_role = head.empty() ? role : Role::plain;
  if (!layout_.for_people) {
    out_ += lead + paint(body, text_role, layout_.ink) + '\n';
    return;
  }
  const auto room = layout_.columns > hang + kMinTextColumns ? layout_.columns - hang : kMinTextColumns;
  auto lines = wrap(body, room);
  if (lines.empty()) lines.emplace_back();
  for (const auto& line : lines) {
    out_ += lead + paint(line, text_role, layout_.ink) + '\n';
    lead.assign(hang, ' ');
  }
}

void Document::verbatim(std::size_t indent, std::string_view text, Role role) {
  out_.append(indent, ' ').append(paint(escape(text), role, layout_.ink)).append("\n");
}

void Document::table(std::size_t indent, const Table& table) {
  auto inner = layout_;
  inner.columns = layout_.columns > indent ? layout_.columns - indent : layout_.columns;
  inner.header = true;  // a table inside a text needs its titles
  const auto text = table.render(inner);
  for (std::size_t start = 0; start < text.size();) {
    const auto end = text.find('\n', start);
    out_.append(indent, ' ').append(text, start, end - start + 1);
    start = end + 1;
  }
}

}  // namespace fw::cli::term
