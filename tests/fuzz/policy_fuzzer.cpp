// Any bytes as a trust policy: an error, or a policy whose bytes these are, that the rules can be asked about.
#include <cstdlib>

#include "tests/support/authority_builder.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fw::authority;
  static const Policy kGood = test::team_policy();
  const fw::ByteView bytes(data, size);
  const auto policy = parse_policy(bytes);
  if (!policy) return 0;
  const auto again = to_bytes(*policy);
  if (!std::equal(again.begin(), again.end(), bytes.begin(), bytes.end())) std::abort();
  (void)loosened_by(kGood, *policy);
  (void)loosened_by(*policy, kGood);
  if (!check_policy(*policy).empty()) return 0;
  // What the rules promise, whatever they were made of.
  if (!loosened_by(*policy, *policy).empty()) std::abort();
  if (policy->root_threshold == 0 || policy->classes.size() != 4) std::abort();
  for (const auto& rule : policy->classes)
    if (rule.threshold < minimum_threshold(rule.action_class, policy->profile)) std::abort();
  return 0;
}
