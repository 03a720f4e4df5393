#include "aggregator/cli/render/plan.hpp"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "aggregator/cli/policy/yaml_reader.hpp"
#include "aggregator/cli/signing/bytes_text.hpp"
#include "aggregator/cli/term/text.hpp"
#include "aggregator/cli/term/time_format.hpp"
#include "common/config/values.hpp"
#include "common/version.hpp"
#include "protocol/authority/catalogue.hpp"

namespace fw::cli::render {
namespace {

using namespace authority;
using term::Document;
using term::Role;

constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::string_view kClassWords[] = {"reads only", "soft, reverts by itself", "disrupts or is kept", "severe"};

bool is_bytes(Probe probe) {
  return probe == Probe::memory_limit_bytes || probe == Probe::memory_high_bytes || probe == Probe::memory_current_bytes ||
         probe == Probe::file_bytes || probe == Probe::node_available_bytes;
}

std::string value_text(Probe probe, std::int64_t value) {
  if (value == kUnlimited) return "max";
  return is_bytes(probe) && value >= 0 ? config::print_bytes(static_cast<std::uint64_t>(value)) : std::to_string(value);
}

std::string check_text(const authority::Check& check) {
  auto text = to_string(check);
  if (const auto value = value_text(check.probe, check.value); value != std::to_string(check.value)) text += " (" + value + ")";
  return text;
}

// One line of the change: the symbol, what it is about, the old value that the preconditions name, the new one.
struct Line {
  char symbol = '~';
  std::string what;
  Probe probe = Probe::unknown;
  std::optional<std::int64_t> value;
};

struct LineOf {
  Line operator()(const std::monostate&) const { return {'?', "nothing", {}, {}}; }
  Line operator()(const Diagnose& a) const { return {'+', fmt::format("diagnostics, at most {}", config::print_bytes(a.max_bytes)), {}, {}}; }
  Line operator()(const SetMemoryLimit& a) const { return {'~', "memory limit", Probe::memory_limit_bytes, a.limit_bytes}; }
  Line operator()(const SetMemoryHigh& a) const { return {'~', "memory brake (memory.high)", Probe::memory_high_bytes, a.high_bytes}; }
  Line operator()(const SetCpuMax& a) const { return {'~', fmt::format("CPU quota in us of each {}", a.period_us), Probe::cpu_quota_us, a.quota_us}; }
  Line operator()(const SetCpuWeight& a) const { return {'~', "CPU weight", Probe::cpu_weight, a.weight}; }
  Line operator()(const SetPidsMax& a) const { return {'~', "most processes (pids.max)", Probe::pids_max, a.max}; }
  Line operator()(const Freeze&) const { return {'~', "frozen", Probe::frozen, 1}; }
  Line operator()(const Thaw&) const { return {'~', "frozen", Probe::frozen, 0}; }
  Line operator()(const KillProcess& a) const {
    return {'-', a.grace_ms == 0 ? "process, killed at once (SIGKILL)" : fmt::format("process, SIGTERM and SIGKILL after {}", length_text(a.grace_ms)), {}, {}};
  }
  Line operator()(const KillCgroup&) const { return {'-', "every process of the cgroup", {}, {}}; }
  Line operator()(const SetSysctl& a) const { return {'~', "sysctl " + a.key, Probe::sysctl_value, a.value}; }
  Line operator()(const RotateLog& a) const { return {'~', fmt::format("log {}, keeping {}", a.path, config::print_bytes(a.keep_bytes)), {}, {}}; }
  Line operator()(const Undo& a) const { return {'~', "restores what plan sha256:" + to_text(a.plan) + " changed", {}, {}}; }
  Line operator()(const Extend& a) const { return {'~', "moves the restore of plan sha256:" + to_text(a.plan), {}, {}}; }
};

std::string change_text(const CheckedPlan& checked, const Line& line) {
  auto text = line.what;
  if (line.value) {
    const auto& checks = checked.plan.preconditions;
    const auto old = std::find_if(checks.begin(), checks.end(), [&](const authority::Check& check) {
      return check.probe == line.probe && check.comparison == Comparison::equal;
    });
    text += fmt::format(": {} -> {}", old == checks.end() ? "(whatever it is)" : value_text(line.probe, old->value),
                        value_text(line.probe, *line.value));
  }
  const auto ttl = ttl_ms(checked.plan.action);
  const auto& info = info_of(checked.plan.action);
  if (std::holds_alternative<Extend>(checked.plan.action)) return text + fmt::format(" to {} from then", length_text(ttl));
  if (ttl != 0) return text + fmt::format(", for {}; then the node restores the old value by itself", length_text(ttl));
  return info.may_be_kept ? text + ", kept" : text;
}

std::vector<std::pair<std::string, std::string>> target_lines(const Target& target) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto add = [&](std::string label, std::string text) {
    if (!text.empty()) out.emplace_back(std::move(label), std::move(text));
  };
  add("object:", target.display_name);
  add("cluster:", target.cluster);
  add("namespace:", target.name_space);
  add("workload:", target.workload);
  add("container:", target.container_name);
  add("container id:", target.container_id);
  add("pod uid:", target.pod_uid);
  add("cgroup:", target.cgroup_path + (target.cgroup_inode == 0 ? "" : fmt::format(" (inode {} only)", target.cgroup_inode)));
  if (target.pid != 0) add("process:", fmt::format("{} (started at tick {})", target.pid, target.start_ticks));
  add("node:", target.node.str());
  if (target.boot) add("boot:", target.boot->str() + " only");
  return out;
}

void signed_part(Document& document, const CheckedPlan& checked) {
  const auto& plan = checked.plan;
  document.paragraph(describe(plan.action), Role::bold);
  document.item(0, "class", fmt::format("{}: {}", checked.action_class, kClassWords[std::min<std::size_t>(checked.action_class, 3)]));
  document.item(0, "for", fmt::format("{}, proposed by {}", plan.incident.empty() ? "no incident" : plan.incident,
                                      plan.proposer == Proposer::engine ? "the engine" : plan.person.str()));
  document.heading("Object");
  for (const auto& [label, text] : target_lines(plan.target)) document.item(2, label, text);

  const auto line = std::visit(LineOf{}, plan.action);
  document.heading("Change");
  document.item(2, std::string(1, line.symbol), change_text(checked, line), line.symbol == '-' ? Role::bad : Role::warn);

  document.heading("Before it acts, the node checks");
  for (const auto& check : plan.preconditions) document.item(2, "-", check_text(check));
  const auto& info = info_of(plan.action);
  if (info.precondition != "none") document.item(2, "-", info.precondition);
  else if (plan.preconditions.empty()) document.item(2, "-", "nothing");

  document.heading("Risk");
  document.item(2, "reaches:", info.blast_radius);
  document.item(2, "rollback:", info.rollback);
  document.item(2, "effect:", plan.effect ? fmt::format("{} within {}, else it is rolled back", check_text(*plan.effect), length_text(plan.effect_within_ms))
                                          : std::string(info.effect));
  document.item(2, "valid:", fmt::format("{} to {}", time_text(plan.not_before_ms), time_text(plan.not_after_ms)));
  document.item(2, "counts against:", plan.budget.empty() ? std::string(info.name) : plan.budget);
  document.item(2, "rests on:", "findings sha256:" + to_text(plan.evidence));
}

bool has_escapes(const std::string& text) { return term::escape(text) != text; }

void warnings(Document& document, const CheckedPlan& checked, const PlanObject& object, std::int64_t now_ms) {
  std::vector<std::string> out = checked.problems;
  if (now_ms > checked.plan.not_after_ms) out.push_back("it has expired");
  if (!object.superseded_by.empty()) out.push_back("it was superseded by " + object.superseded_by);
  for (const auto& command : object.by_hand) {
    if (has_escapes(command)) out.push_back("the command by hand holds hidden characters, shown as \\x.. or \\u{..}: do not paste it");
  }
  if (out.empty()) return;
  document.heading("Careful");
  for (const auto& text : out) document.item(2, "!", text, Role::bad);
}

void summary(Document& document, const CheckedPlan& checked, const PlanObject& object, std::int64_t now_ms) {
  const auto symbol = std::visit(LineOf{}, checked.plan.action).symbol;
  const auto count = [&](char wanted) { return symbol == wanted ? 1 : 0; };
  document.heading(fmt::format("{} to add, {} to change, {} to remove. sha256:{}, {}", count('+'), count('~'), count('-'), to_text(checked.digest),
                               now_ms > checked.plan.not_after_ms ? "expired" : "until " + time_text(checked.plan.not_after_ms)));
  if (object.state == "PROPOSED" && now_ms <= checked.plan.not_after_ms) {
    const auto id = normal_incident_id(checked.plan.incident);
    document.verbatim(2, fmt::format("fleetwright approve {} --plan sha256:{}", id ? *id : short_digest(to_text(checked.digest)), to_text(checked.digest)));
  }
}

void diff_part(Document& document, const CheckedPlan& checked, const PlanObject& object, std::int64_t now_ms) {
  signed_part(document, checked);
  if (!object.by_hand.empty()) document.blank();
  for (const auto& command : object.by_hand) document.verbatim(0, "by hand: " + command);
  if (object.safe_min && object.safe_max && (*object.safe_min != 0 || *object.safe_max != 0)) {
    const auto bytes = object.safe_unit == "bytes";
    const auto number = [&](std::int64_t value) {
      return bytes && value >= 0 ? config::print_bytes(static_cast<std::uint64_t>(value)) : std::to_string(value);
    };
    document.item(0, "safe range:", fmt::format("{} to {}{}", number(*object.safe_min), number(*object.safe_max),
                                                object.safe_why.empty() ? "" : "; " + object.safe_why));
  }
  warnings(document, checked, object, now_ms);
}

}  // namespace

