#include "aggregator/cli/term/time_format.hpp"

#include <charconv>
#include <ctime>

#include <fmt/format.h>

#include "common/clock.hpp"

namespace fw::cli::term {
namespace {

constexpr std::int64_t kMinute = 60, kHour = 60 * kMinute, kDay = 24 * kHour;

struct Split {
  std::tm utc{};
  std::int64_t ms = 0;
};

Split split(std::int64_t wall_ns) {
  std::int64_t seconds = wall_ns / kNsPerSecond;
  std::int64_t rest = wall_ns % kNsPerSecond;
  if (rest < 0) {
    rest += kNsPerSecond;
    --seconds;
  }
  Split out;
  const std::time_t time = seconds;
  ::gmtime_r(&time, &out.utc);
  out.ms = rest / kNsPerMs;
  return out;
}

}  // namespace

std::string rfc3339(std::int64_t wall_ns) {
  const auto [utc, ms] = split(wall_ns);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec, ms);
}

std::string clock_time(std::int64_t wall_ns) {
  const auto [utc, ms] = split(wall_ns);
  return fmt::format("{:02}:{:02}:{:02}.{:03}", utc.tm_hour, utc.tm_min, utc.tm_sec, ms);
}

std::string duration(std::int64_t ns) {
  const std::int64_t s = ns <= 0 ? 0 : ns / kNsPerSecond;
  if (s < 2 * kMinute) return fmt::format("{}s", s);
  if (s < kHour) return fmt::format("{}m", s / kMinute);
  if (s < kDay) return fmt::format("{}h{:02}m", s / kHour, s % kHour / kMinute);
  return fmt::format("{}d", s / kDay);
}

std::string age(std::int64_t wall_ns, std::int64_t now_ns) {
  return wall_ns > now_ns ? "0s" : duration(now_ns - wall_ns);
}

std::optional<std::int64_t> parse_duration_ns(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number < 0 || end + 1 != text.data() + text.size()) return std::nullopt;
  std::int64_t unit = 0;
  switch (*end) {
    case 's': unit = 1; break;
    case 'm': unit = kMinute; break;
    case 'h': unit = kHour; break;
    case 'd': unit = kDay; break;
    default: return std::nullopt;
  }
  constexpr std::int64_t kLongest = 3650 * kDay;
  if (number > kLongest / unit) return std::nullopt;
  return number * unit * kNsPerSecond;
}

}  // namespace fw::cli::term
