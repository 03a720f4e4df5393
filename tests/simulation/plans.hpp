// Plans that somebody could write for a node of the simulation, and the ways in which they can be wrong.
#pragma once
#include "tests/simulation/cast.hpp"
#include "tests/simulation/node.hpp"

namespace fw::sim {

enum class PlanFlaw : std::uint8_t {
  none = 0, other_node, old_incarnation, other_boot, other_cluster, early, late, long_window, out_of_bounds, breaks_a_rule, false_precondition,
  gone_target, effect_never_comes, count_,
};
std::string_view to_string(PlanFlaw flaw);

// Good for this node as it is now, apart from the flaw. incarnation: as the writer knows it.
authority::Plan write_plan(Rng& rng, Node& node, const authority::Nonce& incarnation, const authority::Nonce& nonce, std::int64_t now_ms, PlanFlaw flaw);

}  // namespace fw::sim
