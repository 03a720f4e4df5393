// A plan's way through the executor, when nothing crashes.
#include "tests/unit/authority/executor/node.hpp"

namespace fw::authority::test {
namespace {

constexpr std::uint64_t kTtlMs = 600'000;

struct Executing : ::testing::Test {
  Node node;
  void SetUp() override { ASSERT_TRUE(node.start()); }
};

TEST_F(Executing, does_what_two_people_approved_and_reports_it_until_it_is_acknowledged) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  node.deliver(node.approve(plan));
  EXPECT_EQ(node.value(), kNew);
  ASSERT_EQ(node.reports().size(), 1);
  const Outcome outcome = node.reports().front();
  EXPECT_EQ(outcome.state, State::done);
  EXPECT_EQ(outcome.plan, digest_of(plan));
  EXPECT_EQ(outcome.node, node_uid());
  EXPECT_EQ(outcome.code, "");
  EXPECT_EQ(outcome.before, "/shop/checkout inode 4711, memory_limit_bytes = 67108864");
  EXPECT_EQ(outcome.after, "applied");
  EXPECT_EQ(outcome.started_ms, node.now_ms());
  EXPECT_EQ(outcome.journal_seq, node.executor->status().journal_seq);
  EXPECT_FALSE(outcome.rolled_back);

  node.pass(4'900ms);
  EXPECT_EQ(node.reports().size(), 1);
  node.pass(200ms);
  EXPECT_EQ(node.reports().size(), 2);
  EXPECT_EQ(node.reports().back(), outcome);
  node.send(AckOutcome{outcome.plan, outcome.journal_seq + 1, 7});   // of another outcome
  node.send(AckOutcome{outcome.plan, outcome.journal_seq, 7});
  node.sent.clear();
  node.pass(10min);
  EXPECT_TRUE(node.reports().empty());
}

TEST_F(Executing, signs_its_outcomes_with_the_key_of_its_status) {
  node.deliver(node.approve(node.make_plan(SetMemoryLimit{kNew, 0})));
  for (const auto& packet : node.sent) {
    const auto* report = std::get_if<OutcomeReport>(&packet);
    if (!report) continue;
    const auto key = node.executor->status().key;
    EXPECT_EQ(report->signature.key, key_id(key));
    EXPECT_TRUE(verify_signature(key, signing_input(Domain::result, report->outcome), report->signature.bytes));
    return;
  }
  FAIL() << "no report";
}

TEST_F(Executing, answers_a_plan_that_it_knows_from_the_journal) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  const auto envelope = node.approve(plan);
  node.deliver(envelope);
  node.acknowledge();
  node.world.objects[kPath].values[Probe::memory_limit_bytes] = kOld;
  node.sent.clear();
  node.deliver(envelope);
  ASSERT_EQ(node.reports().size(), 1);
  EXPECT_EQ(node.reports()[0].state, State::done);
  EXPECT_EQ(node.value(), kOld);
  EXPECT_EQ(node.last_notice(), "replayed");
  ASSERT_TRUE(node.restart());
  node.sent.clear();
  node.deliver(envelope);
  EXPECT_EQ(node.reports().at(0).state, State::done);
  EXPECT_EQ(node.world.effects(plan), 1);
}

TEST_F(Executing, runs_each_action_of_the_catalogue) {
  for (const auto& action : every_action()) {
    if (std::holds_alternative<Undo>(action) || std::holds_alternative<Extend>(action)) continue;
    if (std::holds_alternative<Thaw>(action)) {
      node.pass(15min);   // the freeze of before is over
      node.world.objects[kPath].values[Probe::frozen] = 1;
    }
    const auto plan = node.make_plan(action);
    node.deliver(node.approve(plan));
    EXPECT_EQ(node.state(plan), State::done) << describe(action) << ": " << node.last_notice() << " " << node.code(plan);
    EXPECT_EQ(node.world.effects(plan), 1) << describe(action);
  }
}

TEST_F(Executing, refuses_for_good_what_the_world_no_longer_needs) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  node.world.objects[kPath].values[Probe::memory_limit_bytes] = 2 * kOld;
  node.deliver(node.approve(plan));
  EXPECT_EQ(node.state(plan), State::refused);
  EXPECT_EQ(node.code(plan), "precondition-changed");
  EXPECT_THAT(node.outcome(plan)->sentence, ::testing::HasSubstr("now memory_limit_bytes = 134217728"));
  node.world.objects[kPath].values[Probe::memory_limit_bytes] = kOld;
  node.deliver(node.approve(plan));
  EXPECT_EQ(node.value(), kOld);
  EXPECT_EQ(node.world.effects(plan), 0);
}

