// Pause, denials, policies, the log's checkpoints and origins, time, and what is remembered of each after a restart.
#include "tests/unit/authority/executor/node.hpp"

namespace fw::authority::test {
namespace {

struct Rules : ::testing::Test {
  Node node;
  void SetUp() override { ASSERT_TRUE(node.start()); }

  Statement made_now(decltype(Statement::body) body) {
    auto out = statement(std::move(body));
    out.nonce = nonce_of("statement at " + std::to_string(node.now_ms()));
    out.policy_version = node.policy.version;
    out.issued_ms = node.now_ms();
    out.expires_ms = node.now_ms() + kHourMs;
    return out;
  }
  void say(const Statement& what, const Names& people) {
    const auto document = sign(what, people);
    node.send(DeliverStatement{document.document, document.signatures});
  }
  void give(const Policy& policy, const Names& roots = {"root-1", "root-2"}) {
    const auto document = sign(policy, roots);
    node.send(DeliverPolicy{document.document, document.signatures});
    if (node.last_notice().empty()) node.policy = policy;
  }
  Policy next() const {
    auto out = node.policy;
    ++out.version;
    out.issued_ms = node.now_ms();
    return out;
  }
  void deny(const Plan& plan, const std::string& who) {
    auto no = approval(plan, who, Decision::deny);
    no.issued_ms = node.now_ms();
    no.expires_ms = node.now_ms() + kHourMs;
    node.send(DeliverDenial{sign(no, who)});
  }
  Plan limit(const std::string& nonce = "limit") { return node.make_plan(SetMemoryLimit{kNew, 0}, nonce); }
};

TEST_F(Rules, a_pause_stops_new_claims_and_people_resume_together) {
  say(made_now(Pause{"look first"}), {"alice"});
  EXPECT_TRUE(node.executor->status().paused);
  ASSERT_TRUE(node.restart());
  EXPECT_TRUE(node.executor->status().paused);
  const auto plan = limit();
  const auto envelope = node.approve(plan);
  node.deliver(envelope);
  EXPECT_EQ(node.last_notice(), "paused");
  EXPECT_TRUE(node.notices().back().again);
  EXPECT_EQ(node.state(plan), State::unset);
  const auto diagnose = node.make_plan(Diagnose{1024});
  node.deliver(node.approve(diagnose, {}));
  EXPECT_EQ(node.state(diagnose), State::done);   // reading goes on

  node.pass(1s);
  say(made_now(Resume{"fine"}), {"alice"});
  EXPECT_TRUE(node.executor->status().paused);
  say(made_now(Resume{"fine"}), {"alice", "bob"});
  EXPECT_FALSE(node.executor->status().paused);
  node.deliver(node.release(envelope));
  EXPECT_EQ(node.state(plan), State::done);
}

TEST_F(Rules, an_old_resume_does_not_end_a_newer_pause) {
  say(made_now(Pause{"one"}), {"alice"});
  node.pass(1s);
  const auto resume = made_now(Resume{"fine"});
  say(resume, {"alice", "bob"});
  node.pass(1s);
  const auto pause = made_now(Pause{"two"});
  say(pause, {"alice"});
  say(resume, {"alice", "bob"});
  EXPECT_TRUE(node.executor->status().paused);
  ASSERT_TRUE(node.restart());
  say(resume, {"bob", "alice"});   // the same document
  EXPECT_EQ(node.last_notice(), "");
  EXPECT_TRUE(node.executor->status().paused);
  node.pass(1s);
  say(made_now(Resume{"really"}), {"alice", "bob"});
  say(pause, {"alice"});           // heard before
  EXPECT_FALSE(node.executor->status().paused);
}

TEST_F(Rules, a_denial_wins_before_and_after_the_plan_came) {
  const auto early = limit("early");
  deny(early, "dave");
  EXPECT_EQ(node.last_notice(), "");
  ASSERT_TRUE(node.restart());
  node.deliver(node.approve(early));
  EXPECT_EQ(node.state(early), State::refused);
  EXPECT_EQ(node.code(early), "denied");

  const auto waiting = limit("waiting");
  const auto values = node.world.objects[kPath].values;
  node.world.objects.erase(kPath);
  node.deliver(node.approve(waiting));
  ASSERT_EQ(node.state(waiting), State::verified);
  deny(waiting, "dave");
  EXPECT_EQ(node.state(waiting), State::refused);
  EXPECT_THAT(node.outcome(waiting)->sentence, ::testing::HasSubstr("dave"));
  node.world.cgroup(kPath).values = values;
  node.pass(10s);
  EXPECT_EQ(node.value(), kOld);

  const auto done = limit("done");
  node.deliver(node.approve(done));
  deny(done, "dave");
  EXPECT_EQ(node.last_notice(), "too-late");
  EXPECT_EQ(node.state(done), State::done);
}

TEST_F(Rules, a_denial_by_nobody_is_not_kept) {
  const auto plan = limit();
  auto no = approval(plan, "alice", Decision::deny);
  auto vote = sign(no, "mallory");
  node.send(DeliverDenial{vote});
  EXPECT_NE(node.last_notice(), "");
  node.deliver(node.approve(plan));
  EXPECT_EQ(node.state(plan), State::done);
}

TEST_F(Rules, what_tightens_is_in_force_at_once_and_what_loosens_waits) {
  auto tighter = next();
  tighter.classes[2].threshold = 3;
  give(tighter);
  EXPECT_EQ(node.executor->status().policy_version, 2);
  EXPECT_FALSE(node.executor->status().pending_policy_version);
  const auto plan = limit();
  node.deliver(node.approve(plan));
  EXPECT_EQ(node.last_notice(), "too-few-people");

  auto looser = next();
  looser.classes[2].threshold = 2;
  give(looser);
  EXPECT_EQ(node.executor->status().policy_version, 2);
  EXPECT_EQ(node.executor->status().pending_policy_version, 3);
  ASSERT_TRUE(node.restart());
  node.pass(59min);
  EXPECT_EQ(node.executor->status().policy_version, 2);
  node.pass(2min);
  EXPECT_EQ(node.executor->status().policy_version, 3);
  EXPECT_FALSE(node.executor->status().pending_policy_version);
  ASSERT_TRUE(node.restart());
  EXPECT_EQ(node.executor->status().policy_version, 3);
  const auto later = limit("later");
  node.deliver(node.approve(later));
  EXPECT_EQ(node.state(later), State::done);
}

TEST_F(Rules, a_version_after_one_that_waits_does_not_jump_the_queue) {
  auto looser = next();
  looser.time_skew_ms += 1'000;
  give(looser);
  ASSERT_EQ(node.executor->status().pending_policy_version, 2) << node.last_notice();
  node.pass(30min);
  auto same = next();              // loosens nothing against the one that waits
  give(same);
  EXPECT_EQ(node.executor->status().policy_version, 1);
  EXPECT_EQ(node.executor->status().pending_policy_version, 3);
  node.pass(31min);
  EXPECT_EQ(node.executor->status().policy_version, 3);

  auto more = next();
  more.time_skew_ms += 1'000;
  give(more);
  ASSERT_EQ(node.executor->status().pending_policy_version, 4);
  auto tight = next();             // takes it back, and more
  tight.time_skew_ms -= 1'000;
  tight.paused = true;
  give(tight);
  EXPECT_EQ(node.executor->status().policy_version, 5);
  EXPECT_FALSE(node.executor->status().pending_policy_version);
  EXPECT_TRUE(node.executor->status().paused);
}

TEST_F(Rules, a_policy_is_taken_once_in_order_and_from_its_roots_only) {
  const auto two = next();
  give(two, {"root-1"});
  EXPECT_EQ(node.last_notice(), "roots-too-few");
  give(two);
  EXPECT_EQ(node.executor->status().policy_version, 2);
  give(two);
  EXPECT_EQ(node.last_notice(), "");
  auto old = team_policy();
  old.issued_ms += 1;
  node.policy = two;
  const auto document = sign(old, {"root-1", "root-2"});
  node.send(DeliverPolicy{document.document, document.signatures});
  EXPECT_EQ(node.last_notice(), "policy-older");
  auto gap = next();
  ++gap.version;
  give(gap);
  EXPECT_EQ(node.last_notice(), "policy-gap");
  EXPECT_EQ(node.executor->status().policy, sha256(to_bytes(two)));
}

TEST_F(Rules, a_newer_policy_in_the_nodes_files_wins_an_older_one_does_not) {
  auto two = next();
  two.paused = true;
  give(two);
  ASSERT_TRUE(node.restart());     // with version 1 in its files
  EXPECT_EQ(node.executor->status().policy_version, 2);
  auto three = two;
  three.version = 3;
  three.paused = false;
  node.config.first_policy = to_bytes(three);
  EXPECT_FALSE(node.restart());    // its digest is not the configured one
  node.config.first_policy_digest = sha256(node.config.first_policy);
  ASSERT_TRUE(node.restart());
  EXPECT_EQ(node.executor->status().policy_version, 3);
}

TEST_F(Rules, a_policy_that_is_broken_or_unreadable_does_not_start) {
  auto broken = team_policy();
  broken.classes[2].threshold = 0;
  node.config.first_policy = to_bytes(broken);
  node.config.first_policy_digest = sha256(node.config.first_policy);
  EXPECT_FALSE(node.restart());
  node.config.first_policy = {1, 2, 3};
  node.config.first_policy_digest = sha256(node.config.first_policy);
  EXPECT_FALSE(node.restart());
}

TEST_F(Rules, follows_the_log_and_cosigns_what_it_saw) {
  node.log.append("{}");
  node.log.append("{\"a\":1}");
  node.send(DeliverCheckpoint{node.log.note(), 0, {}});
  EXPECT_EQ(node.last_notice(), "");
  const auto note = parse_note(node.executor->status().checkpoint).value();
  EXPECT_EQ(note.checkpoint, node.log.checkpoint());
  EXPECT_TRUE(verify_cosignature(note, "node/" + node_uid().str(), node.executor->status().key));

  const auto old_note = node.log.note();
  node.log.append("{\"b\":1}");
  node.send(DeliverCheckpoint{node.log.note(), 1, {}});
  EXPECT_EQ(node.last_notice(), "checkpoint-bad");   // a proof from where it stands is needed
  node.send(DeliverCheckpoint{node.log.note(), 2, node.log.prove(2, 2).consistency});
  EXPECT_EQ(node.last_notice(), "");
  ASSERT_TRUE(node.restart());
  EXPECT_EQ(node.seen(), 3);
  node.send(DeliverCheckpoint{old_note, 0, {}});
  EXPECT_EQ(node.seen(), 3);
  node.send(DeliverCheckpoint{node.log.note(), 3, {}});
  EXPECT_EQ(node.last_notice(), "");
}

TEST_F(Rules, names_a_log_that_was_rewritten) {
  node.log.append("{}");
  node.send(DeliverCheckpoint{node.log.note(), 0, {}});
  Log other;
  other.append("{\"other\":1}");
  node.send(DeliverCheckpoint{other.note(), 1, {}});
  EXPECT_EQ(node.last_notice(), "checkpoint-inconsistent");
  other.append("{}");
  node.send(DeliverCheckpoint{other.note(), 1, other.prove(1, 1).consistency});
  EXPECT_EQ(node.last_notice(), "checkpoint-inconsistent");
  Log forged(std::string(kOrigin), "mallory");
  forged.append("{}");
  node.send(DeliverCheckpoint{forged.note(), 0, {}});
  EXPECT_EQ(node.last_notice(), "checkpoint-bad");
  node.send(DeliverCheckpoint{"nonsense", 0, {}});
  EXPECT_EQ(node.last_notice(), "checkpoint-bad");
  EXPECT_EQ(node.seen(), 1);
}

TEST_F(Rules, a_restored_log_goes_on_under_a_new_origin_that_roots_sign) {
  node.deliver(node.approve(limit("before")));
  node.log.append("{}");
  node.send(DeliverCheckpoint{node.log.note(), node.seen(), node.log.prove(1, node.seen()).consistency});
  const auto old = node.log.checkpoint();
  node.log = Log();                // the backup has nothing of it
  const auto plan = node.make_plan(SetPidsMax{500, 600'000}, "after");
  auto envelope = test::envelope(plan, {"alice"});
  envelope.proof = node.log.prove(node.log.append(release_entry(envelope)));
  node.deliver(envelope);
  EXPECT_EQ(node.last_notice(), "checkpoint-bad");

  const std::string origin = "fleetwright/acme/audit-2";
  node.log = Log(origin);
  const NewOrigin moved{origin, key_of("log").public_key(), std::string(kOrigin), old.size, old.root};
  say(made_now(moved), {"alice", "bob"});
  EXPECT_NE(node.last_notice(), "");
  say(made_now(moved), {"root-1", "root-2"});
  EXPECT_EQ(node.last_notice(), "");
  ASSERT_TRUE(node.restart());
  node.deliver(node.approve(plan));
  EXPECT_EQ(node.state(plan), State::done) << node.last_notice();

  auto policy = next();            // which does not touch the log: the new origin stays
  give(policy);
  const auto again = node.make_plan(SetPidsMax{600, 600'000}, "again");
  node.deliver(node.approve(again));
  EXPECT_EQ(node.state(again), State::done) << node.last_notice();
}

TEST_F(Rules, people_settle_what_is_unknown) {
  node.world.fails_after_effect = Error(Errc::io, "half done");
  const auto plan = node.make_plan(RotateLog{"/var/log/pods/shop_checkout_1/app/0.log", 1 << 20});
  node.deliver(node.approve(plan, {"alice"}));
  node.acknowledge();
  ASSERT_EQ(node.state(plan), State::unknown);
  node.sent.clear();
  say(made_now(Settle{digest_of(plan), true, "I looked"}), {"alice"});
  ASSERT_EQ(node.reports().size(), 1);
  EXPECT_EQ(node.reports()[0].state, State::done);
  EXPECT_EQ(node.reports()[0].code, "settled");
  node.pass(1s);
  say(made_now(Settle{digest_of(plan), false, "again"}), {"alice"});
  EXPECT_EQ(node.last_notice(), "not-unknown");
  EXPECT_EQ(node.state(plan), State::done);
}

TEST_F(Rules, a_policy_that_ran_out_stops_actions) {
  node.clock.advance(31 * 24h);
  const auto plan = limit();
  node.deliver(node.approve(plan));
  EXPECT_EQ(node.last_notice(), "policy-expired");
}

TEST_F(Rules, budgets_are_counted_over_restarts) {
  auto policy = next();
  policy.limits = {{"set_memory_limit", 2, 10}};
  give(policy);
  ASSERT_EQ(node.executor->status().policy_version, 2) << node.last_notice();
  const auto raise = [&](std::int64_t to, const std::string& name) {
    const auto plan = node.make_plan(SetMemoryLimit{to, 0}, name);
    node.deliver(node.approve(plan));
    return node.state(plan);
  };
  EXPECT_EQ(raise(kNew, "1"), State::done);
  EXPECT_EQ(raise(2 * kNew, "2"), State::done);
  ASSERT_TRUE(node.restart());
  EXPECT_EQ(raise(3 * kNew, "3"), State::unset);
  EXPECT_EQ(node.last_notice(), "budget-used-up");
  node.pass(61min);
  EXPECT_EQ(raise(3 * kNew, "4"), State::done);
}

TEST_F(Rules, a_night_pass_is_used_as_often_as_it_says) {
  auto night = standing();
  night.per_hour = 1;
  night.policy_version = 1;
  const auto pass = sign(night, {"alice", "carol"});
  const auto use = [&](std::int64_t to, const std::string& name) {
    const auto plan = node.make_plan(SetMemoryLimit{to, 0}, name);
    auto envelope = node.approve(plan, {"bob"});
    envelope.standing = pass;
    node.deliver(node.release(envelope));
    return node.state(plan);
  };
  EXPECT_EQ(use(kNew, "1"), State::done) << node.last_notice();
  ASSERT_TRUE(node.restart());
  EXPECT_EQ(use(2 * kNew, "2"), State::unset);
  EXPECT_EQ(node.last_notice(), "standing-used-up");
}

TEST_F(Rules, a_clock_that_is_set_back_revives_nothing) {
  const auto plan = limit();
  const auto envelope = node.approve(plan);
  node.pass(2h);
  node.deliver(node.approve(node.make_plan(SetPidsMax{500, 600'000})));   // the time is in the journal now
  node.clock.set_wall_ns(kNowMs * kNsPerMs);
  node.deliver(node.release(envelope));
  EXPECT_EQ(node.last_notice(), "approval-expired");
  const auto other = node.make_plan(SetMemoryLimit{kNew, 0}, "other");
  node.deliver(node.approve(other));
  ASSERT_TRUE(node.reboot());
  const auto third = node.make_plan(SetMemoryLimit{kNew, 0}, "third");
  node.deliver(node.approve(third));
  EXPECT_EQ(node.value(), kOld);
  EXPECT_GE(node.executor->status().time_floor_ms, kNowMs + 2 * kHourMs);
}

TEST_F(Rules, a_clock_that_is_set_back_within_a_boot_is_noticed_without_the_journal) {
  const auto plan = limit();
  const auto envelope = node.approve(plan);
  node.pass(2h);
  node.clock.set_wall_ns(kNowMs * kNsPerMs);
  node.deliver(envelope);
  EXPECT_EQ(node.last_notice(), "approval-expired");
  EXPECT_EQ(node.value(), kOld);
}

TEST_F(Rules, plans_that_are_over_are_forgotten_and_cannot_come_back) {
  const auto plan = limit();
  const auto envelope = node.approve(plan);
  node.world.objects[kPath].values[Probe::memory_limit_bytes] = 1;
  node.deliver(envelope);
  ASSERT_EQ(node.state(plan), State::refused);
  node.acknowledge();
  node.pass(24h);
  EXPECT_EQ(node.state(plan), State::refused);
  node.pass(90min);
  EXPECT_EQ(node.state(plan), State::unset);
  ASSERT_TRUE(node.restart());
  node.clock.set_wall_ns(kNowMs * kNsPerMs);
  node.world.objects[kPath].values[Probe::memory_limit_bytes] = kOld;
  node.deliver(node.release(envelope));
  EXPECT_EQ(node.value(), kOld);
}

TEST_F(Rules, what_can_be_undone_is_kept_longer_but_not_for_ever) {
  const auto plan = limit();
  node.deliver(node.approve(plan));
  node.acknowledge();
  node.clock.advance(48h);
  node.pass(1s);
  EXPECT_EQ(node.state(plan), State::done);
  node.clock.advance(30 * 24h);
  node.pass(1s);
  EXPECT_EQ(node.state(plan), State::unset);
}

TEST_F(Rules, the_journal_of_another_node_is_not_used) {
  node.config.node.bytes[0] ^= 1;
  EXPECT_FALSE(node.restart());
}

TEST_F(Rules, a_new_journal_is_a_new_incarnation_for_which_old_plans_mean_nothing) {
  const auto plan = limit();
  const auto envelope = node.approve(plan);
  node.disk = FakeDisk();
  ASSERT_TRUE(node.start());
  node.deliver(node.release(envelope));
  EXPECT_EQ(node.last_notice(), "wrong-incarnation");
  EXPECT_EQ(node.value(), kOld);
}

TEST_F(Rules, identity_and_key_stay_over_restarts) {
  const auto before = node.executor->status();
  ASSERT_TRUE(node.reboot());
  EXPECT_EQ(node.executor->status().incarnation, before.incarnation);
  EXPECT_EQ(node.executor->status().key, before.key);
}

}  // namespace
}  // namespace fw::authority::test
