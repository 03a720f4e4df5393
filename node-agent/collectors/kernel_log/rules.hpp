// Which lines of the kernel's log mean something, as a table that operators can add to.
//
// A rule file has a rule a line, three fields with one tab each between them:
//
//   name    [a-z0-9_], at most 40 bytes; what the event is called by
//   level   the least severe level at which a line counts: emerg, alert, crit, err, warning, notice, info or debug
//   pattern RE2 on the text, found anywhere in it; its first group, if any, names the thing it is about: a device, a process
//
// Empty lines and lines that begin with # mean nothing. The first rule that matches a line is the one.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace fw::collectors {

inline constexpr std::size_t kMaxLogRules = 256;
inline constexpr std::size_t kMaxLogPatternBytes = 1024;

struct LogRule {
  std::string name;
  unsigned level = 0;            // as the kernel numbers them: 0 emerg to 7 debug
  std::string pattern;
};

// Errc::malformed with the number of the line, Errc::too_large above the limits. Pure; patterns are compiled by LogMatcher::make.
Result<std::vector<LogRule>> parse_log_rules(std::string_view text);
std::string_view builtin_log_rules() noexcept;   // the text of rules.tsv

struct LogMatch {
  std::string_view rule;         // belongs to the matcher
  std::string_view object;       // of the text; "" when none is named
};

// Time is linear in the text (RE2), memory bounded by 4 MiB, taken as lines need it. Threading: one thread at a time.
class LogMatcher {
 public:
  static Result<LogMatcher> make(std::vector<LogRule> rules);   // Errc::malformed names the rule whose pattern is none
  ~LogMatcher();
  LogMatcher(LogMatcher&& other) noexcept;
  LogMatcher& operator=(LogMatcher&& other) noexcept;

  std::optional<LogMatch> match(unsigned level, std::string_view text);

 private:
  struct Impl;
  explicit LogMatcher(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fw::collectors
