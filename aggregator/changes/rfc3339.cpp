#include "aggregator/changes/rfc3339.hpp"

#include <chrono>
#include <cstdio>
#include <optional>

namespace fw::changes {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

// Takes exactly `digits` decimal digits from the front.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take_char(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

Result<std::int64_t> parse_rfc3339(std::string_view text) {
  const Error bad(Errc::malformed, "not an RFC 3339 time");
  const auto year = take_number(text, 4);
  if (!year || !take_char(text, "-")) return bad;
  const auto month = take_number(text, 2);
  if (!month || !take_char(text, "-")) return bad;
  const auto day = take_number(text, 2);
  if (!day || !take_char(text, "Tt ")) return bad;
  const auto hour = take_number(text, 2);
  if (!hour || !take_char(text, ":")) return bad;
  const auto minute = take_number(text, 2);
  if (!minute || !take_char(text, ":")) return bad;
  const auto second = take_number(text, 2);
  if (!second) return bad;

  std::int64_t fraction_ns = 0;
  if (take_char(text, ".")) {
    std::int64_t unit_ns = kNsPerSecond / 10;
    if (text.empty() || text.front() < '0' || text.front() > '9') return bad;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
      fraction_ns += (text.front() - '0') * unit_ns;
      unit_ns /= 10;
      text.remove_prefix(1);
    }
  }

  std::int64_t offset_s = 0;
  if (!take_char(text, "Zz")) {
    const bool west = !text.empty() && text.front() == '-';
    if (!take_char(text, "+-")) return bad;
    const auto hours = take_number(text, 2);
    if (!hours || !take_char(text, ":")) return bad;
    const auto minutes = take_number(text, 2);
    if (!minutes || *hours > 23 || *minutes > 59) return bad;
    offset_s = (*hours * 3600 + *minutes * 60) * (west ? -1 : 1);
  }
  if (!text.empty()) return bad;

  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  // 60: a leap second, the same instant as the next second here.
  if (!date.ok() || *year > 2261 || *hour > 23 || *minute > 59 || *second > 60) return bad;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  const std::int64_t seconds = days * 86'400 + *hour * 3600 + *minute * 60 + *second - offset_s;
  if (seconds < 0) return bad;
  return seconds * kNsPerSecond + fraction_ns;
}

std::string format_rfc3339(std::int64_t wall_ns) {
  using namespace std::chrono;
  const sys_time<nanoseconds> instant{nanoseconds(wall_ns)};
  const auto day = floor<days>(instant);
  const year_month_day date(day);
  const hh_mm_ss time(floor<milliseconds>(instant - day));
  char out[40];
  std::snprintf(out, sizeof out, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
  return out;
}

}  // namespace fw::changes
