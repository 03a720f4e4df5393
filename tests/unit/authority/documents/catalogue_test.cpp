#include <gmock/gmock.h>

#include "tests/support/authority_builder.hpp"

namespace fw::authority {
namespace {

using ::testing::IsEmpty;

TEST(Catalogue, has_a_row_for_every_action_at_its_index) {
  const auto actions = test::every_action();
  ASSERT_EQ(actions.size(), catalogue().size());
  for (std::size_t i = 0; i < actions.size(); ++i) {
    EXPECT_EQ(actions[i].index(), i + 1);
    EXPECT_EQ(&info_of(actions[i]), &catalogue()[i]);
    EXPECT_EQ(find_action(catalogue()[i].name), &catalogue()[i]);
  }
}

TEST(CheckPlan, has_nothing_to_say_about_a_good_plan_of_every_action) {
  for (const auto& action : test::every_action()) EXPECT_THAT(check_plan(test::plan(action)), IsEmpty()) << describe(action);
}

TEST(CheckPolicy, has_nothing_to_say_about_the_good_policies) {
  EXPECT_THAT(check_policy(test::team_policy()), IsEmpty());
  EXPECT_THAT(check_policy(test::solo_policy()), IsEmpty());
}

}  // namespace
}  // namespace fw::authority