std::string signed_text(const CheckedPlan& plan) {
  Document document(term::Layout{});
  signed_part(document, plan);
  return document.take();
}

Digest render_digest(const CheckedPlan& plan) {
  const auto text = signed_text(plan);
  return sha256(bytes_of(text));
}

std::string renderer_name() { return std::string("fleetwright ") + kVersion; }

std::string short_digest(const std::string& digest) {
  constexpr std::size_t kShown = 12;
  return digest.substr(0, kShown);
}

std::string refusal_line(std::string_view sentence, std::string_view code) {
  return code.empty() ? std::string(sentence) : fmt::format("{} [{}]", sentence, code);
}

std::string object_name(const CheckedPlan& plan) {
  const auto& target = plan.plan.target;
  for (const auto* name : {&target.display_name, &target.workload, &target.container_name, &target.cgroup_path}) {
    if (!name->empty()) return term::escape(target.name_space.empty() || *name == target.cgroup_path ? *name : target.name_space + "/" + *name);
  }
  return short_digest(to_text(plan.digest));
}

std::string progress_line(const Progress& progress) {
  std::string names;
  for (const auto& person : progress.people) names += (names.empty() ? "" : ", ") + person.str();
  auto out = fmt::format("{} of {} people{}", progress.people.size(), progress.needed, names.empty() ? "" : ": " + names);
  if (progress.seniors < progress.seniors_needed) out += fmt::format("; {} of {} seniors", progress.seniors, progress.seniors_needed);
  for (const auto& group : progress.groups_missing) out += "; nobody of the group " + group;
  return progress.denied ? out + "; denied" : out;
}

