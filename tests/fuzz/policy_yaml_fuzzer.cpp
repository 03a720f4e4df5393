// Policies and standing approvals as YAML, signed policies as JSON: any text. What is read is printed so that it reads back the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "aggregator/cli/policy/policy_yaml.hpp"
#include "aggregator/cli/policy/signed_policy.hpp"
#include "aggregator/cli/policy/standing_yaml.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fw::cli;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<YamlProblem> problems;
  if (const auto policy = parse_policy_yaml(text, problems)) {
    std::vector<YamlProblem> again;
    if (parse_policy_yaml(policy_yaml(*policy, Guide::yes), again) != policy) std::abort();
  } else if (problems.empty()) {
    std::abort();
  }
  (void)problems_text("file", problems);
  problems.clear();
  const StandingContext context{1, 1'800'000'000'000, {}};
  if (const auto standing = parse_standing_yaml(text, context, problems)) {
    std::vector<YamlProblem> again;
    if (parse_standing_yaml(standing_yaml(*standing), context, again) != standing) std::abort();
  } else if (problems.empty()) {
    std::abort();
  }
  if (const auto signed_policy = parse_signed_policy(text)) {
    const auto again = parse_signed_policy(render_signed_policy(*signed_policy));
    if (!again || again->document != signed_policy->document || again->signatures != signed_policy->signatures) std::abort();
  }
  return 0;
}
