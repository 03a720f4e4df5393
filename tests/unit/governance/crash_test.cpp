// The server loses its power between any two steps of store and log: no entry is lost, none is there twice, nothing is done twice.
#include "fleet.hpp"

namespace fw::governance::test {
namespace {

// Everything that the fleet does from the first vote on, with the power going after `steps` moves.
void run(Fleet& fleet, int steps) {
  fleet.explain();
  const auto vote = [&](std::string_view name) {
    const PlanRecord* plan = fleet.core->newest_plan(fleet.incident.uid);
    if (plan != nullptr) static_cast<void>(fleet.core->vote(plan->digest, fleet.make_vote(*plan, name), Fleet::caller(name)));
  };
  vote("alice");
  int left = steps;
  const auto move = [&] {
    while (left > 0 && fleet.turn()) --left;
  };
  move();
  vote("bob");
  move();
  for (int i = 0; i < 20 && left > 0; ++i) {
    fleet.clock.advance(500ms);
    for (const Bytes& said : fleet.executor->on_timer()) fleet.core->on_packet(node_uid(), said);
    fleet.core->on_tick();
    move();
  }
}

TEST(GovernanceCrash, between_any_two_steps_nothing_is_lost_or_there_twice) {
  for (int steps = 0; steps < 40; ++steps) {
    SCOPED_TRACE(steps);
    Fleet fleet;
    run(fleet, steps);
    fleet.restart_server();
    fleet.core->on_incident(fleet.incident);
    fleet.settle();
    // People whose answer did not come ask again.
    for (const char* name : {"alice", "bob"}) fleet.vote(name);
    fleet.pass(20s);
    EXPECT_EQ(fleet.limit(), kNew);
    EXPECT_EQ(fleet.world.effects(fleet.plan().plan), 1);
    EXPECT_EQ(fleet.entries("plan.released").size(), 1U);
    fleet.expect_log_and_store_agree();
  }
}

TEST(GovernanceCrash, a_write_that_was_done_and_not_answered_changes_nothing_twice) {
  Fleet fleet;
  fleet.explain();
  const PlanRecord& plan = fleet.plan();
  ASSERT_TRUE(fleet.core->vote(plan.digest, fleet.make_vote(plan, "alice"), Fleet::caller("alice")).ok());
  const auto write = fleet.core->take_write();
  ASSERT_TRUE(write);
  ASSERT_TRUE(fleet.store.write(*write));              // and the program ends here
  fleet.restart_server();
  fleet.settle();
  EXPECT_EQ(fleet.plan().votes.size(), 1U);
  EXPECT_EQ(fleet.entries("plan.vote").size(), 1U);
  fleet.expect_log_and_store_agree();
}

TEST(GovernanceCrash, entries_in_the_log_that_the_store_does_not_know_of_are_found_by_their_id) {
  Fleet fleet;
  fleet.explain();
  const PlanRecord& plan = fleet.plan();
  ASSERT_TRUE(fleet.core->vote(plan.digest, fleet.make_vote(plan, "alice"), Fleet::caller("alice")).ok());
  const auto write = fleet.core->take_write();
  ASSERT_TRUE(write);
  fleet.core->on_written(fleet.store.write(*write));
  fleet.clock.advance(2s);
  for (const LogWork& work : fleet.core->take_log_work()) static_cast<void>(run(*fleet.log, work));   // answered to nobody
  fleet.restart_server();
  fleet.settle();
  fleet.pass(2s);
  EXPECT_EQ(fleet.entries("plan.vote").size(), 1U);
  fleet.expect_log_and_store_agree();
}

}  // namespace
}  // namespace fw::governance::test
