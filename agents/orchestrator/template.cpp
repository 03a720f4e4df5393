#include "agents/orchestrator/template.hpp"

namespace fw::agents {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::size_t kMaxShownBytes = 200;

// Length of the well-formed UTF-8 sequence at the front, 0 when there is none; its code point in `code`.
std::size_t decode(std::string_view text, char32_t& code) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned first = byte(0);
  const std::size_t length = first < 0x80 ? 1 : first >= 0xC2 && first < 0xE0 ? 2 : (first & 0xF0U) == 0xE0 ? 3 : first >= 0xF0 && first < 0xF5 ? 4 : 0;
  if (length == 0 || length > text.size()) return 0;
  code = length == 1 ? first : first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return 0;
    code = (code << 6U) | (byte(i) & 0x3FU);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  return overlong || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000) ? 0 : length;
}

bool shown(char32_t code) {
  return code >= 0x20 && !(code >= 0x7F && code < 0xA0) && !(code >= 0x202A && code <= 0x202E) && !(code >= 0x2066 && code <= 0x2069) &&
         code != 0x200E && code != 0x200F && code != 0x061C && code != 0x2028 && code != 0x2029 && code != 0xFEFF;
}

// Calls on_text for literal text and on_name for {name}, with whether it is inside brackets; on_group at the end of [...].
template <class OnText, class OnName, class OnGroup>
Result<void> walk(std::string_view text, OnText on_text, OnName on_name, OnGroup on_group) {
  bool inside = false;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t next = text.find_first_of("{}[]", i);
    on_text(text.substr(i, next - i), inside);
    if (next == std::string_view::npos) break;
    i = next + 1;
    if (text[next] == '{') {
      const std::size_t end = text.find('}', i);
      if (end == std::string_view::npos || end == i) return Error{Errc::malformed, "a '{' without its name and '}'"};
      on_name(std::string{text.substr(i, end - i)}, inside);
      i = end + 1;
    } else if (text[next] == '[' && !inside) {
      inside = true;
    } else if (text[next] == ']' && inside) {
      inside = false;
      on_group();
    } else {
      return Error{Errc::malformed, std::string{"a '"} + text[next] + "' that does not fit"};
    }
  }
  if (inside) return Error{Errc::malformed, "a '[' without its ']'"};
  return {};
}

}  // namespace

Result<std::vector<std::string>> template_names(std::string_view text) {
  std::vector<std::string> names;
  const auto done = walk(text, [](auto, bool) {}, [&](std::string name, bool) { names.push_back(std::move(name)); }, [] {});
  if (!done) return done.error();
  return names;
}

std::optional<std::string> fill(std::string_view text, const Lookup& lookup) {
  std::string out, group;
  bool known = true, group_known = true;
  const auto done = walk(
      text, [&](std::string_view literal, bool inside) { (inside ? group : out).append(literal); },
      [&](const std::string& name, bool inside) {
        const auto value = lookup(name);
        if (value) (inside ? group : out).append(*value);
        else (inside ? group_known : known) = false;
      },
      [&] {
        if (group_known) out += group;
        group.clear();
        group_known = true;
      });
  if (!done || !known) return std::nullopt;
  return out;
}

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (out.size() >= kMaxShownBytes) return out + "...";
    char32_t code = 0;
    const std::size_t length = decode(text, code);
    if (length == 0 || !shown(code)) out += kReplacement;
    else out += text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::optional<std::string> shell_word(std::string_view text) {
  if (text.empty() || text.front() == '-') return std::nullopt;   // would be read as an option
  bool plain = true;
  for (std::string_view rest = text; !rest.empty();) {
    char32_t code = 0;
    const std::size_t length = decode(rest, code);
    if (length == 0 || !shown(code)) return std::nullopt;
    const bool safe = (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z') || (code >= '0' && code <= '9') ||
                      (code < 0x80 && std::string_view{"_./:@=+,-"}.find(static_cast<char>(code)) != std::string_view::npos);
    plain = plain && safe;
    rest.remove_prefix(length);
  }
  if (plain) return std::string{text};
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string{"'\\''"} : std::string{c};
  return out + "'";
}

}  // namespace fw::agents
