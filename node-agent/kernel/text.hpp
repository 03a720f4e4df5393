// Cutting kernel text into pieces; numbers with checks. For node-agent/kernel and the executor.
#pragma once
#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>

namespace fw::kernel {

// Cuts text at the first separator: returns what is before, leaves in text what is after (nothing when there is none).
inline std::string_view take_until(std::string_view& text, char separator) noexcept {
  const auto end = text.find(separator);
  const auto piece = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  return piece;
}

inline std::string_view take_line(std::string_view& text) noexcept { return take_until(text, '\n'); }

inline std::string_view trimmed(std::string_view text) noexcept {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// The whole of text must be one decimal number of that type.
template <std::integral T>
std::optional<T> to_number(std::string_view text) noexcept {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace fw::kernel