TEST_F(Executing, a_plan_that_comes_mangled_is_not_burnt) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  const auto good = node.approve(plan);
  auto bad = good;
  bad.votes[0].signature.bytes[5] ^= 1;
  node.deliver(bad);
  bad = good;
  bad.votes.pop_back();
  node.deliver(bad);
  bad = good;
  bad.proof.entry += " ";
  node.deliver(bad);
  auto bytes = encode(good);
  bytes.resize(bytes.size() - 1);
  node.send(DeliverPlan{bytes});
  EXPECT_EQ(node.notices().size(), 4);
  for (const auto& notice : node.notices()) EXPECT_TRUE(notice.again) << notice.code;
  EXPECT_TRUE(node.executor->outcomes().empty());
  node.deliver(good);
  EXPECT_EQ(node.state(plan), State::done);
}

TEST_F(Executing, a_plan_for_another_node_or_journal_is_not_kept) {
  auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  plan.target.node.bytes[0] ^= 1;
  node.deliver(node.approve(plan));
  EXPECT_EQ(node.last_notice(), "wrong-node");
  EXPECT_FALSE(node.notices().back().again);
  plan = node.make_plan(SetMemoryLimit{kNew, 0});
  plan.target.incarnation[0] ^= 1;
  node.deliver(node.approve(plan));
  EXPECT_EQ(node.last_notice(), "wrong-incarnation");
  EXPECT_TRUE(node.executor->outcomes().empty());
  EXPECT_EQ(node.value(), kOld);
}

TEST_F(Executing, an_expired_plan_is_over) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  const auto envelope = node.approve(plan);
  node.pass(2h);
  auto late = node.approve(plan);   // fresh votes do not help
  node.deliver(late);
  EXPECT_EQ(node.state(plan), State::expired);
  EXPECT_EQ(node.code(plan), "expired");
  EXPECT_EQ(node.value(), kOld);
}

TEST_F(Executing, only_observes_when_it_is_told_so) {
  node.config.observe_only = true;
  ASSERT_TRUE(node.restart());
  const auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  node.deliver(node.approve(plan));
  EXPECT_EQ(node.state(plan), State::refused);
  EXPECT_EQ(node.code(plan), "observe-only");
  EXPECT_EQ(node.value(), kOld);
  EXPECT_TRUE(node.executor->status().observe_only);
}

TEST(ExecutingPolicy, does_nothing_that_the_policy_does_not_enable) {
  auto policy = team_policy();
  policy.enabled.clear();
  Node node(policy);
  ASSERT_TRUE(node.start());
  const auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  node.deliver(node.approve(plan));
  EXPECT_EQ(node.code(plan), "not-enabled");
  EXPECT_EQ(node.world.calls, 0);
}

TEST_F(Executing, rolls_back_when_the_effect_does_not_come) {
  auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  plan.effect = Check{Probe::pids_current, Comparison::less, 5};
  node.world.objects[kPath].values[Probe::pids_current] = 9;
  node.deliver(node.approve(plan));
  EXPECT_EQ(node.value(), kNew);
  EXPECT_EQ(node.state(plan), State::claimed);
  EXPECT_TRUE(node.reports().empty());
  node.pass(59s);
  EXPECT_EQ(node.state(plan), State::claimed);
  node.pass(2s);
  EXPECT_EQ(node.value(), kOld);
  ASSERT_EQ(node.reports().size(), 1);
  EXPECT_EQ(node.reports()[0].state, State::failed);
  EXPECT_EQ(node.reports()[0].code, "effect-missing");
  EXPECT_TRUE(node.reports()[0].rolled_back);
  EXPECT_THAT(node.reports()[0].sentence, ::testing::HasSubstr("pids_current = 9"));
}

