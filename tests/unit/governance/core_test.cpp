// From an explanation to the end of the symptom, with the real executor.
#include "fleet.hpp"

namespace fw::governance::test {
namespace {

TEST(Governance, proposes_what_the_explanation_says_can_be_done) {
  Fleet fleet;
  fleet.explain();
  ASSERT_NE(fleet.core->newest_plan(fleet.incident.uid), nullptr);
  const PlanRecord& plan = fleet.plan();
  EXPECT_EQ(plan.state, PlanState::proposed);
  EXPECT_EQ(plan.action_class, 2) << "kept, because nobody else owns the cgroup";
  EXPECT_EQ(std::get<SetMemoryLimit>(plan.plan.action), (SetMemoryLimit{kNew, 0}));
  EXPECT_EQ(plan.plan.preconditions, (std::vector<Check>{{Probe::memory_limit_bytes, Comparison::equal, kOld}}));
  EXPECT_EQ(plan.plan.incident, "INC-7");
  EXPECT_TRUE(check_plan(plan.plan).empty());
  EXPECT_EQ(fleet.core->state_text(plan), "waits for 2 of 2 approvals");
  fleet.pass(2s);
  EXPECT_EQ(fleet.entries("plan.proposed").size(), 1U);
}

TEST(Governance, a_guess_proposes_nothing) {
  Fleet fleet;
  fleet.explain(kNew, false, agents::Confidence::guess);
  EXPECT_EQ(fleet.core->newest_plan(fleet.incident.uid), nullptr);
}

TEST(Governance, a_brake_is_of_class_1_and_ends_by_itself) {
  Fleet fleet;
  fleet.explain(kNew, true);
  EXPECT_EQ(fleet.plan().action_class, 1);
  EXPECT_GT(std::get<SetMemoryLimit>(fleet.plan().plan.action).ttl_ms, 0U);
  EXPECT_TRUE(fleet.vote("alice").ok());
  EXPECT_EQ(fleet.limit(), kNew);
}

TEST(Governance, two_people_approve_the_node_acts_and_the_incident_is_fixed) {
  Fleet fleet;
  fleet.explain();
  ASSERT_TRUE(fleet.vote("alice").ok());
  EXPECT_EQ(fleet.plan().state, PlanState::proposed);
  EXPECT_EQ(fleet.limit(), kOld);
  ASSERT_TRUE(fleet.vote("bob").ok());
  fleet.pass(1s);
  EXPECT_EQ(fleet.limit(), kNew);
  EXPECT_EQ(fleet.plan().state, PlanState::done) << fleet.core->state_text(fleet.plan());
  EXPECT_FALSE(fleet.plan().fixed);
  fleet.pass(20s);
  EXPECT_TRUE(fleet.plan().fixed);
  ASSERT_EQ(fleet.words.size(), 1U);
  EXPECT_EQ(fleet.words.front().kind, IncidentWord::Kind::fixed);
  EXPECT_EQ(fleet.entries("plan.released").size(), 1U);
  EXPECT_EQ(fleet.entries("plan.fixed").size(), 1U);
  fleet.expect_log_and_store_agree();
}

TEST(Governance, a_container_that_restarts_all_the_time_is_fixed_though_the_second_approval_comes_late) {
  Fleet fleet;
  fleet.explain();
  ASSERT_TRUE(fleet.vote("alice").ok());
  for (int i = 0; i < 48; ++i) {                       // 4 minutes, a new incarnation each 5 s
    fleet.pass(5s, 5s);
    fleet.world.recreate(kPath, fleet.world.objects.at(kPath).values);
    fleet.symptom();
  }
  ASSERT_TRUE(fleet.vote("bob").ok());
  fleet.pass(2s);
  EXPECT_EQ(fleet.limit(), kNew);
  EXPECT_EQ(fleet.world.effects(fleet.plan().plan), 1);
}

TEST(Governance, the_outcome_is_acknowledged_once_its_entry_stands_in_the_log) {
  Fleet fleet;
  fleet.explain();
  fleet.vote("alice");
  fleet.vote("bob");
  fleet.pass(2s);
  std::size_t acknowledged = 0;
  for (const Packet& packet : fleet.to_node) {
    const auto* ack = std::get_if<AckOutcome>(&packet);
    if (ack == nullptr) continue;
    ++acknowledged;
    EXPECT_NE(fleet.log->entry(ack->log_index)->find("plan.outcome"), std::string::npos);
  }
  EXPECT_GE(acknowledged, 1U);
}

TEST(Governance, a_symptom_that_goes_on_fails_the_plan_and_proposes_the_undo) {
  Fleet fleet;
  fleet.explain();
  const Digest first = fleet.plan().digest;
  fleet.vote("alice");
  fleet.vote("bob");
  fleet.pass(5s);
  ASSERT_EQ(fleet.plan().state, PlanState::done);
  fleet.symptom();
  EXPECT_EQ(fleet.core->find(first)->state, PlanState::failed);
  ASSERT_NE(fleet.plan().digest, first);
  EXPECT_EQ(std::get<Undo>(fleet.plan().plan.action).plan, first);
  EXPECT_EQ(fleet.plan().action_class, 1);
  ASSERT_TRUE(fleet.vote("alice").ok());
  fleet.pass(2s);
  EXPECT_EQ(fleet.limit(), kOld);
  EXPECT_EQ(fleet.core->find(first)->state, PlanState::rolled_back);
  fleet.expect_log_and_store_agree();
}

TEST(Governance, what_people_mend_by_hand_is_seen) {
  Fleet fleet;
  fleet.explain();
  fleet.core->on_limit_changed(node_uid(), kPath, 128 * kMiB, fleet.clock.wall_ns(), "bash");
  EXPECT_EQ(fleet.plan().state, PlanState::proposed) << "less than what is needed";
  fleet.core->on_limit_changed(node_uid(), kPath, 512 * kMiB, fleet.clock.wall_ns(), "bash");
  fleet.settle();
  EXPECT_EQ(fleet.plan().state, PlanState::superseded);
  ASSERT_EQ(fleet.words.size(), 1U);
  EXPECT_NE(fleet.words.front().text.find("by hand"), std::string::npos);
}

TEST(Governance, a_newer_explanation_replaces_a_plan_that_nobody_voted_on) {
  Fleet fleet;
  fleet.explain(kNew);
  const Digest first = fleet.plan().digest;
  fleet.explain(kNew);
  EXPECT_EQ(fleet.core->plans(fleet.incident.uid).size(), 1U) << "the same again is nothing new";
  fleet.clock.advance(1s);
  fleet.explain(2 * kNew);
  EXPECT_EQ(fleet.core->find(first)->state, PlanState::superseded);
  EXPECT_EQ(fleet.core->find(first)->superseded_by, to_text(fleet.plan().digest));
  fleet.vote("alice");
  fleet.clock.advance(1s);
  fleet.explain(3 * kNew);
  EXPECT_EQ(fleet.core->plans(fleet.incident.uid).size(), 2U) << "people have begun to vote";
}

TEST(Governance, votes_are_refused_with_their_reason) {
  Fleet fleet;
  fleet.explain();
  EXPECT_EQ(fleet.vote("mallory").code, "key-unknown");
  ASSERT_TRUE(fleet.vote("alice").ok());
  fleet.clock.advance(1s);
  EXPECT_EQ(fleet.vote("alice").code, "voted-already");
  const PlanRecord& plan = fleet.plan();
  EXPECT_EQ(fleet.core->vote(plan.digest, fleet.make_vote(plan, "bob"), Fleet::caller("alice")).code, "approval-person");
  Vote flipped = fleet.make_vote(plan, "bob");
  flipped.signature.bytes[3] ^= 1;
  EXPECT_EQ(fleet.core->vote(plan.digest, flipped, Fleet::caller("bob")).code, "signature-bad");
  EXPECT_EQ(fleet.core->vote(Digest{}, fleet.make_vote(plan, "bob"), Fleet::caller("bob")).errc, Errc::not_found);
  fleet.pass(2s);
  EXPECT_EQ(fleet.limit(), kOld);
  EXPECT_GE(fleet.entries("plan.vote_refused").size(), 3U);
}

TEST(Governance, one_no_is_enough) {
  Fleet fleet;
  fleet.explain();
  fleet.vote("alice");
  ASSERT_TRUE(fleet.vote("carol", Decision::deny).ok());
  EXPECT_EQ(fleet.plan().state, PlanState::denied);
  EXPECT_EQ(fleet.vote("bob").code, "not-open");
  fleet.explain();
  EXPECT_EQ(fleet.core->plans(fleet.incident.uid).size(), 1U) << "what was denied is not proposed again";
}

TEST(Governance, an_edited_plan_stays_within_the_safe_range_and_its_editor_does_not_count) {
  Fleet fleet;
  fleet.explain();
  const Digest original = fleet.plan().digest;
  const auto edit = [&](std::int64_t bytes, std::string_view name) {
    Plan plan = fleet.core->find(original)->plan;
    plan.nonce = authority::test::nonce_of(std::to_string(bytes));
    plan.proposer = Proposer::person;
    plan.person = authority::test::person(name);
    std::get<SetMemoryLimit>(plan.action).limit_bytes = bytes;
    plan.effect->value = bytes;
    return fleet.core->propose_edit(original, to_bytes(plan), class_of(plan), Fleet::caller("alice"));
  };
  EXPECT_EQ(edit(2048 * kMiB, "alice").code, "out-of-safe-range");
  EXPECT_EQ(edit(100 * kMiB, "alice").code, "out-of-safe-range");
  EXPECT_EQ(edit(300 * kMiB, "bob").code, "proposer-other");
  fleet.clock.advance(1s);
  ASSERT_TRUE(edit(300 * kMiB, "alice").ok());
  fleet.settle();
  EXPECT_EQ(fleet.core->find(original)->state, PlanState::superseded);
  EXPECT_EQ(fleet.vote("alice").code, "proposer-approved");
  EXPECT_TRUE(fleet.vote("bob").ok());
  EXPECT_TRUE(fleet.vote("carol").ok());
  fleet.pass(2s);
  EXPECT_EQ(fleet.limit(), 300 * kMiB);
}

TEST(Governance, nobody_answers_and_the_plan_ends) {
  Fleet fleet;
  fleet.explain();
  const Digest first = fleet.plan().digest;
  fleet.pass(61min, 1min);
  EXPECT_EQ(fleet.core->find(first)->state, PlanState::expired);
  EXPECT_NE(fleet.plan().digest, first) << "the incident goes on: it is proposed again";
}

TEST(Governance, nothing_is_approved_while_the_log_cannot_be_written) {
  Fleet fleet;
  fleet.explain();
  fleet.log_disk.capacity_bytes(0);
  ASSERT_TRUE(fleet.vote("alice").ok()) << "not noticed yet";
  fleet.pass(2s);
  EXPECT_NE(fleet.core->problem(), "");
  const Reply refused = fleet.vote("bob");
  EXPECT_EQ(refused.code, "audit-not-writable");
  EXPECT_EQ(refused.errc, Errc::io);
  EXPECT_EQ(fleet.limit(), kOld);

  fleet.log_disk.capacity_bytes(std::nullopt);
  fleet.log.reset();
  fleet.open_log();
  fleet.settle();
  EXPECT_EQ(fleet.core->problem(), "");
  EXPECT_TRUE(fleet.vote("bob").ok());
  fleet.pass(2s);
  EXPECT_EQ(fleet.limit(), kNew);
  fleet.expect_log_and_store_agree();
}

TEST(Governance, nothing_is_released_that_is_not_durable) {
  Fleet fleet;
  fleet.explain();
  fleet.vote("alice");
  fleet.store.fails = true;
  fleet.vote("bob");
  fleet.pass(2s);
  EXPECT_EQ(fleet.limit(), kOld);
  EXPECT_EQ(fleet.vote("carol").code, "audit-not-writable");
  fleet.store.fails = false;
  fleet.pass(2s);
  EXPECT_EQ(fleet.limit(), kNew) << "the write came again";
  fleet.expect_log_and_store_agree();
}

TEST(Governance, floods_of_refused_calls_are_counted_and_not_written) {
  Fleet fleet;
  const std::size_t before = fleet.log->size();
  for (int i = 0; i < 5'000; ++i) fleet.core->record("call.refused", {}, "/api/v1/plans", "unauthorized", "");
  fleet.pass(2s);
  EXPECT_LE(fleet.log->size() - before, 700U);
}

}  // namespace
}  // namespace fw::governance::test
