// What the specialists say can be done, as typed actions.
#include <gtest/gtest.h>

#include "story.hpp"

namespace fw::agents {
namespace {

TEST(Remedies, gives_a_lowered_limit_back_within_a_safe_range) {
  const auto f = explain(limit_lowered());
  ASSERT_NE(f.cause(), nullptr);
  ASSERT_EQ(f.cause()->remedies.size(), 1U);
  const Remedy& remedy = f.cause()->remedies.front();
  EXPECT_EQ(remedy.cgroup_path, "/shop/checkout");
  EXPECT_EQ(remedy.value, 256 * kMiB);
  EXPECT_EQ(remedy.value_now, 64 * kMiB);
  EXPECT_GE(remedy.safe_min, 189 * kMiB) << "5 % above the 180 MiB that were in use";
  EXPECT_LT(remedy.safe_min, 256 * kMiB);
  EXPECT_EQ(remedy.safe_max, 4 * 256 * kMiB);
  EXPECT_FALSE(remedy.temporary);
}

TEST(Remedies, never_give_more_than_the_node_has_left) {
  Story s = limit_lowered();
  s.series("memory_available_bytes", kNow - kMinute, kNow, 10 * kSecond, [](double) { return 160 * kMiB; }, Story::kNode);
  const auto f = explain(s);
  ASSERT_EQ(f.cause()->remedies.size(), 1U);
  EXPECT_EQ(f.cause()->remedies.front().value, 208 * kMiB) << "64 MiB and nine tenths of 160 MiB";
  EXPECT_EQ(f.cause()->remedies.front().safe_max, 208 * kMiB);

  Story full = limit_lowered();
  full.series("memory_available_bytes", kNow - kMinute, kNow, 10 * kSecond, [](double) { return 20 * kMiB; }, Story::kNode);
  EXPECT_TRUE(explain(full).cause()->remedies.empty());
}

TEST(Remedies, are_a_brake_where_a_limit_does_not_mend_the_cause) {
  const auto f = explain(leak());
  ASSERT_EQ(f.cause()->remedies.size(), 1U);
  EXPECT_TRUE(f.cause()->remedies.front().temporary);
  EXPECT_GT(f.cause()->remedies.front().value, f.cause()->remedies.front().value_now);
}

TEST(Remedies, are_none_for_what_no_limit_can_mend) {
  for (const auto& story : {node_exhausted(), killed_by_person(), recycled()}) {
    const auto f = explain(story);
    ASSERT_NE(f.cause(), nullptr);
    EXPECT_TRUE(f.cause()->remedies.empty()) << f.cause()->card;
  }
}

TEST(Remedies, are_none_once_the_limit_was_given_back) {
  Story s = limit_lowered();
  s.limit(kNow + 45 * kSecond, kNow + 55 * kSecond, 256);
  const auto f = explain(s);
  ASSERT_NE(f.cause(), nullptr);
  EXPECT_TRUE(f.cause()->remedies.empty());
}

TEST(Remedies, travel_as_json) {
  const auto f = explain(limit_lowered());
  const auto back = findings_from_json(to_json(f));
  ASSERT_TRUE(back) << back.error().message();
  ASSERT_EQ(back->cause()->remedies.size(), 1U);
  EXPECT_EQ(back->cause()->remedies.front().safe_min, f.cause()->remedies.front().safe_min);
  EXPECT_EQ(back->cause()->remedies.front().why, f.cause()->remedies.front().why);
}

}  // namespace
}  // namespace fw::agents
