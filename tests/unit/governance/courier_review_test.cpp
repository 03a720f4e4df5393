// How often the courier sends again, and what it says of journals that are not what they were.
#include "fleet.hpp"

namespace fw::governance::test {
namespace {

template <class T>
std::ptrdiff_t count_of(const std::vector<Packet>& packets) {
  return std::count_if(packets.begin(), packets.end(), [](const Packet& p) { return std::holds_alternative<T>(p); });
}

void answer(Fleet& fleet, const Packet& packet) { fleet.core->on_packet(node_uid(), to_bytes(packet)); }

ExecutorStatus status_with_journal(Fleet& fleet, std::uint64_t seq) {
  ExecutorStatus status = fleet.executor->status();
  status.journal_seq = seq;
  return status;
}

TEST(CourierAgain, a_statement_that_no_answer_ends_is_sent_less_and_less_often) {
  Fleet fleet;
  fleet.cut();
  ASSERT_TRUE(fleet.state_by(Pause{"stop"}, "dave").ok());
  fleet.core->on_node_connected(node_uid());
  answer(fleet, fleet.executor->status());   // it is there, and says no word to what comes
  fleet.settle();
  const auto sent_in = [&](std::chrono::seconds time) {
    const auto before = count_of<DeliverStatement>(fleet.to_node);
    fleet.pass(time, 1s);
    return count_of<DeliverStatement>(fleet.to_node) - before;
  };
  EXPECT_EQ(count_of<DeliverStatement>(fleet.to_node), 1);
  EXPECT_EQ(sent_in(5s), 1);
  EXPECT_EQ(sent_in(9s), 0);
  EXPECT_EQ(sent_in(2s), 1);
  EXPECT_LE(sent_in(10min), 12) << "once a minute";
  EXPECT_GE(sent_in(10min), 9) << "and never given up";
}

TEST(CourierAgain, a_new_statement_and_a_new_connection_do_not_wait_for_an_old_one) {
  Fleet fleet;
  fleet.cut();
  ASSERT_TRUE(fleet.state_by(Pause{"one"}, "dave").ok());
  fleet.core->on_node_connected(node_uid());
  answer(fleet, fleet.executor->status());
  fleet.pass(2min, 1s);
  auto before = count_of<DeliverStatement>(fleet.to_node);
  ASSERT_TRUE(fleet.state_by(Pause{"two"}, "dave").ok());
  fleet.pass(2s, 1s);
  EXPECT_EQ(count_of<DeliverStatement>(fleet.to_node) - before, 2) << "both";
  fleet.pass(2min, 1s);
  before = count_of<DeliverStatement>(fleet.to_node);
  fleet.cut();
  fleet.link();
  EXPECT_GE(count_of<DeliverStatement>(fleet.to_node) - before, 2);
  EXPECT_TRUE(fleet.executor->status().paused);
}

TEST(CourierAgain, a_policy_that_no_answer_ends_is_sent_less_and_less_often) {
  Fleet fleet;
  fleet.cut();
  auto next = fleet.policy;
  ++next.version;
  const auto document = authority::test::sign(next, {"root-1", "root-2"});
  ASSERT_TRUE(fleet.core->load_policy(document.document, document.signatures, fleet.caller("alice")).ok());
  fleet.settle();
  fleet.core->on_node_connected(node_uid());
  answer(fleet, fleet.executor->status());
  fleet.pass(10min, 1s);
  EXPECT_LE(count_of<DeliverPolicy>(fleet.to_node), 15);
  EXPECT_GE(count_of<DeliverPolicy>(fleet.to_node), 10);
}

// ---- journals

TEST(JournalOfNode, that_is_shorter_than_it_was_is_an_alarm_that_stays) {
  Fleet fleet;
  answer(fleet, status_with_journal(fleet, 40));
  fleet.settle();
  EXPECT_TRUE(fleet.entries("executor.alarm").empty());
  answer(fleet, status_with_journal(fleet, 39));
  answer(fleet, status_with_journal(fleet, 38));
  fleet.settle();
  fleet.pass(2s);
  ASSERT_EQ(fleet.entries("executor.alarm").size(), 1U) << "said once";
  EXPECT_NE(fleet.entries("executor.alarm")[0].find("journal-went-back"), std::string::npos);
  EXPECT_EQ(fleet.core->stats().alarms_total, 1U);
  answer(fleet, status_with_journal(fleet, 41));
  fleet.settle();
  ASSERT_FALSE(fleet.core->warnings().empty());
  EXPECT_THAT(fleet.core->warnings(), ::testing::Contains(::testing::HasSubstr("its journal is shorter than the 40 records that it had")));
}

TEST(JournalOfNode, that_is_shorter_is_seen_over_a_restart_of_the_aggregator) {
  Fleet fleet;
  fleet.pass(61s, 1s);
  answer(fleet, status_with_journal(fleet, 400));
  fleet.settle();
  fleet.pass(61s, 1s);
  fleet.linked = false;
  fleet.restart_server();
  fleet.core->on_node_connected(node_uid());
  answer(fleet, status_with_journal(fleet, 399));
  fleet.settle();
  EXPECT_THAT(fleet.core->warnings(), ::testing::Contains(::testing::HasSubstr("400 records")));
}

TEST(JournalOfNode, that_cannot_be_written_proves_nothing) {
  Fleet fleet;
  auto failing = status_with_journal(fleet, 400);
  failing.journal_problem = "disk full";
  answer(fleet, failing);
  answer(fleet, status_with_journal(fleet, 300));   // what was only read back went with the power
  failing.journal_seq = 200;
  answer(fleet, failing);
  answer(fleet, status_with_journal(fleet, 300));
  fleet.settle();
  EXPECT_EQ(fleet.core->stats().alarms_total, 0U);
}

TEST(JournalOfNode, that_is_new_is_shown_for_a_day_and_ends_the_alarm_of_a_shorter_one) {
  Fleet fleet;
  answer(fleet, status_with_journal(fleet, 40));
  answer(fleet, status_with_journal(fleet, 39));
  fleet.settle();
  fleet.node_disk = {};
  fleet.start_node();
  fleet.link();
  fleet.pass(2s);
  const auto shown = [&] { return ::testing::Matches(::testing::Contains(::testing::HasSubstr("its journal is a new one")))(fleet.core->warnings()); };
  EXPECT_TRUE(shown());
  EXPECT_EQ(fleet.core->warnings().size(), 1U);
  EXPECT_EQ(fleet.core->stats().alarms_total, 2U);
  EXPECT_EQ(fleet.entries("executor.new_journal").size(), 1U);
  fleet.clock.advance(23h);
  answer(fleet, fleet.executor->status());
  EXPECT_TRUE(shown());
  fleet.clock.advance(2h);
  answer(fleet, fleet.executor->status());
  EXPECT_FALSE(shown());
}

}  // namespace
}  // namespace fw::governance::test
