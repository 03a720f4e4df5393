// Night passes and automatic approvals: who signed, what they cover, when, how often.
#include <functional>

#include "protocol/authority/verify_parts.hpp"
#include "tests/unit/authority/verifier/world.hpp"

namespace fw::authority::verifier_test {
namespace {

using verify::Problem;
using Day = std::vector<std::string>;

struct Night {
  World world;
  StandingApproval pass = world.pass();
  Day day_signers = {"alice", "bob"};
  Day votes = {"carol"};

  Envelope envelope() { return world.envelope(world.votes(votes), World::sign(pass, day_signers)); }
  Refusal refusal() { return world.refusal(envelope()); }
};

TEST(NightPass, lets_one_person_approve_what_several_signed_by_day) {
  Night night;
  const auto envelope = night.envelope();
  const auto verdict = night.world.verify(envelope);
  ASSERT_TRUE(verdict.approved) << verdict.refusal.sentence;
  EXPECT_EQ(verdict.approved->standing, document_digest(Domain::standing, envelope.standing->document));
  EXPECT_EQ(verdict.approved->people, (std::vector{person("carol"), person("alice"), person("bob")}));
}

TEST(NightPass, counts_a_person_once) {
  Night night;
  night.votes = {"alice"};
  const auto verdict = night.world.verify(night.envelope());
  ASSERT_TRUE(verdict.approved) << verdict.refusal.sentence;
  EXPECT_EQ(verdict.approved->people, (std::vector{person("alice"), person("bob")}));
}

TEST(AutomaticApproval, needs_no_vote) {
  Night night;
  night.pass.trigger = Trigger::automatic;
  night.votes.clear();
  EXPECT_EQ(night.refusal().code, Code::ok);
}

TEST(AutomaticApproval, that_nobody_signed_is_none_even_for_reading) {
  Night night;
  night.world.plan.action = Diagnose{64 * 1024};
  night.world.plan.preconditions.clear();
  night.world.plan.effect.reset();
  night.world.plan.effect_within_ms = 0;
  night.pass.trigger = Trigger::automatic;
  night.pass.max_class = 0;
  night.pass.actions = {static_cast<std::uint16_t>(night.world.plan.action.index())};
  night.votes.clear();
  EXPECT_EQ(night.refusal().code, Code::ok);
  night.day_signers.clear();
  EXPECT_EQ(night.refusal().code, Code::too_few_people);
}

struct Case {
  const char* name;
  Code code;
  std::function<void(Night&)> change;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

constexpr std::uint16_t kMemoryLimit = 2, kCpuWeight = 5;

const std::vector<Case> kCases = {
    {"no_vote_at_night", Code::too_few_people, [](Night& n) { n.votes.clear(); }},
    {"one_signer_by_day", Code::too_few_people, [](Night& n) { n.day_signers = {"alice"}; }},
    {"no_signer_by_day", Code::too_few_people, [](Night& n) { n.day_signers.clear(); }},
    {"one_signer_twice", Code::too_few_people, [](Night& n) { n.day_signers = {"alice", "alice"}; }},
    {"one_signer_with_two_keys", Code::too_few_people,
     [](Night& n) {
       approver(n.world.policy, "alice").keys.push_back(key("alice-2").public_key());
       n.day_signers = {"alice", "alice-2"};
     }},
    {"automatic_with_one_signer", Code::too_few_people,
     [](Night& n) {
       n.pass.trigger = Trigger::automatic;
       n.day_signers = {"alice"};
     }},
    {"unknown_signer", Code::key_unknown, [](Night& n) { n.day_signers = {"alice", "mallory"}; }},
    {"fewer_people_than_its_highest_class_needs", Code::senior_missing, [](Night& n) { n.pass.max_class = 3; }},
    {"as_many_people_as_its_highest_class_needs", Code::ok,
     [](Night& n) {
       n.pass.max_class = 3;
       n.day_signers = {"alice", "dave"};
     }},
    {"a_class_without_rule", Code::policy_invalid, [](Night& n) { n.pass.max_class = 4; }},
    {"signer_without_scope_for_its_highest_class", Code::out_of_scope,
     [](Night& n) {
       n.pass.max_class = 3;
       n.day_signers = {"alice", "dave"};
       approver(n.world.policy, "alice").scope.max_class = 2;
     }},
    {"signer_without_scope_for_the_namespace", Code::out_of_scope,
     [](Night& n) { approver(n.world.policy, "alice").scope.name_spaces = {"billing"}; }},
    {"voter_without_scope", Code::out_of_scope, [](Night& n) { approver(n.world.policy, "carol").scope.max_class = 1; }},
    {"proposer_is_a_day_signer_and_does_not_count", Code::too_few_people,
     [](Night& n) {
       n.world.plan.proposer = Proposer::person;
       n.world.plan.person = person("alice");
       n.votes = {"bob"};
     }},
    {"proposer_is_a_day_signer_and_others_are_enough", Code::ok,
     [](Night& n) {
       n.world.plan.proposer = Proposer::person;
       n.world.plan.person = person("alice");
     }},
    {"proposer_votes_at_night", Code::proposer_approved,
     [](Night& n) {
       n.world.plan.proposer = Proposer::person;
       n.world.plan.person = person("carol");
     }},
    {"older_policy", Code::policy_version_other, [](Night& n) { n.pass.policy_version = 6; }},
    {"newer_policy", Code::policy_version_other, [](Night& n) { n.pass.policy_version = 8; }},
    // ---- what it covers
    {"lower_class_than_the_plan", Code::standing_not_covering, [](Night& n) { n.pass.max_class = 1; }},
    {"other_action", Code::standing_not_covering, [](Night& n) { n.pass.actions = {kCpuWeight}; }},
    {"one_of_its_actions", Code::ok, [](Night& n) { n.pass.actions = {kCpuWeight, kMemoryLimit}; }},
    {"other_cluster", Code::standing_not_covering, [](Night& n) { n.pass.clusters = {"staging"}; }},
    {"one_of_its_clusters", Code::ok, [](Night& n) { n.pass.clusters = {"staging", "prod"}; }},
    {"other_namespace", Code::standing_not_covering, [](Night& n) { n.pass.name_spaces = {"billing"}; }},
    {"one_of_its_namespaces", Code::ok, [](Night& n) { n.pass.name_spaces = {"billing", "shop"}; }},
    {"other_nodes", Code::standing_not_covering, [](Night& n) { n.pass.node_labels = {"zone=b"}; }},
    {"one_of_its_nodes", Code::ok, [](Night& n) { n.pass.node_labels = {"zone=b", "pool=web"}; }},
    {"a_cgroup_beside", Code::standing_not_covering, [](Night& n) { n.pass.cgroup_prefixes = {"/shop/check", "/billing"}; }},
    {"a_cgroup_below", Code::standing_not_covering, [](Night& n) { n.pass.cgroup_prefixes = {"/shop/checkout/web"}; }},
    {"the_cgroup", Code::ok, [](Night& n) { n.pass.cgroup_prefixes = {"/billing", "/shop/checkout"}; }},
    {"the_cgroup_above", Code::ok, [](Night& n) { n.pass.cgroup_prefixes = {"/shop"}; }},
    {"the_cgroup_above_with_a_slash", Code::ok, [](Night& n) { n.pass.cgroup_prefixes = {"/shop/"}; }},
    {"value_at_its_bound", Code::ok, [](Night& n) { n.pass.max_value = 256LL << 20; }},
    {"value_above_its_bound", Code::standing_not_covering, [](Night& n) { n.pass.max_value = (256LL << 20) - 1; }},
    {"factor_at_its_bound", Code::ok, [](Night& n) { n.pass.max_factor_percent = 400; }},
    {"factor_above_its_bound", Code::standing_not_covering, [](Night& n) { n.pass.max_factor_percent = 399; }},
    {"factor_too_large_to_compute", Code::standing_not_covering,
     [](Night& n) {
       n.pass.max_factor_percent = 4'000'000'000;
       n.world.plan.preconditions = {{Probe::memory_limit_bytes, Comparison::equal, 1LL << 50}};
     }},
    {"kept_where_a_time_is_set", Code::standing_not_covering, [](Night& n) { n.pass.max_ttl_ms = kHour; }},
    {"for_as_long_as_it_says", Code::ok,
     [](Night& n) {
       n.pass.max_ttl_ms = kHour;
       n.world.plan.action = SetMemoryLimit{256LL << 20, kHour};
     }},
    {"for_longer_than_it_says", Code::standing_not_covering,
     [](Night& n) {
       n.pass.max_ttl_ms = kHour;
       n.world.plan.action = SetMemoryLimit{256LL << 20, kHour + 1};
     }},
    // ---- when
    {"begins_with_the_skew", Code::ok, [](Night& n) { n.pass.not_before_ms = kNow + kSkew; }},
    {"begins_later", Code::standing_not_now, [](Night& n) { n.pass.not_before_ms = kNow + kSkew + 1; }},
    {"ends_with_the_skew", Code::ok, [](Night& n) { n.pass.not_after_ms = kNow - kSkew; }},
    {"ended_before", Code::standing_not_now, [](Night& n) { n.pass.not_after_ms = kNow - kSkew - 1; }},
    {"hours_begin_this_minute", Code::ok, [](Night& n) { n.pass.from_minute = 720; }},
    {"hours_begin_next_minute", Code::standing_not_now, [](Night& n) { n.pass.from_minute = 721; }},
    {"hours_end_next_minute", Code::ok, [](Night& n) { n.pass.to_minute = 721; }},
    {"hours_end_this_minute", Code::standing_not_now, [](Night& n) { n.pass.to_minute = 720; }},
    {"hours_over_midnight_at_noon", Code::standing_not_now, [](Night& n) { n.pass.from_minute = 1320, n.pass.to_minute = 360; }},
    {"hours_over_midnight_from_this_minute", Code::ok, [](Night& n) { n.pass.from_minute = 720, n.pass.to_minute = 360; }},
    {"hours_over_midnight_until_next_minute", Code::ok, [](Night& n) { n.pass.from_minute = 800, n.pass.to_minute = 721; }},
    {"hours_over_midnight_until_this_minute", Code::standing_not_now, [](Night& n) { n.pass.from_minute = 800, n.pass.to_minute = 720; }},
    {"no_hours_at_all", Code::standing_not_now, [](Night& n) { n.pass.from_minute = n.pass.to_minute = 720; }},
    {"hours_by_the_floor_of_a_clock_set_back", Code::standing_not_now,
     [](Night& n) {
       n.pass.from_minute = 720, n.pass.to_minute = 721;
       n.world.memory.time_floor_ms = kNow + kMinute;
     }},
};

class Pass : public testing::TestWithParam<Case> {};

TEST_P(Pass, is_judged) {
  Night night;
  GetParam().change(night);
  const auto refusal = night.refusal();
  EXPECT_EQ(refusal.code, GetParam().code) << refusal.sentence;
}

INSTANTIATE_TEST_SUITE_P(Verifier, Pass, testing::ValuesIn(kCases), [](const auto& c) { return std::string(c.param.name); });

TEST(NightPass, signed_in_another_domain_is_not_signed) {
  Night night;
  auto envelope = night.envelope();
  envelope.standing->signatures[1] = key("bob").sign(Domain::approval, envelope.standing->document);
  EXPECT_EQ(night.world.code(envelope), Code::signature_bad);
}

TEST(NightPass, that_cannot_be_read_is_refused) {
  Night night;
  auto envelope = night.envelope();
  auto& document = envelope.standing->document;
  document.resize(document.size() - 8);
  envelope.standing->signatures = {key("alice").sign(Domain::standing, document), key("bob").sign(Domain::standing, document)};
  EXPECT_EQ(night.world.code(envelope), Code::standing_malformed);
}

TEST(NightPass, says_why_it_is_not_signed) {
  Night night;
  night.day_signers = {"alice"};
  EXPECT_EQ(night.refusal().sentence,
            "standing approval night-memory is not signed by enough people: class 2 needs 2 people, 1 approved: more people approve (fleetwright approve)");
}

// check_plan wants a precondition on the value that is replaced; the cover does not rely on it.
Problem covers(const Action& action, std::vector<Check> preconditions, std::uint32_t percent = 400, std::int64_t max_value = 1LL << 40) {
  Night night;
  night.world.plan.action = action;
  night.world.plan.preconditions = std::move(preconditions);
  night.pass.actions = {static_cast<std::uint16_t>(action.index())};
  night.pass.max_factor_percent = percent;
  night.pass.max_value = max_value;
  return verify::check_covers(night.pass, night.world.plan, 2, {"prod", "shop", nullptr});
}

TEST(Factor, is_of_a_value_before_that_the_plan_names) {
  const SetMemoryLimit action{256LL << 20, 0};
  EXPECT_FALSE(covers(action, {{Probe::memory_limit_bytes, Comparison::equal, 64LL << 20}}));
  EXPECT_TRUE(covers(action, {}));
  EXPECT_TRUE(covers(action, {{Probe::memory_high_bytes, Comparison::equal, 64LL << 20}}));
  EXPECT_TRUE(covers(action, {{Probe::memory_limit_bytes, Comparison::greater_or_equal, 64LL << 20}}));
  EXPECT_TRUE(covers(action, {{Probe::memory_limit_bytes, Comparison::equal, kUnlimited}}));
  EXPECT_FALSE(covers(SetSysctl{"x", 0, 0}, {{Probe::sysctl_value, Comparison::equal, 0}}));
  EXPECT_TRUE(covers(SetSysctl{"x", 1, 0}, {{Probe::sysctl_value, Comparison::equal, 0}}));
}

TEST(Factor, is_of_the_action_s_own_value) {
  const std::vector<std::pair<Action, Probe>> actions = {
      {SetMemoryLimit{200, 0}, Probe::memory_limit_bytes}, {SetMemoryHigh{200, 0}, Probe::memory_high_bytes},
      {SetCpuMax{200, 100'000, 0}, Probe::cpu_quota_us},   {SetCpuWeight{200, 0}, Probe::cpu_weight},
      {SetPidsMax{200, 0}, Probe::pids_max},               {SetSysctl{"x", 200, 0}, Probe::sysctl_value}};
  for (const auto& [action, probe] : actions) {
    EXPECT_FALSE(covers(action, {{probe, Comparison::equal, 100}}, 200)) << info_of(action).name;
    EXPECT_TRUE(covers(action, {{probe, Comparison::equal, 100}}, 199)) << info_of(action).name;
    EXPECT_TRUE(covers(action, {{Probe::pids_current, Comparison::equal, 100}}, 200)) << info_of(action).name;
  }
}

TEST(NightPass, never_covers_lifting_a_limit_wholly) {
  const std::vector<Check> before = {{Probe::pids_max, Comparison::equal, 1000}};
  EXPECT_FALSE(covers(SetPidsMax{1000, 0}, before, 0));
  EXPECT_TRUE(covers(SetPidsMax{kUnlimited, 0}, before, 0));
}

TEST(NightPass, bounds_how_long_it_is_extended) {
  const auto extend = [](std::uint64_t ttl_ms) {
    Night night;
    night.world.plan.action = Extend{sha256({}), ttl_ms};
    night.world.plan.preconditions.clear();
    night.world.plan.effect.reset();
    night.world.plan.effect_within_ms = 0;
    night.pass.actions = {static_cast<std::uint16_t>(night.world.plan.action.index())};
    night.pass.max_ttl_ms = kHour;
    return night.refusal().code;
  };
  EXPECT_EQ(extend(kHour), Code::ok);
  EXPECT_EQ(extend(kHour + 1), Code::standing_not_covering);
}

TEST(NightPass, for_an_action_without_value_or_time_has_no_such_bounds) {
  Night night;
  night.world.plan.action = Thaw{};
  night.world.plan.preconditions.clear();
  night.world.plan.effect = Check{Probe::frozen, Comparison::equal, 0};
  night.pass.actions = {static_cast<std::uint16_t>(night.world.plan.action.index())};
  night.pass.max_value = 0;
  night.pass.max_factor_percent = 1;
  night.pass.max_ttl_ms = 1;
  const auto refusal = night.refusal();
  EXPECT_EQ(refusal.code, Code::ok) << refusal.sentence;
}

// ---- how often

Code with_uses(std::uint32_t per_hour, std::uint32_t per_day, const std::vector<std::int64_t>& ages_ms, std::int64_t floor_ms = 0) {
  Night night;
  night.pass.per_hour = per_hour;
  night.pass.per_day = per_day;
  const auto what = to_text(document_digest(Domain::standing, to_bytes(night.pass)));
  for (const auto age : ages_ms) night.world.memory.uses.push_back({what, kNow - age});
  night.world.memory.uses.push_back({"set_memory_limit", kNow});
  night.world.memory.time_floor_ms = floor_ms;
  return night.refusal().code;
}

TEST(NightPassRate, is_counted_on_the_node_by_hour_and_day) {
  EXPECT_EQ(with_uses(1, 4, {}), Code::ok);
  EXPECT_EQ(with_uses(1, 4, {0}), Code::standing_used_up);
  EXPECT_EQ(with_uses(1, 4, {kHour - 1}), Code::standing_used_up);
  EXPECT_EQ(with_uses(1, 4, {kHour}), Code::ok);
  EXPECT_EQ(with_uses(2, 4, {0}), Code::ok);
  EXPECT_EQ(with_uses(2, 4, {0, 1}), Code::standing_used_up);
  EXPECT_EQ(with_uses(1, 1, {kDay - 1}), Code::standing_used_up);
  EXPECT_EQ(with_uses(1, 1, {kDay}), Code::ok);
  EXPECT_EQ(with_uses(1, 2, {kDay - 1}), Code::ok);
  EXPECT_EQ(with_uses(0, 4, {}), Code::standing_used_up);
  EXPECT_EQ(with_uses(1, 0, {}), Code::standing_used_up);
}

TEST(NightPassRate, counts_uses_that_a_clock_ahead_dated_later) { EXPECT_EQ(with_uses(1, 4, {-2 * kHour}), Code::standing_used_up); }

TEST(NightPassRate, is_of_the_later_of_clock_and_floor) {
  EXPECT_EQ(with_uses(1, 4, {kHour - 10 * kMinute}, kNow + 10 * kMinute - 1), Code::standing_used_up);
  EXPECT_EQ(with_uses(1, 4, {kHour - 10 * kMinute}, kNow + 10 * kMinute), Code::ok);
}

}  // namespace
}  // namespace fw::authority::verifier_test
