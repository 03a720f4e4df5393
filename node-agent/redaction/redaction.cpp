#include "node-agent/redaction/redaction.hpp"

#include <re2/re2.h>
#include <re2/set.h>

#include <algorithm>
#include <array>
#include <optional>

#include "node-agent/redaction/checks.hpp"

namespace fw::redaction {
namespace {

constexpr std::int64_t kMaxRuleMemory = 512 * 1024;    // of one compiled rule, its automaton's cache included
constexpr std::int64_t kMaxSetMemory = 2 * 1024 * 1024;
constexpr int kMaxGroups = 8;
constexpr std::size_t kBlockBytes = 2048;              // whole lines at a time: fewer calls than lines, fewer rules than the text has triggers
constexpr std::string_view kEmailPattern = R"(\b([A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8})\b)";
constexpr std::string_view kPemMark = "PRIVATE KEY";

RE2::Options options_of(std::int64_t max_memory) {
  RE2::Options options(RE2::Latin1);   // bytes: a broken sequence of UTF-8 must not hide what is beside it
  options.set_log_errors(false);
  options.set_never_capture(false);
  options.set_max_mem(max_memory);
  return options;
}

constexpr std::string_view kMark = "[redacted:";
constexpr std::size_t kMaxMarkBytes = 60;

// Whether text[begin, end) is nothing but a mark of ours, or a part of one: redacting twice changes nothing.
bool is_marked(std::string_view text, std::size_t begin, std::size_t end) {
  while (end > begin && std::string_view(",;)}\"'").find(text[end - 1]) != std::string_view::npos) --end;
  const auto from = begin > kMaxMarkBytes ? begin - kMaxMarkBytes : 0;
  const auto mark = text.substr(from, begin + kMark.size() - from).rfind(kMark);
  if (mark == std::string_view::npos) return false;
  const auto close = text.substr(from + mark, kMaxMarkBytes).find(']');
  return close != std::string_view::npos && end <= from + mark + close + 1;
}

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

struct Redactor::Impl {
  struct Entry {
    std::string name;
    std::string trigger;
    std::string pattern;
    Check check = Check::none;
    std::unique_ptr<RE2> compiled;   // at its first candidate: most rules never see one

    RE2& regex() {
      if (!compiled) compiled = std::make_unique<RE2>("(?m)" + pattern, options_of(kMaxRuleMemory));
      return *compiled;
    }
  };

  std::vector<Entry> text_rules;   // that need more than a line
  std::vector<Entry> line_rules;
  std::optional<RE2::Set> set;     // of the triggers; one pass tells which of line_rules have to look at some lines
  std::vector<int> set_rules;      // set's numbers to those of line_rules
  std::vector<int> always;         // those without a trigger
  std::vector<int> candidates;

  // Appends text with what the rule finds replaced; false: it found nothing, and nothing was appended.
  static bool apply(Entry& rule, std::string_view text, std::string& out, RedactionCounts* counts) {
    const RE2& regex = rule.regex();
    std::array<re2::StringPiece, kMaxGroups> groups;
    const int wanted = std::min(kMaxGroups, regex.NumberOfCapturingGroups() + 1);
    std::size_t copied = 0;
    bool found = false;
    for (std::size_t at = 0; at <= text.size();) {
      if (!regex.Match(piece(text), at, text.size(), RE2::UNANCHORED, groups.data(), wanted)) break;
      auto secret = groups[0];
      for (int i = wanted - 1; i > 0; --i) {
        if (groups[static_cast<std::size_t>(i)].data() != nullptr) secret = groups[static_cast<std::size_t>(i)];
      }
      const auto begin = static_cast<std::size_t>(secret.data() - text.data());
      const auto end = begin + secret.size();
      const auto match_begin = static_cast<std::size_t>(groups[0].data() - text.data());
      if (secret.empty() || is_marked(text, begin, end) || !passes(rule.check, {secret.data(), secret.size()})) {
        // A value that is none may itself hold a key with a value.
        at = std::max(rule.check == Check::value ? begin : end, match_begin + 1);
        continue;
      }
      out.append(text, copied, begin - copied).append("[redacted:").append(rule.name).append("]");
      copied = at = end;
      found = true;
      if (counts != nullptr) ++(*counts)[rule.name];
    }
    if (found) out.append(text, copied);
    return found;
  }

