// What a schedule reached, by name: states, refusals, crash points, faults, attacks; and what broke.
#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace fw::sim {

struct Violation { std::string invariant, what; std::int64_t at_ms = 0; std::uint64_t step = 0; };   // at_ms: true time since the start

class Marks {
 public:
  void reach(std::string name) { reached_.insert(std::move(name)); }
  const std::set<std::string>& reached() const { return reached_; }

 private:
  std::set<std::string> reached_;
};

}  // namespace fw::sim
