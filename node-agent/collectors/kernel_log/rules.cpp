#include "node-agent/collectors/kernel_log/rules.hpp"

#include <re2/re2.h>
#include <re2/set.h>

#include <algorithm>
#include <array>
#include <span>

#include "common/embedded_file.hpp"
#include "node-agent/kernel/text.hpp"

namespace fw {
std::span<const EmbeddedFile> embedded_log_rules();
}

namespace fw::collectors {
namespace {

constexpr std::array<std::string_view, 8> kLevels{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};
constexpr std::size_t kMaxNameBytes = 40;
constexpr std::int64_t kSetMemoryBytes = 4 << 20, kRuleMemoryBytes = 64 << 10;

RE2::Options options(std::int64_t memory_bytes) {
  RE2::Options options;
  options.set_encoding(RE2::Options::EncodingLatin1);   // the log holds any bytes
  options.set_log_errors(false);
  options.set_max_mem(memory_bytes);
  return options;
}

bool good_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

Result<std::vector<LogRule>> parse_log_rules(std::string_view text) {
  std::vector<LogRule> rules;
  for (std::size_t number = 1; !text.empty(); ++number) {
    auto line = kernel::take_line(text);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    const auto bad = [&](const char* why) { return Error{Errc::malformed, "line " + std::to_string(number) + ": " + why}; };
    if (rules.size() == kMaxLogRules) return Error{Errc::too_large, "more than " + std::to_string(kMaxLogRules) + " rules"};
    const auto name = kernel::take_until(line, '\t');
    const auto level = kernel::take_until(line, '\t');
    const auto found = std::find(kLevels.begin(), kLevels.end(), level);
    if (!good_name(name)) return bad("the name must be 1 to 40 of a-z, 0-9 and _");
    if (found == kLevels.end()) return bad("the second field must be a level, emerg to debug");
    if (line.empty()) return bad("there is no pattern; fields are separated by one tab");
    if (line.size() > kMaxLogPatternBytes) return Error{Errc::too_large, "line " + std::to_string(number) + ": the pattern is too long"};
    rules.push_back({std::string{name}, static_cast<unsigned>(found - kLevels.begin()), std::string{line}});
  }
  return rules;
}

std::string_view builtin_log_rules() noexcept { return embedded_log_rules().front().text; }

struct LogMatcher::Impl {
  std::vector<LogRule> rules;
  std::unique_ptr<RE2::Set> all;                 // one pass tells which rules match at all
  std::vector<std::unique_ptr<RE2>> single;      // made when its rule matches for the first time
  std::vector<int> found;
};

LogMatcher::LogMatcher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LogMatcher::~LogMatcher() = default;
LogMatcher::LogMatcher(LogMatcher&&) noexcept = default;
LogMatcher& LogMatcher::operator=(LogMatcher&&) noexcept = default;

Result<LogMatcher> LogMatcher::make(std::vector<LogRule> rules) {
  auto impl = std::make_unique<Impl>();
  impl->all = std::make_unique<RE2::Set>(options(kSetMemoryBytes), RE2::UNANCHORED);
  for (const auto& rule : rules) {
    std::string why;
    if (impl->all->Add(rule.pattern, &why) < 0) return Error{Errc::malformed, "rule " + rule.name + ": " + why};
  }
  if (!rules.empty() && !impl->all->Compile()) return Error{Errc::too_large, "the rules together need too much memory"};
  impl->single.resize(rules.size());
  impl->rules = std::move(rules);
  return LogMatcher{std::move(impl)};
}

std::optional<LogMatch> LogMatcher::match(unsigned level, std::string_view text) {
  auto& found = impl_->found;
  found.clear();
  if (impl_->rules.empty()) return std::nullopt;
  RE2::Set::ErrorInfo error{};
  if (!impl_->all->Match({text.data(), text.size()}, &found, &error)) {
    if (error.kind == RE2::Set::kNoError) return std::nullopt;
    found.resize(impl_->rules.size());           // too many states for its memory: each rule by itself
    for (std::size_t i = 0; i < found.size(); ++i) found[i] = static_cast<int>(i);
  }
  std::sort(found.begin(), found.end());
  for (const auto at : found) {
    const auto index = static_cast<std::size_t>(at);
    const auto& rule = impl_->rules[index];
    if (level > rule.level) continue;
    auto& pattern = impl_->single[index];
    if (!pattern) pattern = std::make_unique<RE2>(rule.pattern, options(kRuleMemoryBytes));
    std::array<re2::StringPiece, 2> groups;
    const int wanted = std::min(pattern->NumberOfCapturingGroups(), 1) + 1;
    if (!pattern->ok() || !pattern->Match({text.data(), text.size()}, 0, text.size(), RE2::UNANCHORED, groups.data(), wanted)) continue;
    return LogMatch{rule.name, wanted == 2 ? std::string_view{groups[1].data(), groups[1].size()} : std::string_view{}};
  }
  return std::nullopt;
}

}  // namespace fw::collectors
