// Every action on a machine of plain files, v1, v2 and in between: what it sets, what it restores, what it refuses.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "node-agent/executor/actions/target.hpp"
#include "tests/unit/executor/host_tree.hpp"

namespace fw::executor::test {
namespace {

using namespace authority;
using testing::HasSubstr;
using testing::Not;

const std::string kPodUid = "0a1b2c3d-0000-4000-8000-00000000abcd";
const std::string kPod = "/kubepods/burstable/pod" + kPodUid;
const std::string kContainer = kPod + "/" + std::string(64, 'a');
const std::string kSidecar = kPod + "/" + std::string(64, 'b');

struct Actions : testing::TestWithParam<Hierarchy> {
  HostTree tree{GetParam()};
  WatchedCalls watched{tree.kernel()};
  HostActuator actuator{tree.open()};

  std::unique_ptr<OpenTarget> open(const Plan& plan) {
    auto opened = actuator.open(plan);
    EXPECT_TRUE(opened) << opened.error().message();
    return opened ? std::move(*opened) : nullptr;
  }
  // "before, applied, after, restored": a restore leaves every file as it was, and a second one changes nothing.
  std::string round_trip(const Plan& plan, Probe probe) {
    const auto target = open(plan);
    const auto files = tree.everything();
    std::string out = std::to_string(target->read(probe).value());
    const auto snapshot = target->snapshot().value();
    EXPECT_EQ(tree.everything(), files) << "a snapshot changes nothing";
    EXPECT_FALSE(target->happened(snapshot).value());
    out += ", " + target->apply().value();   // a statement each: the order of operands is the compiler's
    out += ", " + std::to_string(target->read(probe).value());
    EXPECT_TRUE(target->happened(snapshot).value());
    out += ", " + target->restore(snapshot).value();
    EXPECT_FALSE(target->happened(snapshot).value());
    EXPECT_THAT(target->restore(snapshot).value(), HasSubstr("as it was"));
    return out;
  }
  Errc snapshot_error(const Plan& plan) {
    const auto snapshot = open(plan)->snapshot();
    return snapshot ? Errc{} : static_cast<Errc>(snapshot.error().code.value());
  }
};
struct OnV2 : Actions {};
struct OnV1 : Actions {};
INSTANTIATE_TEST_SUITE_P(Trees, Actions, testing::Values(Hierarchy::v1, Hierarchy::hybrid, Hierarchy::v2));
INSTANTIATE_TEST_SUITE_P(Trees, OnV2, testing::Values(Hierarchy::v2));
INSTANTIATE_TEST_SUITE_P(Trees, OnV1, testing::Values(Hierarchy::v1, Hierarchy::hybrid));

TEST_P(Actions, memory_limit_up_down_away_and_back) {
  EXPECT_EQ(round_trip(tree.plan(SetMemoryLimit{128 * kMiB, 0}), Probe::memory_limit_bytes),
            "67108864, memory limit 134217728, 134217728, memory limit 67108864");
  EXPECT_EQ(round_trip(tree.plan(SetMemoryLimit{32 * kMiB, 0}), Probe::memory_limit_bytes), "67108864, memory limit 33554432, 33554432, memory limit 67108864");
  EXPECT_EQ(round_trip(tree.plan(SetMemoryLimit{kUnlimited, 0}), Probe::memory_limit_bytes), "67108864, memory limit max, -1, memory limit 67108864");
  EXPECT_EQ(open(tree.plan(SetMemoryLimit{64 * kMiB, 0}))->apply().value(), "memory limit 67108864");   // what it has: nothing to write
}

TEST_P(Actions, memory_limit_that_was_none_comes_back_as_none) {
  const auto file = tree.file("memory", tree.v2() ? "memory.max" : "memory.limit_in_bytes");
  tree.put(file, tree.v2() ? "max" : "9223372036854771712");
  EXPECT_EQ(round_trip(tree.plan(SetMemoryLimit{32 * kMiB, 0}), Probe::memory_limit_bytes), "-1, memory limit 33554432, 33554432, memory limit max");
  EXPECT_EQ(tree.text(file), tree.v2() ? "max" : "-1");
}

TEST_P(Actions, memory_limit_is_never_set_below_the_usage) {
  const auto target = open(tree.plan(SetMemoryLimit{16 * kMiB, 0}));
  tree.put(tree.file("memory", tree.v2() ? "memory.current" : "memory.usage_in_bytes"), "33554432");
  const auto files = tree.everything();
  EXPECT_EQ(target->apply().error().code, Errc::conflict);
  EXPECT_EQ(tree.everything(), files);
}

TEST_P(Actions, what_another_hand_changed_stays) {
  const auto file = tree.file("memory", tree.v2() ? "memory.max" : "memory.limit_in_bytes");
  const auto target = open(tree.plan(SetMemoryLimit{128 * kMiB, 0}));
  const auto snapshot = target->snapshot().value();
  ASSERT_TRUE(target->apply());
  tree.put(file, "100663296");
  EXPECT_EQ(target->restore(snapshot).value(), "memory limit 100663296: another hand changed it, so it stays");
  EXPECT_EQ(tree.text(file), "100663296");
}

TEST_P(Actions, cpu_pids_and_freezer) {
  for (const std::int64_t period : {50'000, 100'000, 200'000}) {
    EXPECT_EQ(round_trip(tree.plan(SetCpuMax{30'000, period, 0}), Probe::cpu_quota_us), "-1, cpu quota 30000, 30000, cpu quota max");
    EXPECT_EQ(tree.text(tree.file("cpu", tree.v2() ? "cpu.max" : "cpu.cfs_period_us")), tree.v2() ? "max 100000" : "100000");
  }
  EXPECT_EQ(round_trip(tree.plan(SetPidsMax{32, 0}), Probe::pids_max), "-1, pids max 32, 32, pids max max");
  EXPECT_EQ(open(tree.plan(SetPidsMax{32, 0}))->read(Probe::pids_current).value(), 1);
  EXPECT_EQ(round_trip(tree.plan(Freeze{1000}), Probe::frozen), "0, frozen 1, 1, frozen 0");
  EXPECT_EQ(open(tree.plan(Freeze{1000}))->apply().value(), "frozen 1");
  EXPECT_EQ(round_trip(tree.plan(Thaw{}), Probe::frozen), "1, frozen 0, 0, frozen 1");
}

TEST_P(Actions, a_weight_comes_back_exactly) {
  const auto file = tree.file("cpu", tree.v2() ? "cpu.weight" : "cpu.shares");
  const auto before = tree.text(file);
  EXPECT_THAT(round_trip(tree.plan(SetCpuWeight{200, 0}), Probe::cpu_weight), HasSubstr("cpu weight 200, 200, "));
  EXPECT_EQ(tree.text(file), before);
  // What a journal of another hierarchy recorded is enough as well.
  const auto target = open(tree.plan(SetCpuWeight{300, 0}));
  ASSERT_TRUE(target->apply());
  const std::string only_value = "value 100\n";
  EXPECT_EQ(target->restore(Bytes(only_value.begin(), only_value.end())).value(), "cpu weight 100");
}

TEST_P(Actions, a_sysctl_of_the_list) {
  const Plan plan = tree.plan(SetSysctl{"fs.inotify.max_user_instances", 256, 0}, "");
  EXPECT_EQ(round_trip(plan, Probe::sysctl_value), "128, fs.inotify.max_user_instances 256, 256, fs.inotify.max_user_instances 128");
  EXPECT_THAT(open(plan)->identity(), HasSubstr("sysctl fs.inotify.max_user_instances of node "));
  EXPECT_EQ(open(plan)->read(Probe::node_available_bytes).value(), 1000 * 1024);
  EXPECT_EQ(open(plan)->read(Probe::memory_limit_bytes).error().code, Errc::unsupported);
  EXPECT_EQ(snapshot_error(tree.plan(SetSysctl{"kernel.core_pattern", 1, 0}, "")), Errc::permission);
  for (const std::int64_t value : {std::int64_t{0}, std::int64_t{1} << 40}) {
    EXPECT_EQ(snapshot_error(tree.plan(SetSysctl{"fs.inotify.max_user_instances", value, 0}, "")), Errc::invalid_argument);
    EXPECT_EQ(open(tree.plan(SetSysctl{"fs.inotify.max_user_instances", value, 0}, ""))->read(Probe::sysctl_value).error().code, Errc::invalid_argument);
  }
}

TEST_P(Actions, a_snapshot_that_cannot_be_read_restores_nothing) {
  for (const auto& plan : {tree.plan(SetMemoryLimit{128 * kMiB, 0}), tree.plan(SetPidsMax{9, 0})}) {
    const auto target = open(plan);
    const auto files = tree.everything();
    for (const std::string bad : {"x", "swap 1\n", ""}) {
      EXPECT_EQ(target->restore(Bytes(bad.begin(), bad.end())).error().code, Errc::malformed) << bad;
    }
    EXPECT_EQ(tree.everything(), files);
  }
}

TEST_P(Actions, a_value_that_cannot_be_read_after_it_was_set_is_said_so) {
  const auto target = open(tree.plan(SetPidsMax{32, 0}));
  const auto snapshot = target->snapshot().value();
  {
    const FailingCall failing("read", {EIO});
    EXPECT_THAT(target->apply().value(), HasSubstr("pids max set; it cannot be read: "));
  }
  const FailingCall failing("read", {.error_number = EIO, .skip = 2});   // the first value takes two reads
  EXPECT_THAT(target->restore(snapshot).value(), HasSubstr("pids max restored; it cannot be read: "));
}

TEST_P(Actions, a_target_that_went_is_gone_for_every_question) {
  for (const auto& action : std::vector<Action>{SetMemoryLimit{128 * kMiB, 0}, SetPidsMax{3, 0}, SetCpuMax{30'000, 50'000, 0}, SetCpuWeight{3, 0}, Freeze{}, Thaw{}, KillCgroup{}}) {
    const auto target = open(tree.plan(action));
    const auto snapshot = target->snapshot();
    for (const auto* controller : {"memory", "cpu", "pids", "freezer", "unified"}) tree.make_folder(tree.folder(controller));
    EXPECT_FALSE(target->snapshot());
    EXPECT_FALSE(target->apply());
    for (const auto probe : {Probe::memory_limit_bytes, Probe::memory_high_bytes, Probe::memory_current_bytes, Probe::cpu_quota_us, Probe::cpu_weight,
                             Probe::pids_max, Probe::pids_current, Probe::frozen, Probe::populated}) {
      EXPECT_FALSE(target->read(probe)) << to_string(probe);
    }
    if (!std::holds_alternative<KillCgroup>(action)) {
      EXPECT_FALSE(target->happened(snapshot ? *snapshot : Bytes()));
      EXPECT_FALSE(target->restore(snapshot ? *snapshot : Bytes()));
    }
    for (const auto* controller : {"memory", "cpu", "pids", "freezer", "unified"}) tree.remove(tree.folder(controller));
    tree.cgroup(HostTree::kGroup);
  }
}

TEST_P(Actions, questions_that_a_target_cannot_answer) {
  const auto target = open(tree.plan(SetPidsMax{3, 0}));
  EXPECT_EQ(target->read(Probe::process_alive).error().code, Errc::unsupported);
  EXPECT_EQ(target->read(Probe::unknown).error().code, Errc::unsupported);
  EXPECT_EQ(target->read(Probe::sysctl_value).error().code, Errc::unsupported);
  EXPECT_EQ(target->read(Probe::node_available_bytes).value(), 1000 * 1024);
  tree.put("/proc/meminfo", "MemTotal: 1 kB\n");
  EXPECT_EQ(target->read(Probe::node_available_bytes).error().code, Errc::unsupported);
  tree.remove("/proc/meminfo");
  EXPECT_EQ(target->read(Probe::node_available_bytes).error().code, Errc::gone);
  tree.put(tree.file("pids", "pids.max"), "many");
  EXPECT_EQ(target->read(Probe::pids_max).error().code, Errc::malformed);
  tree.put(tree.file("memory", "cgroup.procs"), "");
  EXPECT_EQ(target->read(Probe::populated).value(), 0);
  EXPECT_THAT(target->identity(), HasSubstr("/shop/checkout inode "));
  // Without a cgroup: of the node.
  const auto of_node = open(tree.plan(Diagnose{4096}, ""));
  EXPECT_EQ(of_node->read(Probe::populated).error().code, Errc::unsupported);
}

TEST_P(Actions, who_is_in_a_cgroup_decides_whether_it_may_be_stopped) {
  const auto freeze = tree.plan(Freeze{1000});
  tree.process(4001, {.comm = "app"});
  EXPECT_EQ(snapshot_error(freeze), Errc{});
  if (!tree.v2()) {
    EXPECT_EQ(open(freeze)->read(Probe::populated).value(), 1);
  }
  tree.process(4002, {.comm = "containerd-shim"});
  EXPECT_EQ(snapshot_error(freeze), Errc::permission);
  EXPECT_EQ(snapshot_error(tree.plan(Thaw{})), Errc{});
  const auto members = tree.file("memory", "cgroup.procs");
  tree.put(members, "4001\n1\n");
  EXPECT_EQ(snapshot_error(freeze), Errc::permission);
  tree.put(members, std::to_string(::getpid()) + "\n");
  EXPECT_EQ(snapshot_error(freeze), Errc::permission);
  tree.put(members, "0\n");
  EXPECT_EQ(snapshot_error(freeze), Errc::unsupported);
  EXPECT_EQ(open(tree.plan(KillCgroup{}))->snapshot().error().code, Errc::unsupported);
  if (!tree.v2()) {
    EXPECT_EQ(open(freeze)->read(Probe::populated).value(), 1);
  }
  tree.put(members, "4003\nnonsense\n");   // one that ended just now
  EXPECT_EQ(snapshot_error(freeze), Errc{});
  tree.put("/proc/4003/stat", "what");
  EXPECT_EQ(snapshot_error(freeze), Errc{});
  std::string many;
  for (int pid = 10'000; pid < 14'100; ++pid) many += std::to_string(pid) + "\n";
  tree.put(members, many);
  EXPECT_EQ(snapshot_error(freeze), Errc::unsupported);
}

TEST_P(Actions, a_freeze_waits_until_the_kernel_is_ready_but_not_for_ever) {
  if (tree.v2()) {
    tree.slow = true;
    EXPECT_EQ(open(tree.plan(Freeze{1000}))->apply().value(), "frozen 1");
    EXPECT_EQ(tree.pauses, 1);
  }
  tree.slow = false;
  const auto state = tree.v2() ? tree.file("memory", "cgroup.events") : tree.file("freezer", "freezer.state");
  const auto target = open(tree.plan(tree.v2() ? Action(Thaw{}) : Action(Freeze{1000})));
  tree.pauses = 0;
  const WatchedCalls stubborn([&](std::string_view call, int) {
    tree.put(state, tree.v2() ? "populated 1\nfrozen 1\n" : "FREEZING\n");
    tree.pauses += call == "pause" ? 1 : 0;
  });
  EXPECT_TRUE(target->apply());
  EXPECT_EQ(tree.pauses, 400);   // two seconds of 5 ms
}

TEST_P(Actions, the_root_cgroup_and_other_cgroups_than_the_plans_are_refused) {
  for (const std::string path : {"/", "/..", "//", "/a//b", "/./a", "/a/"}) {
    EXPECT_EQ(actuator.open(tree.plan(SetPidsMax{3, 0}, path)).error().code, Errc::invalid_argument) << path;
  }
  EXPECT_EQ(actuator.open(tree.plan(SetPidsMax{3, 0}, "")).error().code, Errc::invalid_argument);
  EXPECT_EQ(actuator.open(tree.plan(SetPidsMax{3, 0}, "/nowhere")).error().code, Errc::gone);
  for (const auto& action : std::vector<Action>{Undo{}, Extend{}, std::monostate{}}) EXPECT_EQ(actuator.open(tree.plan(action)).error().code, Errc::invalid_argument);
  auto plan = tree.plan(SetPidsMax{3, 0});
  struct stat info{};
  ASSERT_EQ(::stat((tree.top() + tree.folder("memory")).c_str(), &info), 0);
  plan.target.cgroup_inode = info.st_ino;
  EXPECT_TRUE(actuator.open(plan));
  plan.target.cgroup_inode += 1;
  EXPECT_EQ(actuator.open(plan).error().code, Errc::gone);
}

TEST_P(OnV2, memory_high_brakes) {
  EXPECT_EQ(round_trip(tree.plan(SetMemoryHigh{32 * kMiB, 0}), Probe::memory_high_bytes), "-1, memory high 33554432, 33554432, memory high max");
}

TEST_P(OnV2, a_cgroup_that_is_replaced_while_it_is_opened_is_gone) {
  // The inode of a later folder is another one: one hierarchy cannot have two.
  int opened = 0;
  const WatchedCalls racing([&](std::string_view call, int) {
    if (call != "openat2" || ++opened != 2) return;
    fs::rename(tree.top() + tree.folder("memory"), tree.top() + "/old");
    fs::create_directories(tree.top() + tree.folder("memory"));
  });
  EXPECT_EQ(actuator.open(tree.plan(SetPidsMax{3, 0})).error().code, Errc::gone);
  opened = 0;
  const WatchedCalls removing([&](std::string_view call, int) {
    if (call == "openat2" && ++opened == 1) tree.remove(tree.folder("memory"));
  });
  EXPECT_EQ(actuator.open(tree.plan(SetPidsMax{3, 0})).error().code, Errc::gone);
}

TEST_P(OnV2, a_pods_limit_goes_with_its_containers) {
  tree.cgroup(kPod);
  tree.cgroup(kContainer);
  tree.cgroup(kSidecar);
  const auto of_pod = tree.file("memory", "memory.max", kPod);
  tree.put(of_pod, "100663296");
  tree.put(tree.file("memory", "memory.max", kSidecar), "33554432");
  EXPECT_EQ(round_trip(tree.plan(SetMemoryLimit{128 * kMiB, 0}, kContainer), Probe::memory_limit_bytes), "67108864, memory limit 134217728, 134217728, memory limit 67108864");
  const auto target = open(tree.plan(SetMemoryLimit{128 * kMiB, 0}, kContainer));
  const auto snapshot = target->snapshot().value();
  ASSERT_TRUE(target->apply());
  EXPECT_EQ(tree.text(of_pod), "167772160");   // the plan's and the sidecar's
  ASSERT_TRUE(target->restore(snapshot));
  EXPECT_EQ(tree.text(of_pod), "100663296");

  // The container's write had failed: its number is as it was, the pod's is not.
  tree.put(of_pod, "167772160");
  EXPECT_EQ(target->restore(snapshot).value(), "memory limit 67108864, as it was");
  EXPECT_EQ(tree.text(of_pod), "100663296");

  // What another hand gave the pod meanwhile stays.
  ASSERT_TRUE(target->apply());
  tree.put(of_pod, "999424000");
  ASSERT_TRUE(target->restore(snapshot));
  EXPECT_EQ(tree.text(of_pod), "999424000");

  // No limit at all, of the plan or of the pod; and a sidecar without one adds nothing.
  tree.put(of_pod, "100663296");
  ASSERT_TRUE(open(tree.plan(SetMemoryLimit{kUnlimited, 0}, kContainer))->apply());
  EXPECT_EQ(tree.text(of_pod), "max");
  tree.put(tree.file("memory", "memory.max", kContainer), "67108864");
  ASSERT_TRUE(open(tree.plan(SetMemoryLimit{128 * kMiB, 0}, kContainer))->apply());
  EXPECT_EQ(tree.text(of_pod), "max");
  tree.put(of_pod, "100663296");
  tree.put(tree.file("memory", "memory.max", kContainer), "67108864");
  tree.put(tree.file("memory", "memory.max", kSidecar), "max");
  ASSERT_TRUE(open(tree.plan(SetMemoryLimit{128 * kMiB, 0}, kContainer))->apply());
  EXPECT_EQ(tree.text(of_pod), "134217728");

  // A pod whose folder went: nothing is half done.
  const auto container_only = tree.everything();
  tree.remove(of_pod);
  EXPECT_FALSE(open(tree.plan(SetMemoryLimit{256 * kMiB, 0}, kContainer))->snapshot());
  EXPECT_FALSE(open(tree.plan(SetMemoryLimit{256 * kMiB, 0}, kContainer))->apply());
  EXPECT_EQ(tree.text(tree.file("memory", "memory.max", kContainer)), "134217728");
}

TEST_P(OnV2, what_does_not_fit_below_the_old_limit_is_reclaimed_first) {
  const auto target = open(tree.plan(SetMemoryLimit{128 * kMiB, 0}));
  const auto snapshot = target->snapshot().value();
  ASSERT_TRUE(target->apply());
  const auto usage = tree.file("memory", "memory.current");
  tree.put(usage, "100000000");
  EXPECT_TRUE(target->restore(snapshot));
  EXPECT_EQ(tree.text(usage), "67108864");
  // Nothing that could be reclaimed: the old limit would kill.
  ASSERT_TRUE(target->apply());
  tree.put(usage, "100000000");
  tree.remove(tree.file("memory", "memory.reclaim"));
  EXPECT_EQ(target->restore(snapshot).error().code, Errc::conflict);
  tree.remove(usage);
  EXPECT_EQ(target->restore(snapshot).error().code, Errc::gone);
  EXPECT_EQ(target->read(Probe::memory_limit_bytes).value(), 128 * kMiB);
}

TEST_P(OnV2, events_without_their_keys_answer_nothing) {
  const auto target = open(tree.plan(Freeze{1000}));
  tree.put(tree.file("memory", "cgroup.events"), "other 1\n");
  EXPECT_EQ(target->read(Probe::frozen).error().code, Errc::unsupported);
  EXPECT_EQ(target->read(Probe::populated).error().code, Errc::malformed);
  EXPECT_TRUE(target->apply());   // it was asked for; whether it came cannot be told
}

TEST_P(OnV1, what_the_kubelet_owns_goes_through_kubernetes) {
  tree.cgroup(kContainer);
  for (const auto& action : std::vector<Action>{SetMemoryLimit{128 * kMiB, 0}, SetCpuMax{30'000, 50'000, 0}, SetCpuWeight{3, 0}}) {
    EXPECT_EQ(snapshot_error(tree.plan(action, kContainer)), Errc::unsupported);
    EXPECT_EQ(open(tree.plan(action, kContainer))->apply().error().code, Errc::unsupported);
  }
  EXPECT_EQ(snapshot_error(tree.plan(SetMemoryHigh{kMiB, 0})), Errc::unsupported);
}

TEST_P(OnV1, a_swap_limit_that_stayed_behind_goes_back_too) {
  const auto file = tree.file("memory", "memory.memsw.limit_in_bytes");
  const auto before = tree.text(file);
  const auto target = open(tree.plan(SetMemoryLimit{256 * kMiB, 0}));
  const auto snapshot = target->snapshot().value();
  tree.put(file, "268435456");
  EXPECT_EQ(target->restore(snapshot).value(), "memory limit 67108864, as it was");
  EXPECT_EQ(tree.text(file), before);
  tree.put(file, "999424000");   // another hand's
  ASSERT_TRUE(target->restore(snapshot));
  EXPECT_EQ(tree.text(file), "999424000");
}

TEST_P(OnV1, without_swap_accounting_only_the_limit_is_set) {
  tree.remove(tree.file("memory", "memory.memsw.limit_in_bytes"));
  EXPECT_EQ(round_trip(tree.plan(SetMemoryLimit{128 * kMiB, 0}), Probe::memory_limit_bytes), "67108864, memory limit 134217728, 134217728, memory limit 67108864");
}

TEST_P(OnV1, a_cgroup_outside_of_a_hierarchy_cannot_be_changed_there) {
  tree.remove(tree.folder("cpu"));
  tree.remove(tree.folder("pids"));
  tree.remove(tree.folder("freezer"));
  tree.remove(tree.folder("unified"));
  EXPECT_EQ(snapshot_error(tree.plan(SetCpuMax{30'000, 50'000, 0})), Errc::unsupported);
  EXPECT_EQ(snapshot_error(tree.plan(SetPidsMax{30, 0})), Errc::unsupported);
  EXPECT_EQ(snapshot_error(tree.plan(Freeze{})), Errc::unsupported);
  EXPECT_EQ(open(tree.plan(Freeze{}))->apply().error().code, Errc::unsupported);
  EXPECT_EQ(open(tree.plan(Freeze{}))->read(Probe::frozen).error().code, Errc::unsupported);
  EXPECT_THAT(open(tree.plan(Diagnose{4096}))->apply().value(), HasSubstr("memory.usage_in_bytes"));
}

TEST(WithoutAFreezer, the_unified_hierarchy_freezes) {
  HostTree tree(Hierarchy::v1_without_freezer);
  const WatchedCalls watched(tree.kernel());
  HostActuator actuator(tree.open());
  const auto target = actuator.open(tree.plan(Freeze{1000})).value();
  const auto snapshot = target->snapshot().value();
  EXPECT_EQ(target->apply().value(), "frozen 1");
  EXPECT_EQ(target->read(Probe::frozen).value(), 1);
  EXPECT_EQ(target->restore(snapshot).value(), "frozen 0");
  tree.remove(tree.file("unified", "cgroup.events"));
  EXPECT_EQ(target->read(Probe::frozen).error().code, Errc::gone);
}

TEST(WithoutACgroup, a_value_has_nowhere_to_be) {
  const HostTree tree(Hierarchy::hybrid);
  const auto host = tree.open();
  // Without the actuator no cgroup was opened: what every factory's target says by itself.
  for (const auto& target : {make_pids_max(host, tree.plan(SetPidsMax{3, 0})), make_cpu_max(host, tree.plan(SetCpuMax{30'000, 50'000, 0})),
                             make_memory_limit(host, tree.plan(SetMemoryLimit{kMiB, 0})), make_freeze(host, tree.plan(Freeze{})), make_freeze(host, tree.plan(Thaw{})),
                             make_kill_cgroup(host, tree.plan(KillCgroup{}))}) {
    EXPECT_EQ(target->snapshot().error().code, Errc::unsupported);
    EXPECT_EQ(target->read(Probe::populated).error().code, Errc::unsupported);
  }
}

}  // namespace
}  // namespace fw::executor::test
