// The real actuator: plans become open handles on this machine.
#pragma once
#include <memory>

#include "node-agent/executor/actions/host.hpp"
#include "protocol/authority/actuator.hpp"

namespace fw::executor {

// Threading: one thread. Blocking: control files (microseconds); ending and freezing wait for the kernel, at most 3 s. Lifetime: outlives its
// targets.
class HostActuator final : public authority::Actuator {
 public:
  explicit HostActuator(Host host) : host_(std::move(host)) {}

  // cgroup_inode 0: the cgroup that has the path now, or the one in which the named container of the named pod runs now; else it must be that
  // one. Errc::gone when it, or the process, is not there any more;
  // Errc::permission for what no plan may name (pid 1, the root cgroup, a path through a link); Errc::invalid_argument for undo and extend.
  Result<std::unique_ptr<authority::OpenTarget>> open(const authority::Plan& plan) override;

 private:
  Host host_;
};

}  // namespace fw::executor
