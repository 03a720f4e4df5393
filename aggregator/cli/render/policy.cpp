#include "aggregator/cli/render/policy.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "aggregator/cli/policy/policy_yaml.hpp"
#include "aggregator/cli/render/lists.hpp"
#include "aggregator/cli/term/document.hpp"
#include "aggregator/cli/term/text.hpp"
#include "aggregator/cli/term/time_format.hpp"

namespace fw::cli::render {
namespace {

using authority::Policy;
using term::Role;

constexpr std::int64_t kDayMs = 86'400'000, kWarnMs = 30 * kDayMs, kNsPerMs = 1'000'000;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t start = 0; start < text.size();) {
    const auto end = text.find('\n', start);
    out.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return out;
}

struct DiffLine {
  char mark;
  std::string text;
};

// Longest common subsequence; policies have a few hundred lines.
std::vector<DiffLine> diff_lines(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::vector<std::vector<std::size_t>> longest(a.size() + 1, std::vector<std::size_t>(b.size() + 1, 0));
  for (auto i = a.size(); i-- > 0;) {
    for (auto j = b.size(); j-- > 0;) {
      longest[i][j] = a[i] == b[j] ? longest[i + 1][j + 1] + 1 : std::max(longest[i + 1][j], longest[i][j + 1]);
    }
  }
  std::vector<DiffLine> out;
  std::size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      out.push_back({' ', a[i]});
      ++i, ++j;
    } else if (j == b.size() || (i < a.size() && longest[i + 1][j] >= longest[i][j + 1])) {
      out.push_back({'-', a[i++]});
    } else {
      out.push_back({'+', b[j++]});
    }
  }
  return out;
}

void runs_out(std::vector<std::string>& out, std::string_view what, std::int64_t not_after_ms, std::int64_t now_ms) {
  if (not_after_ms == 0 || not_after_ms - now_ms > kWarnMs) return;
  out.push_back(not_after_ms <= now_ms ? fmt::format("{} ended at {}", what, time_text(not_after_ms))
                                       : fmt::format("{} ends in {} ({})", what, term::duration((not_after_ms - now_ms) * kNsPerMs), time_text(not_after_ms)));
}

}  // namespace

std::string policy_diff(const Policy& before, const Policy& after, const term::Layout& layout) {
  if (before == after) return {};
  term::Document document(layout);
  const auto lines = diff_lines(lines_of(policy_yaml(before)), lines_of(policy_yaml(after)));
  constexpr std::size_t kContext = 2;
  bool gap = false;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto from = i < kContext ? 0 : i - kContext;
    const auto to = std::min(lines.size(), i + kContext + 1);
    const bool near = std::any_of(lines.begin() + static_cast<std::ptrdiff_t>(from), lines.begin() + static_cast<std::ptrdiff_t>(to),
                                  [](const DiffLine& line) { return line.mark != ' '; });
    if (!near) {
      gap = true;
      continue;
    }
    if (std::exchange(gap, false)) document.verbatim(0, "...", Role::dim);
    const auto role = lines[i].mark == '+' ? Role::good : lines[i].mark == '-' ? Role::bad : Role::plain;
    document.verbatim(0, fmt::format("{} {}", lines[i].mark, lines[i].text), role);
  }
  const auto loosened = authority::loosened_by(before, after);
  document.heading(loosened.empty() ? "Nothing is loosened: nodes take it at once." : "This loosens (nodes wait one hour):");
  for (const auto& sentence : loosened) document.item(2, "!", sentence, Role::bad);
  if (after.version != before.version + 1) {
    document.item(0, {}, fmt::format("version {} does not follow {}: nodes refuse it", after.version, before.version), Role::bad);
  }
  return document.take();
}

std::vector<std::string> policy_words(const Policy& policy, std::int64_t now_ms) {
  std::vector<std::string> out;
  if (policy.profile == authority::Profile::solo) out.emplace_back("SOLO: one person alone approves everything up to class 2; nobody checks them");
  if (policy.paused) out.emplace_back("paused: no action of class 1 and above");
  if (policy.enabled.empty()) out.emplace_back("nothing is enabled: every node only observes");
  if (policy.witness_quorum == 0) out.emplace_back("inclusion-only: no witness must have seen the audit log");
  runs_out(out, "the policy", policy.not_after_ms, now_ms);
  for (const auto& approver : policy.approvers) runs_out(out, "the right of " + approver.person.str(), approver.not_after_ms, now_ms);
  return out;
}

std::string policy_status(const Policy& policy, const PolicyObject& object, const term::Layout& layout, std::int64_t now_ms) {
  term::Document document(layout);
  document.paragraph(fmt::format("{} version {} ({}), until {}", policy.organisation, policy.version, authority::to_string(policy.profile),
                                 time_text(policy.not_after_ms)),
                     Role::bold);
  if (!object.nodes.empty()) {
    document.blank();
    term::Table table({{"NODE", 8}, {"VERSION"}, {"NEXT"}, {"STATE"}, {"ACTIONS"}, {"PROBLEM", 8}});
    for (const auto& node : object.nodes) {
      const bool behind = node.version != static_cast<std::int64_t>(policy.version);
      table.add({{node.node, Role::bold},
                 {std::to_string(node.version), behind ? Role::warn : Role::plain},
                 {node.pending_version ? std::to_string(*node.pending_version) : "<none>"},
                 {node.connected ? "connected" : "gone", node.connected ? Role::good : Role::bad},
                 {node.paused ? "paused" : node.observe_only ? "observe-only" : "enabled"},
                 {node.problem.empty() ? "<none>" : node.problem, node.problem.empty() ? Role::plain : Role::bad}});
    }
    document.table(0, table);
  }
  auto words = policy_words(policy, now_ms);
  for (const auto& warning : object.warnings) words.push_back(warning);
  if (!words.empty()) document.heading("Careful");
  for (const auto& word : words) document.item(2, "!", word, Role::warn);
  return document.take();
}

}  // namespace fw::cli::render
