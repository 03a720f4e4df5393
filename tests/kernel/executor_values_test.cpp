// Values of control files, set and restored on real cgroups, with the rights and the system calls that the program has.
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <filesystem>

#include "tests/kernel/executor_sandbox.hpp"

namespace fw::executor::test {
namespace {

using authority::Probe;
using testing::HasSubstr;

constexpr std::int64_t kMiB = 1 << 20;

std::string run(const authority::Plan& plan, Probe probe) {
  return confined([&](authority::Actuator& actuator) { return round_trip(actuator, plan, probe); });
}
std::string run(const authority::Plan& plan) {
  return confined([&](authority::Actuator& actuator) { return apply_only(actuator, plan); });
}

class ExecutorValues : public ExecutorKernelTest {};

// A process that holds so much memory.
pid_t holder(const Group& group, std::size_t bytes) {
  int ready[2];
  if (::pipe(ready) != 0) return -1;
  const auto pid = group.spawn([&] {
    auto* const memory = static_cast<volatile char*>(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    for (std::size_t at = 0; at < bytes; at += 4096) memory[at] = 1;
    (void)!::write(ready[1], "x", 1);
    for (;;) ::pause();
  });
  char byte;
  (void)!::read(ready[0], &byte, 1);
  ::close(ready[0]);
  ::close(ready[1]);
  return pid;
}

TEST_F(ExecutorValues, memory_limit_is_raised_and_comes_back) {
  const Group group("memory");
  group.set_memory_limit(64 * kMiB);
  EXPECT_EQ(run(plan_for(group, authority::SetMemoryLimit{128 * kMiB, 1000}), Probe::memory_limit_bytes),
            "67108864 | memory limit 134217728 | 134217728 | yes | memory limit 67108864 | 67108864");
}

TEST_F(ExecutorValues, memory_limit_can_be_taken_away) {
  const Group group("memory");
  group.set_memory_limit(64 * kMiB);
  EXPECT_EQ(run(plan_for(group, authority::SetMemoryLimit{authority::kUnlimited, 1000}), Probe::memory_limit_bytes),
            "67108864 | memory limit max | -1 | yes | memory limit 67108864 | 67108864");
}

TEST_F(ExecutorValues, memory_limit_is_never_set_below_the_usage) {
  const Group group("memory");
  group.set_memory_limit(128 * kMiB);
  const auto pid = holder(group, 48 * kMiB);
  EXPECT_THAT(run(plan_for(group, authority::SetMemoryLimit{16 * kMiB, 0})), HasSubstr("apply: its usage of"));
  EXPECT_EQ(group.memory_limit(), 128 * kMiB);
  EXPECT_TRUE(alive(pid));
}

TEST_F(ExecutorValues, a_limit_that_would_kill_is_not_restored) {
  const Group group("memory");
  group.set_memory_limit(16 * kMiB);
  HostActuator actuator(Host::open({}).value());
  const auto target = actuator.open(plan_for(group, authority::SetMemoryLimit{128 * kMiB, 1000})).value();
  const auto snapshot = target->snapshot().value();
  ASSERT_TRUE(target->apply());
  const auto pid = holder(group, 48 * kMiB);
  const auto restored = target->restore(snapshot);
  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.error().code, Errc::conflict) << restored.error().message();
  EXPECT_TRUE(alive(pid));
  EXPECT_EQ(group.memory_limit(), 128 * kMiB);
  end(pid);
  EXPECT_TRUE(target->restore(snapshot));
  EXPECT_EQ(group.memory_limit(), 16 * kMiB);
}

TEST_F(ExecutorValues, what_another_hand_changed_is_left_alone) {
  const Group group("memory");
  group.set_memory_limit(64 * kMiB);
  HostActuator actuator(Host::open({}).value());
  const auto target = actuator.open(plan_for(group, authority::SetMemoryLimit{128 * kMiB, 1000})).value();
  const auto snapshot = target->snapshot().value();
  ASSERT_TRUE(target->apply());
  group.set_memory_limit(96 * kMiB);
  EXPECT_THAT(target->restore(snapshot).value(), HasSubstr("another hand"));
  EXPECT_EQ(group.memory_limit(), 96 * kMiB);
}

TEST_F(ExecutorValues, a_pods_own_limit_is_raised_and_lowered_with_its_containers) {
  if (!v2()) GTEST_SKIP() << "cgroup v1: the kubelet's cgroups are refused there";
  const Group pods("kubepods");
  const Group pod("pod0a1b2c3d-0000-4000-8000-00000000abcd", pods.path(), false);
  const Group container(std::string(64, 'a'), pod.path(), false);
  const Group sidecar(std::string(64, 'b'), pod.path(), false);
  pod.set_memory_limit(96 * kMiB);
  container.set_memory_limit(64 * kMiB);
  sidecar.set_memory_limit(32 * kMiB);
  HostActuator actuator(Host::open({}).value());
  const auto target = actuator.open(plan_for(container, authority::SetMemoryLimit{128 * kMiB, 1000})).value();
  const auto snapshot = target->snapshot().value();
  ASSERT_TRUE(target->apply());
  EXPECT_EQ(container.memory_limit(), 128 * kMiB);
  EXPECT_EQ(pod.memory_limit(), 160 * kMiB);
  ASSERT_TRUE(target->restore(snapshot));
  EXPECT_EQ(container.memory_limit(), 64 * kMiB);
  EXPECT_EQ(pod.memory_limit(), 96 * kMiB);
}

TEST_F(ExecutorValues, the_kubelets_cgroups_are_refused_on_v1) {
  if (v2()) GTEST_SKIP() << "cgroup v2";
  const Group group("kubepods");
  group.set_memory_limit(64 * kMiB);
  EXPECT_THAT(run(plan_for(group, authority::SetMemoryLimit{128 * kMiB, 1000})), HasSubstr("Kubernetes API only"));
  EXPECT_THAT(run(plan_for(group, authority::SetCpuMax{50'000, 100'000, 1000})), HasSubstr("Kubernetes API only"));
  EXPECT_EQ(group.memory_limit(), 64 * kMiB);
}

TEST_F(ExecutorValues, memory_high_brakes_on_v2) {
  const Group group("high");
  const auto text = run(plan_for(group, authority::SetMemoryHigh{64 * kMiB, 1000}), Probe::memory_high_bytes);
  if (v2()) {
    EXPECT_EQ(text, "-1 | memory high 67108864 | 67108864 | yes | memory high max | -1");
  } else {
    EXPECT_THAT(text, HasSubstr("memory.high needs cgroup v2"));
  }
}

TEST_F(ExecutorValues, cpu_quota_in_both_orders_of_writing) {
  const Group group("cpu");
  for (const std::int64_t period : {50'000, 100'000, 200'000}) {
    EXPECT_EQ(run(plan_for(group, authority::SetCpuMax{30'000, period, 1000}), Probe::cpu_quota_us),
              "-1 | cpu quota 30000 | 30000 | yes | cpu quota max | -1") << period;
  }
}

TEST_F(ExecutorValues, cpu_period_comes_back_as_well) {
  const Group group("cpu");
  HostActuator actuator(Host::open({}).value());
  const auto target = actuator.open(plan_for(group, authority::SetCpuMax{30'000, 50'000, 1000})).value();
  const auto snapshot = target->snapshot().value();
  ASSERT_TRUE(target->apply());
  EXPECT_EQ(group.read("cpu", v2() ? "cpu.max" : "cpu.cfs_period_us"), v2() ? "30000 50000" : "50000");
  ASSERT_TRUE(target->restore(snapshot));
  EXPECT_EQ(group.read("cpu", v2() ? "cpu.max" : "cpu.cfs_period_us"), v2() ? "max 100000" : "100000");
}

TEST_F(ExecutorValues, cpu_weight_and_what_it_was_exactly) {
  const Group group("cpu");
  group.write("cpu", v2() ? "cpu.weight" : "cpu.shares", v2() ? "77" : "777");
  EXPECT_EQ(run(plan_for(group, authority::SetCpuWeight{200, 1000}), Probe::cpu_weight),
            v2() ? "77 | cpu weight 200 | 200 | yes | cpu weight 77 | 77" : "76 | cpu weight 200 | 200 | yes | cpu weight 76 | 76");
  EXPECT_EQ(group.read("cpu", v2() ? "cpu.weight" : "cpu.shares"), v2() ? "77" : "777");
}

TEST_F(ExecutorValues, pids_max_is_lowered_and_comes_back) {
  const Group group("pids");
  EXPECT_EQ(run(plan_for(group, authority::SetPidsMax{32, 1000}), Probe::pids_max), "-1 | pids max 32 | 32 | yes | pids max max | -1");
}

TEST_F(ExecutorValues, freezes_and_thaws_real_processes) {
  const Group group("freeze");
  const auto pid = group.spawn([] { for (;;) ::pause(); });
  EXPECT_EQ(run(plan_for(group, authority::Freeze{1000}), Probe::frozen), "0 | frozen 1 | 1 | yes | frozen 0 | 0");
  EXPECT_THAT(run(plan_for(group, authority::Freeze{1000})), "frozen 1");
  EXPECT_EQ(run(plan_for(group, authority::Thaw{})), "frozen 0");
  EXPECT_TRUE(alive(pid));
}

TEST_F(ExecutorValues, a_cgroup_with_a_program_of_the_node_is_not_frozen) {
  const Group group("freeze");
  const auto pid = group.spawn([] {
    ::prctl(PR_SET_NAME, "containerd-shim");
    for (;;) ::pause();
  });
  ASSERT_TRUE(wait_until([&] { return Process::open(Host::open({}).value(), static_cast<std::uint32_t>(pid))->stat()->comm == "containerd-shim"; }));
  EXPECT_THAT(run(plan_for(group, authority::Freeze{1000})), HasSubstr("it holds containerd-shim"));
}

TEST_F(ExecutorValues, a_cgroup_made_again_is_another_one_unless_the_plan_takes_any) {
  const Group group("again");
  group.set_memory_limit(64 * kMiB);
  auto plan = plan_for(group, authority::SetMemoryLimit{128 * kMiB, 1000});
  HostActuator actuator(Host::open({}).value());
  const auto before = actuator.open(plan).value();
  const auto snapshot = before->snapshot().value();
  group.make_again();
  // The handles stay with the cgroup that was checked.
  const auto applied = before->apply();
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, Errc::gone) << applied.error().message();
  EXPECT_EQ(actuator.open(plan).error().code, Errc::gone);
  EXPECT_EQ(group.memory_limit(), -1);
  plan.target.cgroup_inode = 0;
  const auto after = actuator.open(plan).value();
  EXPECT_TRUE(after->apply());
  EXPECT_EQ(group.memory_limit(), 128 * kMiB);
}

TEST_F(ExecutorValues, a_container_that_was_started_again_is_found_by_pod_and_name) {
  const std::string uid = "0a1b2c3d-0000-4000-8000-00000000abce";
  const Group pods("kubepods");
  const Group pod("pod" + uid, pods.path(), false);
  const Group old_run(std::string(64, 'c'), pod.path(), false);
  const Group new_run(std::string(64, 'd'), pod.path(), false);
  const auto folder = "/tmp/fw-kubelet-" + std::to_string(::getpid()) + "/pods/" + uid + "/containers/checkout/1a2b";
  const auto mounted = "/tmp/fw-mounted-" + std::to_string(::getpid());
  std::filesystem::create_directories(folder);
  std::filesystem::create_directories(mounted);
  // What the runtime does for the termination log: the kubelet's folder, mounted in the container's own namespace.
  const auto pid = new_run.spawn([] { for (;;) ::pause(); }, [&] {
    return ::unshare(CLONE_NEWNS) == 0 && ::mount("", "/", "", MS_REC | MS_PRIVATE, nullptr) == 0 && ::mount(folder.c_str(), mounted.c_str(), "", MS_BIND, nullptr) == 0;
  });
  ASSERT_GT(pid, 0) << "the container's mount";
  auto plan = plan_for(old_run, authority::Diagnose{4096});
  plan.target.pod_uid = uid;
  plan.target.container_name = "checkout";
  plan.target.cgroup_path = pod.path() + "/" + std::string(64, 'e');   // an earlier run's
  plan.target.cgroup_inode = 0;
  HostActuator actuator(Host::open({}).value());
  const auto found = actuator.open(plan);
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_THAT((*found)->identity(), HasSubstr(new_run.path()));
  plan.target.cgroup_path.clear();
  EXPECT_TRUE(actuator.open(plan));
  plan.target.container_name = "sidecar";
  EXPECT_EQ(actuator.open(plan).error().code, Errc::gone);
  end(pid);
  std::filesystem::remove_all("/tmp/fw-kubelet-" + std::to_string(::getpid()));
  std::filesystem::remove_all(mounted);
}

TEST_F(ExecutorValues, paths_that_no_plan_may_name) {
  const Group group("paths");
  auto plan = plan_for(group, authority::SetMemoryLimit{128 * kMiB, 1000});
  HostActuator actuator(Host::open({}).value());
  for (const std::string path : {"/", "", "/..", "/../memory", "relative/../..", "//", "/a//b", "/./a", "/a/"}) {
    plan.target.cgroup_path = path;
    plan.target.cgroup_inode = 0;
    EXPECT_EQ(actuator.open(plan).error().code, Errc::invalid_argument) << path;
  }
  plan.target.cgroup_path = group.path() + "-not-there";
  EXPECT_EQ(actuator.open(plan).error().code, Errc::gone);
  plan.action = authority::Undo{};
  EXPECT_EQ(actuator.open(plan).error().code, Errc::invalid_argument);
}

}  // namespace
}  // namespace fw::executor::test
