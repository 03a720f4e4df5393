// Everything of one schedule, in the order in which it is built.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "tests/simulation/audit_checker.hpp"
#include "tests/simulation/checker.hpp"
#include "tests/simulation/honest.hpp"
#include "tests/simulation/rogue.hpp"
#include "tests/simulation/schedule.hpp"

namespace fw::sim {

class World {
 public:
  explicit World(const Options& options);
  ~World();
  Outcome run();

 private:
  void set_odds();
  void make_policy_mix();
  void make_nodes();
  void trouble();                        // machines, clocks, disks: strikes and comes again
  void trouble_node(Node& node);
  void trouble_aggregator();
  void main_part();
  void calm_part();
  void own_network();
  void own_node();
  void fork_once();
  bool finished();

  const Options& options_;
  Rng rng_;
  Role role_;
  bool owns_whole_aggregator_ = false;   // else its log key, for a moment
  Timeline timeline_;
  Faults faults_;
  Network network_;
  Marks marks_;
  Truth truth_;
  Heads heads_;
  Checker checker_;
  Pens pens_;
  PolicyMix mix_;
  Bytes policy_;
  std::vector<authority::Signature> policy_signatures_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::optional<std::size_t> stolen_;
  std::unique_ptr<Rogue> rogue_;                  // either this
  std::unique_ptr<AuditChecker> audit_checker_;   // or these
  std::unique_ptr<Aggregator> aggregator_;
  std::unique_ptr<Honest> honest_;
};

}  // namespace fw::sim
