// Deliveries over a bad link, and what executors say that is not to be believed.
#include "fleet.hpp"

namespace fw::governance::test {
namespace {

TEST(Courier, delivers_when_the_node_comes_back) {
  Fleet fleet;
  fleet.explain();
  fleet.cut();
  fleet.vote("alice");
  fleet.vote("bob");
  fleet.pass(60s, 5s);
  EXPECT_EQ(fleet.plan().state, PlanState::released);
  EXPECT_EQ(fleet.limit(), kOld);
  fleet.link();
  fleet.pass(1s);
  EXPECT_EQ(fleet.limit(), kNew);
  EXPECT_EQ(fleet.world.effects(fleet.plan().plan), 1);
}

TEST(Courier, sends_again_until_the_outcome_and_the_node_acts_once) {
  Fleet fleet;
  fleet.explain();
  fleet.vote("alice");
  fleet.vote("bob");
  fleet.pass(2s);
  std::vector<Packet> sent = fleet.to_node;
  for (const Packet& packet : sent) {
    if (!std::holds_alternative<DeliverPlan>(packet)) continue;
    for (int i = 0; i < 3; ++i) {
      const auto answer = fleet.executor->on_packet(to_bytes(packet));
      ASSERT_TRUE(answer);
      for (const Bytes& said : *answer) fleet.core->on_packet(node_uid(), said);
    }
  }
  fleet.pass(2s);
  EXPECT_EQ(fleet.world.effects(fleet.plan().plan), 1);
  EXPECT_EQ(fleet.entries("plan.outcome").size(), 1U) << "the same outcome again is no news";
}

TEST(Courier, a_node_that_never_answers_ends_the_plan) {
  Fleet fleet;
  fleet.explain();
  fleet.cut();
  fleet.vote("alice");
  fleet.vote("bob");
  const Digest plan = fleet.plan().digest;
  fleet.pass(70min, 1min);
  EXPECT_EQ(fleet.core->find(plan)->state, PlanState::expired);
}

TEST(Courier, a_denial_that_comes_after_the_release_reaches_the_node_first_or_too_late) {
  Fleet fleet;
  fleet.explain();
  fleet.cut();
  fleet.vote("alice");
  fleet.vote("bob");
  ASSERT_EQ(fleet.plan().state, PlanState::released);
  ASSERT_TRUE(fleet.vote("carol", Decision::deny).ok());
  fleet.link();
  fleet.pass(10s);
  EXPECT_EQ(fleet.plan().state, PlanState::denied);
  EXPECT_EQ(fleet.limit(), kOld);
}

TEST(Courier, an_outcome_that_the_executor_did_not_sign_is_not_believed) {
  Fleet fleet;
  fleet.explain();
  fleet.cut();
  fleet.vote("alice");
  fleet.vote("bob");
  fleet.linked = true;
  const PlanRecord& plan = fleet.plan();
  Outcome outcome{.plan = plan.digest, .node = node_uid(), .incarnation = fleet.executor->status().incarnation, .state = State::done, .code = "",
                  .sentence = "", .started_ms = 1, .ended_ms = 2, .before = "", .after = "", .rolled_back = false, .journal_seq = 9, .journal_hash = {}};
  const Bytes bytes = to_bytes(outcome);
  fleet.core->on_packet(node_uid(), to_bytes(OutcomeReport{bytes, authority::test::sign_as("mallory", Domain::result, bytes)}));
  fleet.settle();
  EXPECT_EQ(fleet.plan().state, PlanState::released);
  fleet.linked = false;
  fleet.pass(2s);
  EXPECT_EQ(fleet.entries("executor.alarm").size(), 1U);
}

TEST(Courier, an_executor_whose_key_changed_without_its_journal_is_an_alarm) {
  Fleet fleet;
  ExecutorStatus status = fleet.executor->status();
  status.key = authority::test::public_key_of("mallory");
  fleet.core->on_packet(node_uid(), to_bytes(status));
  fleet.settle();
  ASSERT_EQ(fleet.core->executors().size(), 1U);
  EXPECT_NE(fleet.core->executors().front()->problem, "");
  EXPECT_EQ(fleet.core->executors().front()->status.key, fleet.executor->status().key);
  fleet.pass(2s);
  EXPECT_EQ(fleet.entries("executor.alarm").size(), 1U);
  EXPECT_EQ(fleet.entries("executor.seen").size(), 1U);
}

TEST(Courier, plans_for_a_lost_journal_are_void_and_made_again) {
  Fleet fleet;
  fleet.explain();
  fleet.vote("alice");
  const Digest before = fleet.plan().digest;
  fleet.cut();
  fleet.executor.reset();
  fleet.node_disk = FakeDisk();
  fleet.clock.advance(1s);
  fleet.start_node();
  fleet.link();
  EXPECT_EQ(fleet.core->find(before)->state, PlanState::expired);
  ASSERT_NE(fleet.plan().digest, before);
  EXPECT_EQ(fleet.plan().plan.target.incarnation, fleet.executor->status().incarnation);
  EXPECT_EQ(fleet.entries("executor.new_journal").size(), 1U);
}

TEST(Courier, nodes_get_newer_policies_and_heads) {
  Fleet fleet;
  fleet.explain();
  fleet.pass(15s);
  const auto seen = parse_note(fleet.executor->status().checkpoint);
  ASSERT_TRUE(seen);
  EXPECT_GE(seen->checkpoint.size, 1U);
  Policy next = fleet.policy;
  next.version = 2;
  next.issued_ms = fleet.now_ms();
  const auto signed_next = authority::test::sign(next, {"root-1", "root-2"});
  ASSERT_TRUE(fleet.core->load_policy(signed_next.document, signed_next.signatures, Fleet::caller("alice")).ok());
  fleet.settle();
  fleet.pass(2s);
  const ExecutorStatus status = fleet.executor->status();
  EXPECT_EQ(std::max(status.policy_version, status.pending_policy_version.value_or(0)), 2U);
}

// Whoever has the log's key shows the node how the log went on, which it never did; the node's status tells us.
void see_forged_head(Fleet& fleet) {
  const auto seen = parse_note(fleet.executor->status().checkpoint)->checkpoint;
  Tree tree;
  for (const std::string& line : *fleet.log->entries(0, seen.size)) tree.append(leaf_hash(line));
  tree.append(leaf_hash("what never happened"));
  DeliverCheckpoint forged{.note = sign_note({seen.origin, tree.size(), tree.root()}, key_of("log")), .from_size = seen.size, .consistency = {}};
  forged.consistency = *tree.consistency(seen.size, tree.size());
  const auto said = fleet.executor->on_packet(to_bytes(Packet(forged)));
  ASSERT_TRUE(said);
  for (const Bytes& packet : *said) fleet.core->on_packet(node_uid(), packet);
}

TEST(Courier, a_log_that_went_back_is_an_alarm_and_goes_on_under_a_new_origin) {
  Fleet fleet;
  fleet.explain();
  fleet.pass(15s);
  fleet.cut();
  // Yesterday's backup: nothing of what the node saw.
  const auto seen = parse_note(fleet.executor->status().checkpoint)->checkpoint;
  ASSERT_GE(seen.size, 1U);
  fleet.store = MemoryStore();
  fleet.log.reset();
  fleet.core.reset();
  fleet.log_disk = FakeDisk();
  fleet.start_server();
  fleet.link();
  fleet.pass(2s);
  ASSERT_EQ(fleet.core->executors().size(), 1U);
  EXPECT_NE(fleet.core->executors().front()->problem, "");

  // Nodes refuse until the roots say how it goes on.
  fleet.explain();
  fleet.vote("alice");
  fleet.vote("bob");
  fleet.pass(10s);
  EXPECT_EQ(fleet.limit(), kOld);
  const NewOrigin moved{.origin = "fleetwright/acme/audit-2", .log_key = authority::test::public_key_of("log"), .old_origin = std::string(authority::test::kOrigin),
                        .old_size = seen.size, .old_root = seen.root};
  const Reply first = fleet.state_by(moved, "root-1");
  ASSERT_TRUE(first.ok()) << first.sentence;
  EXPECT_EQ(fleet.core->find_document(first.subject)->state, DocumentState::gathering);
  const Reply second = fleet.state_by(moved, "root-2", fleet.last_statement);
  ASSERT_TRUE(second.ok()) << second.sentence;
  EXPECT_EQ(fleet.core->find_document(first.subject)->state, DocumentState::active);
  fleet.pass(90s, 1s);
  EXPECT_EQ(fleet.core->log_origin(), "fleetwright/acme/audit-2");
  EXPECT_EQ(fleet.limit(), kNew) << fleet.core->state_text(fleet.plan());
  fleet.expect_log_and_store_agree();
}

// Found by the simulator: an answer that was late spoke of the head before.
TEST(Courier, a_late_answer_about_an_older_head_does_not_end_the_alarm_about_a_newer_one) {
  Fleet fleet;
  fleet.explain();
  fleet.pass(15s);
  const auto older = parse_note(fleet.executor->status().checkpoint)->checkpoint;
  see_forged_head(fleet);
  fleet.pass(1s);
  const std::string problem = fleet.core->executors().front()->problem;
  ASSERT_NE(problem, "");
  fleet.core->on_log(HeadCompared{node_uid(), older, HeadCheck::ours});
  fleet.settle();
  EXPECT_EQ(fleet.core->executors().front()->problem, problem);
}

// Found by the simulator: what was asked of a log that then failed was never asked again.
TEST(Courier, a_split_view_is_seen_also_when_the_log_failed_meanwhile) {
  Fleet fleet;
  fleet.explain();
  fleet.pass(15s);
  fleet.log_disk.capacity_bytes(0);
  ASSERT_TRUE(fleet.vote("alice").ok());
  fleet.pass(2s);
  ASSERT_NE(fleet.core->problem(), "");
  see_forged_head(fleet);
  fleet.settle();

  fleet.log_disk.capacity_bytes(std::nullopt);
  fleet.log.reset();
  fleet.open_log();
  fleet.pass(30s);
  EXPECT_NE(fleet.core->executors().front()->problem, "");
}

// Found by the simulator: the row of such an executor could not be read again, and the server did not start any more.
TEST(Courier, an_executor_that_says_it_is_another_node_does_not_stop_the_next_start) {
  Fleet fleet;
  const Uuid other{{9}};
  fleet.core->on_node_connected(other);
  fleet.core->on_packet(other, to_bytes(Packet(fleet.executor->status())));
  fleet.settle();
  fleet.restart_server();
  fleet.settle();
  EXPECT_TRUE(fleet.core->enabled());
  EXPECT_EQ(fleet.core->executors().size(), 1U);
}

TEST(Courier, a_plan_whose_proof_was_lost_with_the_log_is_delivered_when_the_log_is_back) {
  Fleet fleet;
  fleet.explain();
  ASSERT_TRUE(fleet.vote("alice").ok());
  ASSERT_TRUE(fleet.core->vote(fleet.plan().digest, fleet.make_vote(fleet.plan(), "bob"), Fleet::caller("bob")).ok());
  bool lost = false;
  for (int i = 0; i < 20 && !lost; ++i) {
    if (auto write = fleet.core->take_write()) fleet.core->on_written(fleet.store.write(*write));
    for (const LogWork& work : fleet.core->take_log_work()) {
      lost = lost || std::holds_alternative<ProveRelease>(work);
      fleet.core->on_log(lost ? LogAnswer(LogFailed{.why = "the disk is gone", .broken = true, .plan = {}, .node = {}}) : run(*fleet.log, work));
    }
  }
  ASSERT_TRUE(lost);
  EXPECT_EQ(fleet.plan().state, PlanState::released);
  fleet.log.reset();
  fleet.open_log();
  fleet.pass(10s);
  EXPECT_EQ(fleet.limit(), kNew);
}

TEST(Courier, more_witnesses_than_a_note_can_hold_do_not_keep_a_plan_from_its_node) {
  Policy policy = authority::test::team_policy();
  for (int i = 0; i < 20; ++i) policy.witnesses.push_back({"w" + std::to_string(i), key_of("w" + std::to_string(i)).public_key()});
  policy.witness_quorum = 3;
  Fleet fleet(policy);
  fleet.explain();
  ASSERT_TRUE(fleet.vote("alice").ok());
  ASSERT_TRUE(fleet.vote("bob").ok());
  ASSERT_EQ(fleet.limit(), kOld) << "the quorum is missing";
  const std::string head = fleet.core->checkpoint();
  for (std::uint8_t i = 0; i < 20; ++i) {
    const std::string name = "w" + std::to_string(i);
    ExecutorStatus status = fleet.executor->status();
    status.node = Uuid{{100, i}};
    status.key = key_of("executor-" + name).public_key();
    status.checkpoint = head + cosign_note(*parse_note(head), name, key_of(name), fleet.now_ms() / 1000);
    fleet.core->on_packet(status.node, to_bytes(Packet(status)));
  }
  fleet.settle();
  fleet.pass(10s);
  EXPECT_EQ(fleet.limit(), kNew);
}

TEST(Courier, a_note_full_of_signatures_leaves_the_executors_word_readable) {
  Fleet fleet;
  fleet.explain();
  const std::string head = fleet.core->checkpoint();
  std::string full = head;
  for (int i = 0; i < 15; ++i) full += cosign_note(*parse_note(head), "w" + std::to_string(i), key_of("w"), 1);
  ASSERT_TRUE(parse_note(full));
  const auto seen = fleet.executor->status().checkpoint;
  const std::uint64_t from = seen.empty() ? 0 : parse_note(seen)->checkpoint.size;
  DeliverCheckpoint delivered{.note = full, .from_size = from, .consistency = *fleet.log->consistency(from, parse_note(head)->checkpoint.size)};
  ASSERT_TRUE(fleet.executor->on_packet(to_bytes(Packet(delivered))));
  const auto kept = parse_note(fleet.executor->status().checkpoint);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->checkpoint, parse_note(head)->checkpoint);
  EXPECT_TRUE(verify_note(*kept, fleet.policy.log_origin, fleet.policy.log_key));
  EXPECT_TRUE(verify_cosignature(*kept, "node/" + node_uid().str(), fleet.executor->status().key));
}

TEST(Courier, one_node_cannot_fill_the_audit_log) {
  Fleet fleet;
  ASSERT_TRUE(fleet.state_by(Pause{"stop"}, "dave").ok());
  const Digest pause = document_digest(Domain::statement, fleet.last_statement);
  const auto before = fleet.log->size();
  for (int i = 0; i < 500; ++i) {
    fleet.core->on_packet(node_uid(), to_bytes(Packet(Notice{pause, "whatever", "no", false})));
    fleet.core->on_packet(node_uid(), to_bytes(Packet(OutcomeReport{Bytes(static_cast<std::size_t>(i) + 1), {}})));
    ExecutorStatus status = fleet.executor->status();
    status.incarnation[0] = static_cast<std::uint8_t>(i);
    fleet.core->on_packet(node_uid(), to_bytes(Packet(status)));
  }
  fleet.pass(3s);
  EXPECT_LE(fleet.log->size() - before, CoreConfig{}.node_audit_per_minute + 10);
}

}  // namespace
}  // namespace fw::governance::test
