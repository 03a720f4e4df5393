// Texts that every refusal uses.
#include <array>
#include <chrono>
#include <cstdio>

#include "protocol/authority/verify_parts.hpp"

namespace fw::authority::verify {

std::string time_text(std::int64_t unix_ms) {
  constexpr std::int64_t kYear10000Ms = 253'402'300'800'000;
  if (unix_ms < 0 || unix_ms >= kYear10000Ms) return std::to_string(unix_ms) + " ms";
  const std::chrono::sys_seconds second{std::chrono::seconds{unix_ms / 1000}};
  const auto day = std::chrono::floor<std::chrono::days>(second);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{second - day};
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()));
  return text.data();
}

std::string short_text(const Digest& digest) { return to_text(digest).substr(0, 12); }

std::string joined(const std::vector<std::string>& list, const std::string& between) {
  std::string text;
  for (const auto& entry : list) text += (text.empty() ? "" : between) + entry;
  return text;
}

}  // namespace fw::authority::verify