TEST_F(Executing, waits_for_an_effect_that_comes_in_time) {
  auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  plan.effect = Check{Probe::pids_current, Comparison::less, 5};
  node.world.objects[kPath].values[Probe::pids_current] = 9;
  node.deliver(node.approve(plan));
  node.pass(30s);
  node.world.objects[kPath].values[Probe::pids_current] = 4;
  node.pass(1s);
  EXPECT_EQ(node.state(plan), State::done);
  EXPECT_EQ(node.value(), kNew);
}

TEST_F(Executing, a_missing_effect_that_cannot_be_rolled_back_is_a_failure_or_unknown) {
  auto kill = node.make_plan(KillProcess{0});
  kill.effect = Check{Probe::node_available_bytes, Comparison::greater, 1};
  node.deliver(node.approve(kill));
  node.pass(61s);
  EXPECT_EQ(node.state(kill), State::failed);
  EXPECT_FALSE(node.outcome(kill)->rolled_back);

  auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  plan.effect = Check{Probe::pids_current, Comparison::less, 5};
  node.world.failing[FakeActuator::Call::restore] = Error(Errc::permission, "no");
  node.deliver(node.approve(plan));
  node.pass(10min);
  EXPECT_EQ(node.state(plan), State::claimed);
  node.pass(2min);
  EXPECT_EQ(node.state(plan), State::unknown);
  EXPECT_THAT(node.outcome(plan)->sentence, ::testing::HasSubstr("could not be rolled back"));
}

TEST_F(Executing, one_action_is_in_flight_at_a_time) {
  auto first = node.make_plan(SetMemoryLimit{kNew, 0}, "first");
  first.effect = Check{Probe::pids_current, Comparison::less, 5};
  node.world.objects[kPath].values[Probe::pids_current] = 9;
  const auto second = node.make_plan(SetPidsMax{500, kTtlMs}, "second");
  node.deliver(node.approve(first));
  node.deliver(node.approve(first));
  EXPECT_EQ(node.last_notice(), "");
  node.deliver(node.approve(second));
  EXPECT_EQ(node.last_notice(), "busy");
  EXPECT_TRUE(node.notices().back().again);
  const auto said = node.notices().size();
  node.pass(10s);
  EXPECT_EQ(node.notices().size(), said);
  EXPECT_EQ(node.value(Probe::pids_max), 100);
  node.world.objects[kPath].values[Probe::pids_current] = 4;
  node.pass(2s);   // by itself, without another delivery
  EXPECT_EQ(node.state(first), State::done);
  EXPECT_EQ(node.state(second), State::done);
}

TEST_F(Executing, restores_at_the_end_of_the_ttl) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, kTtlMs});
  node.deliver(node.approve(plan, {"alice"}));
  EXPECT_EQ(node.executor->status().pending_restores, 1);
  node.acknowledge();
  node.pass(599s);
  EXPECT_EQ(node.value(), kNew);
  node.sent.clear();
  node.pass(2s);
  EXPECT_EQ(node.value(), kOld);
  ASSERT_EQ(node.reports().size(), 1);
  EXPECT_EQ(node.reports()[0].state, State::done);
  EXPECT_TRUE(node.reports()[0].rolled_back);
  EXPECT_EQ(node.executor->status().pending_restores, 0);
  node.pass(1h);
  EXPECT_EQ(node.world.done[plan.nonce].restored, 1);
}

TEST_F(Executing, restores_after_a_restart_while_paused_and_with_a_clock_that_was_set_back) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, kTtlMs});
  node.deliver(node.approve(plan, {"alice"}));
  const auto pause = sign(statement(Pause{"stop"}), {"alice"});
  node.send(DeliverStatement{pause.document, pause.signatures});
  EXPECT_TRUE(node.executor->status().paused);
  node.clock.set_wall_ns(node.clock.wall_ns() - 3'600 * kNsPerSecond);
  ASSERT_TRUE(node.restart());
  node.pass(599s);
  EXPECT_EQ(node.value(), kNew);
  node.pass(2s);
  EXPECT_EQ(node.value(), kOld);
}

