#include "protocol/authority/catalogue.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "common/units.hpp"

namespace fw::authority {
namespace {

using namespace literals;

constexpr std::uint64_t kSecondMs = 1000;
constexpr std::uint64_t kMinuteMs = 60 * kSecondMs;
constexpr std::uint64_t kHourMs = 60 * kMinuteMs;
constexpr std::uint64_t kMaxTtlMs = 24 * kHourMs;
constexpr std::uint64_t kMaxBrakeMs = 15 * kMinuteMs;     // a brake that is forgotten must not become an outage
constexpr std::int64_t kCpuPeriodUs = 100'000;

constexpr std::int64_t bytes(std::uint64_t count) { return static_cast<std::int64_t>(count); }
// Index of T among Action's alternatives.
template <class T, std::size_t I = 0>
constexpr std::uint16_t index_of() {
  if constexpr (std::is_same_v<T, std::variant_alternative_t<I, Action>>) return I;
  else return index_of<T, I + 1>();
}
template <class T>
constexpr std::uint16_t kIndex = index_of<T>();

constexpr std::array<SysctlInfo, 9> kSysctls = {{
    {"fs.file-max", 65'536, 1'000'000'000},
    {"fs.inotify.max_user_instances", 128, 65'536},
    {"fs.inotify.max_user_watches", 8'192, 16'777'216},
    {"kernel.pid_max", 32'768, 4'194'304},
    {"net.core.netdev_max_backlog", 1'000, 300'000},
    {"net.core.somaxconn", 128, 65'535},
    {"net.ipv4.tcp_max_syn_backlog", 128, 262'144},
    {"net.netfilter.nf_conntrack_max", 32'768, 8'388'608},
    {"vm.max_map_count", 65'530, 16'777'216},
}};

const std::array<ActionInfo, std::variant_size_v<Action> - 1>& rows() {
  using enum Recovery;
  static const std::array<ActionInfo, std::variant_size_v<Action> - 1> kRows = {{
      {1, "diagnose", "collect diagnostics", idempotent, false, "bytes", 256, bytes(1_MiB), 0, 0, false,
       "none", "a bounded text of pressure, top cgroups and limits in the result", "nothing to undo", "none: reads only"},
      {2, "set_memory_limit", "set the memory limit", idempotent, false, "bytes", bytes(4_MiB), bytes(16384_GiB), kSecondMs, kMaxTtlMs, true,
       "memory_limit_bytes is what the plan saw; the new limit is not below the memory in use; a pod's own limit is raised with it",
       "memory.max (v1: memory.limit_in_bytes) has the new value", "the old value, by the executor itself at the end of the TTL, or by undo",
       "that cgroup; the node's memory when the limit is raised"},
      {3, "set_memory_high", "brake memory growth", idempotent, true, "bytes", bytes(4_MiB), bytes(16384_GiB), kSecondMs, kMaxBrakeMs, false,
       "memory_high_bytes is what the plan saw; cgroup v2; the same incarnation of the cgroup",
       "memory.high has the new value", "the old value at the end of the TTL, or by undo", "that cgroup is slowed and may miss its probes"},
      {4, "set_cpu_max", "set the CPU quota", idempotent, false, "us per 100 ms", 1'000, 1'024 * kCpuPeriodUs, kSecondMs, kMaxTtlMs, true,
       "cpu_quota_us is what the plan saw", "cpu.max (v1: cpu.cfs_quota_us) has the new value",
       "the old value at the end of the TTL, or by undo", "that cgroup when lowered, its neighbours when raised"},
      {5, "set_cpu_weight", "set the CPU weight", idempotent, false, "", 1, 10'000, kSecondMs, kMaxTtlMs, true,
       "cpu_weight is what the plan saw", "cpu.weight (v1: cpu.shares) has the new value",
       "the old value at the end of the TTL, or by undo", "that cgroup and its neighbours, under contention only"},
      {6, "set_pids_max", "set the limit of processes", idempotent, false, "processes", 16, 4'194'304, kSecondMs, kMaxTtlMs, true,
       "pids_max is what the plan saw", "pids.max has the new value", "the old value at the end of the TTL, or by undo",
       "that cgroup cannot fork above it"},
      {7, "freeze", "freeze", idempotent, true, "", 0, 0, kSecondMs, kMaxBrakeMs, false, "the same incarnation of the cgroup",
       "frozen = 1: no process of the cgroup runs", "thawed at the end of the TTL, or by undo", "that cgroup stands still and fails its probes"},
      {8, "thaw", "thaw", idempotent, false, "", 0, 0, 0, 0, false, "none", "frozen = 0: its processes run", "frozen again by undo",
       "that cgroup"},
      {9, "kill_process", "kill one process", checkable, true, "ms", 0, bytes(5 * kMinuteMs), 0, 0, false,
       "pid, start time and boot are those of the plan; not pid 1; by pidfd", "the process is gone", "none: what ran is recorded",
       "one process; its container may restart"},
      {10, "kill_cgroup", "kill an orphaned cgroup", checkable, true, "", 0, 0, 0, 0, false,
       "inode and boot are those of the plan; no live container or pod owns it", "populated = 0: no process is left",
       "none: what ran is recorded", "the processes left in that cgroup"},
      {11, "set_sysctl", "set a kernel setting", idempotent, false, "", 0, 1'000'000'000, kSecondMs, kMaxTtlMs, true,
       "sysctl_value is what the plan saw; the key is in the list below", "the setting has the new value; nothing is written to disk",
       "the old value at the end of the TTL, or by undo", "the whole node"},
      {12, "rotate_log", "rotate one log", at_most_once, false, "bytes", 0, bytes(1_GiB), 0, 0, false,
       "a plain file below /var/log/pods or /var/log/containers, no link on the way", "the file holds at most the kept tail",
       "none beyond the kept tail", "the older lines of that log"},
      {13, "undo", "undo", idempotent, false, "", 0, 0, 0, 0, false, "the named plan was done here and is not undone yet",
       "what that plan recorded is restored", "none: a new plan does it again", "that of the named plan"},
      {14, "extend", "extend", idempotent, false, "ms", bytes(kSecondMs), bytes(kMaxTtlMs), 0, 0, false,
       "the restore of the named plan is still to come", "its restore comes so much later, counted from now", "undo of the named plan",
       "that of the named plan"},
  }};
  return kRows;
}

static_assert(kIndex<Diagnose> == 1 && kIndex<SetMemoryLimit> == 2 && kIndex<SetMemoryHigh> == 3 && kIndex<SetCpuMax> == 4 &&
              kIndex<SetCpuWeight> == 5 && kIndex<SetPidsMax> == 6 && kIndex<Freeze> == 7 && kIndex<Thaw> == 8 && kIndex<KillProcess> == 9 &&
              kIndex<KillCgroup> == 10 && kIndex<SetSysctl> == 11 && kIndex<RotateLog> == 12 && kIndex<Undo> == 13 && kIndex<Extend> == 14);

template <class... Functions>
struct Overloaded : Functions... { using Functions::operator()...; };

std::string size_text(std::int64_t count) {
  if (count == kUnlimited) return "unlimited";
  const auto value = static_cast<std::uint64_t>(count);
  if (count > 0 && value % 1_GiB == 0) return std::to_string(value / 1_GiB) + " GiB";
  if (count > 0 && value % 1_MiB == 0) return std::to_string(value / 1_MiB) + " MiB";
  if (count > 0 && value % 1_KiB == 0) return std::to_string(value / 1_KiB) + " KiB";
  return std::to_string(count) + " bytes";
}

std::string number_text(std::int64_t value) { return value == kUnlimited ? "unlimited" : std::to_string(value); }

std::string time_text(std::uint64_t ms) {
  if (ms % kHourMs == 0) return std::to_string(ms / kHourMs) + " h";
  if (ms % kMinuteMs == 0) return std::to_string(ms / kMinuteMs) + " min";
  if (ms % kSecondMs == 0) return std::to_string(ms / kSecondMs) + " s";
  return std::to_string(ms) + " ms";
}

std::string kept_text(std::uint64_t ttl) { return ttl == 0 ? ", kept" : " for " + time_text(ttl); }

// Components of a cgroup path, by function; stops at the first for which it is true.
template <class Function>
bool any_component(std::string_view path, Function function) {
  while (!path.empty()) {
    const auto end = std::min(path.find('/'), path.size());
    if (end > 0 && function(path.substr(0, end))) return true;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return false;
}

bool is_systemd_unit(std::string_view component) {
  for (const std::string_view suffix : {".service", ".scope", ".slice", ".socket", ".mount", ".swap"})
    if (component.size() > suffix.size() && component.ends_with(suffix)) return true;
  return false;
}

}  // namespace

std::span<const ActionInfo> catalogue() { return rows(); }

const ActionInfo* find_action(std::string_view name) {
  const auto& all = rows();
  const auto found = std::find_if(all.begin(), all.end(), [&](const ActionInfo& row) { return row.name == name; });
  return found == all.end() ? nullptr : &*found;
}

const ActionInfo& info_of(const Action& action) {
  FW_ASSERT(action.index() != 0, "an action is set");
  return rows()[action.index() - 1];
}

std::span<const SysctlInfo> sysctls() { return kSysctls; }

std::optional<std::int64_t> main_value(const Action& action) {
  using Value = std::optional<std::int64_t>;
  return std::visit(Overloaded{
                        [](const Diagnose& a) -> Value { return a.max_bytes; },
                        [](const SetMemoryLimit& a) -> Value { return a.limit_bytes; },
                        [](const SetMemoryHigh& a) -> Value { return a.high_bytes; },
                        [](const SetCpuMax& a) -> Value {
                          // No quota is more than any, and so is one of no period.
                          const auto most = std::numeric_limits<std::int64_t>::max();
                          if (a.quota_us < 0 || a.period_us <= 0 || a.quota_us > most / kCpuPeriodUs) return most;
                          return a.quota_us * kCpuPeriodUs / a.period_us;
                        },
                        [](const SetCpuWeight& a) -> Value { return a.weight; },
                        [](const SetPidsMax& a) -> Value { return a.max; },
                        [](const KillProcess& a) -> Value { return static_cast<std::int64_t>(std::min<std::uint64_t>(a.grace_ms, INT64_MAX)); },
                        [](const SetSysctl& a) -> Value { return a.value; },
                        [](const RotateLog& a) -> Value { return static_cast<std::int64_t>(std::min<std::uint64_t>(a.keep_bytes, INT64_MAX)); },
                        [](const Extend& a) -> Value { return static_cast<std::int64_t>(std::min<std::uint64_t>(a.ttl_ms, INT64_MAX)); },
                        [](const auto&) -> Value { return std::nullopt; },
                    },
                    action);
}

std::uint64_t ttl_ms(const Action& action) {
  return std::visit(
      []<class T>(const T& a) -> std::uint64_t {
        if constexpr (requires { a.ttl_ms; } && !std::is_same_v<T, Extend>) return a.ttl_ms;
        return 0;
      },
      action);
}

Probe changed_probe(const Action& action) {
  switch (action.index()) {
    case kIndex<SetMemoryLimit>: return Probe::memory_limit_bytes;
    case kIndex<SetMemoryHigh>: return Probe::memory_high_bytes;
    case kIndex<SetCpuMax>: return Probe::cpu_quota_us;
    case kIndex<SetCpuWeight>: return Probe::cpu_weight;
    case kIndex<SetPidsMax>: return Probe::pids_max;
    case kIndex<SetSysctl>: return Probe::sysctl_value;
    default: return Probe::unknown;
  }
}

bool is_setting(const Action& action) { return changed_probe(action) != Probe::unknown; }

std::string describe(const Action& action) {
  return std::visit(
      Overloaded{
          [](std::monostate) -> std::string { return "do nothing"; },
          [](const Diagnose& a) { return "collect diagnostics, at most " + size_text(a.max_bytes); },
          [](const SetMemoryLimit& a) { return "set memory limit to " + size_text(a.limit_bytes) + kept_text(a.ttl_ms); },
          [](const SetMemoryHigh& a) { return "brake memory growth at " + size_text(a.high_bytes) + kept_text(a.ttl_ms); },
          [](const SetCpuMax& a) {
            return "set CPU quota to " + number_text(a.quota_us) + (a.quota_us == kUnlimited ? "" : " us") + " per " +
                   std::to_string(a.period_us) + " us" + kept_text(a.ttl_ms);
          },
          [](const SetCpuWeight& a) { return "set CPU weight to " + std::to_string(a.weight) + kept_text(a.ttl_ms); },
          [](const SetPidsMax& a) { return "set limit of processes to " + number_text(a.max) + kept_text(a.ttl_ms); },
          [](const Freeze& a) { return "freeze" + kept_text(a.ttl_ms); },
          [](const Thaw&) -> std::string { return "thaw"; },
          [](const KillProcess& a) {
            return "kill one process" + (a.grace_ms == 0 ? ", at once" : ", SIGKILL " + time_text(a.grace_ms) + " after SIGTERM");
          },
          [](const KillCgroup&) -> std::string { return "kill every process of the orphaned cgroup"; },
          [](const SetSysctl& a) { return "set " + a.key + " to " + std::to_string(a.value) + kept_text(a.ttl_ms); },
          [](const RotateLog& a) { return "rotate " + a.path + ", keep the last " + size_text(bytes(a.keep_bytes)); },
          [](const Undo& a) { return "undo plan " + to_text(a.plan).substr(0, 12); },
          [](const Extend& a) { return "extend plan " + to_text(a.plan).substr(0, 12) + " by " + time_text(a.ttl_ms); },
      },
      action);
}

Owner owner_of(const Target& target) {
  const std::string_view path = target.cgroup_path;
  if (!target.pod_uid.empty() || path.find("kubepods") != std::string_view::npos) return Owner::kubelet;
  return any_component(path, is_systemd_unit) ? Owner::systemd : Owner::none;
}

bool is_protected_cgroup(std::string_view path) {
  if (path == "/") return true;
  // What holds everything of a kind: to freeze system.slice is to freeze the kubelet.
  const auto last = path.substr(std::min(path.rfind('/') + 1, path.size()));
  for (const std::string_view whole : {"system.slice", "user.slice", "machine.slice", "runtime.slice", "podruntime.slice", "kubelet.slice",
                                       "kubepods", "kubepods.slice", "kubepods-burstable.slice", "kubepods-besteffort.slice",
                                       "kubelet-kubepods.slice", "kubelet-kubepods-burstable.slice", "kubelet-kubepods-besteffort.slice"})
    if (last == whole) return true;
  if (path.ends_with("kubepods/burstable") || path.ends_with("kubepods/besteffort")) return true;
  return any_component(path, [](std::string_view component) {
    if (component == "init.scope" || component == "fleetwright" || component.starts_with("fleetwright-") ||
        (component.starts_with("systemd-") && component.ends_with(".service")))
      return true;
    for (const std::string_view unit :
         {"kubelet.service", "containerd.service", "crio.service", "docker.service", "dbus.service", "dbus-broker.service", "etcd.service",
          "k3s.service", "k3s-agent.service", "rke2-server.service", "rke2-agent.service", "ssh.service", "sshd.service", "NetworkManager.service"})
      if (component == unit) return true;
    return false;
  });
}

std::uint8_t class_of(const Plan& plan) {
  constexpr std::uint8_t kSevere = 3;
  switch (plan.action.index()) {
    case kIndex<Diagnose>: return 0;
    case kIndex<SetMemoryLimit>:
    case kIndex<SetCpuMax>:
    case kIndex<SetCpuWeight>:
    case kIndex<SetPidsMax>:
    case kIndex<SetSysctl>: return ttl_ms(plan.action) > 0 ? 1 : 2;
    case kIndex<SetMemoryHigh>:
    case kIndex<Freeze>:
    case kIndex<Thaw>:
    case kIndex<RotateLog>:
    case kIndex<Undo>:
    case kIndex<Extend>: return 1;
    case kIndex<KillProcess>:
    case kIndex<KillCgroup>: return 2;
    default: return kSevere;   // nothing that the catalogue has
  }
}

}  // namespace fw::authority
