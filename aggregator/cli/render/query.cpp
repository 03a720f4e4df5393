// Rows of a case file: a query's answer, and the raw row behind one fact.
#include <boost/json.hpp>

#include <array>

#include <fmt/format.h>

#include "aggregator/cli/render/incident.hpp"
#include "aggregator/cli/term/document.hpp"

namespace fw::cli::render {
namespace {

std::string cell_text(const agents::SqlValue& value) {
  struct Text {
    std::string operator()(std::monostate) const { return "<none>"; }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(double number) const { return fmt::format("{}", number); }
    std::string operator()(const std::string& text) const { return text; }
  };
  return std::visit(Text{}, value);
}

boost::json::value cell_json(const agents::SqlValue& value) {
  struct Json {
    boost::json::value operator()(std::monostate) const { return nullptr; }
    boost::json::value operator()(std::int64_t number) const { return number; }
    boost::json::value operator()(double number) const { return number; }
    boost::json::value operator()(const std::string& text) const { return boost::json::value(text); }
  };
  return std::visit(Json{}, value);
}

// Tables whose rows are facts; fixed names of schema.sql, so they may stand in SQL text.
constexpr std::array kFactTables{"symptoms", "events", "anomalies", "changes", "change_fields", "oom_processes"};

}  // namespace

std::string sql_table(const agents::SqlTable& answer, const term::Layout& layout) {
  std::vector<term::Column> columns;
  for (const auto& name : answer.columns) columns.push_back({name});
  if (columns.empty()) return {};
  term::Table table(std::move(columns));
  for (const auto& row : answer.rows) {
    std::vector<term::Cell> cells;
    for (const auto& value : row) cells.push_back({cell_text(value)});
    table.add(std::move(cells));
  }
  return table.render(layout);
}

std::string sql_json(const agents::SqlTable& answer) {
  boost::json::array columns;
  for (const auto& name : answer.columns) columns.emplace_back(name);
  boost::json::array rows;
  for (const auto& row : answer.rows) {
    boost::json::array cells;
    for (const auto& value : row) cells.push_back(cell_json(value));
    rows.push_back(std::move(cells));
  }
  const boost::json::object out{{"apiVersion", "fleetwright/v1alpha1"},
                                {"kind", "QueryResult"},
                                {"columns", std::move(columns)},
                                {"rows", std::move(rows)},
                                {"truncated", answer.truncated}};
  return boost::json::serialize(out);
}

Result<std::optional<std::string>> raw_evidence(const agents::CaseFile& case_file, const std::string& id,
                                                const term::Layout& layout) {
  term::Document document(layout);
  bool found = false;
  for (const auto* name : kFactTables) {
    const auto answer = case_file.query(fmt::format("select * from {} where evidence_id = :id", name), {{":id", id}});
    if (!answer) return answer.error();
    for (const auto& row : answer->rows) {
      found = true;
      document.heading(name);
      for (std::size_t i = 0; i < row.size(); ++i) {
        if (!std::holds_alternative<std::monostate>(row[i])) document.item(2, answer->columns[i], cell_text(row[i]));
      }
    }
  }
  if (!found) return std::optional<std::string>();
  return std::optional(document.take());
}

}  // namespace fw::cli::render
