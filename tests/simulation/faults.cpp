#include "tests/simulation/faults.hpp"

namespace fw::sim {

std::string_view to_string(Fault fault) {
  static constexpr std::array<std::string_view, kFaults> kNames = {
      "drop",   "duplicate", "delay", "partition", "disk_eio",   "disk_enospc", "disk_short", "disk_lost_write", "disk_crash", "kill",
      "reboot", "wipe",      "reconnect", "clock_back", "clock_ahead", "world",      "act_error",       "act_crash",  "attack"};
  return kNames[static_cast<std::size_t>(fault)];
}

Faults::Faults(const Rng& seed) : streams_(make(seed, std::make_index_sequence<kFaults>{})) {}

}  // namespace fw::sim
