// Both ends of every window, to the millisecond, with clocks that are ahead, behind and set back.
#include "tests/unit/authority/verifier/world.hpp"

namespace fw::authority::verifier_test {
namespace {

// The code when `change` was made to the world before the envelope was.
template <class Change>
Code code_with(Change change) {
  World world;
  change(world);
  return world.code(world.envelope());
}

struct Edge {
  const char* name;
  Code inside, outside;
  void (*set)(World&, std::int64_t);
  std::int64_t last_inside_ms;
  std::int64_t step_ms;   // to the first outside
};
void PrintTo(const Edge& edge, std::ostream* out) { *out << edge.name; }

class EdgeOfTime : public testing::TestWithParam<Edge> {};

TEST_P(EdgeOfTime, is_where_it_says) {
  const auto& edge = GetParam();
  EXPECT_EQ(code_with([&](World& w) { edge.set(w, edge.last_inside_ms); }), edge.inside);
  EXPECT_EQ(code_with([&](World& w) { edge.set(w, edge.last_inside_ms + edge.step_ms); }), edge.outside);
}

const std::vector<Edge> kEdges = {
    {"plan_ends_with_the_skew", Code::ok, Code::expired, [](World& w, std::int64_t end) { w.plan.not_after_ms = end; }, kNow - kSkew, -1},
    {"plan_begins_with_the_skew", Code::ok, Code::not_yet_valid, [](World& w, std::int64_t begin) { w.plan.not_before_ms = begin; }, kNow + kSkew, 1},
    {"plan_ends_by_the_time_floor", Code::ok, Code::expired,
     [](World& w, std::int64_t floor) {
       w.memory.time_floor_ms = floor;
       w.plan.not_after_ms = kNow + 20 * kMinute;
     },
     kNow + 20 * kMinute + kSkew, 1},
    {"approval_is_dated_ahead_by_the_skew", Code::ok, Code::approval_not_yet_valid,
     [](World& w, std::int64_t issued) { w.now_ms = kNow - (issued - kNow); w.plan.not_before_ms = kNow - kHour; }, kNow + kSkew + 5 * kMinute, 1},
    {"approver_until_with_the_skew", Code::ok, Code::key_expired,
     [](World& w, std::int64_t end) { approver(w.policy, "bob").not_after_ms = end; }, kNow - kSkew, -1},
    {"policy_ends_with_the_skew", Code::ok, Code::policy_expired, [](World& w, std::int64_t end) { w.policy.not_after_ms = end; }, kNow - kSkew, -1},
    {"window_as_long_as_the_rule", Code::ok, Code::window_too_long,
     [](World& w, std::int64_t end) {
       rule(w.policy, 2).max_validity_ms = kHour;
       w.plan.not_after_ms = end;
     },
     kNow + 50 * kMinute, 1},
    {"replay_floor", Code::ok, Code::below_replay_floor, [](World& w, std::int64_t floor) { w.memory.replay_floor_ms = floor; },
     kNow + 50 * kMinute - 1, 1},
};

INSTANTIATE_TEST_SUITE_P(Verifier, EdgeOfTime, testing::ValuesIn(kEdges), [](const auto& c) { return std::string(c.param.name); });

Code with_approval_times(std::int64_t issued_ms, std::int64_t expires_ms, std::int64_t floor_ms = 0) {
  World world;
  world.memory.time_floor_ms = floor_ms;
  auto second = world.approval("bob");
  second.issued_ms = issued_ms;
  second.expires_ms = expires_ms;
  return world.code(world.envelope({world.vote("alice"), World::sign(second)}));
}

TEST(ApprovalTimes, have_the_skew_at_both_ends) {
  EXPECT_EQ(with_approval_times(kNow + kSkew, kNow + kHour), Code::ok);
  EXPECT_EQ(with_approval_times(kNow + kSkew + 1, kNow + kHour), Code::approval_not_yet_valid);
  EXPECT_EQ(with_approval_times(kNow - kHour, kNow - kSkew), Code::ok);
  EXPECT_EQ(with_approval_times(kNow - kHour, kNow - kSkew - 1), Code::approval_expired);
}

TEST(ApprovalTimes, end_by_the_floor_and_begin_by_the_clock) {
  const auto floor = kNow + 20 * kMinute;
  EXPECT_EQ(with_approval_times(kNow - kHour, floor - kSkew, floor), Code::ok);
  EXPECT_EQ(with_approval_times(kNow - kHour, floor - kSkew - 1, floor), Code::approval_expired);
  EXPECT_EQ(with_approval_times(kNow + kSkew + 1, kNow + kHour, floor), Code::approval_not_yet_valid);
}

TEST(ClockSetBack, revives_no_plan_no_approver_and_no_policy) {
  World world;
  const auto envelope = world.envelope();
  world.now_ms = kNow - kMinute;
  EXPECT_EQ(world.code(envelope), Code::ok);
  world.memory.time_floor_ms = kNow + 29 * kMinute;
  world.policy.approvers[1].not_after_ms = kNow + 26 * kMinute;
  EXPECT_EQ(world.code(envelope), Code::key_expired);
  world.policy.not_after_ms = kNow + 26 * kMinute;
  EXPECT_EQ(world.code(envelope), Code::policy_expired);
}

TEST(ClockAhead, of_the_past_starts_nothing_early) {
  World world;
  world.memory.time_floor_ms = kNow + 10 * kMinute;   // raised while the clock was ahead
  world.plan.not_before_ms = kNow + 5 * kMinute;
  const auto envelope = world.envelope();
  EXPECT_EQ(world.code(envelope), Code::not_yet_valid);
  world.now_ms = kNow + 3 * kMinute;
  EXPECT_EQ(world.code(envelope), Code::ok);
}

TEST(Skew, of_a_policy_is_held_within_an_hour) {
  const auto ends = [](std::int64_t skew_ms, std::int64_t end_ms) {
    return code_with([&](World& w) {
      w.policy.time_skew_ms = skew_ms;
      w.plan.not_before_ms = kNow - 3 * kHour;
      w.plan.not_after_ms = end_ms;
    });
  };
  EXPECT_EQ(ends(2 * kHour, kNow - kHour), Code::ok);
  EXPECT_EQ(ends(2 * kHour, kNow - kHour - 1), Code::expired);
  EXPECT_EQ(ends(-kHour, kNow), Code::ok);
  EXPECT_EQ(ends(-kHour, kNow - 1), Code::expired);
  EXPECT_EQ(ends(0, kNow), Code::ok);
}

TEST(Approver, without_an_end_approves_as_long_as_the_policy) {
  EXPECT_EQ(code_with([](World& w) { approver(w.policy, "bob").not_after_ms = 0; }), Code::ok);
  EXPECT_EQ(code_with([](World& w) { approver(w.policy, "bob").not_after_ms = 1; }), Code::key_expired);
}

}  // namespace
}  // namespace fw::authority::verifier_test
