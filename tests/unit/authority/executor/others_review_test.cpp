// Plans about plans, several plans on one value, what cannot be asked after a crash, and heads of the log that are not news.
#include "tests/unit/authority/executor/node.hpp"

namespace fw::authority::test {
namespace {

constexpr std::uint64_t kTtlMs = 600'000;
constexpr std::int64_t kMiddle = 128LL << 20;

struct Others : ::testing::Test {
  Node node;
  void SetUp() override { ASSERT_TRUE(node.start()); }

  Plan done(const Action& action, const std::string& nonce, const Names& people = {"alice", "bob"}) {
    auto plan = node.make_plan(action, nonce);
    node.deliver(node.approve(plan, people));
    EXPECT_EQ(node.state(plan), State::done) << node.code(plan);
    return plan;
  }
  Plan about(const Plan& other, const Action& action, const std::string& nonce) {
    auto plan = node.make_plan(action, nonce);
    plan.target = other.target;
    node.deliver(node.approve(plan, {"carol", "dave"}));
    return plan;
  }
};

struct Bounded : Others {
  void SetUp() override {}
  void start(std::uint64_t max_ttl_ms) {
    const auto action = static_cast<std::uint16_t>(Action(SetMemoryLimit{}).index());
    std::erase_if(node.policy.bounds, [&](const auto& bound) { return bound.action == action; });
    node.policy.bounds.push_back({action, kOld, 1LL << 40, max_ttl_ms});
    node.config.first_policy = to_bytes(node.policy);
    node.config.first_policy_digest = sha256(node.config.first_policy);
    ASSERT_TRUE(node.start());
  }
};

TEST_F(Bounded, a_ttl_is_not_extended_beyond_the_policy_s_bound_of_its_action) {
  start(kTtlMs);
  const auto plan = done(SetMemoryLimit{kNew, kTtlMs}, "limit");
  node.pass(5min);
  const auto more = about(plan, Extend{digest_of(plan), kTtlMs + 1'000}, "more");
  EXPECT_EQ(node.code(more), "out-of-bounds");
  EXPECT_EQ(node.outcome(more)->sentence, "set_memory_limit lasts at most 600 s from now: extend it by less");
  const auto as_much = about(plan, Extend{digest_of(plan), kTtlMs}, "as much");
  EXPECT_EQ(node.state(as_much), State::done) << node.code(as_much);
  node.pass(6min);
  EXPECT_EQ(node.value(), kNew);
  node.pass(5min);
  EXPECT_EQ(node.value(), kOld);
}

TEST_F(Bounded, without_a_bound_of_time_the_catalogue_s_counts) {
  start(0);
  const auto plan = done(SetMemoryLimit{kNew, kTtlMs}, "limit");
  const auto day = about(plan, Extend{digest_of(plan), 24 * 3'600'000}, "day");
  EXPECT_EQ(node.state(day), State::done) << node.code(day);
}

// ---- several on one value

TEST_F(Others, a_longer_time_on_top_of_a_shorter_one_ends_in_the_value_of_before_both) {
  done(SetMemoryLimit{kMiddle, kTtlMs}, "below");
  node.pass(1min);
  done(SetMemoryLimit{kNew, 2 * kTtlMs}, "above");
  node.pass(10min);
  EXPECT_EQ(node.value(), kNew) << "the one below waits for the one above it";
  EXPECT_EQ(node.executor->status().pending_restores, 2u);
  ASSERT_TRUE(node.restart());
  node.pass(11min);
  EXPECT_EQ(node.value(), kOld);
  EXPECT_EQ(node.executor->status().pending_restores, 0u);
}

TEST_F(Others, a_shorter_time_on_top_of_a_longer_one_goes_back_in_two_steps) {
  done(SetMemoryLimit{kMiddle, 2 * kTtlMs}, "below");
  done(SetMemoryLimit{kNew, kTtlMs}, "above");   // in the same millisecond
  node.pass(11min);
  EXPECT_EQ(node.value(), kMiddle);
  node.pass(10min);
  EXPECT_EQ(node.value(), kOld);
}

TEST_F(Others, three_that_end_at_once_go_back_from_the_top) {
  done(SetMemoryLimit{2 * kOld, kTtlMs}, "first");
  done(SetMemoryLimit{3 * kOld, kTtlMs}, "second");
  done(SetMemoryLimit{4 * kOld, kTtlMs}, "third");
  node.executor.reset();
  node.clock.advance(1h);
  ASSERT_TRUE(node.restart());
  node.pass(1s);
  EXPECT_EQ(node.value(), kOld);
}

TEST_F(Others, one_below_that_is_due_does_not_keep_the_program_awake) {
  done(SetMemoryLimit{kMiddle, kTtlMs}, "below");
  done(SetMemoryLimit{kNew, 3 * kTtlMs}, "above");
  node.acknowledge();
  node.pass(11min);
  node.acknowledge();
  const auto due = node.executor->next_deadline_mono_ns();
  ASSERT_TRUE(due);
  EXPECT_GT(*due, node.clock.mono_ns() + 1'000'000'000ULL);
}

TEST_F(Others, nothing_is_kept_on_a_value_that_is_given_back_soon) {
  const auto held = done(SetMemoryLimit{kMiddle, kTtlMs}, "held");
  const auto kept = node.make_plan(SetMemoryLimit{kNew, 0}, "kept");
  node.deliver(node.approve(kept));
  EXPECT_EQ(node.state(kept), State::refused);
  EXPECT_EQ(node.code(kept), "precondition-changed");
  EXPECT_THAT(node.outcome(kept)->sentence, ::testing::StartsWith("plan " + to_text(digest_of(held)).substr(0, 12) + " holds memory_limit_bytes"));
  EXPECT_EQ(node.value(), kMiddle);
  node.pass(11min);
  done(SetMemoryLimit{kNew, 0}, "now");
  EXPECT_EQ(node.value(), kNew);
}

TEST_F(Others, a_freeze_holds_its_cgroup_against_a_thaw) {
  const auto freeze = done(Freeze{kTtlMs}, "freeze");
  const auto thaw = node.make_plan(Thaw{}, "thaw");
  node.deliver(node.approve(thaw));
  EXPECT_EQ(node.code(thaw), "precondition-changed");
  const auto undo = about(freeze, Undo{digest_of(freeze)}, "undo");
  EXPECT_EQ(node.state(undo), State::done);
  EXPECT_EQ(node.value(Probe::frozen), 0);
}

TEST_F(Others, another_value_or_another_setting_is_not_held) {
  done(SetMemoryLimit{kMiddle, kTtlMs}, "limit");
  done(SetCpuMax{80'000, 100'000, 0}, "quota");
  done(SetSysctl{"net.core.somaxconn", 8192, kTtlMs}, "somaxconn");
  done(SetSysctl{"vm.max_map_count", 100'000, 0}, "maps");
}

TEST_F(Others, an_undo_waits_for_the_one_above_it) {
  const auto below = done(SetMemoryLimit{kMiddle, 0}, "below");
  const auto above = done(SetMemoryLimit{kNew, kTtlMs}, "above");
  const auto undo = about(below, Undo{digest_of(below)}, "undo");
  EXPECT_EQ(node.state(undo), State::verified);
  EXPECT_EQ(node.last_notice(), "busy");
  EXPECT_THAT(node.notices().back().sentence, ::testing::StartsWith("plan " + to_text(digest_of(above)).substr(0, 12) + " changed the same value later"));
  EXPECT_EQ(node.value(), kNew);
  const auto first = about(above, Undo{digest_of(above)}, "first");
  EXPECT_EQ(node.state(first), State::done);
  node.pass(2s);
  EXPECT_EQ(node.state(undo), State::done);
  EXPECT_EQ(node.value(), kOld);
}

TEST_F(Others, a_container_is_one_whatever_cgroup_it_runs_in_and_its_neighbour_is_another) {
  const auto in_pod = [&](const char* path, const char* container, std::uint64_t ttl_ms) {
    auto plan = node.make_plan(SetMemoryLimit{kMiddle, ttl_ms}, path);
    plan.target.cgroup_path = path;
    plan.target.pod_uid = "3e1a";
    plan.target.container_name = container;
    node.deliver(node.approve(plan));
    EXPECT_EQ(node.state(plan), State::done) << node.code(plan);
  };
  const auto values = node.world.objects[kPath].values;
  for (const char* path : {"/pod/shop", "/pod/shop-again", "/pod/side"}) node.world.cgroup(path).values = values;
  const auto limit = [&](const char* path) { return node.world.objects[path].values[Probe::memory_limit_bytes]; };
  in_pod("/pod/shop", "shop", kTtlMs);
  in_pod("/pod/side", "side", kTtlMs);
  in_pod("/pod/shop-again", "shop", 2 * kTtlMs);
  node.pass(11min);
  EXPECT_EQ(limit("/pod/side"), kOld);
  EXPECT_EQ(limit("/pod/shop"), kMiddle) << "waits for the newer one of its container";
  node.pass(10min);
  EXPECT_EQ(limit("/pod/shop"), kOld);
  EXPECT_EQ(limit("/pod/shop-again"), kOld);
}

// ---- after a crash

TEST_F(Others, an_object_that_cannot_be_asked_after_a_crash_blocks_the_node_for_a_minute_at_most) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, kTtlMs}, "interrupted");
  const auto packet = to_bytes(DeliverPlan{encode(node.approve(plan))});
  node.world.crash_after_call = node.world.calls + 4;   // open, precondition, snapshot, apply
  EXPECT_THROW((void)node.executor->on_packet(packet), fw::test::FakeDisk::Crash);
  node.world.failing[FakeActuator::Call::happened] = Error(Errc::io, "EIO");
  ASSERT_TRUE(node.restart());
  const auto other = node.make_plan(SetPidsMax{500, kTtlMs}, "other");
  node.deliver(node.approve(other));
  node.pass(59s);
  EXPECT_EQ(node.state(plan), State::claimed);
  EXPECT_EQ(node.state(other), State::unset);
  EXPECT_EQ(node.last_notice(), "busy");
  node.pass(3s);
  EXPECT_EQ(node.state(plan), State::unknown);
  EXPECT_EQ(node.state(other), State::done);
  node.pass(10min);
  EXPECT_EQ(node.value(), kOld) << "its time is over, whatever it was";
}

TEST_F(Others, an_object_that_can_be_asked_again_is_asked_within_a_second) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, kTtlMs}, "interrupted");
  const auto packet = to_bytes(DeliverPlan{encode(node.approve(plan))});
  node.world.crash_after_call = node.world.calls + 4;
  EXPECT_THROW((void)node.executor->on_packet(packet), fw::test::FakeDisk::Crash);
  node.world.failing[FakeActuator::Call::happened] = Error(Errc::io, "EIO");
  ASSERT_TRUE(node.restart());
  node.world.failing.clear();
  node.pass(1001ms);
  EXPECT_EQ(node.state(plan), State::done);
}

// ---- heads of the log

TEST_F(Others, a_head_that_is_not_news_is_bad_and_no_alarm_with_a_plan_or_without) {
  const auto plan = node.make_plan(SetMemoryLimit{kNew, kTtlMs}, "limit");
  auto late = node.approve(plan);
  node.log.append("{}");
  node.send(DeliverCheckpoint{node.log.note(), node.seen(), node.log.prove(0, node.seen()).consistency});
  ASSERT_EQ(node.last_notice(), "");
  const auto seen = node.seen();

  node.deliver(late);   // under the head of before
  EXPECT_EQ(node.last_notice(), "checkpoint-bad");
  node.send(DeliverCheckpoint{late.proof.note, 0, {}});
  EXPECT_EQ(node.last_notice(), "checkpoint-bad");
  EXPECT_TRUE(node.notices().back().again);
  node.log.append("{}");
  node.send(DeliverCheckpoint{node.log.note(), 0, {}});
  EXPECT_EQ(node.last_notice(), "checkpoint-bad");
  EXPECT_EQ(node.seen(), seen);
}

}  // namespace
}  // namespace fw::authority::test
