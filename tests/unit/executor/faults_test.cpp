// Every system call of every action fails once: what an action says about it must be true.
#include <gmock/gmock.h>

#include "protocol/authority/catalogue.hpp"
#include "tests/unit/executor/host_tree.hpp"

namespace fw::executor::test {
namespace {

using namespace authority;

const std::string kPod = "/kubepods/burstable/pod0a1b2c3d-0000-4000-8000-00000000abcd";
const std::string kContainer = kPod + "/" + std::string(64, 'a');

struct Case {
  Hierarchy hierarchy;
  Action action;
  std::string path = HostTree::kGroup;
};

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const auto hierarchy : {Hierarchy::v1, Hierarchy::v1_without_freezer, Hierarchy::v2}) {
    for (const auto& action : std::vector<Action>{SetMemoryLimit{128 * kMiB, 0}, SetMemoryLimit{32 * kMiB, 0}, SetCpuMax{30'000, 50'000, 0}, SetCpuMax{30'000, 200'000, 0},
                                                  SetCpuWeight{300, 0}, SetPidsMax{9, 0}, Freeze{1000}, Thaw{}, KillCgroup{}, Diagnose{4096}}) {
      out.push_back({hierarchy, action});
    }
  }
  out.push_back({Hierarchy::v2, SetMemoryHigh{32 * kMiB, 0}});
  out.push_back({Hierarchy::v2, SetMemoryLimit{128 * kMiB, 0}, kContainer});
  out.push_back({Hierarchy::v2, SetMemoryLimit{kUnlimited, 0}, kContainer});
  return out;
}

// A machine on which the case's action has something to do.
struct World {
  HostTree tree;
  WatchedCalls watched{tree.kernel()};
  HostActuator actuator{tree.open()};
  Plan plan;

  explicit World(const Case& one) : tree(one.hierarchy), plan(tree.plan(one.action, one.path)) {
    if (one.path == kContainer) {
      tree.cgroup(kPod);
      tree.cgroup(kContainer);
      tree.cgroup(kPod + "/" + std::string(64, 'b'));
      tree.put(tree.file("memory", "memory.max", kPod), "134217728");
    }
    if (std::holds_alternative<KillCgroup>(one.action) || std::holds_alternative<Diagnose>(one.action)) tree.process(4001, {}, one.path);
    tree.on_pause = [this] { tree.put(tree.file("memory", "cgroup.procs"), ""); };
  }
  std::unique_ptr<OpenTarget> open() { return actuator.open(plan).value(); }
};

constexpr int kErrors[] = {EACCES, EIO};   // nothing was done; and perhaps something

class Faults : public testing::TestWithParam<int> {
 protected:
  // body runs once for each call that can fail, in a new world; until one run has nothing left to fail.
  void each_call(const Case& one, const std::function<void(World&, OpenTarget&, Told)>& body) const {
    for (int skip = 0; skip < 500; ++skip) {
      World world(one);
      const auto target = world.open();
      SCOPED_TRACE(describe(one.action) + (world.tree.v2() ? ", v2" : ", v1") + ", call " + std::to_string(skip));
      more_ = false;
      body(world, *target, {.error_number = GetParam(), .skip = skip});
      if (!more_) return;
    }
    ADD_FAILURE() << "no end";
  }
  mutable bool more_ = false;
};
INSTANTIATE_TEST_SUITE_P(Errors, Faults, testing::ValuesIn(kErrors));

TEST_P(Faults, an_action_that_says_nothing_was_done_did_nothing) {
  for (const auto& one : cases()) {
    each_call(one, [&](World& world, OpenTarget& target, Told told) {
      const auto before = world.tree.everything();
      Result<std::string> applied(std::string{});
      {
        const FailingCall failing("", told);
        applied = target.apply();
        more_ = failing.happened();
      }
      const bool may_be_half_done = applied || applied.error().code == Errc::io;
      EXPECT_TRUE(may_be_half_done || world.tree.everything() == before) << applied.error().message();
    });
  }
}

TEST(FaultsOfQuestions, change_nothing_and_can_be_asked_again) {
  for (const auto& one : cases()) {
    World world(one);
    const auto target = world.open();
    const auto before = world.tree.everything();
    bool more = true;
    for (int skip = 0; more; ++skip) {
      ASSERT_LT(skip, 500);
      SCOPED_TRACE(describe(one.action) + (world.tree.v2() ? ", v2" : ", v1") + ", call " + std::to_string(skip));
      {
        const FailingCall failing("", {.error_number = EIO, .skip = skip});
        (void)world.actuator.open(world.plan);
        (void)target->snapshot();
        (void)target->happened({});
        for (int probe = 1; probe <= static_cast<int>(Probe::node_available_bytes); ++probe) (void)target->read(static_cast<Probe>(probe));
        more = failing.happened();
      }
      EXPECT_TRUE(target->snapshot());
    }
    EXPECT_EQ(world.tree.everything(), before);
  }
}

TEST_P(Faults, a_restore_that_failed_is_done_by_the_next_one) {
  for (const auto& one : cases()) {
    if (!is_setting(one.action) && !std::holds_alternative<Freeze>(one.action)) continue;
    each_call(one, [&](World&, OpenTarget& target, Told told) {
      const auto value = [&] { return target.read(std::holds_alternative<Freeze>(one.action) ? Probe::frozen : changed_probe(one.action)).value(); };
      const auto before = value();
      const auto snapshot = target.snapshot().value();
      ASSERT_TRUE(target.apply());
      const auto changed = value();
      {
        const FailingCall failing("", told);
        const auto restored = target.restore(snapshot);
        more_ = failing.happened();
        EXPECT_TRUE(more_ || restored);
      }
      EXPECT_TRUE(value() == before || value() == changed);
      EXPECT_TRUE(target.restore(snapshot));
      EXPECT_EQ(value(), before);
    });
  }
}

}  // namespace
}  // namespace fw::executor::test
