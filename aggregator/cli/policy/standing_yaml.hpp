// Standing approvals as people write them (docs/policy.md), and back. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/cli/policy/yaml_reader.hpp"
#include "protocol/authority/documents.hpp"

namespace fw::cli {

// What the file leaves open: the policy in force, now (validity begins there), a fresh nonce.
struct StandingContext {
  std::uint64_t policy_version = 0;
  std::int64_t now_ms = 0;
  authority::Nonce nonce{};
};

// Nothing when there is any problem.
std::optional<authority::StandingApproval> parse_standing_yaml(std::string_view text, const StandingContext& context,
                                                               std::vector<YamlProblem>& problems);
// parse_standing_yaml reads it back; without what StandingContext gives.
std::string standing_yaml(const authority::StandingApproval& standing);

// Covers plans like this one: its action, its class, its place, up to its value; for 30 days, at night. `name` must be given.
authority::StandingApproval standing_from_plan(const authority::Plan& plan, std::string name, const StandingContext& context);

std::string clock_text(std::uint32_t minute);   // "22:30"

}  // namespace fw::cli
