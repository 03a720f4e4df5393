// One schedule: a world made from a seed, run to its end, looked at all the way.
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/marks.hpp"
#include "tests/simulation/planted.hpp"

namespace fw::sim {

enum class Role : std::uint8_t { none = 0, aggregator, node, network, approver };   // what the attacker owns
std::string_view to_string(Role role);

struct Options {
  std::uint64_t seed = 1;
  double attack_ratio = 0.4;
  std::optional<Role> role;                 // this one, whatever the seed says
  std::set<std::uint64_t> faults_off;       // shrinking: these do not strike
  std::optional<std::uint64_t> last_fault;  // none after this one
  std::optional<std::uint64_t> last_step;   // main part ends there
  Planted planted = Planted::none;
  bool trace = false;
};

struct Outcome {
  std::uint64_t seed = 0, deliveries = 0, faults = 0, faults_drawn = 0, steps = 0, effects = 0, unapproved = 0;
  Role role = Role::none;
  std::vector<Violation> violations;
  std::set<std::string> reached;
  bool counts() const { return deliveries >= 50 && faults >= 1; }
};

Outcome run_schedule(const Options& options);

}  // namespace fw::sim
