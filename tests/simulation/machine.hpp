// One node's world outside of the system under test: cgroups, processes, a sysctl, a log file; and the actuator that works on it. It keeps
// the account of effects that the checker trusts.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "protocol/authority/actuator.hpp"
#include "tests/simulation/faults.hpp"

namespace fw::sim {

struct Cgroup {
  std::uint64_t inode = 0;
  std::int64_t limit = 64 << 20, high = -1, quota = -1, weight = 100, pids_max = 4096, used = 32 << 20;
  bool frozen = false, populated = true;
  std::uint32_t pid = 0;
  std::uint64_t start_ticks = 0;
  friend bool operator==(const Cgroup&, const Cgroup&) = default;
};

// Everything that an action can change; equal before and after: nothing observable happened.
struct WorldState {
  std::map<std::string, Cgroup> cgroups;
  std::map<std::string, std::int64_t> sysctls, files;
  friend bool operator==(const WorldState&, const WorldState&) = default;
};

// One call of apply() or restore(), as it happened.
struct Act {
  authority::Plan plan;
  bool restore = false;
  bool changed = false;        // something observable
  bool preconditions_held = false, identity_held = false;
};

class Machine final : public authority::Actuator {
 public:
  Machine(Faults& faults, Rng rng);

  WorldState& state() { return state_; }
  const WorldState& state() const { return state_; }
  Uuid boot() const { return boot_; }
  void reboot();                            // every cgroup is made anew
  void restart(const std::string& path);    // a container restarts: new inode and process
  std::uint64_t epoch(const std::string& path) const;   // counts what the world itself did to it
  void stir();                              // people and programs change something by hand

  // before: called before the effect, so that the checker sees the disk as it is then.
  std::function<void(const authority::Plan&)> before;
  std::function<void(const Act&)> after;
  std::function<void(const authority::Plan&)> failed;   // apply() answers with an error
  bool apply_twice = false;                 // planted bugs (planted.hpp)
  bool lie = false;

  Result<std::unique_ptr<authority::OpenTarget>> open(const authority::Plan& plan) override;

 private:
  friend class SimTarget;
  std::uint64_t& epoch_of(const std::string& path) { return epochs_[path]; }
  Cgroup fresh();

  Faults& faults_;
  Rng rng_;
  WorldState state_;
  Uuid boot_;
  std::map<std::string, std::uint64_t> epochs_;
  std::uint64_t next_inode_ = 1000;
  std::uint32_t next_pid_ = 100;
};

// The value that a probe reads, straight from the world.
std::optional<std::int64_t> read_world(const WorldState& state, const authority::Plan& plan, authority::Probe probe);

}  // namespace fw::sim
