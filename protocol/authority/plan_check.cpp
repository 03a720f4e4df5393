// The rules of a plan by itself.
#include <algorithm>

#include "protocol/authority/catalogue.hpp"

namespace fw::authority {
namespace {

constexpr std::size_t kMaxPreconditions = 16;
constexpr std::uint64_t kMaxEffectMs = 15 * 60 * 1000;
constexpr std::int64_t kMinCpuPeriodUs = 1'000, kMaxCpuPeriodUs = 1'000'000;   // what the kernel takes

using Sentences = std::vector<std::string>;

template <class T>
bool is(const Plan& plan) { return std::holds_alternative<T>(plan.action); }

bool about_cgroup(const Plan& plan) {
  return !is<Diagnose>(plan) && !is<KillProcess>(plan) && !is<SetSysctl>(plan) && !is<RotateLog>(plan) && !is<Undo>(plan) && !is<Extend>(plan);
}

// Absolute, one name per thing: no empty, "." or ".." component, no slash at the end.
bool is_plain_path(std::string_view path) {
  if (path == "/") return true;
  if (!path.starts_with('/') || path.ends_with('/')) return false;
  for (std::size_t at = 0; at < path.size();) {
    const auto end = std::min(path.find('/', at + 1), path.size());
    const auto component = path.substr(at + 1, end - at - 1);
    if (component.empty() || component == "." || component == "..") return false;
    at = end;
  }
  return true;
}

void check_value(const Plan& plan, const ActionInfo& info, Sentences& out) {
  const auto value = main_value(plan.action);
  if (value && (*value < info.min_value || *value > info.max_value))
    out.push_back("The value " + std::to_string(*value) + " is not between " + std::to_string(info.min_value) + " and " +
                  std::to_string(info.max_value) + (info.unit.empty() ? "" : " " + std::string(info.unit)) + ".");
  if (const auto* cpu = std::get_if<SetCpuMax>(&plan.action)) {
    if (cpu->period_us < kMinCpuPeriodUs || cpu->period_us > kMaxCpuPeriodUs) out.emplace_back("The CPU period is not between 1 ms and 1 s.");
    if (cpu->quota_us < kMinCpuPeriodUs) out.emplace_back("The CPU quota is below 1 ms.");
  }
  if (const auto* set = std::get_if<SetSysctl>(&plan.action)) {
    const auto all = sysctls();
    const auto found = std::find_if(all.begin(), all.end(), [&](const SysctlInfo& row) { return row.key == set->key; });
    if (found == all.end()) {
      out.push_back("The setting " + set->key + " is not in the list of docs/actions.md.");
    } else if (set->value < found->min_value || set->value > found->max_value) {
      out.push_back(set->key + " must be between " + std::to_string(found->min_value) + " and " + std::to_string(found->max_value) + ".");
    }
  }
  if (const auto* log = std::get_if<RotateLog>(&plan.action)) {
    const std::string_view path = log->path;
    if (!is_plain_path(path) || !(path.starts_with("/var/log/pods/") || path.starts_with("/var/log/containers/")))
      out.emplace_back("Only logs below /var/log/pods and /var/log/containers can be rotated.");
  }
  const auto named = [](const auto& action) { return action.plan != Digest{}; };
  if ((is<Undo>(plan) && !named(std::get<Undo>(plan.action))) || (is<Extend>(plan) && !named(std::get<Extend>(plan.action))))
    out.emplace_back("The plan that it is about is not named.");
}

void check_ttl(const Plan& plan, const ActionInfo& info, Sentences& out) {
  const auto ttl = ttl_ms(plan.action);
  if (info.max_ttl_ms == 0) return;
  if (ttl == 0) {
    if (!info.may_be_kept) out.push_back(std::string(info.name) + " cannot be kept: it needs a TTL.");
    if (info.may_be_kept && about_cgroup(plan) && owner_of(plan.target) != Owner::none)
      out.push_back(std::string("The value cannot be kept: ") + (owner_of(plan.target) == Owner::kubelet ? "the kubelet" : "systemd") +
                    " looks after this cgroup.");
  } else if (ttl < info.min_ttl_ms || ttl > info.max_ttl_ms) {
    out.push_back("The TTL is not between " + std::to_string(info.min_ttl_ms / 1000) + " s and " +
                  std::to_string(info.max_ttl_ms / 60'000) + " min.");
  }
}

void check_target(const Plan& plan, const ActionInfo& info, Sentences& out) {
  const auto& target = plan.target;
  if (target.node.is_nil()) out.emplace_back("No node is named.");
  if (target.incarnation == Nonce{}) out.emplace_back("No executor incarnation is named.");
  if (target.boot && target.boot->is_nil()) out.emplace_back("The boot is named by nothing.");
  if (!target.cgroup_path.empty() && !is_plain_path(target.cgroup_path)) out.emplace_back("The cgroup path is not a plain absolute path.");
  if (about_cgroup(plan) && target.cgroup_path.empty() && (target.pod_uid.empty() || target.container_name.empty()))
    out.emplace_back("No cgroup and no container is named.");
  if ((about_cgroup(plan) || is<KillProcess>(plan)) && is_protected_cgroup(target.cgroup_path))
    out.emplace_back("This cgroup belongs to the node's own machinery.");
  if (!info.binds_incarnation) return;
  if (!target.boot) out.push_back(std::string(info.name) + " must name the boot.");
  if (is<KillProcess>(plan)) {
    if (target.pid <= 1) out.emplace_back("No process that may be killed is named.");
    if (target.start_ticks == 0) out.emplace_back("The start time of the process is not named.");
  } else if (target.cgroup_path.empty() || target.cgroup_inode == 0) {
    out.push_back(std::string(info.name) + " must name path and inode of the cgroup.");
  }
}

bool probe_fits(const Plan& plan, Probe probe) {
  switch (probe) {
    case Probe::unknown: return false;
    case Probe::node_available_bytes: return true;
    case Probe::process_alive: return is<KillProcess>(plan);
    case Probe::sysctl_value: return is<SetSysctl>(plan);
    case Probe::file_bytes: return is<RotateLog>(plan);
    default: return about_cgroup(plan);
  }
}

void check_checks(const Plan& plan, Sentences& out) {
  if (plan.preconditions.size() > kMaxPreconditions) out.emplace_back("There are more than 16 preconditions.");
  for (const auto& check : plan.preconditions)
    if (!probe_fits(plan, check.probe)) out.push_back("The precondition " + to_string(check) + " cannot be asked of this target.");
  const auto changed = changed_probe(plan.action);
  const auto names_old_value = [&](const Check& check) { return check.probe == changed && check.comparison == Comparison::equal; };
  if (is_setting(plan.action) && std::none_of(plan.preconditions.begin(), plan.preconditions.end(), names_old_value))
    out.push_back("The value to be replaced is not named: a precondition on " + std::string(to_string(changed)) + " is missing.");

  const bool needs_effect = class_of(plan) > 0 && !is<Undo>(plan) && !is<Extend>(plan);
  if (needs_effect && !plan.effect) out.emplace_back("No expected effect is named.");
  if (plan.effect && !probe_fits(plan, plan.effect->probe))
    out.push_back("The effect " + to_string(*plan.effect) + " cannot be asked of this target.");
  if (plan.effect && (plan.effect_within_ms == 0 || plan.effect_within_ms > kMaxEffectMs))
    out.emplace_back("The time for the effect is not between 1 ms and 15 min.");
  if (!plan.effect && plan.effect_within_ms != 0) out.emplace_back("There is a time for an effect, and no effect.");
}

}  // namespace

std::vector<std::string> check_plan(const Plan& plan) {
  if (plan.action.index() == 0) return {"The plan has no action."};
  Sentences out;
  const auto& info = info_of(plan.action);
  if (plan.nonce == Nonce{}) out.emplace_back("The plan has no nonce.");
  const bool names_person = !plan.person.issuer.empty() || !plan.person.subject.empty();
  if (plan.proposer == Proposer::person && (plan.person.issuer.empty() || plan.person.subject.empty()))
    out.emplace_back("The person who proposed it is not named.");
  if (plan.proposer == Proposer::engine && names_person) out.emplace_back("The engine proposed it, and a person is named.");
  if (plan.not_before_ms < 0 || plan.not_after_ms <= plan.not_before_ms) out.emplace_back("The plan is never valid.");
  else if (plan.not_after_ms - plan.not_before_ms > kMaxValidityMs) out.emplace_back("The plan is valid for more than 24 h.");
  check_value(plan, info, out);
  check_ttl(plan, info, out);
  check_target(plan, info, out);
  check_checks(plan, out);
  return out;
}

}  // namespace fw::authority
