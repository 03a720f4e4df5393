// One good plan, bent in one place each.
#include <functional>

#include "tests/unit/authority/verifier/world.hpp"

namespace fw::authority::verifier_test {
namespace {

using testing::HasSubstr;

TEST(VerifyPlan, approves_what_two_people_signed) {
  World world;
  const auto envelope = world.envelope();
  const auto verdict = world.verify(envelope);
  ASSERT_TRUE(verdict.approved) << verdict.refusal.sentence;
  EXPECT_EQ(verdict.refusal.code, Code::ok);
  EXPECT_EQ(verdict.approved->digest, plan_digest(2, envelope.plan));
  EXPECT_EQ(verdict.approved->plan, world.plan);
  EXPECT_EQ(verdict.approved->action_class, 2);
  EXPECT_EQ(verdict.approved->people, (std::vector{person("alice"), person("bob")}));
  EXPECT_FALSE(verdict.approved->standing);
  EXPECT_EQ(verdict.approved->checkpoint, world.book.checkpoint(10));
  EXPECT_EQ(verdict.approved->newest_signed_ms, kNow - 5 * kMinute);
}

TEST(VerifyPlan, the_newest_vote_raises_the_time_floor) {
  World world;
  auto first = world.approval("alice"), second = world.approval("bob");
  first.issued_ms = kNow - kMinute;
  EXPECT_EQ(world.verify(world.envelope({World::sign(first), World::sign(second)})).approved->newest_signed_ms, kNow - kMinute);
  EXPECT_EQ(world.verify(world.envelope({World::sign(second), World::sign(first)})).approved->newest_signed_ms, kNow - kMinute);
}

struct Case {
  const char* name;
  Code code;
  std::function<Envelope(World&)> make;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

Envelope changed(World& world, const std::function<void(Plan&)>& change) {
  change(world.plan);
  return world.envelope();
}

Envelope with_second(World& world, const std::function<void(Approval&)>& change, const std::string& key_name = "bob") {
  auto second = world.approval("bob");
  change(second);
  return world.envelope({world.vote("alice"), World::sign(second, key_name)});
}

const std::vector<Case> kCases = {
    // ---- nobody, too few, the wrong ones
    {"unsigned", Code::too_few_people, [](World& w) { return w.envelope({}); }},
    {"one_person", Code::too_few_people, [](World& w) { return w.envelope(w.votes({"alice"})); }},
    {"the_same_vote_twice", Code::too_few_people, [](World& w) { return w.envelope(w.votes({"alice", "alice"})); }},
    {"one_person_with_two_keys", Code::too_few_people,
     [](World& w) {
       approver(w.policy, "alice").keys.push_back(key("alice-2").public_key());
       return w.envelope({w.vote("alice"), World::sign(w.approval("alice"), "alice-2")});
     }},
    {"one_person_listed_twice", Code::too_few_people,
     [](World& w) {
       auto again = approver(w.policy, "alice");
       again.keys = {key("alice-2").public_key()};
       w.policy.approvers.push_back(again);
       return w.envelope({w.vote("alice"), World::sign(w.approval("alice"), "alice-2")});
     }},
    {"one_key_listed_for_two_people", Code::key_unknown,
     [](World& w) {
       approver(w.policy, "bob").keys = {key("alice").public_key()};
       return w.envelope({w.vote("alice"), World::sign(w.approval("bob"), "alice")});
     }},
    {"a_policy_of_threshold_0", Code::too_few_people,
     [](World& w) {
       rule(w.policy, 2).threshold = 0;
       return w.envelope({});
     }},
    {"a_policy_of_threshold_1_for_a_team", Code::too_few_people,
     [](World& w) {
       rule(w.policy, 2).threshold = 1;
       return w.envelope(w.votes({"alice"}));
     }},
    {"a_policy_of_threshold_3", Code::too_few_people,
     [](World& w) {
       rule(w.policy, 2).threshold = 3;
       return w.envelope();
     }},
    {"a_policy_without_the_class", Code::policy_invalid,
     [](World& w) {
       auto made = w.envelope();
       w.policy.classes.erase(w.policy.classes.begin() + 2);
       return made;
     }},
    {"unknown_key", Code::key_unknown, [](World& w) { return w.envelope({w.vote("alice"), World::sign(w.approval("bob"), "mallory")}); }},
    {"known_id_with_the_signature_of_another_key", Code::signature_bad,
     [](World& w) {
       auto forged = World::sign(w.approval("bob"), "mallory");
       forged.signature.key = key_id(key("bob").public_key());
       return w.envelope({w.vote("alice"), forged});
     }},
    {"other_algorithm_than_the_key's", Code::signature_bad,
     [](World& w) {
       auto vote = w.vote("bob");
       vote.signature.algorithm = Algorithm::sk_ed25519;
       return w.envelope({w.vote("alice"), vote});
     }},
    {"signed_as_a_statement", Code::signature_bad,
     [](World& w) {
       auto vote = w.vote("bob");
       vote.signature = key("bob").sign(Domain::statement, vote.document);
       return w.envelope({w.vote("alice"), vote});
     }},
    {"signed_something_that_is_no_approval", Code::approval_malformed,
     [](World& w) {
       Vote vote;
       vote.document = to_bytes(w.plan);
       vote.document.resize(vote.document.size() - 8);
       vote.signature = key("bob").sign(Domain::approval, vote.document);
       return w.envelope({w.vote("alice"), vote});
     }},
    {"signed_for_another_person", Code::approval_person, [](World& w) { return with_second(w, [](Approval& a) { a.person = person("carol"); }); }},
    {"same_subject_of_another_issuer", Code::approval_person,
     [](World& w) { return with_second(w, [](Approval& a) { a.person.issuer = "https://idp.example"; }); }},
    {"approved_another_plan", Code::approval_other_plan, [](World& w) { return with_second(w, [](Approval& a) { a.plan[31] ^= 1; }); }},
    {"approved_as_another_class", Code::approval_other_plan,
     [](World& w) { return w.envelope({w.vote("alice"), World::sign(w.approval("bob", 1))}); }},
    {"a_denial_among_the_votes", Code::denied,
     [](World& w) {
       auto no = w.approval("carol");
       no.decision = Decision::deny;
       return w.envelope({w.vote("alice"), w.vote("bob"), World::sign(no)});
     }},
    {"a_denial_after_its_time_and_of_an_older_policy", Code::denied,
     [](World& w) {
       auto no = w.approval("carol");
       no.decision = Decision::deny;
       no.policy_version = 1;
       no.expires_ms = kNow - kHour;
       return w.envelope({w.vote("alice"), w.vote("bob"), World::sign(no)});
     }},
    {"older_policy_version", Code::policy_version_other, [](World& w) { return with_second(w, [](Approval& a) { a.policy_version = 6; }); }},
    {"newer_policy_version", Code::policy_version_other, [](World& w) { return with_second(w, [](Approval& a) { a.policy_version = 8; }); }},
    {"a_bad_third_vote", Code::key_unknown,
     [](World& w) { return w.envelope({w.vote("alice"), w.vote("bob"), World::sign(w.approval("carol"), "mallory")}); }},
    {"no_senior", Code::senior_missing,
     [](World& w) {
       rule(w.policy, 2).seniors = 1;
       return w.envelope();
     }},
    {"one_senior_of_two", Code::senior_missing,
     [](World& w) {
       rule(w.policy, 2).seniors = 2;
       return w.envelope(w.votes({"alice", "dave"}));
     }},
    {"nobody_of_a_group", Code::group_missing,
     [](World& w) {
       rule(w.policy, 2).groups = {"storage"};
       return w.envelope();
     }},
    {"nobody_of_the_second_group", Code::group_missing,
     [](World& w) {
       rule(w.policy, 2).groups = {"storage", "network"};
       return w.envelope(w.votes({"alice", "dave"}));
     }},
    // ---- scope
    {"scope_of_another_class", Code::out_of_scope,
     [](World& w) {
       approver(w.policy, "bob").scope.max_class = 1;
       return w.envelope();
     }},
    {"scope_of_another_cluster", Code::out_of_scope,
     [](World& w) {
       approver(w.policy, "bob").scope.clusters = {"staging"};
       return w.envelope();
     }},
    {"scope_of_another_namespace", Code::out_of_scope,
     [](World& w) {
       approver(w.policy, "bob").scope.name_spaces = {"billing"};
       return w.envelope();
     }},
    {"scope_of_namespaces_and_a_target_without_one", Code::out_of_scope,
     [](World& w) {
       approver(w.policy, "bob").scope.name_spaces = {"shop", ""};
       w.plan.target.name_space = "";
       return w.envelope();
     }},
    {"scope_of_other_nodes", Code::out_of_scope,
     [](World& w) {
       approver(w.policy, "bob").scope.node_labels = {"zone=b", "pool=db"};
       return w.envelope();
     }},
    {"two_in_scope_and_a_third_out_of_it", Code::out_of_scope,
     [](World& w) {
       approver(w.policy, "carol").scope.name_spaces = {"billing"};
       return w.envelope(w.votes({"alice", "bob", "carol"}));
     }},
    // ---- the plan itself
    {"a_plan_that_cannot_be_read", Code::plan_malformed,
     [](World& w) {
       Envelope made;
       made.action_class = 2;
       made.plan = to_bytes(w.plan);
       made.plan.resize(made.plan.size() - 8);
       for (const auto* name : {"alice", "bob"}) {
         auto yes = w.approval(name);
         yes.plan = plan_digest(2, made.plan);
         made.votes.push_back(World::sign(yes));
       }
       w.prove(made);
       return made;
     }},
    {"a_plan_that_breaks_a_rule", Code::plan_invalid, [](World& w) { return changed(w, [](Plan& p) { p.action = SetMemoryLimit{-5, 0}; }); }},
    {"sent_as_a_lower_class", Code::class_mismatch, [](World& w) { return w.envelope({World::sign(w.approval("alice", 1))}, {}, 1); }},
    {"sent_as_class_0", Code::class_mismatch, [](World& w) { return w.envelope({}, {}, 0); }},
    {"sent_as_a_higher_class", Code::class_mismatch,
     [](World& w) { return w.envelope({World::sign(w.approval("alice", 3)), World::sign(w.approval("dave", 3))}, {}, 3); }},
    {"a_class_that_does_not_exist", Code::policy_invalid, [](World& w) { return w.envelope({}, {}, 4); }},
    {"the_proposer_approves", Code::proposer_approved,
     [](World& w) {
       w.plan.proposer = Proposer::person;
       w.plan.person = person("bob");
       return w.envelope();
     }},
    {"the_proposer_approves_beside_enough_others", Code::proposer_approved,
     [](World& w) {
       w.plan.proposer = Proposer::person;
       w.plan.person = person("bob");
       return w.envelope(w.votes({"alice", "bob", "carol"}));
     }},
    {"another_node", Code::wrong_node, [](World& w) { return changed(w, [](Plan& p) { p.target.node = uuid("other"); }); }},
    {"another_incarnation", Code::wrong_incarnation, [](World& w) { return changed(w, [](Plan& p) { p.target.incarnation = nonce("other"); }); }},
    {"another_boot", Code::wrong_boot, [](World& w) { return changed(w, [](Plan& p) { p.target.boot = uuid("other"); }); }},
    {"another_cluster", Code::wrong_cluster, [](World& w) { return changed(w, [](Plan& p) { p.target.cluster = "staging"; }); }},
    // ---- the policy and the state of the node
    {"the_policy_pauses", Code::policy_paused,
     [](World& w) {
       w.policy.paused = true;
       return w.envelope();
     }},
    {"paused", Code::paused,
     [](World& w) {
       w.memory.paused = true;
       return w.envelope();
     }},
    {"replayed", Code::replayed,
     [](World& w) {
       w.memory.known_plans = {plan_digest(2, to_bytes(w.plan))};
       return w.envelope();
     }},
    {"denied_before_it_came", Code::denied,
     [](World& w) {
       w.memory.denied_plans = {plan_digest(2, to_bytes(w.plan))};
       return w.envelope();
     }},
    {"nothing_is_enabled", Code::not_enabled,
     [](World& w) {
       w.policy.enabled.clear();
       return w.envelope();
     }},
    {"observes_only", Code::observe_only,
     [](World& w) {
       w.facts.observe_only = true;
       return w.envelope();
     }},
};

class RefusedPlan : public testing::TestWithParam<Case> {};

TEST_P(RefusedPlan, has_its_code) {
  World world;
  const auto envelope = GetParam().make(world);
  const auto refusal = world.refusal(envelope);
  EXPECT_EQ(refusal.code, GetParam().code) << refusal.sentence;
}

INSTANTIATE_TEST_SUITE_P(Verifier, RefusedPlan, testing::ValuesIn(kCases), [](const auto& c) {
  std::string name = c.param.name;
  std::erase(name, '\'');
  return name;
});

// What looks like one of the refused and is good.
const std::vector<Case> kGood = {
    {"three_people", Code::ok, [](World& w) { return w.envelope(w.votes({"alice", "bob", "carol"})); }},
    {"a_second_vote_of_one_person", Code::ok, [](World& w) { return w.envelope(w.votes({"alice", "alice", "bob"})); }},
    {"one_key_listed_twice_for_one_person", Code::ok,
     [](World& w) {
       approver(w.policy, "alice").keys.push_back(key("alice").public_key());
       return w.envelope();
     }},
    {"a_senior_where_one_is_needed", Code::ok,
     [](World& w) {
       rule(w.policy, 2).seniors = 1;
       return w.envelope(w.votes({"alice", "dave"}));
     }},
    {"somebody_of_the_group", Code::ok,
     [](World& w) {
       rule(w.policy, 2).groups = {"storage"};
       return w.envelope(w.votes({"dave", "bob"}));
     }},
    {"one_person_in_solo", Code::ok,
     [](World& w) {
       w.policy.profile = Profile::solo;
       rule(w.policy, 2).threshold = 1;
       return w.envelope(w.votes({"alice"}));
     }},
    {"two_of_solo_need_both", Code::ok,
     [](World& w) {
       w.policy.profile = Profile::solo;
       return w.envelope();
     }},
    {"the_proposer_where_others_approve", Code::ok,
     [](World& w) {
       w.plan.proposer = Proposer::person;
       w.plan.person = person("carol");
       return w.envelope();
     }},
    {"scope_by_class_cluster_namespace_and_label", Code::ok,
     [](World& w) {
       approver(w.policy, "bob").scope = {{"staging", "prod"}, {"billing", "shop"}, {"zone=b", "pool=web"}, 2};
       return w.envelope();
     }},
    {"this_boot", Code::ok, [](World& w) { return changed(w, [&](Plan& p) { p.target.boot = uuid("boot"); }); }},
    {"other_plans_are_known_and_denied", Code::ok,
     [](World& w) {
       w.memory.known_plans = w.memory.denied_plans = {Digest{}, plan_digest(1, to_bytes(w.plan))};
       return w.envelope();
     }},
};

class GoodPlan : public testing::TestWithParam<Case> {};

TEST_P(GoodPlan, is_approved) {
  World world;
  const auto verdict = world.verify(GetParam().make(world));
  EXPECT_TRUE(verdict.approved) << verdict.refusal.sentence;
}

INSTANTIATE_TEST_SUITE_P(Verifier, GoodPlan, testing::ValuesIn(kGood), [](const auto& c) { return std::string(c.param.name); });

// ---- class 0: reading needs nobody, and goes on when nothing else does

World reading() {
  World world;
  world.plan.action = Diagnose{64 * 1024};
  world.plan.preconditions.clear();
  world.plan.effect.reset();
  world.plan.effect_within_ms = 0;
  return world;
}

TEST(ReadingPlan, needs_no_vote_and_no_log_where_the_policy_says_so) {
  auto world = reading();
  world.policy.paused = world.memory.paused = true;
  world.policy.not_after_ms = kNow - kDay;
  auto envelope = world.envelope({});
  envelope.proof = {};
  const auto verdict = world.verify(envelope);
  ASSERT_TRUE(verdict.approved) << verdict.refusal.sentence;
  EXPECT_EQ(verdict.approved->action_class, 0);
  EXPECT_EQ(verdict.approved->checkpoint, Checkpoint{});
  EXPECT_EQ(verdict.approved->newest_signed_ms, 0);
  EXPECT_TRUE(verdict.approved->people.empty());
}

TEST(ReadingPlan, with_a_proof_needs_a_good_one) {
  auto world = reading();
  auto envelope = world.envelope({});
  EXPECT_EQ(world.verify(envelope).approved->checkpoint, world.book.checkpoint(10));
  envelope.proof.path[0][0] ^= 1;
  EXPECT_EQ(world.code(envelope), Code::inclusion_missing);
  envelope.proof = {};
  envelope.proof.index = 1;
  EXPECT_EQ(world.code(envelope), Code::inclusion_missing);
}

TEST(ReadingPlan, needs_what_its_rule_says) {
  auto world = reading();
  auto envelope = world.envelope({});
  envelope.proof = {};
  rule(world.policy, 0).require_inclusion = true;
  EXPECT_EQ(world.code(envelope), Code::inclusion_missing);
  rule(world.policy, 0).threshold = 1;
  EXPECT_EQ(world.code(envelope), Code::too_few_people);
}

TEST(ActingPlan, needs_the_log_whatever_the_rule_says) {
  World world;
  rule(world.policy, 2).require_inclusion = false;
  auto envelope = world.envelope();
  envelope.proof = {};
  EXPECT_EQ(world.code(envelope), Code::inclusion_missing);
}

TEST(ActingPlan, of_class_1_stops_with_pause_and_policy_end_as_well) {
  World world;
  world.plan.action = SetMemoryLimit{256LL << 20, 900'000};
  const auto envelope = world.envelope(world.votes({"alice"}));
  EXPECT_TRUE(world.verify(envelope).approved) << world.refusal(envelope).sentence;
  auto bare = envelope;
  bare.proof = {};
  rule(world.policy, 1).require_inclusion = false;
  EXPECT_EQ(world.code(bare), Code::inclusion_missing);
  world.memory.paused = true;
  EXPECT_EQ(world.code(envelope), Code::paused);
}

// ---- sizes

TEST(EnvelopeLimits, are_checked_before_any_signature) {
  World world;
  auto envelope = world.envelope();
  while (envelope.votes.size() < kMaxVotes) envelope.votes.push_back(envelope.votes.front());
  world.prove(envelope);
  EXPECT_EQ(world.code(envelope), Code::ok);
  envelope.votes.push_back(envelope.votes.front());
  EXPECT_EQ(world.code(envelope), Code::envelope_malformed);
  envelope.votes.resize(2);
  envelope.plan.resize(kMaxPlanBytes);
  EXPECT_EQ(world.code(envelope), Code::approval_other_plan);
  envelope.plan.resize(kMaxPlanBytes + 1);
  EXPECT_EQ(world.code(envelope), Code::envelope_malformed);
}

TEST(EnvelopeLimits, hold_for_a_standing_approval) {
  World world;
  auto envelope = world.envelope(world.votes({"alice"}), World::sign(world.pass(), {"alice", "bob"}));
  auto& signatures = envelope.standing->signatures;
  while (signatures.size() < kMaxVotes) signatures.push_back(signatures.front());
  EXPECT_EQ(world.code(envelope), Code::ok);
  signatures.push_back(signatures.front());
  EXPECT_EQ(world.code(envelope), Code::envelope_malformed);
}

TEST(UsesOf, a_plan_count_for_its_action_its_budget_and_its_standing_approval) {
  Approved approved;
  approved.plan.action = SetMemoryLimit{};
  EXPECT_EQ(uses_of(approved), std::vector<std::string>{"set_memory_limit"});
  approved.plan.budget = "set_memory_limit";
  EXPECT_EQ(uses_of(approved), std::vector<std::string>{"set_memory_limit"});
  approved.plan.budget = "memory";
  approved.standing = sha256({});
  EXPECT_EQ(uses_of(approved), (std::vector<std::string>{"set_memory_limit", "memory", to_text(sha256({}))}));
}

TEST(Sentences, say_who_what_how_many_and_what_to_do) {
  World world;
  EXPECT_THAT(world.refusal(world.envelope(world.votes({"alice"}))).sentence, HasSubstr("class 2 needs 2 people, 1 approved: more people approve"));
  auto late = world.approval("bob");
  late.expires_ms = kNow - kHour;
  auto early = world.approval("bob");
  early.issued_ms = kNow + kHour;
  world.memory.time_floor_ms = kNow + 2 * kMinute;
  EXPECT_THAT(world.refusal(world.envelope({World::sign(early)})).sentence,
              HasSubstr("the approval by bob is dated 2026-11-23T13:00:00Z, this node's clock says 2026-11-23T12:00:00Z: compare the clocks"));
  world.memory.time_floor_ms = 0;
  auto no = world.approval("bob");
  no.decision = Decision::deny;
  EXPECT_THAT(world.refusal(world.envelope({World::sign(no)})).sentence, HasSubstr("bob denied this plan: propose another"));
  no.reason = "the leak is known";
  EXPECT_THAT(world.refusal(world.envelope({World::sign(no)})).sentence, HasSubstr("bob denied this plan (the leak is known): propose another"));
  auto full = world.envelope();
  full.votes.resize(kMaxVotes + 1);
  EXPECT_THAT(world.refusal(full).sentence, HasSubstr("9 votes and 0 signatures of a standing approval; the limits are 65536, 8 and 8"));
  EXPECT_THAT(world.refusal(world.envelope({World::sign(late)})).sentence,
              HasSubstr("the approval by bob ended at 2026-11-23T11:00:00Z, it is 2026-11-23T12:00:00Z: approve again"));
}

}  // namespace
}  // namespace fw::authority::verifier_test
