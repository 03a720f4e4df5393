// Ending real processes: only the one that was named, only orphans, nothing of the node.
#include <gmock/gmock.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kernel/executor_sandbox.hpp"

namespace fw::executor::test {
namespace {

using authority::Probe;
using testing::HasSubstr;
using testing::StartsWith;

class ExecutorKill : public ExecutorKernelTest {
 protected:
  static std::string run(const authority::Plan& plan) {
    return confined([&](authority::Actuator& actuator) { return apply_only(actuator, plan); });
  }
  static void idle() {
    for (;;) ::pause();
  }
  HostActuator actuator_{Host::open({}).value()};
};

TEST_F(ExecutorKill, ends_the_named_process_and_no_other) {
  const Group group("kill");
  const auto victim = group.spawn(idle);
  const auto other = group.spawn(idle);
  EXPECT_THAT(run(plan_for(group, victim, {})), HasSubstr("was ended"));
  EXPECT_TRUE(wait_until([&] { return !alive(victim); }));
  EXPECT_TRUE(alive(other));
}

TEST_F(ExecutorKill, asks_first_and_ends_later_when_there_is_a_grace) {
  const Group group("kill");
  const auto pid = group.spawn([] {
    ::signal(SIGTERM, SIG_IGN);
    ::prctl(PR_SET_NAME, "ready");
    idle();
  });
  const auto host = Host::open({}).value();
  ASSERT_TRUE(wait_until([&] { return Process::open(host, static_cast<std::uint32_t>(pid))->stat()->comm == "ready"; }));
  const auto target = actuator_.open(plan_for(group, pid, {5000})).value();
  EXPECT_EQ(target->apply().value(), "SIGTERM sent to ready");
  EXPECT_EQ(target->read(Probe::process_alive).value(), 1);
  EXPECT_FALSE(target->happened({}).value());
  EXPECT_THAT(target->finish().value(), HasSubstr("was ended"));
  EXPECT_EQ(target->read(Probe::process_alive).value(), 0);
  EXPECT_TRUE(target->happened({}).value());
}

TEST_F(ExecutorKill, another_process_with_the_same_number_is_left_alone) {
  const Group group("reuse");
  const auto victim = group.spawn(idle);
  const auto plan = plan_for(group, victim, {});
  const auto target = actuator_.open(plan).value();
  end(victim);
  // The number comes again, in the same cgroup, in a process that started later.
  pid_t again = -1;
  ASSERT_TRUE(wait_until([&] {
    clone_args args{};
    const pid_t wanted = victim;
    args.exit_signal = SIGCHLD;
    args.set_tid = reinterpret_cast<std::uint64_t>(&wanted);
    args.set_tid_size = 1;
    again = static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
    if (again == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      idle();
    }
    if (again < 0) return false;
    if (start_ticks(again) != plan.target.start_ticks) return true;
    end(again);
    return false;
  })) << "clone3 with a chosen number: " << errno;
  ASSERT_EQ(again, victim);
  group.write("memory", "cgroup.procs", std::to_string(again));
  const auto applied = target->apply();
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, Errc::gone);
  EXPECT_EQ(target->read(Probe::process_alive).value(), 0);
  const auto opened = actuator_.open(plan);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::gone);
  EXPECT_TRUE(alive(again));
  end(again);
}

TEST_F(ExecutorKill, a_process_outside_of_the_plans_cgroup_is_left_alone) {
  const Group group("kill");
  const Group elsewhere("kill");
  const auto pid = elsewhere.spawn(idle);
  EXPECT_THAT(run(plan_for(group, pid, {})), HasSubstr("moved out of the plan's cgroup"));
  EXPECT_TRUE(alive(pid));
}

TEST_F(ExecutorKill, nothing_of_the_node_is_ended) {
  const Group group("kill");
  auto plan = plan_for(group, 1, {});
  EXPECT_THAT(run(plan), HasSubstr("process 1 may not be stopped"));
  plan = plan_for(group, ::getpid(), {});
  EXPECT_EQ(actuator_.open(plan).error().code, Errc::permission);
  const auto pid = group.spawn([] {
    ::prctl(PR_SET_NAME, "kubelet");
    idle();
  });
  const auto host = Host::open({}).value();
  ASSERT_TRUE(wait_until([&] { return Process::open(host, static_cast<std::uint32_t>(pid))->stat()->comm == "kubelet"; }));
  EXPECT_THAT(run(plan_for(group, pid, {})), HasSubstr("kubelet may not be stopped"));
  EXPECT_TRUE(alive(pid));
}

TEST_F(ExecutorKill, an_orphaned_cgroup_is_emptied_with_all_below_it) {
  const Group group("orphan");
  const Group inner("inner", group.path());
  const auto first = v2() ? inner.spawn_orphan() : group.spawn_orphan();
  const auto second = inner.spawn_orphan();
  ASSERT_GT(first, 0);
  const auto stat = Process::open(Host::open({}).value(), static_cast<std::uint32_t>(second))->stat().value();
  if (stat.parent_pid != 1) GTEST_SKIP() << "orphans go to process " << stat.parent_pid << " here, not to init";
  EXPECT_EQ(run(plan_for(group, authority::KillCgroup{})), "processes: 2, now 0");
  EXPECT_FALSE(alive(first));
  EXPECT_FALSE(alive(second));
  EXPECT_THAT(run(plan_for(group, authority::KillCgroup{})), HasSubstr("it has no process"));
}

TEST_F(ExecutorKill, a_cgroup_that_somebody_looks_after_is_no_orphan) {
  const Group group("owned");
  const auto pid = group.spawn(idle);
  EXPECT_THAT(run(plan_for(group, authority::KillCgroup{})), HasSubstr("it is no orphan: process " + std::to_string(::getpid())));
  EXPECT_TRUE(alive(pid));
  EXPECT_EQ(actuator_.open(plan_for(group, authority::KillCgroup{})).value()->read(Probe::populated).value(), 1);
}

TEST_F(ExecutorKill, systemds_units_are_no_orphans) {
  const Group group("fw-test-unit-" + std::to_string(::getpid()) + ".service", "", false);
  const auto pid = group.spawn_orphan();
  EXPECT_THAT(run(plan_for(group, authority::KillCgroup{})), HasSubstr("systemd looks after this unit"));
  EXPECT_TRUE(alive(pid));
}

}  // namespace
}  // namespace fw::executor::test
