// What many schedules reached and broke, added up; its table, build/bench/sim.json, and the lines that one process tells another.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "tests/simulation/schedule.hpp"

namespace fw::sim {

struct Report {
  std::uint64_t schedules = 0, attacked = 0, too_small = 0, deliveries = 0, faults = 0, effects = 0, unapproved = 0, violations = 0;
  std::map<std::string, std::uint64_t> reached;
  std::vector<std::string> failures;   // "seed invariant what"

  void add(const Outcome& outcome);
  void add(const Report& other);
  std::string to_lines() const;
  static Report from_lines(const std::string& lines);
  // What must be reached and was not.
  std::vector<std::string> missing() const;
  void print() const;
  void write_json(const std::string& path, double seconds, double busy) const;
};

}  // namespace fw::sim
