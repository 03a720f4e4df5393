// Whole lives of plans, in which any one operation of the disk or any one call into the world is the last of the program, or fails. The
// effects are counted outside.
#include "tests/unit/authority/executor/node.hpp"

namespace fw::authority::test {
namespace {

constexpr std::uint64_t kTtlMs = 5'000;

// One plan's life, driven to its end by a courier that only knows to deliver again. `name` is what a failing case prints.
struct Story {
  const char* name;
  Action action;
  bool effect_comes = true;
  Recovery recovery;
};

class Life {
 public:
  explicit Life(const Story& story) : story_(story) { node.world.cgroup(kPath).values[Probe::pids_current] = 9; }

  Node node;

  // False: the program did not start. Throws FakeDisk::Crash where it is told to.
  bool live() {
    if (!node.executor && !node.start()) return false;
    if (!plan_) {
      plan_ = node.make_plan(story_.action);
      if (!story_.effect_comes) plan_->effect = Check{Probe::pids_current, Comparison::less, 5};
      if (plan_->effect) plan_->effect_within_ms = 2'000;
    }
    for (int turns = 0; turns < 200 && !over(); ++turns) {
      if (!node.executor) (void)node.start();
      if (node.executor && !is_final(node.state(*plan_))) deliver(DeliverPlan{encode(envelope())});
      pass(500ms);
      for (const auto& report : node.reports()) deliver(AckOutcome{report.plan, report.journal_seq, 1});
      node.sent.clear();
    }
    return over();
  }
  void crash_now() { node.executor.reset(); }
  const Plan& plan() const { return *plan_; }
  FakeActuator::Done done() { return node.world.done[plan_->nonce]; }

 private:
  bool over() const {
    if (!node.executor) return false;
    const auto outcome = node.outcome(*plan_);
    return outcome && is_final(outcome->state) && (outcome->rolled_back || ttl_ms(story_.action) == 0 || outcome->state != State::done);
  }
  Envelope envelope() {
    if (!votes_) votes_ = node.approve(*plan_);
    return node.release(*votes_);
  }
  // An error ends the program; it is started again.
  void deliver(const Packet& packet) {
    if (!node.executor) return;
    auto answer = node.executor->on_packet(to_bytes(packet));
    if (!answer) {
      node.executor.reset();
      return;
    }
    for (const auto& bytes : *answer) node.sent.push_back(parse_packet(bytes).value());
  }
  void pass(std::chrono::milliseconds time) {
    if (node.executor) node.pass(time);
    else node.clock.advance(time);
  }

