// What goes wrong in a schedule. Each fault that strikes has a number; shrinking runs the same seed with some numbers switched off.
#pragma once
#include <array>
#include <cstdint>
#include <limits>
#include <set>
#include <string_view>
#include <utility>

#include "tests/simulation/rng.hpp"

namespace fw::sim {

enum class Fault : std::uint8_t {
  drop = 0, duplicate, delay, partition,                            // network
  disk_eio, disk_enospc, disk_short, disk_lost_write, disk_crash,   // disks; lost_write: what a crash leaves is not all that was written
  kill, reboot, wipe, reconnect,                                    // processes and machines
  clock_back, clock_ahead,                                          // wall clocks
  world,                                                            // containers restart, people change things by hand
  act_error, act_crash,                                             // the actuator
  attack,                                                           // one step of an attacker's script
  count_,
};
inline constexpr std::size_t kFaults = static_cast<std::size_t>(Fault::count_);
std::string_view to_string(Fault fault);

class Faults {
 public:
  explicit Faults(const Rng& seed);

  // Odds of this schedule; 0 until set (swarm: a schedule has only some of the faults).
  void odds(Fault fault, double odds) { odds_[index(fault)] = odds; }
  double odds(Fault fault) const { return odds_[index(fault)]; }
  void stop() { stopped_ = true; }
  bool stopped() const { return stopped_; }

  bool strikes(Fault fault) { return strikes(fault, odds_[index(fault)]); }
  bool strikes(Fault fault, double odds) {
    if (stopped_ || odds <= 0 || !streams_[index(fault)].chance(odds)) return false;
    const auto number = ++drawn_;
    if (number > last_ || off_.contains(number)) return false;
    ++struck_[index(fault)];
    return true;
  }

  void switch_off(std::set<std::uint64_t> numbers, std::uint64_t last = std::numeric_limits<std::uint64_t>::max()) {
    off_ = std::move(numbers);
    last_ = last;
  }
  std::uint64_t drawn() const { return drawn_; }
  std::uint64_t struck(Fault fault) const { return struck_[index(fault)]; }
  std::uint64_t struck() const {
    std::uint64_t sum = 0;
    for (const auto n : struck_) sum += n;
    return sum;
  }

 private:
  static std::size_t index(Fault fault) { return static_cast<std::size_t>(fault); }
  template <std::size_t... I>
  static std::array<Rng, kFaults> make(const Rng& seed, std::index_sequence<I...>) {
    return {seed.split(to_string(static_cast<Fault>(I)))...};
  }

  std::array<Rng, kFaults> streams_;
  std::array<double, kFaults> odds_{};
  std::array<std::uint64_t, kFaults> struck_{};
  std::set<std::uint64_t> off_;
  std::uint64_t last_ = std::numeric_limits<std::uint64_t>::max(), drawn_ = 0;
  bool stopped_ = false;
};

}  // namespace fw::sim