TEST_F(Executing, restores_what_a_boot_left_and_nothing_else) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, kTtlMs});
  node.deliver(node.approve(plan, {"alice"}));
  ASSERT_TRUE(node.reboot());
  node.world.objects[kPath].values[Probe::memory_limit_bytes] = 3 * kOld;   // what the boot brought
  node.pass(11min);
  EXPECT_EQ(node.value(), 3 * kOld);
  EXPECT_TRUE(node.outcome(plan)->rolled_back);

  const auto again = node.make_plan(SetMemoryLimit{kNew, kTtlMs}, "again");
  node.deliver(node.approve(again, {"alice"}));
  ASSERT_TRUE(node.reboot());
  node.pass(11min);
  EXPECT_EQ(node.value(), 3 * kOld);
  EXPECT_EQ(node.world.done[again.nonce].restored, 1);
}

TEST_F(Executing, has_nothing_to_restore_when_the_target_is_gone) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, kTtlMs});
  node.deliver(node.approve(plan, {"alice"}));
  node.world.objects.erase(kPath);
  node.pass(11min);
  EXPECT_EQ(node.state(plan), State::done);
  EXPECT_TRUE(node.outcome(plan)->rolled_back);
  EXPECT_THAT(node.outcome(plan)->after, ::testing::HasSubstr("gone"));
}

TEST_F(Executing, tries_a_restore_until_it_works) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, kTtlMs});
  node.deliver(node.approve(plan, {"alice"}));
  node.world.failing[FakeActuator::Call::open] = Error(Errc::io, "no");
  node.pass(1h);
  EXPECT_EQ(node.value(), kNew);
  EXPECT_EQ(node.executor->status().pending_restores, 1);
  node.world.failing.clear();
  node.pass(6s);
  EXPECT_EQ(node.value(), kOld);
}

TEST_F(Executing, undoes_a_plan_once) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  node.deliver(node.approve(plan));
  node.acknowledge();
  node.sent.clear();
  const auto undo = node.make_plan(Undo{digest_of(plan)}, "undo");
  node.deliver(node.approve(undo, {"carol"}));
  EXPECT_EQ(node.value(), kOld);
  EXPECT_EQ(node.state(undo), State::done);
  EXPECT_EQ(node.reports().size(), 2);   // the undone plan has a new outcome
  EXPECT_TRUE(node.outcome(plan)->rolled_back);
  EXPECT_EQ(node.state(plan), State::done);
  const auto twice = node.make_plan(Undo{digest_of(plan)}, "twice");
  node.deliver(node.approve(twice, {"carol"}));
  EXPECT_EQ(node.code(twice), "nothing-to-undo");
  const auto never = node.make_plan(Undo{sha256({})}, "never");
  node.deliver(node.approve(never, {"carol"}));
  EXPECT_EQ(node.code(never), "nothing-to-undo");
}

TEST_F(Executing, does_not_undo_on_a_target_that_people_did_not_see) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  node.deliver(node.approve(plan));
  auto undo = node.make_plan(Undo{digest_of(plan)}, "undo");
  undo.target.name_space = "mine";
  node.deliver(node.approve(undo, {"carol"}));
  EXPECT_EQ(node.code(undo), "nothing-to-undo");
  EXPECT_EQ(node.value(), kNew);
}

