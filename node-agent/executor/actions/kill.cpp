// Ends one process, or every process of a cgroup that nobody looks after.
#include <algorithm>
#include <csignal>

#include "node-agent/executor/actions/target.hpp"
#include "node-agent/kernel/cgroup_path.hpp"

namespace fw::executor {
namespace {

constexpr std::size_t kMaxVictims = 4096;
constexpr int kSettleMs = 3000;
constexpr int kStepMs = 5;

bool is_inside(std::string_view path, std::string_view folder) {
  return path == folder || (path.starts_with(folder) && path.size() > folder.size() && path[folder.size()] == '/');
}

class KillProcess final : public Target {
 public:
  using Target::Target;

  Result<Bytes> snapshot() override { return Bytes(); }
  // Signals a process that is still the one that the plan names; what it was is looked at again, through the same handle.
  Result<std::string> apply() override { return send(action<authority::KillProcess>().grace_ms == 0 ? SIGKILL : SIGTERM); }
  Result<std::string> finish() override { return send(SIGKILL); }
  Result<bool> happened(ByteView) override { return !process()->alive(); }
  Result<std::string> restore(ByteView) override { return Error(Errc::unsupported, "a process that was ended does not come back"); }

 private:
  Result<std::string> send(int number) {
    const auto stat = process()->stat();
    if (!stat) return stat.error();
    if (is_protected_program(stat->comm)) return Error(Errc::permission, stat->comm + " may not be stopped");
    const auto path = process()->cgroup(host_.v2());
    if (!path) return path.error();
    if (!is_inside(*path, plan_.target.cgroup_path)) return Error(Errc::gone, "it moved out of the plan's cgroup, to " + *path);
    if (auto ok = process()->signal(number); !ok) return ok.error();
    if (number == SIGTERM) return "SIGTERM sent to " + stat->comm;
    for (int waited = 0; waited < kSettleMs && process()->alive(); waited += kStepMs) pause_ms(kStepMs);
    return stat->comm + (process()->alive() ? " was sent SIGKILL and has not ended yet" : " was ended");
  }
};

class KillCgroup final : public Target {
 public:
  using Target::Target;

  Result<Bytes> snapshot() override {
    if (auto ok = is_orphan(); !ok) return ok.error();
    return Bytes();
  }
  Result<std::string> apply() override {
    if (auto ok = is_orphan(); !ok) return ok.error();
    const auto& folders = **cgroup();
    const auto before = members_of(folders.memory, kMaxVictims);
    if (!before) return before.error();
    if (host_.v2() && has_file(folders.memory, "cgroup.kill")) {
      if (auto ok = write_file(folders.memory, "cgroup.kill", "1"); !ok) return ok.error();
      wait_until_empty(folders);
    } else if (auto ok = kill_each(folders); !ok) {
      return ok.error();
    }
    const auto after = members_of(folders.memory, kMaxVictims);
    return "processes: " + std::to_string(before->pids.size()) + ", now " + (after ? std::to_string(after->pids.size()) : "0, the cgroup is gone");
  }
  Result<bool> happened(ByteView) override {
    const auto members = members_of((*cgroup())->memory, 1);
    if (!members && members.error().code != Errc::gone) return members.error();
    return !members || (members->pids.empty() && !members->invisible);
  }
  Result<std::string> restore(ByteView) override { return Error(Errc::unsupported, "processes that were ended do not come back"); }

 private:
  // Nobody outside, but init, is the parent of a process in it: the runtime's shim or the supervisor is gone.
  Result<void> is_orphan() {
    const auto group = cgroup();
    if (!group) return group.error();
    const auto& folders = **group;
    const auto identity = kernel::identify_cgroup(folders.path);
    if (identity.container_id.empty() && (folders.path.ends_with(".service") || folders.path.ends_with(".scope") || folders.path.ends_with(".slice")))
      return Error(Errc::permission, "systemd looks after this unit");
    if (auto ok = may_stop(host_, folders); !ok) return ok;
    const auto members = members_of(folders.memory, kMaxVictims);
    if (!members) return members.error();
    if (members->pids.empty()) return Error(Errc::conflict, "it has no process");
    auto pids = members->pids;
    std::sort(pids.begin(), pids.end());
    for (const auto pid : pids) {
      const auto process = Process::open(host_, pid);
      if (!process) continue;
      const auto stat = process->stat();
      if (!stat || stat->parent_pid <= 1 || std::binary_search(pids.begin(), pids.end(), stat->parent_pid)) continue;
      return Error(Errc::conflict, "it is no orphan: process " + std::to_string(stat->parent_pid) + " outside is the parent of " + stat->comm);
    }
    return {};
  }

  void wait_until_empty(const CgroupFolders& folders) {
    for (int waited = 0; waited < kSettleMs; waited += kStepMs) {
      const auto members = members_of(folders.memory, 1);
      if (!members || members->pids.empty()) return;
      pause_ms(kStepMs);
    }
  }

  // v1: signal each, until nobody is left; frozen meanwhile where that is possible, so that none forks away.
  Result<void> kill_each(const CgroupFolders& folders) {
    for (int waited = 0; waited < kSettleMs; waited += kStepMs) {
      const bool frozen = folders.freezer.valid() && set_frozen(host_, folders, true);
      const auto members = members_of(folders.memory, kMaxVictims);
      std::optional<Error> failed;
      for (const auto pid : members ? members->pids : std::vector<std::uint32_t>()) {
        const auto process = Process::open(host_, pid);
        if (!process) continue;
        const auto path = process->cgroup(false);
        if (!path || !is_inside(*path, folders.path)) continue;
        if (auto ok = process->signal(SIGKILL); !ok && ok.error().code != Errc::gone) failed = Error(Errc::io, ok.error().message());
      }
      if (frozen) (void)set_frozen(host_, folders, false);
      if (failed) return *failed;
      const auto left = members_of(folders.memory, 1);
      if (!left || left->pids.empty()) return {};
      pause_ms(kStepMs);
    }
    return {};
  }
};

}  // namespace

std::unique_ptr<Target> make_kill_process(const Host& host, const authority::Plan& plan) { return std::make_unique<KillProcess>(host, plan); }
std::unique_ptr<Target> make_kill_cgroup(const Host& host, const authority::Plan& plan) { return std::make_unique<KillCgroup>(host, plan); }

}  // namespace fw::executor
