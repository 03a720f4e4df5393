#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <vector>

#include "agents/casefile/sqlite.hpp"
#include "agents/casefile/text.hpp"

namespace fw::agents {

std::string size_text(std::int64_t bytes) {
  static constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 0) return "no limit";
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) value /= 1024, ++unit;
  const double rounded = value < 10 && unit > 0 ? std::round(value * 10) / 10 : std::round(value);
  return rounded == std::floor(rounded) ? fmt::format("{:.0f} {}", rounded, kUnits[unit])
                                        : fmt::format("{:.1f} {}", rounded, kUnits[unit]);
}

std::string clock_text(std::int64_t ns) {
  constexpr std::int64_t kDay = 86'400;
  const std::int64_t seconds = ns / 1'000'000'000 - (ns % 1'000'000'000 < 0 ? 1 : 0);
  const std::int64_t of_day = ((seconds % kDay) + kDay) % kDay;
  return fmt::format("{:02}:{:02}:{:02} UTC", of_day / 3600, of_day / 60 % 60, of_day % 60);
}

namespace sqlite {
namespace {

void size_function(sqlite3_context* context, int, sqlite3_value** args) {
  if (sqlite3_value_numeric_type(args[0]) == SQLITE_NULL) return;
  const std::string text = size_text(sqlite3_value_int64(args[0]));
  sqlite3_result_text64(context, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

void utc_function(sqlite3_context* context, int, sqlite3_value** args) {
  if (sqlite3_value_numeric_type(args[0]) == SQLITE_NULL) return;
  const std::string text = clock_text(sqlite3_value_int64(args[0]));
  sqlite3_result_text64(context, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

// SQLite zeroes the aggregate context and frees it itself, so it holds one owned pointer.
struct MedianState { std::vector<double>* values; };

void median_step(sqlite3_context* context, int, sqlite3_value** args) {
  const int type = sqlite3_value_numeric_type(args[0]);
  if (type != SQLITE_INTEGER && type != SQLITE_FLOAT) return;
  auto* state = static_cast<MedianState*>(sqlite3_aggregate_context(context, sizeof(MedianState)));
  if (state == nullptr) return sqlite3_result_error_nomem(context);
  try {
    if (state->values == nullptr) state->values = std::make_unique<std::vector<double>>().release();
    state->values->push_back(sqlite3_value_double(args[0]));
  } catch (const std::bad_alloc&) {
    sqlite3_result_error_nomem(context);
  }
}

void median_final(sqlite3_context* context) {
  auto* state = static_cast<MedianState*>(sqlite3_aggregate_context(context, 0));
  if (state == nullptr || state->values == nullptr) return;
  const std::unique_ptr<std::vector<double>> values{state->values};
  state->values = nullptr;
  const auto middle = values->begin() + static_cast<std::ptrdiff_t>((values->size() - 1) / 2);
  std::nth_element(values->begin(), middle, values->end());
  sqlite3_result_double(context, *middle);
}

}  // namespace

Result<void> add_functions(sqlite3* db) {
  constexpr int kFlags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  if (sqlite3_create_function_v2(db, "size", 1, kFlags, nullptr, size_function, nullptr, nullptr, nullptr) != SQLITE_OK ||
      sqlite3_create_function_v2(db, "utc", 1, kFlags, nullptr, utc_function, nullptr, nullptr, nullptr) != SQLITE_OK ||
      sqlite3_create_function_v2(db, "median", 1, kFlags, nullptr, nullptr, median_step, median_final, nullptr) != SQLITE_OK)
    return last_error(db, Errc::io);
  return {};
}

}  // namespace sqlite
}  // namespace fw::agents
