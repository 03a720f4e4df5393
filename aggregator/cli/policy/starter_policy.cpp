#include "aggregator/cli/policy/starter_policy.hpp"

#include <fmt/format.h>

#include "common/units.hpp"
#include "protocol/authority/catalogue.hpp"

namespace fw::cli {
namespace {

using namespace authority;

constexpr std::uint8_t kDisruptive = 2, kSevere = 3;
constexpr char kPlatform[] = "platform";

ClassRule rule(std::uint8_t action_class, std::uint32_t people, std::uint32_t seniors, std::vector<std::string> groups = {}) {
  ClassRule out;
  out.action_class = action_class;
  out.threshold = people;
  out.seniors = seniors;
  out.groups = std::move(groups);
  out.require_inclusion = action_class > 0;
  return out;
}

std::vector<ClassRule> rules(Profile profile) {
  switch (profile) {
    case Profile::solo: return {rule(0, 0, 0), rule(1, 1, 0), rule(kDisruptive, 1, 0), rule(kSevere, 2, 1)};   // class 3: never by one
    case Profile::team: return {rule(0, 0, 0), rule(1, 1, 0), rule(kDisruptive, 2, 0), rule(kSevere, 2, 1)};
    case Profile::enterprise:
      return {rule(0, 0, 0), rule(1, 1, 0), rule(kDisruptive, 2, 1, {kPlatform}), rule(kSevere, 3, 1, {kPlatform})};
  }
  return {};
}

}  // namespace

RootCount root_count(Profile profile) noexcept {
  switch (profile) {
    case Profile::solo: return {1, 1};
    case Profile::team: return {2, 3};
    case Profile::enterprise: return {3, 5};
  }
  return {};
}

std::size_t fewest_people(Profile profile) noexcept { return profile == Profile::solo ? 1 : profile == Profile::team ? 2 : 3; }

std::string log_origin(const std::string& organisation) { return fmt::format("fleetwright/{}/audit", organisation); }

Policy starter_policy(const StarterPolicy& starter) {
  Policy out;
  out.version = 1;
  out.organisation = starter.organisation;
  out.profile = starter.profile;
  out.issued_ms = starter.issued_ms;
  out.not_after_ms = starter.not_after_ms;
  out.root_threshold = root_count(starter.profile).threshold;
  for (std::size_t i = 0; i < starter.root_keys.size(); ++i) out.roots.push_back({fmt::format("root-{}", i + 1), starter.root_keys[i]});
  for (std::size_t i = 0; i < starter.people.size(); ++i) {
    Approver approver;
    approver.person = {"local", starter.people[i]};
    approver.level = i == 0 ? Level::senior : Level::approver;
    if (starter.profile == Profile::enterprise) approver.groups = {kPlatform};
    approver.keys = {starter.people_keys[i]};
    out.approvers.push_back(std::move(approver));
  }
  out.classes = rules(starter.profile);
  out.resume_threshold = starter.profile == Profile::solo ? 1 : 2;
  constexpr std::uint32_t kPerHour = 4, kPerDay = 12;
  for (const auto* action : {"set_memory_limit", "set_cpu_max", "kill_process", "kill_cgroup"}) out.limits.push_back({action, kPerHour, kPerDay});
  constexpr std::uint64_t kSmallest = 16_MiB, kLargest = 64_GiB;
  out.bounds.push_back({find_action("set_memory_limit")->index, static_cast<std::int64_t>(kSmallest), static_cast<std::int64_t>(kLargest), 0});
  out.enabled.push_back({{}, {}, {}, kDisruptive});
  out.log_origin = log_origin(starter.organisation);
  out.log_key = starter.log_key;
  return out;
}

}  // namespace fw::cli
