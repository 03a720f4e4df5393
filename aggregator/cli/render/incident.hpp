// One incident for people: the verdict first, then what it rests on. Pure. Every claim cites a fact by its number [E3].
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "agents/casefile/case_file.hpp"
#include "agents/findings.hpp"
#include "aggregator/cli/model.hpp"
#include "aggregator/cli/render/lists.hpp"
#include "aggregator/cli/term/table.hpp"

namespace fw::cli::render {

// `findings` is absent while the incident is not yet explained.
std::string show(const Incident& incident, const std::optional<agents::Findings>& findings, const term::Layout& layout,
                 Detail detail, std::int64_t now_ns);

// All hypotheses with their evidence, the changes with the parts of their weight, and who said what. `title` is "INC-7
// checkout".
std::string explain(const std::string& title, const agents::Findings& findings, const term::Layout& layout,
                    Detail detail);

// One fact, and which checks cite it with which query. Nothing when the findings do not have it.
std::optional<std::string> evidence(const agents::Findings& findings, const std::string& id,
                                    const term::Layout& layout);

// The case file's row behind a fact, one column per line; nothing when no table has it.
Result<std::optional<std::string>> raw_evidence(const agents::CaseFile& case_file, const std::string& id,
                                                const term::Layout& layout);

// A query's answer: a table, or {"kind": "QueryResult"} as JSON.
std::string sql_table(const agents::SqlTable& table, const term::Layout& layout);
std::string sql_json(const agents::SqlTable& table);

}  // namespace fw::cli::render
