// One metric over time, and who uses what now. Pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/cli/live_model.hpp"
#include "aggregator/cli/render/lists.hpp"

namespace fw::cli::render {

enum class Glyphs { ascii, utf8 };
// By LC_ALL, LC_CTYPE, LANG, the first that is set; texts may be "".
Glyphs glyphs_of(std::string_view lc_all, std::string_view lc_ctype, std::string_view lang);

// One character per value, the highest is full; at most `columns` characters, each the greatest of its values.
std::string sparkline(const std::vector<double>& values, std::size_t columns, Glyphs glyphs);

// For people in the metric's unit: 64.0 MiB, 1.5 ms, 12.3/s. Microseconds per second are a part of the time: 53.0%.
std::string quantity(double value, std::string_view unit, bool per_second);

std::string series(const Series& series, const term::Layout& layout, Detail detail, Glyphs glyphs);
std::string series_csv(const Series& series);
// "unknown before 02:40:10.000 ..."; "" when all of the asked time is known.
std::string unknown_before(const Series& series);

std::string top(const Top& top, const term::Layout& layout, Detail detail);

}  // namespace fw::cli::render