  const Story story_;
  std::optional<Plan> plan_;
  std::optional<Envelope> votes_;
};

const Story kStories[] = {
    {"kept limit", SetMemoryLimit{kNew, 0}, true, Recovery::idempotent},
    {"limit with TTL", SetMemoryLimit{kNew, kTtlMs}, true, Recovery::idempotent},
    {"limit without effect", SetMemoryLimit{kNew, 0}, false, Recovery::idempotent},
    {"freeze", Freeze{kTtlMs}, true, Recovery::idempotent},
    {"kill", KillProcess{0}, true, Recovery::checkable},
    {"kill with grace", KillProcess{1'000}, true, Recovery::checkable},
    {"kill cgroup", KillCgroup{}, true, Recovery::checkable},
    {"rotate", RotateLog{"/var/log/pods/shop_checkout_1/app/0.log", 1 << 20}, true, Recovery::at_most_once},
    {"diagnose", Diagnose{1'024}, true, Recovery::idempotent},
};

struct CrashWalk : ::testing::TestWithParam<Story> {
  // What has to be true at the end, whatever happened on the way.
  static void check(Life& life, const std::string& where) {
    const Story& story = GetParam();
    const auto outcome = life.node.outcome(life.plan());
    ASSERT_TRUE(outcome) << where;
    const auto done = life.done();
    switch (story.recovery) {
      case Recovery::at_most_once:
        EXPECT_LE(done.applied, 1) << where;
        EXPECT_EQ(outcome->state == State::done, done.applied == 1 && outcome->state != State::unknown) << where;
        break;
      case Recovery::checkable:
        EXPECT_EQ(done.changed, 1) << where;
        EXPECT_EQ(outcome->state, State::done) << where << " " << outcome->sentence;
        break;
      case Recovery::idempotent:
        if (std::holds_alternative<Diagnose>(story.action)) {
          EXPECT_EQ(outcome->state, State::done) << where;
          break;
        }
        EXPECT_LE(done.changed, 1) << where;
        EXPECT_EQ(outcome->state, story.effect_comes ? State::done : State::failed) << where << " " << outcome->code << " " << outcome->sentence;
        EXPECT_EQ(outcome->rolled_back, !story.effect_comes || ttl_ms(story.action) != 0) << where;
        const auto* limit = std::get_if<SetMemoryLimit>(&story.action);
        if (limit) {
          EXPECT_EQ(life.node.value(), outcome->rolled_back ? kOld : kNew) << where;
        }
        break;
    }
    if (story.recovery != Recovery::at_most_once) {
      EXPECT_NE(outcome->state, State::unknown) << where;
    }
    // The same again changes nothing, after a restart as well.
    const auto before = life.done();
    ASSERT_TRUE(life.node.restart()) << where;
    life.node.deliver(life.node.approve(life.plan()));
    EXPECT_EQ(life.done().applied, before.applied) << where;
  }
};

TEST_P(CrashWalk, ends_well_whatever_operation_of_the_disk_is_the_last) {
  std::uint64_t operations = 0;
  {
    Life life(GetParam());
    ASSERT_TRUE(life.live());
    operations = life.node.disk.operations();
    check(life, "undisturbed");
  }
  ASSERT_GT(operations, 10U);
  for (const auto mode : {AfterCrash::keep, AfterCrash::drop_unsynced, AfterCrash::torn}) {
    for (std::uint64_t at = 1; at <= operations; ++at) {
      const std::string where = std::string(GetParam().name) + ", operation " + std::to_string(at) + ", mode " + std::to_string(static_cast<int>(mode));
      Life life(GetParam());
      life.node.disk.fail_at(at, DiskFault::crash);
      try {
        ASSERT_TRUE(life.live()) << where;
      } catch (const FakeDisk::Crash&) {
        life.crash_now();
        life.node.disk.restart(mode);
        ASSERT_TRUE(life.live()) << where;
      }
      check(life, where);
      if (::testing::Test::HasFailure()) return;
    }
  }
}

TEST_P(CrashWalk, ends_well_whatever_operation_of_the_disk_fails) {
  std::uint64_t operations = 0;
  {
    Life life(GetParam());
    ASSERT_TRUE(life.live());
    operations = life.node.disk.operations();
  }
  for (const auto fault : {DiskFault::eio, DiskFault::enospc, DiskFault::short_write}) {
    for (std::uint64_t at = 1; at <= operations; ++at) {
      const std::string where = std::string(GetParam().name) + ", operation " + std::to_string(at) + ", fault " + std::to_string(static_cast<int>(fault));
      Life life(GetParam());
      life.node.disk.fail_at(at, fault);
      if (!life.live()) {
        life.crash_now();              // it could not start; the service manager starts it again
        ASSERT_TRUE(life.live()) << where;
      }
      check(life, where);
      if (::testing::Test::HasFailure()) return;
    }
  }
}

TEST_P(CrashWalk, ends_well_whatever_call_into_the_world_is_the_last) {
  std::uint64_t calls = 0;
  {
    Life life(GetParam());
    ASSERT_TRUE(life.live());
    calls = life.node.world.calls;
  }
  ASSERT_GT(calls, 2U);
  for (const bool after : {false, true}) {
    for (std::uint64_t at = 1; at <= calls; ++at) {
      const std::string where = std::string(GetParam().name) + ", call " + std::to_string(at) + (after ? " after" : " before");
      Life life(GetParam());
      (after ? life.node.world.crash_after_call : life.node.world.crash_before_call) = at;
      try {
        ASSERT_TRUE(life.live()) << where;
      } catch (const FakeDisk::Crash&) {
        life.crash_now();
        life.node.disk.restart(AfterCrash::drop_unsynced);
        ASSERT_TRUE(life.live()) << where;
      }
      check(life, where);
      if (::testing::Test::HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Each, CrashWalk, ::testing::ValuesIn(kStories), [](const auto& story) {
  std::string name = story.param.name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
});

struct Interrupted : ::testing::Test {
  Node node;
  void SetUp() override { ASSERT_TRUE(node.start()); }
  // Claims the plan and ends the program inside of apply(), before or after its effect.
  void interrupt(const Envelope& envelope, bool after_effect) {
    const auto calls = node.world.calls;
    auto& at = after_effect ? node.world.crash_after_call : node.world.crash_before_call;
    at = calls + 4;   // open, precondition, snapshot, apply
    EXPECT_THROW((void)node.executor->on_packet(to_bytes(DeliverPlan{encode(envelope)})), FakeDisk::Crash);
  }
  Plan limit() { return node.make_plan(SetMemoryLimit{kNew, 0}); }
};

TEST_F(Interrupted, an_effect_that_is_there_is_not_done_again) {
  const auto plan = limit();
  interrupt(node.approve(plan), true);
  ASSERT_TRUE(node.restart(AfterCrash::drop_unsynced));
  EXPECT_EQ(node.state(plan), State::done);
  EXPECT_EQ(node.world.done[plan.nonce].applied, 1);
}

TEST_F(Interrupted, what_was_not_done_is_done_when_it_still_may_be) {
  const auto plan = limit();
  interrupt(node.approve(plan), false);
  ASSERT_TRUE(node.restart());
  EXPECT_EQ(node.state(plan), State::done);
  EXPECT_EQ(node.value(), kNew);
}

TEST_F(Interrupted, nothing_is_done_after_the_window_or_when_the_world_changed_or_people_paused) {
  const auto plan = limit();
  interrupt(node.approve(plan), false);
  node.clock.advance(2h);
  ASSERT_TRUE(node.restart());
  EXPECT_EQ(node.state(plan), State::failed);
  EXPECT_EQ(node.code(plan), "expired");

  const auto second = node.make_plan(SetMemoryLimit{kNew, 0}, "second");
  interrupt(node.approve(second), false);
  node.world.objects[kPath].values[Probe::memory_limit_bytes] = 5 * kOld;
  ASSERT_TRUE(node.restart());
  EXPECT_EQ(node.code(second), "precondition-changed");
  EXPECT_EQ(node.value(), 5 * kOld);

  const auto third = node.make_plan(SetMemoryLimit{kNew, 0}, "third");
  interrupt(node.approve(third), false);
  node.config.observe_only = true;
  ASSERT_TRUE(node.restart());
  EXPECT_EQ(node.code(third), "observe-only");

  node.config.observe_only = false;
  ASSERT_TRUE(node.restart());
  const auto fourth = node.make_plan(SetMemoryLimit{kNew, 0}, "fourth");
  interrupt(node.approve(fourth), false);
  auto paused = node.policy;
  paused.version = 2;
  paused.paused = true;
  node.config.first_policy = to_bytes(paused);
  node.config.first_policy_digest = sha256(node.config.first_policy);
  ASSERT_TRUE(node.restart());
  EXPECT_EQ(node.code(fourth), "paused");
  EXPECT_EQ(node.value(), 5 * kOld);
}

// Who might act was decided by the policy of the claim; when that is another one by now, people decide again.
TEST_F(Interrupted, nothing_is_done_when_the_policy_is_another_one_by_now) {
  const auto plan = limit();
  interrupt(node.approve(plan), false);
  auto next = node.policy;
  next.version = 2;
  node.config.first_policy = to_bytes(next);
  node.config.first_policy_digest = sha256(node.config.first_policy);
  ASSERT_TRUE(node.restart());
  EXPECT_EQ(node.state(plan), State::failed);
  EXPECT_EQ(node.code(plan), "policy-version-other");
  EXPECT_EQ(node.value(), kOld);
}

TEST_F(Interrupted, a_target_that_is_gone_ends_it) {
  const auto plan = limit();
  interrupt(node.approve(plan), false);
  node.world.objects.erase(kPath);
  ASSERT_TRUE(node.restart());
  EXPECT_EQ(node.state(plan), State::failed);
  EXPECT_EQ(node.code(plan), "target-gone");

  const auto kill = node.make_plan(KillProcess{0});
  const auto calls = node.world.calls;
  node.world.crash_before_call = calls + 3;   // open, snapshot, apply
  const auto packet = to_bytes(DeliverPlan{encode(node.approve(kill))});
  EXPECT_THROW((void)node.executor->on_packet(packet), FakeDisk::Crash);
  node.world.objects.erase("4242:123456");
  ASSERT_TRUE(node.reboot());
  EXPECT_EQ(node.state(kill), State::done);
}

TEST_F(Interrupted, who_cannot_be_asked_now_is_asked_later_and_then_people_are) {
  const auto plan = limit();
  interrupt(node.approve(plan), false);
  node.world.failing[FakeActuator::Call::happened] = Error(Errc::io, "not now");
  ASSERT_TRUE(node.restart());
  node.pass(30s);
  EXPECT_EQ(node.state(plan), State::claimed);
  node.world.failing.clear();
  node.pass(6s);
  EXPECT_EQ(node.state(plan), State::done);

  const auto never = node.make_plan(SetMemoryLimit{kOld, 0}, "never");
  interrupt(node.approve(never), false);
  node.world.failing[FakeActuator::Call::happened] = Error(Errc::io, "never");
  ASSERT_TRUE(node.restart());
  node.pass(70min);
  EXPECT_EQ(node.state(never), State::unknown);
}

TEST_F(Interrupted, what_cannot_be_told_is_unknown_for_a_kill_and_run_again_for_a_value) {
  const auto plan = limit();
  interrupt(node.approve(plan), false);
  node.world.failing[FakeActuator::Call::happened] = Error(Errc::unsupported, "cannot be told");
  ASSERT_TRUE(node.restart());
  EXPECT_EQ(node.state(plan), State::done);
  const auto kill = node.make_plan(KillProcess{0});
  node.world.crash_before_call = node.world.calls + 3;
  const auto packet = to_bytes(DeliverPlan{encode(node.approve(kill))});
  EXPECT_THROW((void)node.executor->on_packet(packet), FakeDisk::Crash);
  ASSERT_TRUE(node.restart());
  EXPECT_EQ(node.state(kill), State::unknown);
}

TEST_F(Interrupted, undo_and_extend_go_on) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, 600'000});
  node.deliver(node.approve(plan));
  const auto extend = node.make_plan(Extend{digest_of(plan), 1'200'000}, "extend");
  for (std::uint64_t at = 1;; ++at) {
    node.disk.fail_at(node.disk.operations() + at, DiskFault::crash);
    const auto before = node.state(extend);
    if (before == State::done) break;
    ASSERT_LT(at, 60U);
    try {
      auto answer = node.executor->on_packet(to_bytes(DeliverPlan{encode(node.approve(extend))}));
      ASSERT_TRUE(answer);
    } catch (const FakeDisk::Crash&) {
    }
    node.disk.fail_at(0, DiskFault::none);
    ASSERT_TRUE(node.restart(AfterCrash::torn));
  }
  node.disk.fail_at(0, DiskFault::none);
  node.pass(15min);
  EXPECT_EQ(node.value(), kNew);
  const auto undo = node.make_plan(Undo{digest_of(plan)}, "undo");
  for (std::uint64_t at = 1; node.state(undo) != State::done; ++at) {
    ASSERT_LT(at, 60U);
    node.disk.fail_at(node.disk.operations() + at, DiskFault::crash);
    try {
      auto answer = node.executor->on_packet(to_bytes(DeliverPlan{encode(node.approve(undo))}));
      ASSERT_TRUE(answer);
    } catch (const FakeDisk::Crash&) {
    }
    node.disk.fail_at(0, DiskFault::none);
    ASSERT_TRUE(node.restart(AfterCrash::torn));
  }
  EXPECT_EQ(node.value(), kOld);
  EXPECT_TRUE(node.outcome(plan)->rolled_back);
}

TEST_F(Interrupted, a_full_disk_stops_claims_and_is_recovered_from_without_a_restart) {
  const auto plan = limit();
  node.disk.capacity_bytes(node.disk.total_bytes() + 100);
  node.deliver(node.approve(plan));
  EXPECT_EQ(node.last_notice(), "journal-failed");
  EXPECT_TRUE(node.notices().back().again);
  EXPECT_EQ(node.value(), kOld);
  EXPECT_NE(node.executor->status().journal_problem, "");
  node.pass(30s);
  EXPECT_EQ(node.value(), kOld);
  node.disk.capacity_bytes(std::nullopt);
  node.pass(3s);   // by itself
  EXPECT_EQ(node.state(plan), State::done);
  EXPECT_EQ(node.world.done[plan.nonce].applied, 1);
  EXPECT_EQ(node.executor->status().journal_problem, "");
}

TEST_F(Interrupted, a_full_disk_at_the_start_answers_and_acts_on_nothing) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, 600'000});
  node.deliver(node.approve(plan));
  node.disk.capacity_bytes(node.disk.total_bytes());
  node.clock.advance(1h);
  ASSERT_TRUE(node.restart());
  EXPECT_EQ(node.value(), kNew);               // not even restored: it would not be remembered
  EXPECT_NE(node.executor->status().journal_problem, "");
  node.sent.clear();
  node.pass(10s);
  EXPECT_TRUE(node.reports().empty());         // what was read back may not be durable
  node.disk.capacity_bytes(std::nullopt);
  node.pass(3s);
  EXPECT_EQ(node.value(), kOld);
  EXPECT_FALSE(node.reports().empty());
}

TEST_F(Interrupted, what_was_done_while_the_disk_is_full_is_written_later) {
  const auto plan = limit();
  const auto envelope = node.approve(plan);
  std::uint64_t verified_bytes = 0;
  {
    Node other;                                // how much the claim takes
    ASSERT_TRUE(other.start());
    const auto twin = other.make_plan(SetMemoryLimit{kNew, 0});
    const auto before = other.disk.total_bytes();
    other.world.crash_before_call = other.world.calls + 4;
    const auto packet = to_bytes(DeliverPlan{encode(other.approve(twin))});
    EXPECT_THROW((void)other.executor->on_packet(packet), FakeDisk::Crash);
    verified_bytes = other.disk.total_bytes() - before;
  }
  node.disk.capacity_bytes(node.disk.total_bytes() + verified_bytes + 10);
  node.deliver(envelope);
  EXPECT_EQ(node.value(), kNew);
  EXPECT_EQ(node.state(plan), State::claimed);
  EXPECT_TRUE(node.reports().empty());
  const auto second = node.make_plan(SetPidsMax{500, 600'000}, "second");
  node.deliver(node.approve(second));
  EXPECT_NE(node.last_notice(), "");
  node.pass(20s);
  node.disk.capacity_bytes(std::nullopt);
  node.pass(3s);
  EXPECT_EQ(node.state(plan), State::done);
  EXPECT_EQ(node.world.done[plan.nonce].applied, 1);
  EXPECT_FALSE(node.reports().empty());
}

TEST_F(Interrupted, a_broken_journal_ends_the_program_at_the_next_packet) {
  const auto plan = limit();
  node.disk.fail_at(node.disk.operations() + 2, DiskFault::eio);   // the sync of the first record
  node.deliver(node.approve(plan));
  EXPECT_EQ(node.last_notice(), "journal-failed");
  EXPECT_NE(node.executor->status().journal_problem, "");
  EXPECT_FALSE(node.executor->next_deadline_mono_ns());
  EXPECT_TRUE(node.executor->broken()) << "the program asks, for no packet may come for a long time (found by the simulator)";
  EXPECT_FALSE(node.executor->on_packet(to_bytes(AskStatus{})));
  EXPECT_EQ(node.value(), kOld);
  ASSERT_TRUE(node.restart());
  node.deliver(node.approve(plan));
  EXPECT_EQ(node.state(plan), State::done);
}

// Found by the simulator: the plan came again and was answered from what a power cut could still take.
TEST_F(Interrupted, what_was_only_read_back_is_not_reported_before_it_is_durable) {
  std::uint64_t operations = 0;
  {
    Node other;
    ASSERT_TRUE(other.start());
    const auto before = other.disk.operations();
    other.deliver(other.approve(other.make_plan(SetMemoryLimit{kNew, 0})));
    operations = other.disk.operations() - before;
  }
  const auto plan = limit();
  const auto envelope = node.approve(plan);
  node.disk.fail_at(node.disk.operations() + operations, DiskFault::crash);   // the sync of DONE
  EXPECT_THROW((void)node.executor->on_packet(to_bytes(DeliverPlan{encode(envelope)})), FakeDisk::Crash);
  node.disk.capacity_bytes(node.disk.total_bytes());
  ASSERT_TRUE(node.restart());
  ASSERT_EQ(node.state(plan), State::done);
  node.deliver(envelope);
  EXPECT_TRUE(node.reports().empty());
  node.disk.capacity_bytes(std::nullopt);
  node.pass(20s);
  EXPECT_FALSE(node.reports().empty());
}

TEST_F(Interrupted, damage_before_the_tail_of_the_journal_does_not_start) {
  node.deliver(node.approve(limit()));
  const auto file = node.disk.list().value().front().name;
  (*node.disk.content(file))[200] ^= 1;
  const auto started = node.restart();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message(), ::testing::HasSubstr("damaged at byte"));
}

TEST_F(Interrupted, the_journal_stays_small) {
  for (int i = 0; i < 500; ++i) {
    node.log.append("{\"n\":" + std::to_string(i) + "}");
    const auto proof = node.log.prove(node.seen(), node.seen());
    node.send(DeliverCheckpoint{node.log.note(), node.seen(), proof.consistency});
    node.sent.clear();
  }
  EXPECT_EQ(node.seen(), 500);
  EXPECT_LT(node.disk.most_bytes(), 300U << 10);
  ASSERT_TRUE(node.restart());
  EXPECT_EQ(node.seen(), 500);
}

}  // namespace
}  // namespace fw::authority::test