std::string plan_diff(const CheckedPlan& plan, const PlanObject& object, const term::Layout& layout, std::int64_t now_ms) {
  Document document(layout);
  diff_part(document, plan, object, now_ms);
  summary(document, plan, object, now_ms);
  return document.take();
}

std::string plan_show(const CheckedPlan& plan, const PlanObject& object, const std::optional<Progress>& progress, const term::Layout& layout,
                      std::int64_t now_ms) {
  Document document(layout);
  document.paragraph(fmt::format("plan {} {}{}", short_digest(to_text(plan.digest)), object.state,
                                 object.state_text.empty() ? "" : ": " + object.state_text),
                     term::role_of_state(object.state));
  document.blank();
  diff_part(document, plan, object, now_ms);

  document.heading("Approvals");
  if (progress) document.item(2, {}, progress_line(*progress) + " (signatures checked here)");
  else document.item(2, {}, fmt::format("{} of {} people, as the server says", object.have_people, object.needed_people));
  for (const auto& vote : object.votes) {
    document.item(2, vote.person + ":", fmt::format("{} {}{}", vote.decision, term::rfc3339(vote.time_ms * kNsPerMs),
                                                    vote.reason.empty() ? "" : ": " + vote.reason));
  }
  if (progress) {
    for (const auto& refusal : progress->bad) document.item(2, "!", refusal_line(refusal.sentence, to_string(refusal.code)), Role::bad);
  }
  if (!object.standing.empty()) document.item(2, "standing approval:", object.standing);

  if (object.outcome) {
    const auto& outcome = *object.outcome;
    document.heading("What the node did");
    document.item(2, outcome.state + ":", refusal_line(outcome.sentence, outcome.code));
    if (!outcome.before.empty() || !outcome.after.empty()) document.item(2, "read:", fmt::format("{} -> {}", outcome.before, outcome.after));
    if (outcome.rolled_back) document.item(2, {}, "the old value is back");
    if (outcome.ended_ms != 0) document.item(2, "ended:", term::rfc3339(outcome.ended_ms * kNsPerMs));
  }
  if (!object.refusals.empty()) document.heading("Refused");
  for (const auto& refusal : object.refusals) {
    document.item(2, term::rfc3339(refusal.time_ns), refusal_line(refusal.sentence, refusal.code));
  }
  if (object.log_index) document.item(0, "audit log entry:", std::to_string(*object.log_index));
  summary(document, plan, object, now_ms);
  return document.take();
}

std::string plans(const std::vector<PlanObject>& list, const term::Layout& layout, Detail detail, std::int64_t now_ns) {
  const bool wide = detail == Detail::wide;
  std::vector<term::Column> columns{{"PLAN"}, {"INCIDENT"}, {"CLASS"}, {"STATE"}, {"APPROVALS"}, {"SUMMARY", wide ? 0U : 12U}};
  if (wide) {
    for (const auto* title : {"NODE", "PROPOSER", "DIGEST"}) columns.push_back({title});
  }
  columns.push_back({layout.for_people ? "AGE" : "CREATED"});
  term::Table table(std::move(columns));
  for (const auto& plan : list) {
    std::vector<term::Cell> row{{layout.for_people ? short_digest(plan.digest) : plan.digest, Role::bold},
                                {plan.incident.empty() ? "<none>" : plan.incident},
                                {std::to_string(plan.action_class)},
                                {plan.state, term::role_of_state(plan.state)},
                                {fmt::format("{}/{}", plan.have_people, plan.needed_people)},
                                {plan.summary}};
    if (wide) row.insert(row.end(), {{plan.node}, {plan.proposer}, {plan.digest}});
    row.push_back({layout.for_people ? term::age(plan.created_ns, now_ns) : term::rfc3339(plan.created_ns)});
    table.add(std::move(row));
  }
  return table.render(layout);
}

}  // namespace fw::cli::render
