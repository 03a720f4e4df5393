#include "tests/simulation/machine.hpp"

#include <cstring>

#include "tests/simulation/disk.hpp"

namespace fw::sim {

using namespace authority;

namespace {

constexpr const char* kPaths[] = {"/shop/checkout", "/shop/cart", "/batch/report"};

// The number that an action sets, in this world.
std::int64_t* place_of(WorldState& state, const Plan& plan) {
  if (const auto* sysctl = std::get_if<SetSysctl>(&plan.action)) {
    const auto it = state.sysctls.find(sysctl->key);
    return it == state.sysctls.end() ? nullptr : &it->second;
  }
  if (const auto* log = std::get_if<RotateLog>(&plan.action)) {
    const auto it = state.files.find(log->path);
    return it == state.files.end() ? nullptr : &it->second;
  }
  const auto it = state.cgroups.find(plan.target.cgroup_path);
  if (it == state.cgroups.end()) return nullptr;
  auto& cgroup = it->second;
  if (std::holds_alternative<SetMemoryLimit>(plan.action)) return &cgroup.limit;
  if (std::holds_alternative<SetMemoryHigh>(plan.action)) return &cgroup.high;
  if (std::holds_alternative<SetCpuMax>(plan.action)) return &cgroup.quota;
  if (std::holds_alternative<SetCpuWeight>(plan.action)) return &cgroup.weight;
  if (std::holds_alternative<SetPidsMax>(plan.action)) return &cgroup.pids_max;
  return nullptr;
}

std::int64_t wanted(const Plan& plan) {
  if (const auto* a = std::get_if<SetMemoryLimit>(&plan.action)) return a->limit_bytes;
  if (const auto* a = std::get_if<SetMemoryHigh>(&plan.action)) return a->high_bytes;
  if (const auto* a = std::get_if<SetCpuMax>(&plan.action)) return a->quota_us;
  if (const auto* a = std::get_if<SetCpuWeight>(&plan.action)) return a->weight;
  if (const auto* a = std::get_if<SetPidsMax>(&plan.action)) return a->max;
  if (const auto* a = std::get_if<SetSysctl>(&plan.action)) return a->value;
  if (const auto* a = std::get_if<RotateLog>(&plan.action)) return static_cast<std::int64_t>(a->keep_bytes);
  return 0;
}

bool compare(const Check& check, std::int64_t value) {
  switch (check.comparison) {
    case Comparison::equal: return value == check.value;
    case Comparison::not_equal: return value != check.value;
    case Comparison::less: return value < check.value;
    case Comparison::less_or_equal: return value <= check.value;
    case Comparison::greater: return value > check.value;
    case Comparison::greater_or_equal: return value >= check.value;
  }
  return false;
}

}  // namespace

std::optional<std::int64_t> read_world(const WorldState& state, const Plan& plan, Probe probe) {
  if (probe == Probe::node_available_bytes) return std::int64_t{4} << 30;
  if (probe == Probe::sysctl_value) {
    const auto* sysctl = std::get_if<SetSysctl>(&plan.action);
    const auto it = sysctl ? state.sysctls.find(sysctl->key) : state.sysctls.end();
    return it == state.sysctls.end() ? std::nullopt : std::optional(it->second);
  }
  if (probe == Probe::file_bytes) {
    const auto* log = std::get_if<RotateLog>(&plan.action);
    const auto it = log ? state.files.find(log->path) : state.files.end();
    return it == state.files.end() ? std::nullopt : std::optional(it->second);
  }
  const auto it = state.cgroups.find(plan.target.cgroup_path);
  if (it == state.cgroups.end()) return std::nullopt;
  const auto& cgroup = it->second;
  switch (probe) {
    case Probe::memory_limit_bytes: return cgroup.limit;
    case Probe::memory_high_bytes: return cgroup.high;
    case Probe::memory_current_bytes: return cgroup.used;
    case Probe::cpu_quota_us: return cgroup.quota;
    case Probe::cpu_weight: return cgroup.weight;
    case Probe::pids_max: return cgroup.pids_max;
    case Probe::pids_current: return cgroup.populated ? 3 : 0;
    case Probe::frozen: return cgroup.frozen ? 1 : 0;
    case Probe::populated: return cgroup.populated ? 1 : 0;
    case Probe::process_alive:
      return cgroup.populated && cgroup.pid == plan.target.pid && cgroup.start_ticks == plan.target.start_ticks ? 1 : 0;
    default: return std::nullopt;
  }
}

// Works on the cgroup that it opened: after a restart of the container every call says gone.
class SimTarget final : public OpenTarget {
 public:
  SimTarget(Machine& machine, Plan plan, std::uint64_t inode) : machine_(machine), plan_(std::move(plan)), inode_(inode) {}

