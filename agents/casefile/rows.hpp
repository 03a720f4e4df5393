// Cells of a SqlTable as values. A hostile file may hold any type in any column; what does not fit is absent.
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "agents/casefile/case_file.hpp"

namespace fw::agents {

inline std::optional<std::int64_t> as_int(const SqlValue& value) {
  if (const auto* i = std::get_if<std::int64_t>(&value)) return *i;
  if (const auto* d = std::get_if<double>(&value); d != nullptr && *d > -9e18 && *d < 9e18) return static_cast<std::int64_t>(*d);
  return std::nullopt;
}

// A time that can be added to and subtracted from without overflow.
inline std::optional<std::int64_t> as_time(const SqlValue& value) {
  const auto ns = as_int(value);
  if (!ns) return std::nullopt;
  return std::clamp<std::int64_t>(*ns, 0, 4'000'000'000'000'000'000);
}

inline std::optional<std::string> as_optional_text(const SqlValue& value) {
  if (const auto* s = std::get_if<std::string>(&value)) return *s;
  if (const auto i = as_int(value)) return std::to_string(*i);
  return std::nullopt;
}

inline std::string as_text(const SqlValue& value) { return as_optional_text(value).value_or(""); }

}  // namespace fw::agents
