// Plans from remedies, and what may be changed in them. Pure.
#pragma once
#include <chrono>

#include "agents/findings.hpp"
#include "aggregator/governance/plan_record.hpp"

namespace fw::governance {

struct IncidentView;

// Where and when a plan would act, as the aggregator knows it.
struct PlanSetting {
  std::string cluster;
  authority::Nonce incarnation{};          // of the node's executor
  std::int64_t now_ms = 0;
  std::chrono::milliseconds window{0};     // within the policy's bound of the class
  std::chrono::milliseconds ttl{0};
};

struct NewPlan { authority::Plan plan; PlanFacts facts; };

// The memory limit of whoever owns it: kept where nobody else looks after the cgroup and the cause is mended by it, else for a while.
NewPlan plan_of(const agents::Remedy& remedy, const IncidentView& incident, const std::vector<std::string>& by_hand, const authority::Digest& findings,
                const PlanSetting& setting);
NewPlan undo_of(const PlanRecord& plan, const authority::Person* person, const PlanSetting& setting);
NewPlan extension_of(const PlanRecord& plan, std::uint64_t ttl_ms, const authority::Person& person, const PlanSetting& setting);

// Whether both would do the same from the same state (nonce, times and proposer aside).
bool same_action(const authority::Plan& a, const authority::Plan& b);

// What an edited plan may not change, as a sentence; "" when it is an edit of `original` within its safe range.
std::string edit_problem(const PlanRecord& original, const authority::Plan& edited);

// The number that the plan needs at least to mend it, for telling a mending by hand. Nothing: it is not about a number.
std::optional<std::int64_t> needed_value(const PlanRecord& plan);

}  // namespace fw::governance
