#include "common/config/values.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

namespace fw::config {

namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array<Unit, 4> kTimeUnits{{{"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::array<Unit, 5> kByteUnits{
    {{"TiB", 1ULL << 40U}, {"GiB", 1ULL << 30U}, {"MiB", 1ULL << 20U}, {"KiB", 1ULL << 10U}, {"B", 1}}};

Error malformed(std::string_view text, std::string_view expected) {
  return Error{Errc::malformed, "'" + std::string(text) + "' is not " + std::string(expected)};
}

// A non-negative whole number and the rest after it, without the blanks between them.
std::optional<std::pair<std::uint64_t, std::string_view>> split_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  return std::pair{number, rest};
}

template <std::size_t N>
std::optional<std::uint64_t> scaled(std::string_view text, const std::array<Unit, N>& units, std::uint64_t bare_factor) {
  const auto parts = split_number(text);
  if (!parts) return std::nullopt;
  auto factor = bare_factor;
  if (!parts->second.empty()) {
    const auto unit = std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == parts->second; });
    if (unit == units.end()) return std::nullopt;
    factor = unit->factor;
  } else if (parts->first == 0) {
    return 0;
  }
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (factor == 0 || parts->first > kMax / factor) return std::nullopt;
  return parts->first * factor;
}

template <std::size_t N>
std::string unscaled(std::uint64_t value, const std::array<Unit, N>& units) {
  for (const auto& unit : units) {
    if (value >= unit.factor && value % unit.factor == 0) {
      return std::to_string(value / unit.factor) + (unit.name == "B" ? "" : std::string(unit.name));
    }
  }
  return "0";
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const auto replaced = diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row.back();
}

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto ms = scaled(text, kTimeUnits, 0);
  if (!ms) return malformed(text, "a duration such as 500ms, 10s, 5m or 1h");
  return std::chrono::milliseconds{static_cast<std::int64_t>(*ms)};
}

Result<std::uint64_t> parse_bytes(std::string_view text) {
  const auto bytes = scaled(text, kByteUnits, 1);
  if (!bytes) return malformed(text, "a size such as 4096, 64KiB, 16MiB or 1GiB");
  return *bytes;
}

Result<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return malformed(text, "a whole number");
  return value;
}

Result<bool> parse_boolean(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return malformed(text, "true or false");
}

std::string print_duration(std::chrono::milliseconds value) {
  return unscaled(static_cast<std::uint64_t>(value.count()), kTimeUnits);
}

std::string print_bytes(std::uint64_t value) { return unscaled(value, kByteUnits); }

std::string_view nearest(std::string_view text, const std::vector<std::string_view>& candidates) {
  constexpr std::size_t kLongestCompared = 128;  // the text comes from a file; the work stays bounded
  if (text.size() > kLongestCompared) return {};
  std::string_view best;
  auto best_distance = std::max<std::size_t>(2, text.size() / 4) + 1;
  for (const auto candidate : candidates) {
    const auto distance = edit_distance(text, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace fw::config