  std::string identity() const override { return plan_.target.cgroup_path + " inode " + std::to_string(inode_); }

  Result<std::int64_t> read(Probe probe) override {
    if (!here()) return Error(Errc::gone, "cgroup");
    if (machine_.faults_.strikes(Fault::act_error)) return Error(Errc::io, "simulated");
    const auto value = read_world(machine_.state_, plan_, probe);
    if (!value) return Error(Errc::unsupported, "probe");
    for (const auto& check : plan_.preconditions) {
      if (machine_.lie && check.probe == probe) return check.comparison == Comparison::less ? check.value - 1 : check.value;
    }
    return *value;
  }
  Result<Bytes> snapshot() override {
    if (!here()) return Error(Errc::gone, "cgroup");
    if (machine_.faults_.strikes(Fault::act_error)) return Error(Errc::io, "simulated");
    return encode_state();
  }
  Result<std::string> apply() override {
    if (!here()) return Error(Errc::gone, "cgroup");
    machine_.before(plan_);
    if (machine_.faults_.strikes(Fault::act_crash)) throw Crash{"act.before"};
    if (machine_.faults_.strikes(Fault::act_error)) return failed("simulated");
    const int times = machine_.apply_twice ? 2 : 1;
    for (int i = 0; i < times; ++i) {
      const auto was = machine_.state_;
      bool held = true;
      for (const auto& check : plan_.preconditions) {
        const auto value = read_world(machine_.state_, plan_, check.probe);
        held = held && value && compare(check, *value);
      }
      const bool right = right_object();
      act();
      machine_.after({plan_, false, !(was == machine_.state_), held, right});
    }
    if (machine_.faults_.strikes(Fault::act_crash)) throw Crash{"act.after"};
    if (machine_.faults_.strikes(Fault::act_error)) return failed("simulated, after the effect");
    return std::string("done");
  }
  Result<bool> happened(ByteView) override {
    if (std::holds_alternative<KillProcess>(plan_.action)) return *read_world(machine_.state_, plan_, Probe::process_alive) == 0;
    if (std::holds_alternative<KillCgroup>(plan_.action)) return *read_world(machine_.state_, plan_, Probe::populated) == 0;
    if (std::holds_alternative<RotateLog>(plan_.action)) return Error(Errc::unsupported, "cannot be told");
    if (const auto* place = place_of(machine_.state_, plan_)) return *place == wanted(plan_);
    return false;
  }
  Result<std::string> restore(ByteView snapshot) override {
    if (!here()) return Error(Errc::gone, "cgroup");
    if (machine_.faults_.strikes(Fault::act_crash)) throw Crash{"act.restore"};
    if (machine_.faults_.strikes(Fault::act_error)) return Error(Errc::io, "simulated");
    const auto was = machine_.state_;
    if (snapshot.size() == sizeof(std::int64_t)) {
      std::int64_t value = 0;
      std::memcpy(&value, snapshot.data(), sizeof value);
      if (auto* place = place_of(machine_.state_, plan_)) *place = value;
      else if (auto* cgroup = find()) cgroup->frozen = value != 0;
    }
    machine_.after({plan_, true, !(was == machine_.state_), true, true});
    return std::string("restored");
  }

