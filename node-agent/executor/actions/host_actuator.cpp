#include "node-agent/executor/actions/host_actuator.hpp"

#include <unistd.h>

#include "node-agent/executor/actions/target.hpp"

namespace fw::executor {
namespace {

using namespace authority;

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

std::unique_ptr<Target> make_target(const Host& host, const Plan& plan) {
  return std::visit(Overloaded{
                        [&](const Diagnose&) { return make_diagnose(host, plan); },
                        [&](const SetMemoryLimit&) { return make_memory_limit(host, plan); },
                        [&](const SetMemoryHigh&) { return make_memory_high(host, plan); },
                        [&](const SetCpuMax&) { return make_cpu_max(host, plan); },
                        [&](const SetCpuWeight&) { return make_cpu_weight(host, plan); },
                        [&](const SetPidsMax&) { return make_pids_max(host, plan); },
                        [&](const Freeze&) { return make_freeze(host, plan); },
                        [&](const Thaw&) { return make_freeze(host, plan); },
                        [&](const KillProcess&) { return make_kill_process(host, plan); },
                        [&](const KillCgroup&) { return make_kill_cgroup(host, plan); },
                        [&](const SetSysctl&) { return make_sysctl(host, plan); },
                        [&](const RotateLog&) { return make_rotate_log(host, plan); },
                        [](const std::monostate&) { return std::unique_ptr<Target>(); },
                        [](const Undo&) { return std::unique_ptr<Target>(); },
                        [](const Extend&) { return std::unique_ptr<Target>(); },
                    },
                    plan.action);
}

// A container that was started again has another path; pod and name are still its own.
Result<CgroupFolders> open_cgroup(const Host& host, const authority::Target& target) {
  const bool by_name = target.cgroup_inode == 0 && !target.pod_uid.empty() && !target.container_name.empty();
  if (!target.cgroup_path.empty() || !by_name) {
    auto cgroup = CgroupFolders::open(host, target.cgroup_path);
    if (cgroup || cgroup.error().code != Errc::gone || !by_name) return cgroup;
  }
  const auto path = find_container(host, target.pod_uid, target.container_name);
  if (!path) return path.error();
  return CgroupFolders::open(host, *path);
}

Result<Process> open_process(const Host& host, const authority::Target& target) {
  if (target.pid <= 1 || target.pid == static_cast<std::uint32_t>(::getpid()))
    return Error(Errc::permission, "process " + std::to_string(target.pid) + " may not be stopped");
  auto process = Process::open(host, target.pid);
  if (!process) return process;
  const auto stat = process->stat();
  if (!stat) return stat.error();
  // The number is another process's now.
  if (stat->start_ticks != target.start_ticks) return Error(Errc::gone, "process " + std::to_string(target.pid) + " is another one than the plan's");
  return process;
}

}  // namespace

Result<std::unique_ptr<OpenTarget>> HostActuator::open(const Plan& plan) {
  auto made = make_target(host_, plan);
  if (!made) return Error(Errc::invalid_argument, "the plan has no action of its own");
  const bool of_whole_node = std::holds_alternative<Diagnose>(plan.action) && plan.target.container_name.empty();
  const bool on_node = std::holds_alternative<SetSysctl>(plan.action) || std::holds_alternative<RotateLog>(plan.action) || of_whole_node;
  if (!plan.target.cgroup_path.empty() || !on_node) {
    auto cgroup = open_cgroup(host_, plan.target);
    if (!cgroup) return cgroup.error();
    if (plan.target.cgroup_inode != 0 && plan.target.cgroup_inode != cgroup->inode)
      return Error(Errc::gone, cgroup->path + " is another cgroup than the plan's: inode " + std::to_string(cgroup->inode));
    made->cgroup_ = std::move(*cgroup);
  }
  if (std::holds_alternative<KillProcess>(plan.action)) {
    auto process = open_process(host_, plan.target);
    if (!process) return process.error();
    made->process_ = std::move(*process);
  }
  return std::unique_ptr<OpenTarget>(std::move(made));
}

}  // namespace fw::executor
