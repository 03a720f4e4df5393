// Bugs that are put into the code under test on purpose: each must be found, or the checker cannot fail. None of them is in the product
// code: they sit in what it is given (disk, actuator, timers, store) and in functions that the linker swaps (planted_link.cpp).
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace fw::sim {

enum class Planted : std::uint8_t {
  none = 0,
  few_people_do, keys_are_people, proposer_counts, any_node, old_incarnation_does, incarnation_stays, after_its_end, before_its_beginning,
  twice, sync_lies, journal_loses, older_policy_does, resume_alone_does, probes_lie, unlogged_does, other_history_does, log_goes_back,
  change_without_entry, tampering_unseen, fork_unseen, vote_lost, log_failure_unsaid, no_timers,
};

struct PlantedBug {
  Planted bug = Planted::none;
  std::string_view name;
  std::string_view invariant;   // that must be found broken
  std::string_view what;
  bool needs_rogue = false;     // found where somebody owns the aggregator
};
std::span<const PlantedBug> planted_bugs();

// Of the schedule that runs now.
Planted planted();
void plant(Planted bug);

}  // namespace fw::sim
