// A YAML text that people write, read key by key: every problem has its line, says what may stand there, and none hides another. The only
// door to yaml-cpp of the command line.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace fw::cli {

struct YamlProblem {
  std::size_t line = 0;   // 0: of the whole
  std::string text;
};
// "policy.yaml:12: approvers.keys: ..." one per line.
std::string problems_text(std::string_view file, const std::vector<YamlProblem>& problems);

// One mapping. Keys that are read are known; finish() reports the others. A value of the wrong kind is a problem and reads as absent.
// Lifetime: the document lives as long as any of its mappings.
class YamlMap {
 public:
  // Errors of the text itself become problems; the map is then empty.
  static YamlMap parse(std::string_view text, std::vector<YamlProblem>& problems);
  YamlMap(YamlMap&&) noexcept;
  YamlMap& operator=(YamlMap&&) = delete;
  ~YamlMap();

  bool has(std::string_view key) const;
  std::size_t line(std::string_view key) const;   // the map's own when the key is absent
  std::size_t line() const;

  std::string text(std::string_view key, std::string_view fallback = {});
  std::string required_text(std::string_view key);
  std::vector<std::string> texts(std::string_view key);        // a list, or one
  std::vector<YamlMap> maps(std::string_view key);             // a list of mappings
  std::optional<YamlMap> map(std::string_view key);
  // A word turned into a value; `convert` returns the error to show.
  template <class T>
  T value(std::string_view key, T fallback, const std::function<Result<T>(std::string_view)>& convert) {
    const auto word = text(key);
    if (!has(key) || word.empty()) return fallback;
    auto converted = convert(word);
    if (converted) return std::move(*converted);
    problem(key, converted.error().context);
    return fallback;
  }
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t min, std::int64_t max);
  bool boolean(std::string_view key, bool fallback);
  std::uint64_t duration_ms(std::string_view key, std::uint64_t fallback);   // 90s, 15m, 12h, 30d
  std::int64_t time_ms(std::string_view key, std::int64_t fallback);         // 2027-11-24 or 2027-11-24T12:00:00Z

  void problem(std::string_view key, std::string text);
  void finish();

 private:
  struct Impl;
  explicit YamlMap(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

Result<std::uint64_t> parse_length_ms(std::string_view text);   // as duration_ms
std::string length_text(std::uint64_t ms);                      // "12h"; the parser reads it back
Result<std::int64_t> parse_time_ms(std::string_view text);
std::string time_text(std::int64_t ms);                         // 2027-11-24T12:00:00Z, with milliseconds when there are any

// Text in double quotes that YAML reads back as it was; what could deceive a reader is written as \u escapes.
std::string yaml_quoted(std::string_view text);

}  // namespace fw::cli
