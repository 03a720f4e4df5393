#include "aggregator/cli/term/text.hpp"

#include <array>
#include <clocale>
#include <cstdint>
#include <cwchar>

#include <locale.h>

#include <fmt/format.h>

namespace fw::cli::term {
namespace {

constexpr char32_t kInvalid = 0xFFFFFFFF;
constexpr int kMaxCombiningInARow = 2;

struct Decoded {
  char32_t code = kInvalid;
  std::size_t length = 1;
};

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; }

// Strict: no overlong forms, no surrogates, nothing beyond U+10FFFF.
Decoded decode(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {};
  constexpr std::array<char32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
  char32_t code = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(text[i])) return {};
    code = (code << 6U) | (static_cast<unsigned char>(text[i]) & 0x3FU);
  }
  if (code < kSmallest.at(length) || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {};
  return {code, length};
}

// wcwidth asks the thread's locale, and users run us under LC_ALL=C.
class Utf8Locale {
 public:
  Utf8Locale() : previous_(::uselocale(utf8())) {}
  ~Utf8Locale() { ::uselocale(previous_); }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  static locale_t utf8() {
    static locale_t locale = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return locale;  // null asks uselocale to change nothing
  }
  locale_t previous_;
};

int columns_of(char32_t code) { return ::wcwidth(static_cast<wchar_t>(code)); }

bool is_hidden(char32_t code) {
  struct Range {
    char32_t first, last;
  };
  // Controls, soft hyphen, bidi marks and overrides, zero-width characters, separators, interlinear marks, tags.
  constexpr std::array<Range, 14> kHidden{{{0x00, 0x1F},
                                           {0x7F, 0x9F},
                                           {0xAD, 0xAD},
                                           {0x34F, 0x34F},
                                           {0x61C, 0x61C},
                                           {0x115F, 0x1160},
                                           {0x17B4, 0x17B5},
                                           {0x180E, 0x180E},
                                           {0x200B, 0x200F},
                                           {0x2028, 0x202E},
                                           {0x2060, 0x206F},
                                           {0xFEFF, 0xFEFF},
                                           {0xFFF9, 0xFFFB},
                                           {0xE0000, 0xE0FFF}}};
  for (const auto& range : kHidden) {
    if (code >= range.first && code <= range.last) return true;
  }
  return false;
}

std::string visible_escape(char32_t code) {
  switch (code) {
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: break;
  }
  return code < 0x80 ? fmt::format("\\x{:02x}", static_cast<unsigned>(code))
                     : fmt::format("\\u{{{:x}}}", static_cast<std::uint32_t>(code));
}

}  // namespace

std::string escape(std::string_view text) {
  const Utf8Locale locale;
  std::string out;
  out.reserve(text.size());
  int combining = 0;
  while (!text.empty()) {
    const auto [code, length] = decode(text);
    const auto bytes = text.substr(0, length);
    text.remove_prefix(length);
    if (code == kInvalid) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(bytes.front())));
      combining = 0;
      continue;
    }
    if (code >= 0x20 && code < 0x7F) {
      out += bytes;
      combining = 0;
      continue;
    }
    const int columns = columns_of(code);
    combining = columns == 0 ? combining + 1 : 0;
    if (is_hidden(code) || columns < 0 || combining > kMaxCombiningInARow) {
      out += visible_escape(code);
    } else {
      out += bytes;
    }
  }
  return out;
}

std::string escape_lines(std::string_view text) {
  std::string out;
  for (std::size_t start = 0; start < text.size();) {
    const auto end = std::min(text.find('\n', start), text.size());
    out += escape(text.substr(start, end - start));
    if (end < text.size()) out += '\n';
    start = end + 1;
  }
  return out;
}

std::size_t display_width(std::string_view text) {
  const Utf8Locale locale;
  std::size_t width = 0;
  while (!text.empty()) {
    const auto [code, length] = decode(text);
    text.remove_prefix(length);
    const int columns = code == kInvalid ? 1 : columns_of(code);
    width += columns < 0 ? 1 : static_cast<std::size_t>(columns);
  }
  return width;
}

std::string truncate(std::string_view text, std::size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  const Utf8Locale locale;
  std::size_t width = 0;
  std::size_t end = 0;
  while (end < text.size()) {
    const auto [code, length] = decode(text.substr(end));
    const int wide = code == kInvalid ? 1 : columns_of(code);
    const std::size_t next = width + (wide < 0 ? 1 : static_cast<std::size_t>(wide));
    if (next > columns - 1) break;
    width = next;
    end += length;
  }
  return std::string(text.substr(0, end)) + "~";
}

std::vector<std::string> wrap(std::string_view text, std::size_t columns) {
  std::vector<std::string> lines;
  std::string line;
  std::size_t width = 0;
  while (!text.empty()) {
    const auto blank = text.find(' ');
    const auto word = text.substr(0, blank);
    text.remove_prefix(blank == std::string_view::npos ? text.size() : blank + 1);
    if (word.empty()) continue;
    const auto word_width = display_width(word);
    if (!line.empty() && width + 1 + word_width > columns) {
      lines.push_back(std::move(line));
      line.clear();
      width = 0;
    }
    if (!line.empty()) {
      line += ' ';
      ++width;
    }
    line += word;
    width += word_width;
  }
  if (!line.empty()) lines.push_back(std::move(line));
  return lines;
}

}  // namespace fw::cli::term
