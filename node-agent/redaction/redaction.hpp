// Takes secrets out of text before it leaves the node: log lines, command lines, kernel messages, URLs.
//
//   redact(text)                     the built-in rules (rules.cpp), compiled at first use
//   Redactor::make({.extra = ...})   the same with rules of the operator, or with e-mail addresses as well
//
// What a rule finds is replaced by "[redacted:<name of the rule>]". Redacting twice changes nothing.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "common/units.hpp"

namespace fw::redaction {

inline constexpr std::size_t kMaxInputBytes = 1_MiB;   // a longer text is cut there: what was not looked at must not leave
inline constexpr std::size_t kMaxExtraRules = 64;
inline constexpr std::size_t kMaxPatternBytes = 1_KiB;

// How often each rule replaced something; only rules that did.
using RedactionCounts = std::map<std::string, std::uint64_t, std::less<>>;

// What a match must be beside matching, so that words of everyday text stay.
enum class Check : std::uint8_t {
  none,
  value,       // of a key: no null, true, number of one digit, or reference such as ${NAME}
  token,       // a digit in it, or 20 characters and more
  base64,      // upper case, lower case and digits: a digest in hexadecimal is no key
  card,        // the check digit of payment cards
};

struct Rule {
  std::string_view name;             // [a-z0-9_]
  std::string_view trigger;          // RE2 that is in every match and quick to look for; "": the rule looks at every line itself
  std::string_view pattern;          // RE2 on bytes; the first group that took part is the secret, else the whole match
  Check check = Check::none;
  std::string_view example;          // must change
  std::string_view counter_example;  // must not
};

// The built-in table, in the order in which it is applied.
std::span<const Rule> builtin_rules();

struct ExtraRule {
  std::string name;
  std::string pattern;
};

// A rule file: a line each, "name pattern"; empty lines and lines that begin with # mean nothing. Errc::malformed with the number of the
// line, Errc::too_large above the limits. Patterns are compiled by Redactor::make. Pure.
Result<std::vector<ExtraRule>> parse_rules(std::string_view text);

struct RedactorConfig {
  bool email = false;                // e-mail addresses are personal data, but few incidents are explained without them
  std::vector<ExtraRule> extra;
};

// Invariant: the result holds no byte of a match. Time is linear in the text (RE2), memory bounded (kept between calls, about 0.6 MiB).
// Threading: one thread at a time. Blocking: CPU only, 1 to 5 us for 100 bytes, by how many rules their words wake. Lifetime: of its own.
class Redactor {
 public:
  // Errc::malformed names the rule whose pattern is not one of RE2.
  static Result<Redactor> make(RedactorConfig config);
  ~Redactor();
  Redactor(Redactor&& other) noexcept;
  Redactor& operator=(Redactor&& other) noexcept;

  // Any bytes. counts, if any, is added to.
  std::string redact(std::string_view text, RedactionCounts* counts = nullptr);

 private:
  struct Impl;
  explicit Redactor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// With the built-in rules. Threading: the agent's one thread.
std::string redact(std::string_view text, RedactionCounts* counts = nullptr);

}  // namespace fw::redaction
