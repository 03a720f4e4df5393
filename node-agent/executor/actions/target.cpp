#include "node-agent/executor/actions/target.hpp"

#include <unistd.h>

namespace fw::executor {

using authority::Probe;

namespace {

constexpr std::size_t kMaxMembersLooked = 4096;

std::int64_t as_number(bool flag) { return flag ? 1 : 0; }

Result<std::int64_t> as_number(Result<bool> flag) {
  if (!flag) return flag.error();
  return as_number(*flag);
}

}  // namespace

Result<std::int64_t> read_value(const UniqueFd& folder, std::string_view name) {
  if (!folder.valid()) return Error(Errc::unsupported, std::string(name) + ": no such hierarchy or cgroup here");
  const auto text = read_file(folder, name, 4096);
  if (!text) return text.error();
  auto value = parse_value(*text);
  if (!value) return with_context(value.error(), name);
  return value;
}

Result<const CgroupFolders*> Target::cgroup() const {
  if (!cgroup_) return Error(Errc::unsupported, "the plan names no cgroup");
  return &*cgroup_;
}

std::string Target::identity() const {
  if (process_) return "process " + std::to_string(plan_.target.pid) + " of " + plan_.target.cgroup_path;
  if (cgroup_) return cgroup_->path + " inode " + std::to_string(cgroup_->inode);
  return "node " + plan_.target.node.str();
}

Result<std::int64_t> Target::read(Probe probe) {
  if (probe == Probe::node_available_bytes) {
    const auto text = read_file(host_.proc, "meminfo");
    if (!text) return text.error();
    if (const auto kib = parse_keyed(*text, "MemAvailable")) return *kib * 1024;
    return Error(Errc::unsupported, "meminfo: no MemAvailable");
  }
  if (probe == Probe::process_alive) {
    if (!process_) return Error(Errc::unsupported, "the plan names no process");
    return as_number(process_->alive());
  }
  const auto group = cgroup();
  if (!group) return group.error();
  const auto& folders = **group;
  switch (probe) {
    case Probe::memory_limit_bytes: return memory_limit_of(host_, folders.memory);
    case Probe::memory_high_bytes: return read_value(folders.memory, "memory.high");
    case Probe::memory_current_bytes: return memory_usage_of(host_, folders.memory);
    case Probe::cpu_quota_us: {
      const auto max = cpu_max_of(host_, folders.cpu);
      if (!max) return max.error();
      return max->quota_us;
    }
    case Probe::cpu_weight: return cpu_weight_of(host_, folders.cpu);
    case Probe::pids_max: return read_value(folders.pids, "pids.max");
    case Probe::pids_current: return read_value(folders.pids, "pids.current");
    case Probe::frozen: return as_number(is_frozen(host_, folders));
    case Probe::populated: {
      if (host_.v2()) {
        const auto events = read_file(folders.memory, "cgroup.events");
        if (!events) return events.error();
        if (const auto populated = parse_keyed(*events, "populated")) return *populated;
        return Error(Errc::malformed, "cgroup.events: no populated");
      }
      const auto members = members_of(folders.memory, 1);
      if (!members) return members.error();
      return as_number(!members->pids.empty() || members->invisible);
    }
    default: return Error(Errc::unsupported, "this target has no such value");
  }
}

Result<void> may_stop(const Host& host, const CgroupFolders& cgroup) {
  const auto members = members_of(cgroup.memory, kMaxMembersLooked);
  if (!members) return members.error();
  if (members->invisible) return Error(Errc::unsupported, "its processes belong to another pid namespace: the executor needs the host's");
  if (members->cut) return Error(Errc::unsupported, "more than " + std::to_string(kMaxMembersLooked) + " processes: too many to look at");
  for (const auto pid : members->pids) {
    if (pid == 1 || pid == static_cast<std::uint32_t>(::getpid())) return Error(Errc::permission, "process " + std::to_string(pid) + " may not be stopped");
    const auto process = Process::open(host, pid);
    if (!process) continue;
    const auto stat = process->stat();
    if (stat && is_protected_program(stat->comm)) return Error(Errc::permission, "it holds " + stat->comm + ", which may not be stopped");
  }
  return {};
}

Result<Bytes> ValueTarget::snapshot() {
  if (auto ok = may(); !ok) return ok.error();
  const auto value = current();
  if (!value) return value.error();
  Snapshot snapshot;
  snapshot.set("value", *value);
  if (auto ok = save(snapshot); !ok) return ok.error();
  return snapshot.bytes();
}

Result<std::string> ValueTarget::apply() {
  if (auto ok = may(); !ok) return ok.error();
  if (auto ok = set(wanted()); !ok) return ok.error();
  const auto value = current();
  return std::string(name()) + " " + (value ? text_of(*value) : "set; it cannot be read: " + value.error().message());
}

Result<bool> ValueTarget::happened(ByteView) {
  const auto value = current();
  if (!value) return value.error();
  return same(*value, wanted());
}

Result<std::string> ValueTarget::restore(ByteView bytes) {
  const auto snapshot = Snapshot::parse(bytes);
  if (!snapshot) return snapshot.error();
  const auto before = snapshot->need("value");
  if (!before) return before.error();
  const auto value = current();
  if (!value) return value.error();
  if (same(*value, *before)) {
    // It was not changed, or is back already: a write that failed half way may have left the rest.
    if (auto ok = put_back_rest(*snapshot); !ok) return ok.error();
    return std::string(name()) + " " + text_of(*value) + ", as it was";
  }
  if (!same(*value, wanted())) return std::string(name()) + " " + text_of(*value) + ": another hand changed it, so it stays";
  if (auto ok = put_back(*snapshot); !ok) return ok.error();
  const auto after = current();
  return std::string(name()) + " " + (after ? text_of(*after) : "restored; it cannot be read: " + after.error().message());
}

}  // namespace fw::executor
