#include "aggregator/cli/render/probe.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cctype>

#include <fmt/format.h>

#include "aggregator/cli/json_read.hpp"
#include "aggregator/cli/term/text.hpp"

namespace fw::cli::render {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxColumns = 16;
constexpr std::array<std::string_view, 7> kEnvelope{"kind", "target", "took_ms", "truncated", "redacted", "rows", "text"};

std::string cell(const json::value& value) {
  if (const auto* text = value.if_string()) return std::string(*text);
  if (const auto* list = value.if_array()) {
    std::string out;
    for (const auto& one : *list) out += (out.empty() ? "" : ",") + cell(one);
    return out;
  }
  if (const auto* number = value.if_double()) return fmt::format("{:.1f}", *number);
  return json::serialize(value);
}

std::vector<std::string> fields_of(const json::object& result) {
  std::vector<std::string> names;
  json_read::each_object(result, "rows", [&](const json::object& row) {
    for (const auto& [name, value] : row) {
      const std::string field(name);
      if (names.size() < kMaxColumns && std::find(names.begin(), names.end(), field) == names.end()) names.push_back(field);
    }
  });
  return names;
}

}  // namespace

std::string probe(const json::object& result, const term::Layout& layout) {
  if (const auto* text = json_read::find(result, "text")) {
    std::string out;
    std::string_view rest = text->if_string() != nullptr ? std::string_view(text->get_string().data(), text->get_string().size()) : std::string_view();
    while (!rest.empty()) {   // a log line must not steer the terminal
      const auto end = std::min(rest.find('\n'), rest.size());
      out += term::escape(rest.substr(0, end)) + "\n";
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return out;
  }
  const auto fields = fields_of(result);
  if (fields.empty()) return "";
  std::vector<term::Column> columns;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    std::string title = fields[i];
    std::transform(title.begin(), title.end(), title.begin(), [](unsigned char c) { return c == '_' ? '-' : static_cast<char>(std::toupper(c)); });
    columns.push_back({title, i + 1 == fields.size() ? 12U : 0U});   // the last one is the long one: argv, stack, addresses
  }
  term::Table table(std::move(columns));
  json_read::each_object(result, "rows", [&](const json::object& row) {
    std::vector<term::Cell> cells;
    for (const auto& field : fields) {
      const auto* value = json_read::find(row, field);
      cells.push_back({value == nullptr ? "-" : cell(*value)});
    }
    table.add(std::move(cells));
  });
  return table.render(layout);
}

std::string probe_summary(const json::object& result) {
  std::string out;
  const auto add = [&](const std::string& text) { out += (out.empty() ? "" : "; ") + text; };
  std::int64_t redacted = 0;
  if (const auto* counts = json_read::child(result, "redacted")) {
    for (const auto& [rule, count] : *counts) redacted += count.is_int64() ? count.get_int64() : 0;
  }
  if (redacted > 0) add(fmt::format("{} redacted", redacted));
  if (json_read::boolean(result, "truncated")) add("truncated");
  for (const auto& [name, value] : result) {
    if (std::find(kEnvelope.begin(), kEnvelope.end(), std::string_view(name.data(), name.size())) == kEnvelope.end())
      add(term::escape(std::string(name) + " " + cell(value)));
  }
  return out;
}

}  // namespace fw::cli::render
