// Lists of incidents, nodes and changes as tables. Pure: data, layout and "now" in, text out.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "aggregator/cli/model.hpp"
#include "aggregator/cli/term/table.hpp"

namespace fw::cli::render {

enum class Detail { normal, wide };

std::string incidents(const std::vector<Incident>& list, const term::Layout& layout, Detail detail,
                      std::int64_t now_ns);
std::string nodes(const std::vector<Node>& list, const term::Layout& layout, Detail detail, std::int64_t now_ns);
std::string changes(const std::vector<Change>& list, const term::Layout& layout, Detail detail, std::int64_t now_ns);

// "incident/INC-7", one per line.
std::string names(const std::string& kind, const std::vector<std::string>& names);

// Change ids begin with the time, so their ends tell them apart; people see the last 8 characters, scripts all.
std::string short_change_id(const std::string& id, const term::Layout& layout, Detail detail);

// "0.97"; "<none>" when absent.
std::string probability(const std::optional<double>& value);

}  // namespace fw::cli::render
