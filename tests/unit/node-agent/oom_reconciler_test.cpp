#include <gtest/gtest.h>

#include "node-agent/collectors/oom_reconciler.hpp"

namespace fw::collectors {
namespace {

TEST(OomReconciler, first_reading_is_history) {
  OomReconciler reconciler;
  EXPECT_FALSE(reconciler.at_reading(1, 5, std::nullopt, false));
  EXPECT_FALSE(reconciler.at_reading(1, 5, std::nullopt, false));
}

TEST(OomReconciler, without_another_source_a_raised_counter_is_a_kill_at_once) {
  OomReconciler reconciler;
  reconciler.at_reading(1, 0, 0, false);
  const auto kill = reconciler.at_reading(1, 2, 1, false);
  ASSERT_TRUE(kill);
  EXPECT_EQ(kill->kills_total, 2U);
  EXPECT_EQ(kill->constraint, wire::OomConstraint::memcg);
  EXPECT_EQ(kill->constraint_source, wire::FactSource::counters);
  EXPECT_FALSE(reconciler.at_reading(1, 2, 1, false));
  EXPECT_EQ(reconciler.at_reading(1, 3, 1, false)->constraint, wire::OomConstraint::unknown) << "its own limit was not hit";
}

TEST(OomReconciler, with_another_source_a_difference_has_to_stay) {
  OomReconciler reconciler;
  reconciler.at_reading(1, 0, 0, true);
  EXPECT_FALSE(reconciler.at_reading(1, 1, 1, true)) << "the event may be on its way";
  reconciler.reported(1);
  EXPECT_FALSE(reconciler.at_reading(1, 1, 1, true)) << "it was";
  EXPECT_FALSE(reconciler.at_reading(1, 3, 2, true));
  const auto kill = reconciler.at_reading(1, 3, 2, true);
  ASSERT_TRUE(kill);
  EXPECT_EQ(kill->kills_total, 2U);
  EXPECT_FALSE(reconciler.at_reading(1, 3, 2, true));
}

}  // namespace
}  // namespace fw::collectors
