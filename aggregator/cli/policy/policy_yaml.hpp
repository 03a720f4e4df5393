// The trust policy as people write it, and back (docs/policy.md). The bytes that are signed and that nodes read are Cap'n Proto
// (protocol/authority): YAML ends here. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/cli/policy/yaml_reader.hpp"
#include "protocol/authority/documents.hpp"

namespace fw::cli {

// Nothing when there is any problem. What the policy as a whole breaks (authority::check_policy) has line 0.
std::optional<authority::Policy> parse_policy_yaml(std::string_view text, std::vector<YamlProblem>& problems);

// parse_policy_yaml reads it back as the same policy. `guide`: with the comments that `init` writes for the person who edits it.
enum class Guide { no, yes };
std::string policy_yaml(const authority::Policy& policy, Guide guide = Guide::no);

// Shared with standing approvals: names of actions, and their main number in the unit of the action ("64MiB", "max", "100000").
Result<std::uint16_t> parse_action_name(std::string_view name);   // the error names the nearest
std::string action_name(std::uint16_t index);
Result<std::int64_t> parse_action_value(std::string_view unit, std::string_view text);
std::string action_value_text(std::string_view unit, std::int64_t value);
std::string_view unit_of(std::uint16_t action);
std::vector<std::uint16_t> read_actions(YamlMap& map, std::string_view key);
std::string yaml_list(const std::vector<std::string>& texts);

}  // namespace fw::cli