  void redact_lines(std::string_view lines, std::string& out, RedactionCounts* counts) {
    RE2::Set::ErrorInfo error{};
    candidates.clear();
    if (set->Match(piece(lines), &candidates, &error)) {
      for (auto& candidate : candidates) candidate = set_rules[static_cast<std::size_t>(candidate)];
    } else if (error.kind != RE2::Set::kNoError) {   // the automaton outgrew its memory: every rule has to look
      candidates = set_rules;
    }
    candidates.insert(candidates.end(), always.begin(), always.end());
    std::sort(candidates.begin(), candidates.end());
    std::string current(lines);
    std::string next;
    for (const int index : candidates) {
      next.clear();
      if (apply(line_rules[static_cast<std::size_t>(index)], current, next, counts)) std::swap(current, next);
    }
    out.append(current);
  }
};

Redactor::Redactor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Redactor::~Redactor() = default;
Redactor::Redactor(Redactor&& other) noexcept = default;
Redactor& Redactor::operator=(Redactor&& other) noexcept = default;

Result<Redactor> Redactor::make(RedactorConfig config) {
  auto impl = std::make_unique<Impl>();
  for (const auto& rule : builtin_rules()) {
    auto& rules = rule.name.starts_with("pem") ? impl->text_rules : impl->line_rules;
    rules.push_back({std::string(rule.name), std::string(rule.trigger), std::string(rule.pattern), rule.check, nullptr});
  }
  if (config.email) impl->line_rules.push_back({"email", "@", std::string(kEmailPattern), Check::none, nullptr});
  if (config.extra.size() > kMaxExtraRules) return Error(Errc::too_large, "redaction: more than " + std::to_string(kMaxExtraRules) + " rules");
  for (auto& rule : config.extra) impl->line_rules.push_back({std::move(rule.name), "", std::move(rule.pattern), Check::none, nullptr});
  impl->set.emplace(options_of(kMaxSetMemory), RE2::UNANCHORED);
  for (std::size_t i = 0; i < impl->line_rules.size(); ++i) {
    auto& rule = impl->line_rules[i];
    if (rule.trigger.empty()) {
      // Those of the operator are compiled now, so that their error has somebody to hear it.
      if (!rule.regex().ok()) return Error(Errc::malformed, "redaction: rule " + rule.name + ": " + rule.regex().error());
      impl->always.push_back(static_cast<int>(i));
    } else {
      FW_ASSERT(impl->set->Add(rule.trigger, nullptr) >= 0, "a built-in trigger is well-formed");
      impl->set_rules.push_back(static_cast<int>(i));
    }
  }
  if (!impl->set->Compile()) return Error(Errc::too_large, "redaction: the rules together need too much memory");
  return Redactor(std::move(impl));
}

std::string Redactor::redact(std::string_view text, RedactionCounts* counts) {
  text = text.substr(0, kMaxInputBytes);
  std::string whole;
  if (text.find(kPemMark) != std::string_view::npos) {
    std::string next;
    for (auto& rule : impl_->text_rules) {
      next.clear();
      if (!Impl::apply(rule, whole.empty() ? text : std::string_view(whole), next, counts)) continue;
      std::swap(whole, next);
    }
    if (!whole.empty()) text = whole;
  }
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto newline = text.find('\n', std::min(kBlockBytes, text.size()) - 1);
    const auto block = newline == std::string_view::npos ? text.size() : newline + 1;
    impl_->redact_lines(text.substr(0, block), out, counts);
    text.remove_prefix(block);
  }
  return out;
}

Result<std::vector<ExtraRule>> parse_rules(std::string_view text) {
  std::vector<ExtraRule> rules;
  std::size_t number = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.empty() || line.front() == '#') continue;
    const auto where = "line " + std::to_string(number) + ": ";
    const auto space = line.find(' ');
    if (space == std::string_view::npos || space == 0 || space + 1 == line.size()) return Error(Errc::malformed, where + "a name, a space and a pattern are needed");
    const auto name = line.substr(0, space);
    const auto is_word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
    if (name.size() > 40 || !std::all_of(name.begin(), name.end(), is_word)) return Error(Errc::malformed, where + "a name is 1 to 40 of [a-z0-9_]");
    if (line.size() - space - 1 > kMaxPatternBytes) return Error(Errc::too_large, where + "the pattern is longer than " + std::to_string(kMaxPatternBytes) + " bytes");
    if (rules.size() == kMaxExtraRules) return Error(Errc::too_large, where + "more than " + std::to_string(kMaxExtraRules) + " rules");
    rules.push_back({std::string(name), std::string(line.substr(space + 1))});
  }
  return rules;
}

std::string redact(std::string_view text, RedactionCounts* counts) {
  static Redactor redactor = [] {
    auto made = Redactor::make({});
    FW_ASSERT(made.has_value(), "the built-in rules compile");
    return std::move(*made);
  }();
  return redactor.redact(text, counts);
}

}  // namespace fw::redaction
