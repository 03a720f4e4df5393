// What is delivered while nothing can be written, twice, late or about nothing; and journals that no executor of ours has written.
#include "protocol/authority/executor_records.hpp"
#include "protocol/authority/executor_state.hpp"
#include "protocol/authority/journal.hpp"
#include "tests/unit/authority/executor/node.hpp"

namespace fw::authority::test {
namespace {

struct Deliveries : ::testing::Test {
  Node node;
  void SetUp() override { ASSERT_TRUE(node.start()); }

  Packet statement_of(decltype(Statement::body) body, const Names& people) const {
    auto out = statement(std::move(body));
    out.policy_version = node.policy.version;
    out.issued_ms = node.now_ms();
    out.expires_ms = node.now_ms() + kHourMs;
    const auto signed_one = sign(out, people);
    return DeliverStatement{signed_one.document, signed_one.signatures};
  }
  Packet policy_of(const Policy& policy) const {
    const auto signed_one = sign(policy, {"root-1", "root-2"});
    return DeliverPolicy{signed_one.document, signed_one.signatures};
  }
  Policy next() const {
    auto out = node.policy;
    ++out.version;
    out.issued_ms = node.now_ms();
    return out;
  }
  Packet denial_of(const Plan& plan) const {
    auto no = approval(plan, "alice", Decision::deny);
    no.issued_ms = node.now_ms();
    no.expires_ms = node.now_ms() + kHourMs;
    return DeliverDenial{sign(no, "alice")};
  }
  // Nothing is taken while the disk is full; the same bytes are taken later.
  void expect_taken_when_it_can_be_written(const Packet& packet) {
    const auto before = node.executor->status();
    node.disk.capacity_bytes(node.disk.total_bytes() + 10);
    node.send(packet);
    EXPECT_EQ(node.last_notice(), "journal-failed");
    EXPECT_TRUE(node.notices().back().again);
    auto now = node.executor->status();
    now.journal_problem.clear();
    EXPECT_EQ(now, before) << "nothing counts that is not durable";
    node.disk.capacity_bytes(std::nullopt);
    node.pass(3s);
    node.send(packet);
    EXPECT_EQ(node.last_notice(), "") << node.notices().back().sentence;
  }
};

TEST_F(Deliveries, a_policy_that_tightens_waits_for_the_disk) {
  auto tighter = next();
  tighter.paused = true;
  expect_taken_when_it_can_be_written(policy_of(tighter));
  EXPECT_EQ(node.executor->status().policy_version, 2);
}

TEST_F(Deliveries, a_policy_that_loosens_waits_for_the_disk) {
  auto looser = next();
  looser.time_skew_ms += 1'000;
  expect_taken_when_it_can_be_written(policy_of(looser));
  EXPECT_EQ(node.executor->status().pending_policy_version, 2);
  node.send(policy_of(looser));
  EXPECT_EQ(node.notices().back().sentence, "this node has it already");
  EXPECT_EQ(node.executor->status().pending_policy_version, 2);
}

TEST_F(Deliveries, a_policy_that_comes_into_force_while_the_disk_is_full_does_so_later) {
  auto looser = next();
  looser.time_skew_ms += 1'000;
  node.send(policy_of(looser));
  node.disk.capacity_bytes(node.disk.total_bytes() + 10);
  node.pass(61min);
  EXPECT_EQ(node.executor->status().policy_version, 1);
  node.disk.capacity_bytes(std::nullopt);
  node.pass(3s);
  EXPECT_EQ(node.executor->status().policy_version, 2);
}

TEST_F(Deliveries, statements_wait_for_the_disk) {
  expect_taken_when_it_can_be_written(statement_of(Pause{"look first"}, {"alice"}));
  EXPECT_TRUE(node.executor->status().paused);
  node.pass(1s);
  expect_taken_when_it_can_be_written(statement_of(Resume{"fine"}, {"alice", "bob"}));
  EXPECT_FALSE(node.executor->status().paused);
}

TEST_F(Deliveries, a_settlement_is_said_when_it_is_durable) {
  node.world.fails_after_effect = Error(Errc::io, "half done");
  const auto plan = node.make_plan(RotateLog{"/var/log/pods/shop_checkout_1/app/0.log", 1 << 20});
  node.deliver(node.approve(plan, {"alice"}));
  node.acknowledge();
  ASSERT_EQ(node.state(plan), State::unknown);
  const auto settle = statement_of(Settle{digest_of(plan), false, "I looked"}, {"alice"});
  node.disk.capacity_bytes(node.disk.total_bytes() + 10);
  node.sent.clear();
  node.send(settle);
  EXPECT_EQ(node.last_notice(), "journal-failed");
  EXPECT_TRUE(node.reports().empty());
  node.disk.capacity_bytes(std::nullopt);
  node.pass(3s);
  ASSERT_FALSE(node.reports().empty());
  EXPECT_EQ(node.reports().back().state, State::failed);
  EXPECT_EQ(node.reports().back().code, "settled");
}

TEST_F(Deliveries, a_denial_waits_for_the_disk_and_is_kept_once) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  expect_taken_when_it_can_be_written(denial_of(plan));
  const auto written = node.disk.total_bytes();
  node.send(denial_of(plan));
  EXPECT_EQ(node.last_notice(), "");
  EXPECT_EQ(node.disk.total_bytes(), written);
  node.deliver(node.approve(plan));
  EXPECT_EQ(node.code(plan), "denied");
  EXPECT_EQ(node.world.effects(plan), 0);
}

TEST_F(Deliveries, a_checkpoint_waits_for_the_disk) {
  node.log.append("{}");
  expect_taken_when_it_can_be_written(DeliverCheckpoint{node.log.note(), 0, {}});
  EXPECT_EQ(node.seen(), 1);
}

TEST_F(Deliveries, a_proof_of_growth_that_does_not_lead_there_is_named) {
  node.log.append("{}");
  node.send(DeliverCheckpoint{node.log.note(), 0, {}});
  node.log.append("{\"a\":1}");
  auto proof = node.log.prove(1, 1).consistency;
  ASSERT_FALSE(proof.empty());
  proof[0][0] ^= 1;
  node.send(DeliverCheckpoint{node.log.note(), 1, proof});
  EXPECT_EQ(node.last_notice(), "checkpoint-inconsistent");
  EXPECT_EQ(node.seen(), 1);
}

TEST_F(Deliveries, an_acknowledgement_of_nothing_changes_nothing) {
  const auto written = node.disk.total_bytes();
  node.send(AckOutcome{sha256(Bytes{1}), 1, 1});
  const auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  EXPECT_EQ(node.disk.total_bytes(), written);
  node.deliver(node.approve(plan));
  node.acknowledge();
  const auto after = node.disk.total_bytes();
  node.acknowledge();
  EXPECT_EQ(node.disk.total_bytes(), after) << "acknowledged once";
}

// ---- journals from elsewhere -----------------------------------------------------------------------------------------

struct Loaded : Deliveries {
  Result<void> start_with(const std::vector<RecordBody>& bodies) {
    FakeDisk disk;
    std::vector<JournalRecord> records;
    for (const auto& body : bodies) {
      const Record record{kNowMs, body};
      records.push_back({0, record_type(record), to_bytes(record), {}});
    }
    if (auto ok = Journal::open(disk).value()->compact(records); !ok) return ok;
    node.disk = disk;
    return node.start();
  }
  IdentityRecord identity() const { return {incarnation(), node_uid(), PrivateKey::generate().to_pem()}; }
  PolicyRecord active() const { return {true, 0, node.config.first_policy}; }
};

TEST_F(Loaded, a_whole_one_is_used) {
  ASSERT_TRUE(start_with({identity(), active()}));
  EXPECT_EQ(node.executor->status().incarnation, incarnation());
}

TEST_F(Loaded, one_that_lacks_something_is_not) {
  EXPECT_EQ(start_with({identity()}).error().code, Errc::malformed);
  EXPECT_EQ(start_with({active()}).error().code, Errc::malformed);
  auto keyless = identity();
  keyless.key_pem = "no key";
  EXPECT_THAT(start_with({keyless, active()}).error().message(), ::testing::HasSubstr("journal: key"));
  auto unreadable = active();
  unreadable.document = {1, 2, 3};
  EXPECT_EQ(start_with({identity(), unreadable}).error().code, Errc::malformed);
  unreadable.active = false;
  EXPECT_EQ(start_with({identity(), active(), unreadable}).error().code, Errc::malformed);
  auto broken = node.policy;
  broken.root_threshold = 99;
  EXPECT_EQ(start_with({identity(), PolicyRecord{true, 0, to_bytes(broken)}}).error().code, Errc::malformed);
}

TEST_F(Loaded, a_record_of_a_later_version_is_named) {
  FakeDisk disk;
  ASSERT_TRUE(Journal::open(disk).value()->compact({{0, 77, Bytes{1}, {}}}));
  node.disk = disk;
  EXPECT_THAT(node.start().error().message(), ::testing::HasSubstr("journal: record 1"));
}

TEST_F(Loaded, a_newer_policy_of_the_nodes_files_waits_for_the_disk) {
  auto newer = next();
  node.config.first_policy = to_bytes(newer);
  node.config.first_policy_digest = sha256(node.config.first_policy);
  node.disk.capacity_bytes(node.disk.total_bytes());
  node.executor.reset();
  node.disk.restart(AfterCrash::keep);
  EXPECT_FALSE(node.start());
  node.disk.capacity_bytes(std::nullopt);
  ASSERT_TRUE(node.start());
  EXPECT_EQ(node.executor->status().policy_version, 2);
}

TEST_F(Loaded, a_new_journal_has_to_be_written_first) {
  node.executor.reset();
  node.disk = FakeDisk();
  node.disk.capacity_bytes(100);
  EXPECT_FALSE(node.start());
  node.disk = FakeDisk();
  node.disk.fail_at(1, DiskFault::eio);
  EXPECT_EQ(node.start().error().code, Errc::io);
}

// ---- plans -----------------------------------------------------------------------------------------------------------

TEST_F(Deliveries, what_people_refused_while_the_disk_is_full_is_refused_again) {
  auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  plan.not_after_ms = node.now_ms() - 1;
  plan.not_before_ms = plan.not_after_ms - kHourMs;
  const auto envelope = node.approve(plan);
  node.clock.advance(10min);
  node.disk.capacity_bytes(node.disk.total_bytes() + 10);
  node.deliver(envelope);
  EXPECT_TRUE(node.notices().back().again);
  EXPECT_EQ(node.state(plan), State::unset);
  node.disk.capacity_bytes(std::nullopt);
  node.pass(3s);
  node.deliver(envelope);
  EXPECT_EQ(node.state(plan), State::expired);
}

TEST_F(Deliveries, the_second_of_seventeen_that_wait_is_not_forgotten_and_the_last_comes_again) {
  node.world.objects.erase(kPath);
  std::vector<Envelope> envelopes;
  std::vector<Plan> plans;
  node.world.cgroup(kPath).values = {{Probe::pids_max, 100}};
  for (int i = 0; i < 18; ++i) {
    plans.push_back(node.make_plan(SetPidsMax{200 + i, 600'000}, "plan " + std::to_string(i)));
    envelopes.push_back(node.approve(plans.back()));
  }
  node.world.failing = {{FakeActuator::Call::open, Error(Errc::io, "busy")}};
  node.sent.clear();
  for (const auto& envelope : envelopes) node.deliver(envelope);
  EXPECT_EQ(node.notices().size(), 18U);
  for (const auto& notice : node.notices()) EXPECT_TRUE(notice.again);
}

TEST_F(Deliveries, one_that_waits_is_answered_with_its_reason_each_time_and_with_a_new_one_at_once) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  const auto envelope = node.approve(plan);
  const auto values = node.world.objects[kPath];
  node.world.objects.erase(kPath);
  node.deliver(envelope);
  node.deliver(envelope);
  ASSERT_EQ(node.notices().size(), 2U);
  EXPECT_EQ(node.notices()[1], node.notices()[0]);
  EXPECT_EQ(node.last_notice(), "target-gone");
  const auto kill = node.make_plan(KillProcess{60'000}, "kill");   // in flight for its grace
  node.world.objects["4242:123456"].ignores_terminate = true;
  node.deliver(node.approve(kill, {"alice", "carol"}));
  ASSERT_EQ(node.state(kill), State::claimed) << node.last_notice();
  node.sent.clear();
  node.pass(2s);
  ASSERT_EQ(node.notices().size(), 1U);
  EXPECT_EQ(node.last_notice(), "busy");
  node.world.objects[kPath] = values;
  node.pass(65s);
  EXPECT_EQ(node.state(plan), State::done);
}

TEST_F(Deliveries, what_is_not_about_this_node_is_told_and_not_kept) {
  const auto deliver = [&](const Plan& plan) {
    node.deliver(node.approve(plan));
    EXPECT_EQ(node.state(plan), State::unset);
    return node.last_notice();
  };
  auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  plan.target.cluster = "elsewhere";
  EXPECT_EQ(deliver(plan), "wrong-cluster");
  EXPECT_TRUE(node.executor->outcomes().empty());
}

TEST(DeliveriesOfClass0, need_no_log_when_the_policy_says_so) {
  auto policy = team_policy();
  policy.classes[0].require_inclusion = false;
  Node node(policy);
  ASSERT_TRUE(node.start());
  const auto plan = node.make_plan(Diagnose{1024});
  Envelope envelope;
  envelope.action_class = 0;
  envelope.plan = to_bytes(plan);
  node.deliver(envelope);
  EXPECT_EQ(node.state(plan), State::done) << node.last_notice();
  EXPECT_EQ(node.executor->status().checkpoint, "");
}

TEST_F(Deliveries, a_checkpoint_with_many_cosignatures_keeps_the_log_s_and_ours) {
  node.log.append("{}");
  const auto good = node.log.note();
  const auto note = parse_note(good).value();
  const auto lines = good.find("\n\n") + 2;
  std::string full = good.substr(0, lines);
  for (int i = 0; i < 15; ++i) full += cosign_note(note, "w" + std::to_string(i), key_of("w" + std::to_string(i)), 1'800'000'000);
  full += good.substr(lines);
  node.send(DeliverCheckpoint{full, 0, {}});
  EXPECT_EQ(node.last_notice(), "");
  const auto kept = parse_note(node.executor->status().checkpoint).value();
  ASSERT_EQ(kept.signatures.size(), 2U);
  EXPECT_EQ(kept.signatures[0].name, kOrigin);
  EXPECT_TRUE(verify_cosignature(kept, "node/" + node_uid().str(), node.executor->status().key));
  node.send(DeliverCheckpoint{good, 0, {}});   // the same again: from where does not matter
  EXPECT_EQ(node.last_notice(), "");
}

TEST_F(Deliveries, a_policy_that_loosens_more_than_the_one_that_waits_waits_from_now) {
  auto looser = next();
  looser.time_skew_ms += 1'000;
  node.send(policy_of(looser));
  node.pass(30min);
  auto more = next();
  ++more.version;
  more.time_skew_ms += 2'000;
  node.send(policy_of(more));
  EXPECT_EQ(node.last_notice(), "");
  EXPECT_EQ(node.executor->status().pending_policy_version, 3);
  node.pass(31min);
  EXPECT_EQ(node.executor->status().policy_version, 1);
  node.pass(30min);
  EXPECT_EQ(node.executor->status().policy_version, 3);
}

TEST_F(Deliveries, an_undo_whose_target_is_away_waits_and_one_that_fails_can_be_made_again) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, 600'000});
  node.deliver(node.approve(plan));
  ASSERT_EQ(node.state(plan), State::done);
  const auto undo = node.make_plan(Undo{digest_of(plan)}, "undo");
  const auto values = node.world.objects[kPath];
  node.world.objects.erase(kPath);
  node.deliver(node.approve(undo));
  EXPECT_EQ(node.last_notice(), "target-gone");
  EXPECT_EQ(node.state(undo), State::verified);
  node.world.objects[kPath] = values;
  node.world.failing = {{FakeActuator::Call::restore, Error(Errc::io, "half done")}};
  node.pass(2s);
  EXPECT_EQ(node.state(undo), State::failed);
  EXPECT_THAT(node.outcome(undo)->sentence, ::testing::HasSubstr("undo it again"));
  node.world.failing.clear();
  const auto again = node.make_plan(Undo{digest_of(plan)}, "again");
  node.deliver(node.approve(again));
  EXPECT_EQ(node.state(again), State::done) << node.last_notice();
  EXPECT_EQ(node.value(), kOld);
}

TEST_F(Deliveries, a_kill_that_fails_half_way_is_asked_about) {
  node.world.failing = {{FakeActuator::Call::apply, Error(Errc::io, "half done")}};
  const auto kill = node.make_plan(KillProcess{0});
  node.deliver(node.approve(kill, {"alice", "carol"}));
  EXPECT_EQ(node.state(kill), State::failed) << "it is alive";
  EXPECT_EQ(node.world.effects(kill), 0);
}

TEST_F(Deliveries, a_cgroup_that_went_with_its_processes_has_none) {
  const auto plan = node.make_plan(KillCgroup{});
  node.world.on_effect = [&](const Plan&) { node.world.failing = {{FakeActuator::Call::read, Error(Errc::gone, "no cgroup")}}; };
  node.deliver(node.approve(plan, {"alice", "carol"}));
  EXPECT_EQ(node.state(plan), State::done) << node.last_notice() << " " << node.code(plan);
}

TEST_F(Deliveries, a_pause_that_comes_while_an_interrupted_plan_cannot_be_asked_stops_it) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  const auto packet = to_bytes(DeliverPlan{encode(node.approve(plan))});
  node.world.crash_before_call = node.world.calls + 4;   // open, precondition, snapshot, apply
  EXPECT_THROW((void)node.executor->on_packet(packet), FakeDisk::Crash);
  node.world.failing = {{FakeActuator::Call::open, Error(Errc::io, "not now")}};
  ASSERT_TRUE(node.restart());
  EXPECT_EQ(node.state(plan), State::claimed);
  node.send(statement_of(Pause{"stop"}, {"alice"}));
  node.world.failing.clear();
  node.pass(61s);
  EXPECT_EQ(node.code(plan), "paused");
  EXPECT_EQ(node.value(), kOld);
}

TEST_F(Loaded, one_that_is_full_takes_no_plan_and_says_so) {
  std::vector<RecordBody> bodies{identity(), active()};
  for (std::uint32_t i = 0; i < kMaxPlans; ++i) {
    PlanRecord full;
    full.digest = sha256(Bytes{static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8)});
    full.state = State::refused;
    full.acknowledged = true;
    full.not_after_ms = kNowMs + kHourMs;
    bodies.emplace_back(full);
  }
  ASSERT_TRUE(start_with(bodies));
  const auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  node.deliver(node.approve(plan));
  EXPECT_EQ(node.last_notice(), "journal-failed");
  EXPECT_THAT(node.notices().back().sentence, ::testing::HasSubstr("full of plans"));
  auto late = node.make_plan(SetMemoryLimit{kNew, 0}, "late");
  late.not_before_ms = node.now_ms() - kHourMs;
  late.not_after_ms = node.now_ms() - kHourMs / 2;
  node.deliver(node.approve(late));
  EXPECT_EQ(node.last_notice(), "expired");
  EXPECT_EQ(node.executor->outcomes().size(), kMaxPlans);
  EXPECT_EQ(node.value(), kOld);
}

}  // namespace
}  // namespace fw::authority::test
