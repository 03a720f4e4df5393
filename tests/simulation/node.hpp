// One node: a machine, its disk and clock, and the real executor on them, which dies and comes back.
#pragma once
#include <functional>
#include <memory>
#include <optional>

#include "protocol/authority/executor.hpp"
#include "tests/simulation/cast.hpp"
#include "tests/simulation/disk.hpp"
#include "tests/simulation/machine.hpp"
#include "tests/simulation/marks.hpp"
#include "tests/simulation/network.hpp"

namespace fw::sim {

class Node;

// Whoever looks at every step of a node. Called by the node, never keeps it.
class NodeWatcher {
 public:
  virtual ~NodeWatcher() = default;
  virtual void on_started(Node& node) = 0;
  virtual void on_start_failed(Node& node, const Error& error) = 0;
  virtual void on_step(Node& node) = 0;                                   // the executor took something and is consistent again
  virtual void on_delivered(Node& node, const Bytes& packet) = 0;         // before the executor sees it
  virtual void before_effect(Node& node, const authority::Plan& plan) = 0;
  virtual void after_effect(Node& node, const Act& act) = 0;
  virtual void on_failed(Node& node, const authority::Plan& plan) = 0;    // the actuator said so; it may have done it
  virtual void on_sent(Node& node, const authority::Packet& packet) = 0;
  virtual void on_wiped(Node& node) = 0;
};

struct NodeDeps { Timeline& timeline; Faults& faults; Network& network; NodeWatcher& watcher; Marks& marks; };

class Node {
 public:
  Node(int number, authority::ExecutorConfig config, NodeDeps deps, Rng rng);

  void start();
  void deliver(int from, const Bytes& packet);
  void connect();                     // the agent's session comes back: status, outcomes again
  void die(Death death, const std::string& where);
  void wipe();                        // somebody removes the journal
  void clock_error_ns(std::int64_t error);
  void calm();                        // the disk works again, for the end of a schedule
  void trouble(Fault fault);          // a longer illness of the disk
  // The same executor on what a power cut now would leave; outcomes only.
  std::optional<std::vector<authority::Outcome>> outcomes_after_power_cut() const;

  int number() const { return number_; }
  const authority::ExecutorConfig& config() const { return config_; }
  authority::ExecutorConfig& config() { return config_; }
  authority::Executor* executor() { return executor_.get(); }
  Machine& machine() { return machine_; }
  MachineClock& clock() { return clock_; }
  SimDisk& disk() { return disk_; }
  const std::string& start_problem() const { return start_problem_; }
  bool starting() const { return starting_; }   // inside Executor::open

 private:
  void guard(const std::function<void()>& what);
  void send(const std::vector<Bytes>& packets);
  void arm();
  void restart_in(std::int64_t delay_ns);

  int number_;
  authority::ExecutorConfig config_;
  NodeDeps deps_;
  Rng rng_;
  Machine machine_;
  MachineClock clock_;
  SimDisk disk_;
  std::unique_ptr<authority::Executor> executor_;
  std::string start_problem_;
  std::uint64_t armed_ = 0;           // newest timer
  bool starting_ = false;
};

}  // namespace fw::sim
