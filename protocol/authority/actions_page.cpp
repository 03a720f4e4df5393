#include "protocol/authority/catalogue.hpp"

namespace fw::authority {
namespace {

std::string class_text(const ActionInfo& row) {
  Plan plan;
  const auto class_for = [&](std::uint64_t ttl) {
    const auto set = [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((row.index == I + 1 ? static_cast<void>(plan.action.emplace<I + 1>()) : static_cast<void>(0)), ...);
    };
    set(std::make_index_sequence<std::variant_size_v<Action> - 1>());
    std::visit([&](auto& action) { if constexpr (requires { action.ttl_ms; }) action.ttl_ms = ttl; }, plan.action);
    return std::to_string(class_of(plan));
  };
  return row.may_be_kept ? class_for(1) + ", kept " + class_for(0) : class_for(row.max_ttl_ms);
}

std::string_view recovery_text(Recovery recovery) {
  switch (recovery) {
    case Recovery::idempotent: return "runs again";
    case Recovery::checkable: return "asks whether it happened";
    case Recovery::at_most_once: return "`UNKNOWN`, a person settles it";
  }
  return "";
}

std::string time_text(std::uint64_t ms) {
  return ms % 3'600'000 == 0 ? std::to_string(ms / 3'600'000) + " h" : ms % 60'000 == 0 ? std::to_string(ms / 60'000) + " min"
                                                                                        : std::to_string(ms / 1000) + " s";
}

std::string parameter_text(const ActionInfo& row) {
  std::string out;
  if (row.max_value > 0)
    out = std::to_string(row.min_value) + " to " + std::to_string(row.max_value) + (row.unit.empty() ? "" : " " + std::string(row.unit));
  if (row.max_ttl_ms > 0) {
    out += (out.empty() ? "TTL " : "; TTL ") + time_text(row.min_ttl_ms) + " to " + time_text(row.max_ttl_ms);
    if (row.may_be_kept) out += ", or kept";
  }
  if (row.binds_incarnation) out += out.empty() ? "binds one incarnation" : "; binds one incarnation";
  return out.empty() ? "none" : out;
}

}  // namespace

std::string actions_page() {
  std::string out =
      "# Actions\n\n"
      "What a plan may do: a closed list, the same code on the node and on the server. This page is generated from it.\n\n"
      "Class: 0 read, 1 soft and reverts itself, 2 disruptive or kept, 3 severe (none of these). It is computed from the action, its\n"
      "parameters and its target, never taken from a message. How many people each class needs is in the signed policy, which may also\n"
      "narrow every bound. *Kept* is possible only where neither a kubelet nor systemd looks after the cgroup: they would undo it.\n\n"
      "Every action that writes a value names, as a precondition, the value that it replaces: when somebody changed it meanwhile, the\n"
      "plan is refused and nothing is done. *Binds one incarnation* means that the plan names boot and cgroup inode (of a process: boot,\n"
      "pid and start time), so it cannot meet a later object of the same name. The last column says what the executor does when it was\n"
      "cut off between intent and result.\n\n"
      "| action | class | parameters | preconditions | effect | rollback | blast radius | after a crash |\n"
      "|---|---|---|---|---|---|---|---|\n";
  for (const auto& row : catalogue()) {
    out += "| `" + std::string(row.name) + "` | " + class_text(row) + " | " + parameter_text(row) + " | " + std::string(row.precondition) +
           " | " + std::string(row.effect) + " | " + std::string(row.rollback) + " | " + std::string(row.blast_radius) + " | " +
           std::string(recovery_text(row.recovery)) + " |\n";
  }
  out +=
      "\nNo action but `diagnose` touches the root cgroup, the slices that hold everything of a kind (`system.slice`, `kubepods`), or the\n"
      "node's own machinery: kubelet, container runtimes, systemd's services, ssh, etcd, Fleetwright itself.\n\n"
      "## Settings of `set_sysctl`\n\n"
      "| key | from | to |\n|---|---|---|\n";
  for (const auto& row : sysctls())
    out += "| `" + std::string(row.key) + "` | " + std::to_string(row.min_value) + " | " + std::to_string(row.max_value) + " |\n";
  return out;
}

}  // namespace fw::authority