TEST_F(Executing, extends_a_ttl_from_now_and_within_its_limit) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, kTtlMs});
  node.deliver(node.approve(plan, {"alice"}));
  node.pass(5min);
  const auto extend = node.make_plan(Extend{digest_of(plan), kTtlMs}, "extend");
  node.deliver(node.approve(extend, {"alice"}));
  EXPECT_EQ(node.state(extend), State::done);
  ASSERT_TRUE(node.restart());
  node.pass(9min);
  EXPECT_EQ(node.value(), kNew);
  node.pass(2min);
  EXPECT_EQ(node.value(), kOld);

  const auto late = node.make_plan(Extend{digest_of(plan), kTtlMs}, "late");
  node.deliver(node.approve(late, {"alice"}));
  EXPECT_EQ(node.code(late), "nothing-to-undo");
  const auto kept = node.make_plan(SetMemoryLimit{2 * kNew, 0}, "kept");
  node.deliver(node.approve(kept));
  const auto of_kept = node.make_plan(Extend{digest_of(kept), kTtlMs}, "of kept");
  node.deliver(node.approve(of_kept, {"alice"}));
  EXPECT_EQ(node.code(of_kept), "nothing-to-undo");
}

TEST_F(Executing, a_brake_is_not_extended_beyond_its_limit) {
  const auto plan = node.make_plan(Freeze{kTtlMs});
  node.deliver(node.approve(plan, {"alice"}));
  auto extend = node.make_plan(Extend{digest_of(plan), 3'600'000}, "extend");
  extend.target = plan.target;
  node.deliver(node.approve(extend, {"alice"}));
  EXPECT_EQ(node.code(extend), "out-of-bounds");
  EXPECT_THAT(node.outcome(extend)->sentence, ::testing::HasSubstr("900 s"));
}

