// The trust policy's state and changes for people. Pure. Escapes what it is given.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "aggregator/cli/plans/plan_object.hpp"
#include "aggregator/cli/term/table.hpp"

namespace fw::cli::render {

// "-" and "+" lines of the two as YAML, then what it loosens; "" when they are the same.
std::string policy_diff(const authority::Policy& before, const authority::Policy& after, const term::Layout& layout);

// Nodes with their versions; then what runs out, of the policy and by the server's word.
std::string policy_status(const authority::Policy& policy, const PolicyObject& object, const term::Layout& layout, std::int64_t now_ms);

// What a person should know about a good policy: one person decides, it ends soon, nobody witnesses.
std::vector<std::string> policy_words(const authority::Policy& policy, std::int64_t now_ms);

}  // namespace fw::cli::render
