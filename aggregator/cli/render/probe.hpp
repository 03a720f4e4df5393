// A probe's result: its text, or its rows as a table whose columns are the fields of the rows. Pure.
#pragma once
#include <boost/json/object.hpp>
#include <string>

#include "aggregator/cli/term/table.hpp"

namespace fw::cli::render {

std::string probe(const boost::json::object& result, const term::Layout& layout);

// One line beside the data: what was left out, redacted, or could not be seen; and the other facts.
std::string probe_summary(const boost::json::object& result);

}  // namespace fw::cli::render
