#include "node-agent/redaction/checks.hpp"

#include <algorithm>
#include <array>

namespace fw::redaction {
namespace {

constexpr std::size_t kMaxReferenceBytes = 128;   // a longer ${...} is redacted: a search that goes on inside it would not be linear

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_alnum(char c) { return is_digit(c) || is_upper(c) || is_lower(c); }

bool is_reference(std::string_view text) {
  if (text.size() > kMaxReferenceBytes) return false;
  const auto name = [](std::string_view inner) {
    return std::all_of(inner.begin(), inner.end(), [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == ' ' || c == '-'; });
  };
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kForms{{{"${", "}"}, {"$(", ")"}, {"{{", "}}"}, {"<", ">"}, {"$", ""}}};
  return std::any_of(kForms.begin(), kForms.end(), [&](const auto& form) {
    return text.size() >= form.first.size() + form.second.size() && text.starts_with(form.first) && text.ends_with(form.second) &&
           name(text.substr(form.first.size(), text.size() - form.first.size() - form.second.size()));
  });
}

bool is_value(std::string_view text) {
  if (is_reference(text)) return false;
  while (!text.empty() && (text.back() == ',' || text.back() == ';' || text.back() == ')' || text.back() == '}')) text.remove_suffix(1);
  constexpr std::array<std::string_view, 10> kWords{"null", "Null", "true", "True", "false", "False", "none", "None", "nil", "undefined"};
  if (std::find(kWords.begin(), kWords.end(), text) != kWords.end()) return false;
  if (text.size() <= 2 && std::none_of(text.begin(), text.end(), [](char c) { return is_upper(c) || is_lower(c); })) return false;
  if (std::all_of(text.begin(), text.end(), [](char c) { return c == '*'; })) return false;
  return !is_reference(text);
}

bool is_card(std::string_view text) {
  std::array<int, 19> digits{};
  std::size_t count = 0;
  for (const char c : text) {
    if (!is_digit(c)) continue;
    if (count == digits.size()) return false;
    digits[count++] = c - '0';
  }
  if (count < 13) return false;
  int sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const int doubled = digits[count - 1 - i] * (i % 2 == 1 ? 2 : 1);
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 == 0;
}

bool is_base64(std::string_view text) {
  const auto any = [&](auto of) { return std::any_of(text.begin(), text.end(), of); };
  const auto slashes = static_cast<std::size_t>(std::count(text.begin(), text.end(), '/'));
  return any(is_digit) && any(is_upper) && any(is_lower) && slashes <= 3 + text.size() / 16;   // else a path
}

}  // namespace

bool passes(Check check, std::string_view secret) {
  switch (check) {
    case Check::none: return true;
    case Check::value: return is_value(secret);
    case Check::token: return secret.size() >= 20 || std::any_of(secret.begin(), secret.end(), is_digit);
    case Check::base64: return is_base64(secret);
    case Check::card: return is_card(secret);
  }
  return true;
}

}  // namespace fw::redaction