TEST_F(Executing, a_kill_with_grace_is_polite_first) {
  node.world.objects["4242:123456"].ignores_terminate = true;
  const auto plan = node.make_plan(KillProcess{5'000});
  node.deliver(node.approve(plan));
  EXPECT_EQ(node.state(plan), State::claimed);
  node.pass(4'900ms);
  EXPECT_EQ(node.world.done[plan.nonce].finished, 0);
  node.pass(200ms);
  EXPECT_EQ(node.world.done[plan.nonce].finished, 1);
  EXPECT_EQ(node.world.done[plan.nonce].applied, 1);
  EXPECT_EQ(node.state(plan), State::done);

  Node other;
  ASSERT_TRUE(other.start());
  const auto quick = other.make_plan(KillProcess{5'000});
  other.deliver(other.approve(quick));
  EXPECT_EQ(other.state(quick), State::done);   // it ended by itself at once
  EXPECT_EQ(other.world.done[quick.nonce].finished, 0);
}

TEST_F(Executing, the_grace_goes_on_after_a_restart) {
  node.world.objects["4242:123456"].ignores_terminate = true;
  const auto plan = node.make_plan(KillProcess{5'000});
  node.deliver(node.approve(plan));
  ASSERT_TRUE(node.restart());
  EXPECT_EQ(node.state(plan), State::claimed);
  node.pass(6s);
  EXPECT_EQ(node.world.done[plan.nonce].applied, 1);
  EXPECT_EQ(node.world.done[plan.nonce].finished, 1);
  EXPECT_EQ(node.state(plan), State::done);
}

TEST_F(Executing, a_process_that_ended_while_the_executor_was_down_is_killed) {
  node.world.objects["4242:123456"].ignores_terminate = true;
  const auto plan = node.make_plan(KillProcess{5'000});
  node.deliver(node.approve(plan));
  node.world.objects.erase("4242:123456");
  ASSERT_TRUE(node.restart());
  node.pass(1s);
  EXPECT_EQ(node.state(plan), State::done);
}

TEST_F(Executing, a_container_that_came_back_is_asked_for_the_effect) {
  auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  plan.effect = Check{Probe::pids_current, Comparison::less, 5};
  node.world.objects[kPath].values[Probe::pids_current] = 9;
  node.deliver(node.approve(plan));
  auto values = node.world.objects[kPath].values;
  values[Probe::pids_current] = 3;
  node.world.recreate(kPath, values);
  node.pass(1s);
  EXPECT_EQ(node.state(plan), State::done);
}

TEST_F(Executing, the_end_of_a_grace_that_fails_is_a_failure) {
  node.world.objects["4242:123456"].ignores_terminate = true;
  node.world.failing[FakeActuator::Call::finish] = Error(Errc::permission, "no");
  const auto plan = node.make_plan(KillProcess{5'000});
  node.deliver(node.approve(plan));
  node.pass(6s);
  EXPECT_EQ(node.state(plan), State::failed);
  EXPECT_EQ(node.code(plan), "action-failed");
}

TEST_F(Executing, one_incarnation_that_is_gone_does_not_come_back) {
  const auto plan = node.make_plan(KillProcess{0});
  const auto envelope = node.approve(plan);
  node.world.objects.erase("4242:123456");
  node.deliver(envelope);
  EXPECT_EQ(node.state(plan), State::refused);
  EXPECT_EQ(node.code(plan), "target-gone");
}

// The second approval comes after four minutes, and what was broken has been restarting every five seconds all the time; when the plan
// arrives there is no container at that very moment.
TEST_F(Executing, mends_a_container_that_restarts_every_five_seconds_once) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  const auto configured = node.world.objects[kPath].values;
  for (int restarts = 0; restarts < 48; ++restarts) {
    node.pass(5s);
    node.world.recreate(kPath, configured);
  }
  node.world.objects.erase(kPath);
  node.deliver(node.approve(plan));
  EXPECT_EQ(node.last_notice(), "target-gone");
  EXPECT_TRUE(node.notices().back().again);
  EXPECT_EQ(node.state(plan), State::verified);
  node.world.cgroup(kPath, 9000).values = configured;
  node.pass(2s);
  EXPECT_EQ(node.state(plan), State::done);
  EXPECT_EQ(node.value(), kNew);
  node.deliver(node.approve(plan));
  node.pass(1h);
  EXPECT_EQ(node.world.done[plan.nonce].applied, 1);
}

TEST_F(Executing, a_target_that_never_comes_back_ends_with_the_window) {
  auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  plan.not_after_ms = node.now_ms() + 20'000;
  node.world.objects.erase(kPath);
  node.deliver(node.approve(plan));
  node.pass(2min);
  EXPECT_EQ(node.state(plan), State::verified);   // the skew of two minutes is not over
  node.pass(30s);
  EXPECT_EQ(node.state(plan), State::expired);
  EXPECT_THAT(node.outcome(plan)->sentence, ::testing::HasSubstr("no such object"));
}

TEST_F(Executing, what_was_verified_and_lost_by_a_restart_expires_or_is_delivered_again) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, 0}, "one");
  const auto other = node.make_plan(SetMemoryLimit{kNew, 0}, "other");
  const auto values = node.world.objects[kPath].values;
  node.world.objects.erase(kPath);
  const auto envelope = node.approve(plan);
  node.deliver(envelope);
  node.deliver(node.approve(other));
  ASSERT_TRUE(node.restart());
  EXPECT_EQ(node.state(plan), State::verified);
  node.world.cgroup(kPath).values = values;
  node.pass(1min);
  EXPECT_EQ(node.state(plan), State::verified);   // nothing is done on an approval that is not there to be checked
  node.deliver(node.release(envelope));
  EXPECT_EQ(node.state(plan), State::done);
  node.pass(2h);
  EXPECT_EQ(node.state(other), State::expired);
}

struct FailingCall { FakeActuator::Call call; Errc errc; State state; const char* code; };
struct Failing : ::testing::TestWithParam<FailingCall> {};

TEST_P(Failing, has_its_state_and_no_half_effect) {
  const auto& [call, errc, state, code] = GetParam();
  Node node;
  ASSERT_TRUE(node.start());
  const auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  node.world.failing[call] = Error(errc, "it said so");
  node.deliver(node.approve(plan));
  node.pass(1s);
  EXPECT_EQ(node.state(plan), state);
  if (state == State::verified) {
    EXPECT_EQ(node.last_notice(), code);
  } else {
    EXPECT_EQ(node.code(plan), code);
  }
  EXPECT_EQ(node.value(), kOld);
}

using enum FakeActuator::Call;
INSTANTIATE_TEST_SUITE_P(
    Each, Failing,
    ::testing::Values(FailingCall{open, Errc::gone, State::verified, "target-gone"}, FailingCall{open, Errc::conflict, State::verified, "target-gone"},
                      FailingCall{open, Errc::io, State::verified, "target-gone"}, FailingCall{open, Errc::permission, State::refused, "target-gone"},
                      FailingCall{open, Errc::unsupported, State::refused, "target-gone"}, FailingCall{read, Errc::gone, State::verified, "target-gone"},
                      FailingCall{read, Errc::unsupported, State::refused, "target-gone"}, FailingCall{snapshot, Errc::gone, State::verified, "target-gone"},
                      FailingCall{snapshot, Errc::permission, State::refused, "target-gone"}, FailingCall{apply, Errc::gone, State::failed, "target-gone"},
                      FailingCall{apply, Errc::permission, State::failed, "action-failed"}, FailingCall{apply, Errc::io, State::failed, "action-failed"}));

TEST_F(Executing, an_action_that_fails_half_way_is_rolled_back_asked_or_unknown) {
  node.world.fails_after_effect = Error(Errc::io, "half done");
  const auto limit = node.make_plan(SetMemoryLimit{kNew, 0}, "limit");
  node.deliver(node.approve(limit));
  node.pass(1s);
  EXPECT_EQ(node.state(limit), State::failed);
  EXPECT_TRUE(node.outcome(limit)->rolled_back);
  EXPECT_EQ(node.value(), kOld);

  const auto kill = node.make_plan(KillProcess{0}, "kill");
  node.deliver(node.approve(kill));
  EXPECT_EQ(node.state(kill), State::done);   // it can be asked: the process is gone

  const auto rotate = node.make_plan(RotateLog{"/var/log/pods/shop_checkout_1/app/0.log", 1 << 20}, "rotate");
  node.deliver(node.approve(rotate, {"alice"}));
  EXPECT_EQ(node.state(rotate), State::unknown);
  const auto undo = node.make_plan(Undo{digest_of(limit)}, "undo");
  node.deliver(node.approve(undo, {"alice"}));
  EXPECT_EQ(node.code(undo), "nothing-to-undo");
}

TEST_F(Executing, says_hostile_text_of_the_world_in_clean_words) {
  node.world.failing[FakeActuator::Call::apply] = Error(Errc::permission, std::string("\x1b[2J\xff\xe2\x80\xae evil ") + std::string(5'000, 'x'));
  const auto plan = node.make_plan(SetMemoryLimit{kNew, 0});
  node.deliver(node.approve(plan));
  ASSERT_EQ(node.reports().size(), 1);   // could be parsed
  EXPECT_LE(node.reports()[0].sentence.size(), kMaxTextBytes);
  EXPECT_EQ(node.reports()[0].sentence.find('\x1b'), std::string::npos);
}

TEST_F(Executing, ends_when_its_peer_breaks_the_protocol) {
  const auto calls = node.world.calls;
  for (const Packet& packet : {Packet(ExecutorStatus{}), Packet(OutcomeReport{}), Packet(Notice{})}) {
    if (const auto answer = node.executor->on_packet(to_bytes(packet)); answer) ADD_FAILURE() << "taken: " << packet.index();
  }
  EXPECT_FALSE(node.executor->on_packet({}));
  EXPECT_FALSE(node.executor->on_packet(Bytes(kMaxPacketBytes + 1, 'F')));
  auto bytes = to_bytes(AskStatus{});
  bytes[4] = 99;
  EXPECT_FALSE(node.executor->on_packet(bytes));
  EXPECT_EQ(node.world.calls, calls);
}

TEST_F(Executing, says_its_status_when_asked_and_when_it_changed) {
  node.sent.clear();
  node.send(AskStatus{});
  ASSERT_EQ(node.sent.size(), 1);
  EXPECT_EQ(std::get<ExecutorStatus>(node.sent[0]), node.executor->status());
  node.sent.clear();
  node.pass(10s);
  EXPECT_TRUE(node.sent.empty());
  node.deliver(node.approve(node.make_plan(SetMemoryLimit{kNew, 0})));
  EXPECT_TRUE(std::holds_alternative<ExecutorStatus>(node.sent.back()));
}

}  // namespace
}  // namespace fw::authority::test
