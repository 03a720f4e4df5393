// What the aggregator and the CLI see while votes come in; what it calls enough, a node takes.
#include "tests/unit/authority/verifier/world.hpp"

namespace fw::authority::verifier_test {
namespace {

struct Count {
  World world;
  std::vector<Vote> votes;
  std::optional<SignedStanding> standing;

  Progress progress() const { return count_votes(to_bytes(world.plan), votes, standing, world.policy, kNow); }
  std::vector<Code> bad() const {
    std::vector<Code> codes;
    for (const auto& refusal : progress().bad) codes.push_back(World::seen(refusal).code);
    return codes;
  }
};

TEST(CountVotes, counts_people_up_to_enough) {
  Count count;
  auto progress = count.progress();
  EXPECT_TRUE(progress.people.empty());
  EXPECT_EQ(progress.needed, 2U);
  EXPECT_EQ(progress.seniors_needed, 0U);
  EXPECT_FALSE(progress.enough);
  count.votes = count.world.votes({"alice"});
  EXPECT_FALSE(count.progress().enough);
  count.votes = count.world.votes({"alice", "alice"});
  EXPECT_FALSE(count.progress().enough);
  count.votes = count.world.votes({"alice", "bob"});
  progress = count.progress();
  EXPECT_TRUE(progress.enough);
  EXPECT_FALSE(progress.denied);
  EXPECT_EQ(progress.people, (std::vector{person("alice"), person("bob")}));
  EXPECT_TRUE(progress.bad.empty());
}

TEST(CountVotes, says_which_seniors_and_groups_are_missing) {
  Count count;
  rule(count.world.policy, 2).seniors = 1;
  rule(count.world.policy, 2).groups = {"storage", "network"};
  count.votes = count.world.votes({"alice", "bob"});
  auto progress = count.progress();
  EXPECT_EQ(progress.seniors, 0U);
  EXPECT_EQ(progress.seniors_needed, 1U);
  EXPECT_EQ(progress.groups_missing, (std::vector<std::string>{"storage", "network"}));
  EXPECT_FALSE(progress.enough);
  count.votes = count.world.votes({"alice", "dave"});
  progress = count.progress();
  EXPECT_EQ(progress.seniors, 1U);
  EXPECT_EQ(progress.groups_missing, std::vector<std::string>{"network"});
  EXPECT_FALSE(progress.enough);
  rule(count.world.policy, 2).groups = {"storage"};
  EXPECT_TRUE(count.progress().enough);
}

TEST(CountVotes, lists_bad_votes_and_counts_the_others) {
  Count count;
  auto other = count.world.approval("carol");
  other.plan = {};
  auto late = count.world.approval("dave");
  late.expires_ms = kNow - kHour;
  count.votes = {World::sign(other), count.world.vote("alice"), World::sign(late), World::sign(count.world.approval("bob"), "mallory"), count.world.vote("bob")};
  EXPECT_EQ(count.bad(), (std::vector{Code::approval_other_plan, Code::approval_expired, Code::key_unknown}));
  EXPECT_TRUE(count.progress().enough);
  EXPECT_FALSE(count.progress().denied);
}

TEST(CountVotes, one_no_is_enough) {
  Count count;
  auto no = count.world.approval("carol");
  no.decision = Decision::deny;
  count.votes = {World::sign(no), count.world.vote("alice"), count.world.vote("bob"),
                 World::sign(count.world.approval("bob"), "mallory")};
  EXPECT_TRUE(count.progress().denied);
  EXPECT_FALSE(count.progress().enough);
  EXPECT_EQ(count.bad(), (std::vector{Code::denied, Code::key_unknown}));
}

TEST(CountVotes, leaves_the_proposer_and_those_out_of_scope_out) {
  Count count;
  count.world.plan.proposer = Proposer::person;
  count.world.plan.person = person("alice");
  approver(count.world.policy, "carol").scope.name_spaces = {"billing"};
  count.votes = count.world.votes({"alice", "bob", "carol"});
  EXPECT_EQ(count.bad(), (std::vector{Code::proposer_approved, Code::out_of_scope}));
  EXPECT_FALSE(count.progress().enough);
}

TEST(CountVotes, does_not_judge_node_labels) {
  Count count;
  approver(count.world.policy, "bob").scope.node_labels = {"zone=elsewhere"};
  count.votes = count.world.votes({"alice", "bob"});
  EXPECT_TRUE(count.progress().enough);
}

TEST(CountVotes, judges_cluster_and_namespace_of_the_plan) {
  Count count;
  approver(count.world.policy, "bob").scope.clusters = {"staging"};
  count.votes = count.world.votes({"alice", "bob"});
  EXPECT_EQ(count.bad(), std::vector{Code::out_of_scope});
  count.world.plan.target.cluster = "staging";
  count.votes = count.world.votes({"alice", "bob"});
  EXPECT_TRUE(count.progress().enough);
}

TEST(CountVotes, takes_a_night_pass_with_one_vote) {
  Count count;
  count.standing = World::sign(count.world.pass(), {"alice", "bob"});
  EXPECT_EQ(count.progress().people.size(), 2U);
  EXPECT_FALSE(count.progress().enough);
  count.votes = count.world.votes({"alice"});
  EXPECT_TRUE(count.progress().enough);
  EXPECT_EQ(count.progress().people, (std::vector{person("alice"), person("bob")}));
}

TEST(CountVotes, takes_an_automatic_approval_alone) {
  Count count;
  auto pass = count.world.pass();
  pass.trigger = Trigger::automatic;
  count.standing = World::sign(pass, {"alice", "bob"});
  EXPECT_TRUE(count.progress().enough);
}

TEST(CountVotes, of_a_night_pass_leaves_the_proposer_out) {
  Count count;
  count.world.plan.proposer = Proposer::person;
  count.world.plan.person = person("alice");
  count.standing = World::sign(count.world.pass(), {"alice", "bob"});
  count.votes = count.world.votes({"bob"});
  EXPECT_FALSE(count.progress().enough);
  count.votes = count.world.votes({"carol"});
  EXPECT_TRUE(count.progress().enough);
}

TEST(CountVotes, does_without_a_standing_approval_that_is_bad_or_does_not_cover) {
  Count count;
  count.votes = count.world.votes({"alice"});
  auto pass = count.world.pass();
  count.standing = World::sign(pass, {"alice", "mallory"});
  EXPECT_EQ(count.bad(), std::vector{Code::key_unknown});
  EXPECT_FALSE(count.progress().enough);
  pass.max_value = 5;
  count.standing = World::sign(pass, {"alice", "bob"});
  EXPECT_EQ(count.bad(), std::vector{Code::standing_not_covering});
  EXPECT_FALSE(count.progress().enough);
  count.standing = World::sign(count.world.pass(), {"alice", "bob"});
  EXPECT_TRUE(count.progress().enough);
  approver(count.world.policy, "bob").scope.name_spaces = {"billing"};
  EXPECT_EQ(count.bad(), std::vector{Code::out_of_scope});
  approver(count.world.policy, "alice").scope.name_spaces = {"billing"};
  EXPECT_EQ(count.bad(), (std::vector{Code::out_of_scope, Code::out_of_scope})) << "the vote's and one for the pass";
  count.votes = count.world.votes({"carol", "dave"});
  EXPECT_TRUE(count.progress().enough) << "enough without the pass";
}

TEST(CountVotes, of_a_plan_that_cannot_be_judged_says_why) {
  Count count;
  const auto unread = count_votes({}, {}, {}, count.world.policy, kNow);
  ASSERT_EQ(unread.bad.size(), 1U);
  EXPECT_EQ(unread.bad.front().code, Code::plan_malformed);
  EXPECT_FALSE(unread.enough);
  count.world.policy.classes.clear();
  EXPECT_EQ(count.bad(), std::vector{Code::policy_invalid});
}

TEST(CountVotes, calls_enough_what_the_node_takes) {
  const std::vector<std::string> names = {"alice", "bob", "carol", "dave"};
  for (unsigned chosen = 0; chosen < 16; ++chosen) {
    Count count;
    rule(count.world.policy, 2).seniors = 1;
    std::vector<std::string> voters;
    for (unsigned i = 0; i < 4; ++i) {
      if ((chosen >> i & 1U) != 0) voters.push_back(names[i]);
    }
    count.votes = count.world.votes(voters);
    EXPECT_EQ(count.progress().enough, count.world.code(count.world.envelope(count.votes)) == Code::ok) << chosen;
  }
}

}  // namespace
}  // namespace fw::authority::verifier_test
