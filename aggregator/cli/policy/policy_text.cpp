// A policy as YAML: what `policy show` prints and `init` writes.
#include <fmt/format.h>

#include "aggregator/cli/policy/policy_yaml.hpp"
#include "aggregator/cli/signing/key_text.hpp"

namespace fw::cli {
namespace {

using namespace authority;

class Writer {
 public:
  explicit Writer(Guide guide) : guide_(guide) {}

  void guide(std::string_view lines) {
    if (guide_ != Guide::yes) return;
    while (!lines.empty()) {
      const auto end = std::min(lines.find('\n'), lines.size());
      out_ += end == 0 ? std::string("\n") : fmt::format("# {}\n", lines.substr(0, end));
      lines.remove_prefix(std::min(end + 1, lines.size()));
    }
  }
  void line(std::string_view text) { out_ += fmt::format("{}\n", text); }
  void list(std::string_view indent, std::string_view key, const std::vector<std::string>& texts) {
    if (!texts.empty()) out_ += fmt::format("{}{}: {}\n", indent, key, yaml_list(texts));
  }
  std::string take() { return std::move(out_); }

 private:
  Guide guide_;
  std::string out_;
};

std::vector<std::string> names_of(const std::vector<std::uint16_t>& actions) {
  std::vector<std::string> out;
  for (const auto action : actions) out.push_back(action_name(action));
  return out;
}

void approver(Writer& writer, const Approver& approver) {
  writer.line("  - person: " + yaml_quoted(approver.person.subject));
  if (approver.person.issuer != "local") writer.line("    issuer: " + yaml_quoted(approver.person.issuer));
  writer.line(fmt::format("    level: {}", approver.level == Level::senior ? "senior" : "approver"));
  writer.list("    ", "groups", approver.groups);
  writer.line("    keys:");
  for (const auto& key : approver.keys) writer.line("      - " + yaml_quoted(key_text(key)));
  writer.list("    ", "clusters", approver.scope.clusters);
  writer.list("    ", "namespaces", approver.scope.name_spaces);
  writer.list("    ", "node_labels", approver.scope.node_labels);
  writer.line(fmt::format("    max_class: {}", approver.scope.max_class));
  if (approver.not_after_ms != 0) writer.line("    not_after: " + time_text(approver.not_after_ms));
}

void rule(Writer& writer, const ClassRule& rule) {
  writer.line(fmt::format("  - class: {}", rule.action_class));
  writer.line(fmt::format("    people: {}", rule.threshold));
  if (rule.seniors != 0) writer.line(fmt::format("    seniors: {}", rule.seniors));
  writer.list("    ", "groups", rule.groups);
  if (rule.max_validity_ms != kMaxValidityMs) {
    writer.line("    valid_for: " + length_text(static_cast<std::uint64_t>(rule.max_validity_ms)));
  }
  if (!rule.require_inclusion) writer.line("    require_inclusion: false");
}

void enabled(Writer& writer, const Enabled& entry) {
  writer.line(fmt::format("  - max_class: {}", entry.max_class));
  writer.list("    ", "actions", names_of(entry.actions));
  writer.list("    ", "clusters", entry.clusters);
  writer.list("    ", "node_labels", entry.node_labels);
}

void bound(Writer& writer, const Bound& entry) {
  const auto unit = unit_of(entry.action);
  writer.line(fmt::format("  - action: {}", action_name(entry.action)));
  writer.line("    min: " + action_value_text(unit, entry.min_value));
  writer.line("    max: " + action_value_text(unit, entry.max_value));
  if (entry.max_ttl_ms != 0) writer.line("    max_ttl: " + length_text(entry.max_ttl_ms));
}

template <class List, class Write>
void section(Writer& writer, std::string_view key, const List& list, std::string_view comment, Write write) {
  writer.guide(comment);
  if (list.empty()) return writer.line(fmt::format("{}: []", key));
  writer.line(fmt::format("{}:", key));
  for (const auto& entry : list) write(writer, entry);
}

template <class List>
void named_keys(Writer& writer, const List& list) {
  writer.line(list.empty() ? "  keys: []" : "  keys:");
  for (const auto& entry : list) {
    writer.line("    - name: " + yaml_quoted(entry.name));
    writer.line("      key: " + yaml_quoted(key_text(entry.key)));
  }
}

}  // namespace

std::string yaml_list(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const auto& text : texts) out += (out.size() > 1 ? ", " : "") + yaml_quoted(text);
  return out + "]";
}

std::string policy_yaml(const Policy& policy, Guide guide) {
  Writer writer(guide);
  writer.guide(
      "The trust policy: whose signatures count for what. Every key: docs/policy.md.\n"
      "Nodes read the compiled and signed bytes, never this file. After a change:\n"
      "  raise `version` by one, then\n"
      "  fleetwright policy check policy.yaml && fleetwright policy compile policy.yaml -o next.bin\n"
      "  fleetwright policy sign next.bin --key root-1.key        # as many roots as `roots.threshold`\n"
      "  fleetwright policy push next.json");
  writer.line(fmt::format("version: {}", policy.version));
  writer.line("organisation: " + yaml_quoted(policy.organisation));
  writer.guide("solo: one person decides. team: two of the approvers for class 2. enterprise: groups, offline roots, own witness.");
  writer.line(fmt::format("profile: {}", to_string(policy.profile)));
  writer.line("issued: " + time_text(policy.issued_ms));
  writer.guide("After this time nothing of class 1 and above is done any more; `fleetwright policy status` warns before.");
  writer.line("not_after: " + time_text(policy.not_after_ms));
  writer.guide("\nWho may change this policy: so many of these keys, kept offline.");
  writer.line(fmt::format("roots:\n  threshold: {}", policy.root_threshold));
  named_keys(writer, policy.roots);
  section(writer, "approvers", policy.approvers,
          "\nWho may approve. One person is one vote, however many keys. Empty lists of clusters, namespaces and node_labels: any.", approver);
  section(writer, "classes", policy.classes,
          "\nPeople that must approve, by class: 0 reads, 1 reverts by itself, 2 disrupts or is kept, 3 is severe. The proposer never counts.",
          rule);
  writer.guide("So many people end a pause; anyone may begin one.");
  writer.line(fmt::format("resume_people: {}", policy.resume_threshold));
  section(writer, "limits", policy.limits, "\nAt most so many actions on one node.", [](Writer& out, const Limit& limit) {
    out.line("  - budget: " + yaml_quoted(limit.budget));
    out.line(fmt::format("    per_hour: {}\n    per_day: {}", limit.per_hour, limit.per_day));
  });
  section(writer, "bounds", policy.bounds, "\nNarrower bounds than docs/actions.md has; `max` is no limit.", bound);
  section(writer, "enabled", policy.enabled, "\nWhat nodes may do at all; where nothing matches they only observe. An empty list of actions: every action.",
          enabled);
  writer.guide("\nThe audit log that must have recorded an action before a node does it, and who else must have seen it (0: inclusion only).");
  writer.line("audit:\n  origin: " + yaml_quoted(policy.log_origin) + "\n  key: " + yaml_quoted(key_text(policy.log_key)));
  writer.line(fmt::format("witnesses:\n  quorum: {}", policy.witness_quorum));
  named_keys(writer, policy.witnesses);
  writer.guide("How far a node's clock may be off.");
  writer.line("time_skew: " + length_text(static_cast<std::uint64_t>(policy.time_skew_ms)));
  writer.guide("true stops every action of class 1 and above on every node.");
  writer.line(fmt::format("paused: {}", policy.paused));
  return writer.take();
}

}  // namespace fw::cli
