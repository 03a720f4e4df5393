// What all open targets have in common: the plan, its handles, and the questions that can be asked of them.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "node-agent/executor/actions/handles.hpp"
#include "node-agent/executor/actions/host.hpp"
#include "node-agent/executor/actions/texts.hpp"
#include "protocol/authority/actuator.hpp"
#include "protocol/authority/catalogue.hpp"

namespace fw::executor {

// Identity: the folders and the process that were open when it was made. Lifetime: host outlives it.
class Target : public authority::OpenTarget {
 public:
  Target(const Host& host, const authority::Plan& plan) : host_(host), plan_(plan) {}

  std::string identity() const override;
  Result<std::int64_t> read(authority::Probe probe) override;

 protected:
  template <class Action>
  const Action& action() const { return std::get<Action>(plan_.action); }
  Result<const CgroupFolders*> cgroup() const;         // Errc::unsupported when the plan names none
  bool kubelet_on_v1() const { return !host_.v2() && authority::owner_of(plan_.target) == authority::Owner::kubelet; }

  const Host& host_;
  authority::Plan plan_;

 private:
  friend class HostActuator;
  std::optional<CgroupFolders> cgroup_;
  std::optional<Process> process_;

 protected:
  const std::optional<Process>& process() const { return process_; }
};

// ---- one value of a control file: most actions ----------------------------------------------------------------------

// Saves, sets and restores numbers. A restore touches nothing that another hand has changed meanwhile.
class ValueTarget : public Target {
 public:
  using Target::Target;
  Result<Bytes> snapshot() override;
  Result<std::string> apply() override;
  Result<bool> happened(ByteView snapshot) override;
  Result<std::string> restore(ByteView snapshot) override;

 protected:
  virtual std::string_view name() const = 0;                        // "memory limit"
  virtual std::int64_t wanted() const = 0;                          // by the plan
  virtual Result<void> may() const { return {}; }                   // before anything is read
  virtual Result<std::int64_t> current() const = 0;
  virtual Result<void> save(Snapshot&) const { return {}; }         // what belongs to it, beside the number itself ("value")
  virtual Result<void> set(std::int64_t value) = 0;                 // the plan's
  virtual Result<void> put_back(const Snapshot& snapshot) = 0;
  virtual Result<void> put_back_rest(const Snapshot&) { return {}; }   // what save() kept, when the number itself is as it was
  virtual bool same(std::int64_t a, std::int64_t b) const { return a == b; }
};

// ---- one factory for each family; the plan's action decides ----------------------------------------------------------

std::unique_ptr<Target> make_memory_limit(const Host& host, const authority::Plan& plan);
std::unique_ptr<Target> make_memory_high(const Host& host, const authority::Plan& plan);
std::unique_ptr<Target> make_cpu_max(const Host& host, const authority::Plan& plan);
std::unique_ptr<Target> make_cpu_weight(const Host& host, const authority::Plan& plan);
std::unique_ptr<Target> make_pids_max(const Host& host, const authority::Plan& plan);
std::unique_ptr<Target> make_freeze(const Host& host, const authority::Plan& plan);   // and thaw
std::unique_ptr<Target> make_kill_process(const Host& host, const authority::Plan& plan);
std::unique_ptr<Target> make_kill_cgroup(const Host& host, const authority::Plan& plan);
std::unique_ptr<Target> make_sysctl(const Host& host, const authority::Plan& plan);
std::unique_ptr<Target> make_rotate_log(const Host& host, const authority::Plan& plan);
std::unique_ptr<Target> make_diagnose(const Host& host, const authority::Plan& plan);

// Numbers of a cgroup, whatever the hierarchy. Errc::unsupported where it has no such file.
Result<std::int64_t> memory_limit_of(const Host& host, const UniqueFd& memory);
Result<std::int64_t> memory_usage_of(const Host& host, const UniqueFd& memory);
Result<CpuMax> cpu_max_of(const Host& host, const UniqueFd& cpu);
Result<std::int64_t> cpu_weight_of(const Host& host, const UniqueFd& cpu);
Result<bool> is_frozen(const Host& host, const CgroupFolders& cgroup);
Result<void> set_frozen(const Host& host, const CgroupFolders& cgroup, bool frozen);
Result<std::int64_t> read_value(const UniqueFd& folder, std::string_view name);

// No process in it may be the node's, a runtime's or ours. Errc::permission with which; Errc::unsupported when they cannot be seen.
Result<void> may_stop(const Host& host, const CgroupFolders& cgroup);

}  // namespace fw::executor
