// What a line of the log looks like. Knows nothing of where lines go.
#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <utility>

#include "common/log.hpp"

namespace fw::log {

namespace {

constexpr std::array<std::pair<Level, std::string_view>, 5> kLevels{
    {{Level::trace, "trace"}, {Level::debug, "debug"}, {Level::info, "info"}, {Level::warn, "warn"}, {Level::error, "error"}}};
constexpr std::size_t kMaxTextBytes = 4096;  // of one message or value; a longer one is cut and marked

// Length of the valid UTF-8 sequence that text starts with; 0 when there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  }
  const auto second = byte(1);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool outside = (first == 0xED && second >= 0xA0) || (first == 0xF4 && second >= 0x90);
  return overlong || outside ? 0 : length;
}

// JSON's escapes serve the text format as well: one line, valid UTF-8, unambiguous.
void append_escaped(std::string& out, std::string_view text) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  const bool cut = text.size() > kMaxTextBytes;
  text = text.substr(0, kMaxTextBytes);
  while (!text.empty()) {
    const auto length = utf8_length(text);
    const auto c = text.front();
    if (length == 0) {
      out += kReplacement;
    } else if (length > 1) {
      out += text.substr(0, length);
    } else if (c == '"' || c == '\\') {
      (out += '\\') += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      std::array<char, 8> code{};
      std::snprintf(code.data(), code.size(), "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += code.data();
    } else {
      out += c;
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  if (cut) out += "...";
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text);
  out += '"';
}

bool is_plain(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '=') return false;
  }
  return true;
}

void append_number(std::string& out, double number) {
  if (!std::isfinite(number)) return append_quoted(out, std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf");
  std::array<char, 32> digits{};
  std::snprintf(digits.data(), digits.size(), "%.10g", number);
  out += digits.data();
}

void append_value(std::string& out, Format format, const Field::Value& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    if (format == Format::text && is_plain(*text) && text->size() <= kMaxTextBytes) {
      out += *text;
    } else {
      append_quoted(out, *text);
    }
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    out += *flag ? "true" : "false";
  } else if (const auto* number = std::get_if<double>(&value)) {
    append_number(out, *number);
  } else if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    out += std::to_string(*whole);
  } else {
    out += std::to_string(std::get<std::uint64_t>(value));
  }
}

std::string utc_time(std::int64_t wall_ns) {
  const auto seconds = static_cast<std::time_t>(wall_ns / kNsPerSecond);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const auto length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + length, text.size() - length, ".%03dZ", static_cast<int>(wall_ns % kNsPerSecond / kNsPerMs));
  return text.data();
}

}  // namespace

std::string_view name_of(Level level) noexcept {
  for (const auto& [value, name] : kLevels) {
    if (value == level) return name;
  }
  return "info";
}

Result<Level> parse_level(std::string_view name) {
  for (const auto& [value, text] : kLevels) {
    if (text == name) return value;
  }
  return Error{Errc::invalid_argument, "'" + std::string(name) + "' is not a log level"};
}

Result<Format> parse_format(std::string_view name) {
  if (name == "text") return Format::text;
  if (name == "json") return Format::json;
  return Error{Errc::invalid_argument, "'" + std::string(name) + "' is not a log format"};
}

std::string render(Format format, Level level, std::int64_t wall_ns, std::string_view message, Fields fields,
                   std::uint64_t hidden) {
  std::string out;
  if (format == Format::text) {
    out = utc_time(wall_ns) + " " + std::string(name_of(level)) + " ";
    append_escaped(out, message);
    for (const auto& field : fields) {
      (out += ' ') += field.key;
      out += '=';
      append_value(out, format, field.value);
    }
    if (hidden != 0) out += " hidden=" + std::to_string(hidden);
    return out;
  }
  out = R"({"ts":")" + utc_time(wall_ns) + R"(","level":")" + std::string(name_of(level)) + R"(","msg":)";
  append_quoted(out, message);
  for (const auto& field : fields) {
    out += ',';
    append_quoted(out, field.key);
    out += ':';
    append_value(out, format, field.value);
  }
  if (hidden != 0) out += R"(,"hidden":)" + std::to_string(hidden);
  return out + "}";
}

}  // namespace fw::log