 private:
  Error failed(const char* why) {
    machine_.failed(plan_);
    return Error(Errc::io, why);
  }
  Cgroup* find() {
    const auto it = machine_.state_.cgroups.find(plan_.target.cgroup_path);
    return it == machine_.state_.cgroups.end() ? nullptr : &it->second;
  }
  bool here() {
    if (inode_ == 0) return true;
    const auto* cgroup = find();
    return cgroup != nullptr && cgroup->inode == inode_;
  }
  // What the plan binds, looked at again by the world itself.
  bool right_object() {
    const auto& target = plan_.target;
    if (target.boot && *target.boot != machine_.boot_) return false;
    const auto* cgroup = find();
    if (target.cgroup_inode != 0 && (cgroup == nullptr || cgroup->inode != target.cgroup_inode)) return false;
    return target.pid == 0 || (cgroup != nullptr && cgroup->pid == target.pid && cgroup->start_ticks == target.start_ticks);
  }
  Bytes encode_state() {
    std::int64_t value = 0;
    if (std::holds_alternative<RotateLog>(plan_.action)) return {};
    if (const auto* place = place_of(machine_.state_, plan_)) value = *place;
    else if (std::holds_alternative<Freeze>(plan_.action) || std::holds_alternative<Thaw>(plan_.action)) value = find()->frozen ? 1 : 0;
    else return {};
    Bytes out(sizeof value);
    std::memcpy(out.data(), &value, sizeof value);
    return out;
  }
  void act() {
    if (auto* place = place_of(machine_.state_, plan_)) {
      *place = wanted(plan_);
      return;
    }
    auto* cgroup = find();
    if (cgroup == nullptr) return;
    if (std::holds_alternative<Freeze>(plan_.action)) cgroup->frozen = true;
    if (std::holds_alternative<Thaw>(plan_.action)) cgroup->frozen = false;
    if (std::holds_alternative<KillProcess>(plan_.action) || std::holds_alternative<KillCgroup>(plan_.action)) cgroup->populated = false;
  }

  Machine& machine_;
  Plan plan_;
  std::uint64_t inode_;
};

Machine::Machine(Faults& faults, Rng rng) : faults_(faults), rng_(rng) {
  state_.sysctls["net.core.somaxconn"] = 4096;
  state_.files["/var/log/pods/shop/checkout.log"] = 50 << 20;
  reboot();
}

Cgroup Machine::fresh() {
  Cgroup made;
  made.inode = ++next_inode_;
  made.pid = ++next_pid_;
  made.start_ticks = next_pid_ * 10;
  return made;
}

void Machine::reboot() {
  rng_.fill(boot_.bytes);
  state_.sysctls["net.core.somaxconn"] = 4096;
  for (const auto* path : kPaths) {
    state_.cgroups[path] = fresh();
    ++epochs_[path];
  }
  ++epochs_["node"];
}

void Machine::restart(const std::string& path) {
  const auto old = state_.cgroups[path];
  auto made = fresh();
  if (rng_.chance(0.5)) made.limit = old.limit;   // some runtimes keep what was set by hand
  state_.cgroups[path] = made;
  ++epochs_[path];
}

std::uint64_t Machine::epoch(const std::string& path) const {
  const auto it = epochs_.find(path);
  const auto node = epochs_.find("node");
  return (it == epochs_.end() ? 0 : it->second) * 1000 + (node == epochs_.end() ? 0 : node->second);
}

void Machine::stir() {
  const std::string path = kPaths[rng_.below(std::size(kPaths))];
  switch (rng_.below(5)) {
    case 0: restart(path); break;
    case 1: state_.cgroups[path].limit = rng_.between(16, 512) << 20; break;
    case 2: state_.cgroups[path].weight = rng_.between(1, 1000); break;
    case 3: state_.cgroups[path].frozen = !state_.cgroups[path].frozen; break;
    default: state_.files.begin()->second += rng_.between(1, 1 << 20); break;
  }
  ++epochs_[path];
  ++epochs_["node"];
}

Result<std::unique_ptr<OpenTarget>> Machine::open(const Plan& plan) {
  if (faults_.strikes(Fault::act_error)) return Error(Errc::io, "simulated");
  if (std::holds_alternative<SetSysctl>(plan.action) || std::holds_alternative<RotateLog>(plan.action)) {
    if (place_of(state_, plan) == nullptr) return Error(Errc::gone, "no such file");
    return std::unique_ptr<OpenTarget>(std::make_unique<SimTarget>(*this, plan, 0));
  }
  const auto it = state_.cgroups.find(plan.target.cgroup_path);
  if (it == state_.cgroups.end()) return Error(Errc::gone, "no such cgroup");
  const auto& cgroup = it->second;
  const auto& target = plan.target;
  if (target.cgroup_inode != 0 && target.cgroup_inode != cgroup.inode) return Error(Errc::gone, "another cgroup has that path now");
  if (target.pid != 0 && (cgroup.pid != target.pid || cgroup.start_ticks != target.start_ticks || !cgroup.populated)) {
    return Error(Errc::gone, "another process has that pid now");
  }
  return std::unique_ptr<OpenTarget>(std::make_unique<SimTarget>(*this, plan, cgroup.inode));
}

}  // namespace fw::sim
