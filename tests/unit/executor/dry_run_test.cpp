#include "node-agent/executor/app/dry_run.hpp"

#include <gmock/gmock.h>

#include "tests/support/authority_builder.hpp"
#include "tests/support/fake_actuator.hpp"

namespace fw::executor {
namespace {

using namespace authority;
namespace made = authority::test;
using testing::HasSubstr;

class DryRunTest : public testing::Test {
 protected:
  DryRun run(const Plan& plan, const made::Names& voters) {
    made::Log log;
    return dry_run(encode(made::released(made::envelope(plan, voters), log)), made::team_policy(), {made::node_uid(), {}, made::boot_uid(), "", {}, false},
                   actuator_, made::kNowMs);
  }
  Plan plan_ = made::plan();
  fw::test::FakeActuator actuator_;
};

TEST_F(DryRunTest, says_what_would_be_done_and_does_nothing) {
  actuator_.cgroup(plan_.target.cgroup_path).values[Probe::memory_limit_bytes] = plan_.preconditions.front().value;
  const auto result = run(plan_, {"alice", "bob"});
  EXPECT_TRUE(result.would_act) << result.text;
  EXPECT_THAT(result.text, HasSubstr("set memory limit to 256 MiB, kept"));
  EXPECT_THAT(result.text, HasSubstr("approved by alice\napproved by bob\n"));
  EXPECT_THAT(result.text, HasSubstr("precondition memory_limit_bytes"));
  EXPECT_EQ(actuator_.effects(plan_), 0);
}

TEST_F(DryRunTest, says_why_it_would_refuse) {
  actuator_.cgroup(plan_.target.cgroup_path).values[Probe::memory_limit_bytes] = plan_.preconditions.front().value + 4096;
  auto result = run(plan_, {"alice"});
  EXPECT_FALSE(result.would_act);
  EXPECT_THAT(result.text, HasSubstr("[too-few-people]"));
  result = run(plan_, {"alice", "bob"});
  EXPECT_FALSE(result.would_act);
  EXPECT_THAT(result.text, HasSubstr("[precondition-changed]"));
  actuator_.objects.clear();
  EXPECT_THAT(run(plan_, {"alice", "bob"}).text, HasSubstr("[target-gone]"));
  EXPECT_THAT(dry_run(Bytes(7), made::team_policy(), {}, actuator_, made::kNowMs).text, HasSubstr("[envelope-malformed]"));
}

}  // namespace
}  // namespace fw::executor
