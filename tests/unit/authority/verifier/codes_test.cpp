// Every code: its row in docs/refusals.md, and a test that reached it.
#include <fstream>
#include <regex>
#include <sstream>

#include "protocol/authority/verify_parts.hpp"
#include "tests/unit/authority/verifier/world.hpp"

namespace fw::authority::verifier_test {
namespace {

std::vector<Code> all_codes() {
  std::vector<Code> codes;
  for (int i = 0; i <= static_cast<int>(Code::not_unknown); ++i) codes.push_back(static_cast<Code>(i));
  return codes;
}

TEST(Codes, have_names_of_their_own) {
  std::set<std::string_view> names;
  for (const auto code : all_codes()) EXPECT_TRUE(names.insert(to_string(code)).second) << to_string(code);
  EXPECT_FALSE(names.contains("unknown"));
  EXPECT_EQ(to_string(static_cast<Code>(255)), "unknown");
}

TEST(Codes, stand_in_the_page_of_refusals_in_their_order) {
  std::ifstream file(std::string(FW_SOURCE_DIR) + "/docs/refusals.md");
  std::vector<std::string> rows, expected;
  for (std::string line; std::getline(file, line);) {
    std::smatch found;
    if (std::regex_match(line, found, std::regex(R"(\| `([a-z0-9-]+)` \| .+ \| .+ \| (yes|no) \|)"))) {
      rows.push_back(found[1].str() + " " + found[2].str());
    }
  }
  for (const auto code : all_codes()) {
    if (code != Code::ok) expected.push_back(std::string(to_string(code)) + (may_come_again(code) ? " yes" : " no"));
  }
  EXPECT_EQ(rows, expected);
}

// What the journal keeps must not depend on what travels beside the plan: else anyone burns a good plan by adding something bad to it.
TEST(Codes, of_votes_standing_approvals_and_proofs_let_the_plan_come_again) {
  for (const auto code : {Code::envelope_malformed, Code::key_unknown, Code::signature_bad, Code::approval_malformed, Code::approval_other_plan,
                          Code::approval_person, Code::approval_expired, Code::approval_not_yet_valid, Code::policy_version_other, Code::too_few_people,
                          Code::out_of_scope, Code::proposer_approved, Code::standing_malformed, Code::standing_not_covering, Code::standing_not_now,
                          Code::standing_used_up, Code::inclusion_missing, Code::checkpoint_bad, Code::checkpoint_inconsistent, Code::witnesses_missing,
                          Code::key_expired, Code::senior_missing, Code::group_missing, Code::paused, Code::policy_paused, Code::policy_expired,
                          Code::budget_used_up, Code::busy, Code::journal_failed, Code::not_yet_valid}) {
    EXPECT_TRUE(may_come_again(code)) << to_string(code);
  }
  for (const auto code : {Code::denied, Code::expired, Code::wrong_node, Code::replayed, Code::precondition_changed}) {
    EXPECT_FALSE(may_come_again(code)) << to_string(code);
  }
}

// After a whole run every code that the verifier has was seen by some test.
class EveryCode : public testing::Environment {
 public:
  void TearDown() override {
    if (testing::GTEST_FLAG(filter) != "*" || testing::UnitTest::GetInstance()->Failed()) return;
    const std::set<Code> of_the_executor = {Code::target_gone, Code::precondition_changed, Code::busy, Code::journal_failed, Code::nothing_to_undo};
    for (const auto code : all_codes()) {
      EXPECT_TRUE(seen_codes().contains(code) || of_the_executor.contains(code)) << "no test reaches " << to_string(code);
    }
  }
};

[[maybe_unused]] const auto* const kEveryCode = testing::AddGlobalTestEnvironment(new EveryCode);

TEST(Times, that_are_no_dates_are_written_as_numbers) {
  EXPECT_EQ(verify::time_text(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(verify::time_text(-1), "-1 ms");
  EXPECT_EQ(verify::time_text(253'402'300'799'999), "9999-12-31T23:59:59Z");
  EXPECT_EQ(verify::time_text(253'402'300'800'000), "253402300800000 ms");
}

TEST(Times, are_written_for_people) {
  World world;
  world.plan.not_after_ms = 1'000'000'000'123;
  world.plan.not_before_ms = 999'999'999'000;
  EXPECT_THAT(world.refusal(world.envelope()).sentence, testing::HasSubstr("the plan ended at 2001-09-09T01:46:40Z, it is 2026-11-23T12:00:00Z"));
}

}  // namespace
}  // namespace fw::authority::verifier_test
