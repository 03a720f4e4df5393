// Keeps OOM kills complete: what the events missed, the cgroup's own counter still knows.
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "protocol/wire/messages.hpp"

namespace fw::collectors {

// The kernel raises the counter before it marks the victim, so a reading may be ahead of the events. A difference therefore
// counts only when the next reading shows it again - unless there is no other source. Pure; one entity's counter never goes back.
class OomReconciler {
 public:
  void reported(std::uint32_t entity_id) { ++states_[entity_id].reported; }
  void forget(std::uint32_t entity_id) { states_.erase(entity_id); }

  // The kill event to send for what nobody reported, if anything.
  std::optional<wire::OomKill> at_reading(std::uint32_t entity_id, std::uint64_t kills_total,
                                          std::optional<std::uint64_t> oom_total, bool other_source) {
    auto& state = states_[entity_id];
    if (!state.first_total) {
      // What was there before the agent looked is history; kills that were reported since are part of it.
      state.first_total = kills_total;
      state.reported = 0;
      state.oom_total = oom_total;
      return std::nullopt;
    }
    const auto counted = kills_total - std::min(*state.first_total, kills_total);
    const auto missing = counted > state.reported ? counted - state.reported : 0;
    const auto sure = other_source ? std::min(missing, state.missing_before) : missing;
    const bool limit_was_hit = oom_total && state.oom_total && *oom_total > *state.oom_total;
    state.missing_before = missing - sure;
    if (sure == 0) {
      if (missing == 0) state.oom_total = oom_total;
      return std::nullopt;
    }
    state.oom_total = oom_total;
    state.reported += sure;
    wire::OomKill kill;
    kill.kills_total = static_cast<std::uint32_t>(std::min<std::uint64_t>(sure, UINT32_MAX));
    kill.constraint = limit_was_hit ? wire::OomConstraint::memcg : wire::OomConstraint::unknown;
    kill.constraint_source = wire::FactSource::counters;
    return kill;
  }

 private:
  struct State {
    std::optional<std::uint64_t> first_total;
    std::optional<std::uint64_t> oom_total;
    std::uint64_t reported = 0;
    std::uint64_t missing_before = 0;
  };
  std::unordered_map<std::uint32_t, State> states_;
};

}  // namespace fw::collectors
