#include "aggregator/cli/render/live.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include <fmt/format.h>

#include "aggregator/cli/term/text.hpp"
#include "aggregator/cli/term/time_format.hpp"

namespace fw::cli::render {
namespace {

using term::Cell;
using term::Column;
using term::Layout;
using term::Role;

constexpr char kNone[] = "-";
constexpr double kUsPerSecond = 1e6;

std::string bytes_text(double bytes) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (std::abs(bytes) >= 1024 && unit + 1 < kUnits.size()) {
    bytes /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

std::string us_text(double us) {
  if (std::abs(us) < 1000) return fmt::format("{:.0f} us", us);
  if (std::abs(us) < kUsPerSecond) return fmt::format("{:.1f} ms", us / 1000);
  return fmt::format("{:.2f} s", us / kUsPerSecond);
}

std::string plain_text(double value) {
  return std::trunc(value) == value ? fmt::format("{:.0f}", value) : fmt::format("{:.4g}", value);
}

// Whole for scripts.
std::string exact(double value) {
  return std::trunc(value) == value && std::abs(value) < 1e15 ? fmt::format("{:.0f}", value)
                                                               : fmt::format("{:.6g}", value);
}

std::string exact(const std::optional<double>& value) { return value ? exact(*value) : ""; }

template <class T, class Text>
Cell cell(const std::optional<T>& value, Text text, Role role = Role::plain) {
  return value ? Cell{text(*value), role} : Cell{kNone, Role::dim};
}

std::string part_text(double part) { return fmt::format("{:.0f}%", 100 * part); }

std::optional<double> memory_part(const TopRow& row) {
  if (!row.memory_bytes || !row.memory_limit_bytes || *row.memory_limit_bytes <= 0) return std::nullopt;
  return static_cast<double>(*row.memory_bytes) / static_cast<double>(*row.memory_limit_bytes);
}

// Something that ought to be zero.
template <class T>
Role bad_when_some(const std::optional<T>& value) {
  return value && *value > 0 ? Role::bad : Role::plain;
}

std::string whose(const Series& series) {
  return series.entity_kind == "node" ? series.node : series.node + "/" + series.entity;
}

}  // namespace

Glyphs glyphs_of(std::string_view lc_all, std::string_view lc_ctype, std::string_view lang) {
  const auto locale = !lc_all.empty() ? lc_all : !lc_ctype.empty() ? lc_ctype : lang;
  std::string lower(locale);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower.find("utf-8") != std::string::npos || lower.find("utf8") != std::string::npos ? Glyphs::utf8
                                                                                              : Glyphs::ascii;
}

std::string sparkline(const std::vector<double>& values, std::size_t columns, Glyphs glyphs) {
  constexpr std::array<std::string_view, 8> kAscii{"_", ".", ":", "-", "=", "+", "*", "#"};
  constexpr std::array<std::string_view, 8> kUtf8{"\u2581", "\u2582", "\u2583", "\u2584",
                                                  "\u2585", "\u2586", "\u2587", "\u2588"};
  if (values.empty() || columns == 0) return "";
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  const double low = std::min(0.0, *least), span = *most - low;
  const std::size_t width = std::min(columns, values.size());
  std::string out;
  for (std::size_t i = 0; i < width; ++i) {
    const auto from = values.begin() + static_cast<std::ptrdiff_t>(i * values.size() / width);
    const auto to = values.begin() + static_cast<std::ptrdiff_t>((i + 1) * values.size() / width);
    const double value = *std::max_element(from, to);
    const auto level = span > 0 ? static_cast<std::size_t>(std::lround(7 * (value - low) / span)) : std::size_t{0};
    out += (glyphs == Glyphs::utf8 ? kUtf8 : kAscii)[std::min<std::size_t>(level, 7)];
  }
  return out;
}

std::string quantity(double value, std::string_view unit, bool per_second) {
  if (unit == "us" && per_second) return fmt::format("{:.1f}%", 100 * value / kUsPerSecond);
  const auto text = unit == "bytes" ? bytes_text(value)
                    : unit == "us"  ? us_text(value)
                    : unit == "ms"  ? us_text(value * 1000)
                    : unit == "%"   ? fmt::format("{:.1f}%", value)
                                    : plain_text(value);
  return per_second ? text + "/s" : text;
}

std::string unknown_before(const Series& series) {
  if (!series.unknown_before_ns) return "";
  return fmt::format("unknown before {}: no sample of it is kept from the {} before then\n",
                     term::clock_time(*series.unknown_before_ns),
                     term::duration(*series.unknown_before_ns - series.from_ns));
}

std::string series(const Series& series, const Layout& layout, Detail detail, Glyphs glyphs) {
  std::vector<Column> columns{{"TIME"}, {"VALUE"}};
  if (series.quantile) {
    columns.push_back({"LOW"});
    columns.push_back({"HIGH"});
  }
  term::Table table(columns);
  const auto text = [&](double value) {
    return layout.for_people && detail != Detail::wide ? quantity(value, series.unit, series.per_second) : exact(value);
  };
  std::vector<double> values;
  for (const auto& point : series.points) {
    values.push_back(point.value);
    std::vector<Cell> row{{layout.for_people ? term::clock_time(point.t_ns) : term::rfc3339(point.t_ns)},
                          {text(point.value)}};
    if (series.quantile) {
      row.push_back({point.low ? text(*point.low) : kNone});
      row.push_back({point.high ? text(*point.high) : kNone});
    }
    table.add(std::move(row));
  }
  if (!layout.for_people) return table.render(layout);

  std::string out = fmt::format("{}  {}", whose(series), series.metric);
  if (series.quantile) out += fmt::format(", quantile {}", *series.quantile);
  if (series.per_second) out += ", per second";
  if (detail == Detail::wide && !series.unit.empty()) out += " (" + series.unit + ")";
  out = term::paint(term::truncate(term::escape(out), layout.columns), Role::bold, layout.ink) + "\n";
  out += unknown_before(series);
  if (values.empty()) return out + "no value in this time\n";
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  out += sparkline(values, layout.columns, glyphs) + "\n";
  out += fmt::format("least {}  most {}  newest {}\n\n", text(*least), text(*most), text(values.back()));
  return out + table.render(layout);
}

std::string series_csv(const Series& series) {
  std::string out = series.quantile ? "time,value,low,high\n" : "time,value\n";
  for (const auto& point : series.points) {
    out += term::rfc3339(point.t_ns) + "," + exact(point.value);
    if (series.quantile) out += "," + exact(point.low) + "," + exact(point.high);
    out += "\n";
  }
  return out;
}

std::string top(const Top& top, const Layout& layout, Detail detail) {
  constexpr std::int64_t kOldNs = 30'000'000'000;   // three sampling periods
  const bool wide = detail == Detail::wide;
  std::vector<Column> columns{{"NODE", wide ? 0U : 6U}, {"NAME", wide ? 0U : 10U}, {"CPU"},      {"THROTTLED"},
                              {"MEMORY"},               {"OF-LIMIT"},              {"RESTARTS"}, {"OOM"},
                              {"5XX/S"},                {"CONNFAIL/S"},            {"AGE"}};
  if (wide) {
    for (const auto* title : {"LIMIT", "KIND", "CGROUP"}) columns.push_back({title});
  }
  term::Table table(columns);
  const auto count = [](std::int64_t value) { return fmt::format("{}", value); };
  const auto per_s = [](double value) { return fmt::format("{:.2f}", value); };
  const auto bytes = [&](std::int64_t value) {
    return layout.for_people ? bytes_text(static_cast<double>(value)) : count(value);
  };
  for (const auto& row : top.rows) {
    const auto part = memory_part(row);
    const bool old = row.newest_ns && top.taken_ns - *row.newest_ns > kOldNs;
    const auto age = [&](std::int64_t newest_ns) { return term::age(newest_ns, top.taken_ns); };
    std::vector<Cell> cells{
        {row.node, row.connected ? Role::plain : Role::bad},
        {row.name},
        cell(row.cpu_cores, per_s),
        cell(row.throttled_ratio, part_text, row.throttled_ratio && *row.throttled_ratio >= 0.05 ? Role::warn : Role::plain),
        cell(row.memory_bytes, bytes),
        cell(part, part_text, part && *part >= 0.9 ? Role::warn : Role::plain),
        cell(row.restarts, count, bad_when_some(row.restarts)),
        cell(row.oom_kills, count, bad_when_some(row.oom_kills)),
        cell(row.errors_per_s, per_s, bad_when_some(row.errors_per_s)),
        cell(row.connects_failed_per_s, per_s, bad_when_some(row.connects_failed_per_s)),
        cell(row.newest_ns, age, old ? Role::warn : Role::plain)};
    if (wide) {
      cells.push_back(cell(row.memory_limit_bytes, bytes));
      cells.push_back({row.kind});
      cells.push_back({row.cgroup_path});
    }
    table.add(std::move(cells));
  }
  return table.render(layout);
}

}  // namespace fw::cli::render
