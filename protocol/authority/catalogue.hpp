// The closed list of actions: what each may do, within which bounds, of which class. Both sides compute from here; docs/actions.md is
// generated from it (fleetwright actions).
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/authority/documents.hpp"

namespace fw::authority {

// What a crash between claim and outcome means for an action.
enum class Recovery : std::uint8_t {
  idempotent,     // preconditions and window are looked at again, then it runs again
  checkable,      // the world is asked: happened, or run
  at_most_once,   // UNKNOWN; a person settles it
};

struct ActionInfo {
  std::uint16_t index = 0;               // of Action's alternatives
  std::string_view name;                 // "set_memory_limit"
  std::string_view title;                // "set the memory limit"
  Recovery recovery = Recovery::at_most_once;
  bool binds_incarnation = false;        // the target must name boot, inode (and pid, start): kill, freeze, brake
  std::string_view unit;                 // of the main number: "bytes", "us", ""
  std::int64_t min_value = 0, max_value = 0;
  std::uint64_t min_ttl_ms = 0, max_ttl_ms = 0;   // max 0: takes no TTL
  bool may_be_kept = false;
  std::string_view precondition, effect, rollback, blast_radius;   // for docs and `plan show`
};

std::span<const ActionInfo> catalogue();                  // by index, from 1
const ActionInfo* find_action(std::string_view name);
const ActionInfo& info_of(const Action& action);          // not for monostate

// The number that bounds are about, in ActionInfo::unit. Of set_cpu_max the quota per 100 ms, whatever its period.
std::optional<std::int64_t> main_value(const Action& action);
std::uint64_t ttl_ms(const Action& action);
bool is_setting(const Action& action);                    // it writes one control value: needs a precondition on that value
Probe changed_probe(const Action& action);                // of a setting action, the value that it writes; else unknown
std::string describe(const Action& action);               // "set memory limit to 256 MiB, kept"

// Who looks after the target's cgroup, from its identity alone: a pod's belongs to the kubelet, a unit's to systemd.
enum class Owner : std::uint8_t { none = 0, systemd, kubelet };
Owner owner_of(const Target& target);

// 0..3. Pure; from action, parameters and owner. Undo and extend: 1.
std::uint8_t class_of(const Plan& plan);

// The root, the slices that hold everything of a kind (system.slice, kubepods), and cgroups of the node's own machinery (kubelet, container
// runtimes, systemd, Fleetwright): no action but diagnose touches them.
bool is_protected_cgroup(std::string_view cgroup_path);

// Every rule of the plan by itself (bounds, TTL, identity that the action needs, window, effect present), a sentence each; empty: good.
std::vector<std::string> check_plan(const Plan& plan);

// The sysctls that set_sysctl takes, with their bounds.
struct SysctlInfo { std::string_view key; std::int64_t min_value = 0, max_value = 0; };
std::span<const SysctlInfo> sysctls();

// docs/actions.md, whole.
std::string actions_page();

}  // namespace fw::authority
