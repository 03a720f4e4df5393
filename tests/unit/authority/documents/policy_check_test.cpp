#include <gmock/gmock.h>

#include <functional>

#include "tests/support/authority_builder.hpp"

namespace fw::authority {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Row {
  const char* sentence;
  std::function<void(Policy&)> change;
};

TEST(CheckPolicy, has_nothing_to_say_about_the_good_ones) {
  EXPECT_THAT(check_policy(test::team_policy()), IsEmpty());
  EXPECT_THAT(check_policy(test::solo_policy()), IsEmpty());
  auto enterprise = test::team_policy();
  enterprise.profile = Profile::enterprise;
  EXPECT_THAT(check_policy(enterprise), IsEmpty());
}

// Each row breaks one rule of the good team policy, and only that one is said.
TEST(CheckPolicy, says_each_broken_rule) {
  const std::vector<Row> rows = {
      {"The version is 0.", [](Policy& p) { p.version = 0; }},
      {"The organisation has no name.", [](Policy& p) { p.organisation.clear(); }},
      {"The policy is never valid.", [](Policy& p) { p.issued_ms = 0; }},
      {"The policy is never valid.", [](Policy& p) { p.not_after_ms = p.issued_ms; }},
      // roots
      {"There is no root.", [](Policy& p) { p.roots.clear(); p.root_threshold = 0; }},
      {"A root has no name.", [](Policy& p) { p.roots[0].name.clear(); }},
      {"The root root-1 is listed twice.", [](Policy& p) { p.roots[1].name = "root-1"; }},
      {"One key belongs to root root-1 and to root root-2.", [](Policy& p) { p.roots[1].key = p.roots[0].key; }},
      {"The key of root root-1 is not good (key: a point that anybody can sign for).", [](Policy& p) { p.roots[0].key.bytes.assign(32, 0); }},
      {"The root threshold is 0.", [](Policy& p) { p.root_threshold = 0; }},
      {"The root threshold is above 8, more signatures than a node takes.",
       [](Policy& p) {
         for (int i = 4; i <= 9; ++i) p.roots.push_back({"root-" + std::to_string(i), test::public_key_of("root-" + std::to_string(i))});
         p.root_threshold = 9;
       }},
      {"The root threshold is more than there are roots.", [](Policy& p) { p.root_threshold = 4; }},
      {"There are more than 8 roots.",
       [](Policy& p) {
         for (int i = 4; i <= 9; ++i) p.roots.push_back({"root-" + std::to_string(i), test::public_key_of("root-" + std::to_string(i))});
       }},
      {"The profile enterprise needs two roots to sign a policy.", [](Policy& p) { p.profile = Profile::enterprise; p.root_threshold = 1; }},
      {"One key belongs to root root-1 and to alice.",
       [](Policy& p) { p.profile = Profile::enterprise; p.approvers[0].keys.push_back(p.roots[0].key); }},
      // people
      {"An approver has no name.", [](Policy& p) { p.approvers[0].person.subject.clear(); }},
      {"An approver has no name.", [](Policy& p) { p.approvers[0].person.issuer.clear(); }},
      {"The person alice is listed twice.", [](Policy& p) { p.approvers[1].person = p.approvers[0].person; }},
      {"The person alice has no key.", [](Policy& p) { p.approvers[0].keys.clear(); }},
      {"One key belongs to alice and to bob.", [](Policy& p) { p.approvers[1].keys.push_back(p.approvers[0].keys[0]); }},
      {"One key belongs to alice and to alice.", [](Policy& p) { p.approvers[0].keys.push_back(p.approvers[0].keys[0]); }},
      {"One key belongs to alice and to the log.", [](Policy& p) { p.log_key = p.approvers[0].keys[0]; }},
      {"The key of alice is not good (key: not 32 bytes of Ed25519).", [](Policy& p) { p.approvers[0].keys[0].bytes.pop_back(); }},
      {"The person alice has a class above 3.", [](Policy& p) { p.approvers[0].scope.max_class = 4; }},
      {"The person alice is never valid.", [](Policy& p) { p.approvers[0].not_after_ms = -1; }},
      {"alice's groups names one thing twice.", [](Policy& p) { p.approvers[0].groups = {"a", "a"}; }},
      {"alice's clusters has an empty name.", [](Policy& p) { p.approvers[0].scope.clusters = {""}; }},
      {"alice's namespaces has an empty name.", [](Policy& p) { p.approvers[0].scope.name_spaces = {""}; }},
      {"alice's node labels: \"pool\" is not key=value.", [](Policy& p) { p.approvers[0].scope.node_labels = {"pool"}; }},
      {"alice's node labels: \"=shop\" is not key=value.", [](Policy& p) { p.approvers[0].scope.node_labels = {"=shop"}; }},
      // classes
      {"The classes 0 to 3 are not each there once, in order.", [](Policy& p) { p.classes.pop_back(); }},
      {"The classes 0 to 3 are not each there once, in order.", [](Policy& p) { p.classes.push_back(p.classes.back()); }},
      {"The classes 0 to 3 are not each there once, in order.", [](Policy& p) { p.classes[1].action_class = 2; }},
      {"The classes 0 to 3 are not each there once, in order.", [](Policy& p) { std::swap(p.classes[1], p.classes[2]); }},
      {"Class 1 needs 1 person at least, not 0.", [](Policy& p) { p.classes[1].threshold = 0; }},
      {"Class 2 needs 2 people at least, not 1.", [](Policy& p) { p.classes[2].threshold = 1; }},
      {"Class 3 needs 2 people at least, not 1.", [](Policy& p) { p.classes[3].threshold = 1; }},
      {"Class 3 needs more people than a plan can carry.", [](Policy& p) { p.classes[3].threshold = 9; }},
      {"Class 3 needs more seniors than people.", [](Policy& p) { p.classes[3].seniors = 3; }},
      {"Class 2: plans must be valid between 1 ms and 24 h.", [](Policy& p) { p.classes[2].max_validity_ms = 0; }},
      {"Class 2: plans must be valid between 1 ms and 24 h.", [](Policy& p) { p.classes[2].max_validity_ms = kMaxValidityMs + 1; }},
      {"Class 1 must require inclusion in the audit log.", [](Policy& p) { p.classes[1].require_inclusion = false; }},
      {"Class 2's groups names one thing twice.", [](Policy& p) { p.classes[2].groups = {"platform", "platform"}; }},
      {"Class 2 needs more people than may approve it.", [](Policy& p) { p.classes[2].threshold = 6; }},
      {"Class 2 needs more people than may approve it.", [](Policy& p) { for (int i : {0, 1, 2, 3}) p.approvers[static_cast<std::size_t>(i)].scope.max_class = 1; }},
      {"Class 2 needs more seniors than may approve it.", [](Policy& p) { p.classes[2].seniors = 2; }},
      {"Class 2 needs somebody of dba, and nobody is.", [](Policy& p) { p.classes[2].groups = {"dba"}; }},
      // the rest
      {"To resume after a pause takes 2 people at least.", [](Policy& p) { p.resume_threshold = 1; }},
      {"To resume takes more people than there are.", [](Policy& p) { p.resume_threshold = 6; }},
      {"A limit has no name.", [](Policy& p) { p.limits = {{"", 1, 1}}; }},
      {"The limit a is there twice.", [](Policy& p) { p.limits = {{"a", 1, 1}, {"a", 1, 1}}; }},
      {"The limit a allows more per hour than per day.", [](Policy& p) { p.limits = {{"a", 2, 1}}; }},
      {"A bound is about action 0, which does not exist.", [](Policy& p) { p.bounds = {{0, 0, 0, 0}}; }},
      {"A bound is about action 15, which does not exist.", [](Policy& p) { p.bounds = {{15, 0, 0, 0}}; }},
      {"The bound of set_cpu_weight is there twice.", [](Policy& p) { p.bounds = {{5, 1, 2, 0}, {5, 1, 2, 0}}; }},
      {"The bound of set_cpu_weight allows nothing.", [](Policy& p) { p.bounds = {{5, 3, 2, 0}}; }},
      {"The bound of set_cpu_weight is wider than the catalogue's.", [](Policy& p) { p.bounds = {{5, 0, 2, 0}}; }},
      {"The bound of set_cpu_weight is wider than the catalogue's.", [](Policy& p) { p.bounds = {{5, 1, 10'001, 0}}; }},
      {"The bound of set_cpu_weight allows a longer TTL than the catalogue.", [](Policy& p) { p.bounds = {{5, 1, 2, 86'400'001}}; }},
      {"What is enabled has an empty name.", [](Policy& p) { p.enabled[0].clusters = {""}; }},
      {"What is enabled: \"x\" is not key=value.", [](Policy& p) { p.enabled[0].node_labels = {"x"}; }},
      {"What is enabled has a class above 3.", [](Policy& p) { p.enabled[0].max_class = 4; }},
      {"Action 15 is enabled, and does not exist.", [](Policy& p) { p.enabled[0].actions = {15}; }},
      {"The log origin is empty, or has a space or a plus sign.", [](Policy& p) { p.log_origin = ""; }},
      {"The log origin is empty, or has a space or a plus sign.", [](Policy& p) { p.log_origin = "a b"; }},
      {"The log origin is empty, or has a space or a plus sign.", [](Policy& p) { p.log_origin = "a+b"; }},
      {"The log key is not of ed25519.", [](Policy& p) { p.log_key = p.approvers[4].keys[0]; p.approvers[4].keys[0] = test::public_key_of("x"); }},
      {"A witness's name is empty, or has a space or a plus sign.", [](Policy& p) { p.witnesses = {{"", test::public_key_of("w")}}; }},
      {"The witness w is listed twice, or is the log.", [](Policy& p) { p.witnesses = {{"w", test::public_key_of("w")}, {"w", test::public_key_of("v")}}; }},
      {"The witness fleetwright/acme/audit is listed twice, or is the log.", [](Policy& p) { p.witnesses = {{p.log_origin, test::public_key_of("w")}}; }},
      {"One key belongs to the log and to witness w.", [](Policy& p) { p.witnesses = {{"w", p.log_key}}; }},
      {"The key of witness w is not of ed25519.",
       [](Policy& p) { p.witnesses = {{"w", p.approvers[4].keys[0]}}; p.approvers[4].keys[0] = test::public_key_of("x"); }},
      {"The witness quorum is above 14, more than a checkpoint can carry.",
       [](Policy& p) {
         for (int i = 0; i < 15; ++i) p.witnesses.push_back({"w" + std::to_string(i), test::public_key_of("w" + std::to_string(i))});
         p.witness_quorum = 15;
       }},
      {"The witness quorum is more than there are witnesses.", [](Policy& p) { p.witness_quorum = 1; }},
      {"The time skew is not between 0 and 10 min.", [](Policy& p) { p.time_skew_ms = -1; }},
      {"The time skew is not between 0 and 10 min.", [](Policy& p) { p.time_skew_ms = 600'001; }},
  };
  for (const auto& row : rows) {
    auto policy = test::team_policy();
    row.change(policy);
    EXPECT_THAT(check_policy(policy), ::testing::Contains(row.sentence)) << ::testing::PrintToString(check_policy(policy));
    EXPECT_LE(check_policy(policy).size(), 2U) << row.sentence << ::testing::PrintToString(check_policy(policy));
  }
}

TEST(CheckPolicy, of_one_person_needs_one_to_resume) {
  auto policy = test::solo_policy();
  policy.resume_threshold = 0;
  EXPECT_THAT(check_policy(policy), ElementsAre("To resume after a pause takes 1 person at least."));
}

TEST(CheckPolicy, says_that_nobody_can_approve) {
  auto policy = test::team_policy();
  policy.approvers.clear();
  EXPECT_THAT(check_policy(policy), ::testing::Contains("There is no approver."));
}

TEST(CheckPolicy, takes_the_edges_of_its_rules) {
  const auto good = [](const std::function<void(Policy&)>& change) {
    auto policy = test::team_policy();
    change(policy);
    EXPECT_THAT(check_policy(policy), IsEmpty());
  };
  good([](Policy& p) { p.classes[0].require_inclusion = false; });
  good([](Policy& p) { p.classes[3].threshold = 8; });                 // more than there are: class 3 never happens
  good([](Policy& p) { p.classes[2].groups = {"platform"}; p.classes[2].seniors = 1; });
  good([](Policy& p) { p.classes[2].groups = {"platform"}; p.approvers[0].scope.max_class = 1; });
  good([](Policy& p) { p.approvers[0].scope.node_labels = {"pool=shop"}; });
  good([](Policy& p) { p.enabled[0].actions = {1, 14}; });
  good([](Policy& p) { p.root_threshold = 3; });
  good([](Policy& p) { p.roots[0].key = p.approvers[0].keys[0]; });    // not in the profile enterprise
  good([](Policy& p) { p.time_skew_ms = 600'000; });
  good([](Policy& p) { p.limits = {{"a", 0, 0}}; });                   // a budget of nothing
  good([](Policy& p) { p.enabled.clear(); });                          // observe-only everywhere
  good([](Policy& p) { p.resume_threshold = 5; });
  good([](Policy& p) { p.witnesses = {{"w", test::public_key_of("w")}}; p.witness_quorum = 1; });
  good([](Policy& p) { p.bounds = {{5, 1, 10'000, 86'400'000}}; });
}

TEST(MinimumThreshold, is_compiled_in) {
  using P = Profile;
  const std::vector<std::tuple<P, std::vector<std::uint32_t>>> rows = {{P::solo, {0, 1, 1, 2}}, {P::team, {0, 1, 2, 2}}, {P::enterprise, {0, 1, 2, 2}}};
  for (const auto& [profile, minima] : rows)
    for (std::uint8_t c = 0; c < 4; ++c) EXPECT_EQ(minimum_threshold(c, profile), minima[c]) << to_string(profile) << int{c};
  EXPECT_EQ(minimum_threshold(4, P::solo), 2U);
}

// ---- what a change loosens

Policy rich() {
  auto policy = test::team_policy();
  policy.profile = Profile::enterprise;
  policy.classes[2].threshold = 3;
  policy.classes[2].seniors = 1;
  policy.classes[2].groups = {"platform"};
  policy.classes[2].max_validity_ms = 1000;
  policy.limits = {{"a", 2, 4}};
  policy.bounds = {{5, 10, 20, 5000}};
  policy.enabled = {{{"c1", "c2"}, {"k=v"}, {1, 2}, 2}};
  policy.witnesses = {{"w", test::public_key_of("w")}};
  policy.witness_quorum = 1;
  policy.resume_threshold = 3;
  policy.paused = true;
  policy.approvers[0].scope = {{"c1"}, {"n1"}, {"k=v"}, 2};
  policy.approvers[0].not_after_ms = test::kNowMs;
  return policy;
}

TEST(LoosenedBy, the_same_policy_is_nothing) { EXPECT_THAT(loosened_by(rich(), rich()), IsEmpty()); }

TEST(LoosenedBy, says_each_way_to_get_looser) {
  const std::vector<Row> rows = {
      {"The profile becomes team.", [](Policy& p) { p.profile = Profile::team; }},
      {"Root root-4 has a new key.", [](Policy& p) { p.roots.push_back({"root-4", test::public_key_of("root-4")}); }},
      {"Root root-1 has a new key.", [](Policy& p) { p.roots[0].key = test::public_key_of("root-4"); }},
      {"Fewer roots sign a policy.", [](Policy& p) { p.root_threshold = 1; }},
      {"frank may approve.",
       [](Policy& p) { p.approvers.push_back(p.approvers[1]); p.approvers.back().person.subject = "frank"; }},
      {"bob becomes senior.", [](Policy& p) { p.approvers[1].level = Level::senior; }},
      {"bob joins the group platform.", [](Policy& p) { p.approvers[1].groups = {"platform"}; }},
      {"bob has a new key.", [](Policy& p) { p.approvers[1].keys.push_back(test::public_key_of("x")); }},
      {"bob has a new key.", [](Policy& p) { p.approvers[1].keys = {test::public_key_of("x")}; }},
      {"alice has a wider scope.", [](Policy& p) { p.approvers[0].scope.clusters.clear(); }},
      {"alice has a wider scope.", [](Policy& p) { p.approvers[0].scope.clusters = {"c1", "c2"}; }},
      {"alice has a wider scope.", [](Policy& p) { p.approvers[0].scope.clusters = {"c2"}; }},
      {"alice has a wider scope.", [](Policy& p) { p.approvers[0].scope.name_spaces = {"n2"}; }},
      {"alice has a wider scope.", [](Policy& p) { p.approvers[0].scope.node_labels.clear(); }},
      {"alice has a wider scope.", [](Policy& p) { p.approvers[0].scope.max_class = 3; }},
      {"alice may approve for longer.", [](Policy& p) { p.approvers[0].not_after_ms += 1; }},
      {"alice may approve for longer.", [](Policy& p) { p.approvers[0].not_after_ms = 0; }},
      {"Class 2 has no rule.", [](Policy& p) { p.classes.erase(p.classes.begin() + 2); }},
      {"Class 2 needs fewer people.", [](Policy& p) { p.classes[2].threshold = 2; }},
      {"Class 2 needs fewer seniors.", [](Policy& p) { p.classes[2].seniors = 0; }},
      {"Class 2 needs nobody of platform.", [](Policy& p) { p.classes[2].groups = {"other"}; }},
      {"Class 2: plans are valid for longer.", [](Policy& p) { p.classes[2].max_validity_ms = 1001; }},
      {"Class 0 needs no inclusion in the audit log.", [](Policy& p) { p.classes[0].require_inclusion = false; }},
      {"The limit a is gone.", [](Policy& p) { p.limits.clear(); }},
      {"The limit a is higher.", [](Policy& p) { p.limits[0].per_hour = 3; }},
      {"The limit a is higher.", [](Policy& p) { p.limits[0].per_day = 5; }},
      {"The bound of set_cpu_weight is gone.", [](Policy& p) { p.bounds.clear(); }},
      {"The bound of set_cpu_weight is wider.", [](Policy& p) { p.bounds[0].min_value = 9; }},
      {"The bound of set_cpu_weight is wider.", [](Policy& p) { p.bounds[0].max_value = 21; }},
      {"The bound of set_cpu_weight is wider.", [](Policy& p) { p.bounds[0].max_ttl_ms = 5001; }},
      {"The bound of set_cpu_weight is wider.", [](Policy& p) { p.bounds[0].max_ttl_ms = 0; }},
      {"More nodes or actions are enabled.", [](Policy& p) { p.enabled[0].clusters.clear(); }},
      {"More nodes or actions are enabled.", [](Policy& p) { p.enabled[0].clusters = {"c3"}; }},
      {"More nodes or actions are enabled.", [](Policy& p) { p.enabled[0].node_labels.push_back("k=w"); }},
      {"More nodes or actions are enabled.", [](Policy& p) { p.enabled[0].actions = {3}; }},
      {"More nodes or actions are enabled.", [](Policy& p) { p.enabled[0].max_class = 3; }},
      {"More nodes or actions are enabled.", [](Policy& p) { p.enabled.push_back({{"c1"}, {}, {1}, 1}); }},
      {"Another audit log counts.", [](Policy& p) { p.log_origin = "other"; }},
      {"Another audit log counts.", [](Policy& p) { p.log_key = test::public_key_of("x"); }},
      {"Witness v is new, or has a new key.", [](Policy& p) { p.witnesses.push_back({"v", test::public_key_of("v")}); }},
      {"Witness w is new, or has a new key.", [](Policy& p) { p.witnesses[0].key = test::public_key_of("v"); }},
      {"Fewer witnesses are needed.", [](Policy& p) { p.witness_quorum = 0; }},
      {"Fewer people resume after a pause.", [](Policy& p) { p.resume_threshold = 2; }},
      {"Clocks may differ more.", [](Policy& p) { p.time_skew_ms += 1; }},
      {"The pause ends.", [](Policy& p) { p.paused = false; }},
  };
  for (const auto& row : rows) {
    auto after = rich();
    row.change(after);
    EXPECT_THAT(loosened_by(rich(), after), ElementsAre(row.sentence));
  }
}

TEST(LoosenedBy, to_tighten_or_renew_is_nothing) {
  const std::vector<std::function<void(Policy&)>> changes = {
      [](Policy& p) { p.version += 1; p.issued_ms += 1; p.not_after_ms += 1; },
      [](Policy& p) { p.organisation = "acme ltd"; },
      [](Policy& p) { p.roots.pop_back(); p.roots[0].name = "renamed"; },
      [](Policy& p) { p.root_threshold = 3; },
      [](Policy& p) { p.approvers.pop_back(); },
      [](Policy& p) { p.approvers[2].level = Level::approver; p.approvers[2].groups.clear(); },
      [](Policy& p) { p.approvers[1].scope.clusters = {"c1"}; p.approvers[1].not_after_ms = 1; },
      [](Policy& p) { p.classes[2].threshold = 4; p.classes[2].seniors = 2; p.classes[2].groups.push_back("dba"); p.classes[2].max_validity_ms = 1; },
      [](Policy& p) { p.limits[0] = {"a", 1, 1}; p.limits.push_back({"b", 1, 1}); },
      [](Policy& p) { p.bounds[0] = {5, 11, 19, 4999}; p.bounds.push_back({2, 1, 2, 3}); },
      [](Policy& p) { p.enabled[0] = {{"c2"}, {"k=v"}, {2}, 1}; },
      [](Policy& p) { p.enabled.clear(); },
      [](Policy& p) { p.witnesses.clear(); },
      [](Policy& p) { p.witness_quorum = 2; p.resume_threshold = 4; p.time_skew_ms -= 1; },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    auto after = rich();
    changes[i](after);
    EXPECT_THAT(loosened_by(rich(), after), IsEmpty()) << i;
  }
  auto before = rich();
  before.paused = false;
  EXPECT_THAT(loosened_by(before, rich()), IsEmpty());
}

// An unbounded policy does not become looser by a bound, whatever action it is about.
TEST(LoosenedBy, names_actions_that_this_version_does_not_know_by_number) {
  auto before = rich();
  before.bounds = {{99, 0, 1, 0}};
  auto after = before;
  after.bounds.clear();
  EXPECT_THAT(loosened_by(before, after), ElementsAre("The bound of action 99 is gone."));
}

}  // namespace
}  // namespace fw::authority
