// Ends and signals of real processes on the running kernel.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/units.hpp"
#include "node-agent/kernel/bpf_sensors.hpp"
#include "tests/kernel/sandbox.hpp"

namespace fw::test {
namespace {

using wire::OomKill;
using wire::ProcessExit;
using wire::ProcessSignal;

class ProcessTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (!IsSkipped() && !has_bpf_rights()) GTEST_SKIP() << "needs CAP_BPF and CAP_PERFMON";
  }
};

int sleeping() {
  live_until_killed();
  return 0;
}

std::function<bool(const ProcessExit&)> exit_of(pid_t pid) {
  return [pid](const ProcessExit& exit) { return exit.process.pid == static_cast<std::uint32_t>(pid); };
}

TEST_F(ProcessTest, a_kill_by_a_person_names_the_sender_and_is_no_oom) {
  Watcher watcher;
  const Cgroup group{layout_, "killed"};
  const auto pid = group.spawn(sleeping);
  ::kill(pid, SIGKILL);
  wait_for_exit(pid);
  const auto signal = watcher.wait<ProcessSignal>(group.path(), [](const auto&) { return true; });
  ASSERT_TRUE(signal);
  EXPECT_EQ(signal->target.pid, static_cast<std::uint32_t>(pid));
  EXPECT_EQ(signal->target.container_main, true);
  EXPECT_EQ(signal->signal, SIGKILL);
  EXPECT_FALSE(signal->from_kernel);
  EXPECT_EQ(signal->sender.pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(signal->sender.parent_pid, static_cast<std::uint32_t>(::getppid()));
  EXPECT_FALSE(signal->sender.comm.empty());
  EXPECT_EQ(signal->sender_uid, ::getuid());
  EXPECT_NE(signal->sender_cgroup_id, group.id());
  const auto exit = watcher.wait<ProcessExit>(group.path(), exit_of(pid));
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->signal, SIGKILL);
  EXPECT_EQ(exit->exit_code, 0);
  EXPECT_FALSE(exit->oom_victim);
  EXPECT_TRUE(watcher.all<OomKill>(group.path()).empty());
}

TEST_F(ProcessTest, a_fault_comes_from_the_kernel) {
  Watcher watcher;
  const Cgroup group{layout_, "fault"};
  const auto pid = group.spawn([] {
    ::signal(SIGSEGV, SIG_DFL);   // sanitizers have a handler
    auto* const forbidden = ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *static_cast<volatile char*>(forbidden) = 1;
    return 0;
  });
  wait_for_exit(pid);
  const auto signal = watcher.wait<ProcessSignal>(group.path(), [](const auto&) { return true; });
  ASSERT_TRUE(signal);
  EXPECT_EQ(signal->signal, SIGSEGV);
  EXPECT_TRUE(signal->from_kernel);
  const auto exit = watcher.wait<ProcessExit>(group.path(), exit_of(pid));
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->signal, SIGSEGV);
}

TEST_F(ProcessTest, exit_codes_are_told_also_zero_of_the_main_process) {
  Watcher watcher;
  for (const int code : {0, 1, 42, 255}) {
    const Cgroup group{layout_, "code"};
    const auto pid = group.spawn([code] { return code; });
    wait_for_exit(pid);
    const auto exit = watcher.wait<ProcessExit>(group.path(), exit_of(pid));
    ASSERT_TRUE(exit) << code;
    EXPECT_EQ(exit->exit_code, code);
    EXPECT_EQ(exit->signal, 0);
    EXPECT_EQ(exit->process.container_main, true);
    EXPECT_TRUE(exit->process.age_ns);
  }
}

TEST_F(ProcessTest, a_child_that_ends_well_is_not_told) {
  Watcher watcher;
  const Cgroup group{layout_, "quiet"};
  const auto pid = group.spawn([] {
    const auto good = ::fork();
    if (good == 0) ::_exit(0);
    wait_for_exit(good);
    const auto bad = ::fork();
    if (bad == 0) ::_exit(7);
    wait_for_exit(bad);
    return 3;
  });
  wait_for_exit(pid);
  ASSERT_TRUE(watcher.wait<ProcessExit>(group.path(), exit_of(pid)));
  const auto exits = watcher.all<ProcessExit>(group.path());
  ASSERT_EQ(exits.size(), 2U);
  EXPECT_EQ(exits[0].exit_code, 7);
  EXPECT_EQ(exits[0].process.container_main, false);
  EXPECT_EQ(exits[1].exit_code, 3);
  EXPECT_EQ(exits[1].process.container_main, true);
}

TEST_F(ProcessTest, an_orphan_does_not_become_the_main_process) {
  Watcher watcher;
  const Cgroup group{layout_, "orphan"};
  int pipe_fds[2];
  ASSERT_EQ(::pipe2(pipe_fds, O_CLOEXEC), 0);
  const auto pid = group.spawn([&] {
    if (::fork() == 0) {
      char byte;
      ::close(pipe_fds[1]);
      (void)!::read(pipe_fds[0], &byte, 1);   // until the test has seen its parent end
      ::_exit(9);
    }
    return 0;
  });
  wait_for_exit(pid);
  ::close(pipe_fds[0]);
  ::close(pipe_fds[1]);
  const auto exit = watcher.wait<ProcessExit>(group.path(), [](const auto& e) { return e.exit_code == 9; });
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->process.container_main, false);
}

TEST_F(ProcessTest, without_births_the_parent_tells_who_is_the_main_process) {
  kernel::BpfOptions options;
  options.without = {"process_fork"};
  const auto opened = kernel::open_bpf(options);
  ASSERT_TRUE(opened.sensors);
  const Cgroup group{layout_, "parent"};
  const auto pid = group.spawn([] {
    const auto child = ::fork();
    if (child == 0) ::_exit(7);
    wait_for_exit(child);
    return 3;
  });
  wait_for_exit(pid);
  std::vector<fw_exit_event> exits;
  opened.sensors->drain(100'000, [&](const kernel::BpfEvent& any) {
    const auto* const exit = std::get_if<fw_exit_event>(&any);
    if (exit != nullptr && exit->hdr.cgroup_id == group.id()) exits.push_back(*exit);
  });
  ASSERT_EQ(exits.size(), 2U);
  EXPECT_EQ(exits[0].process.container_main, 0);
  EXPECT_EQ(exits[1].process.container_main, 1);
  for (const auto& probe : opened.probes) {
    if (probe.name == "process_birth") {
      EXPECT_FALSE(probe.active);
    }
  }
}

TEST_F(ProcessTest, a_crash_loop_is_rate_limited_and_counted) {
  kernel::BpfOptions options;
  options.events_per_second = 5;
  const auto opened = kernel::open_bpf(options);
  ASSERT_TRUE(opened.sensors);
  const Cgroup group{layout_, "storm"};
  const auto pid = group.spawn([] {
    for (int i = 0; i < 200; ++i) {
      const auto child = ::fork();
      if (child == 0) ::_exit(1);
      wait_for_exit(child);
    }
    return 0;
  });
  wait_for_exit(pid);
  std::size_t told = 0;
  opened.sensors->drain(100'000, [&](const kernel::BpfEvent& any) {
    const auto* const exit = std::get_if<fw_exit_event>(&any);
    if (exit != nullptr && exit->hdr.cgroup_id == group.id()) ++told;
  });
  EXPECT_GE(told, 5U);
  EXPECT_LT(told, 200U);
  EXPECT_GE(opened.sensors->drops()[FW_DROP_RATE] + told, 200U);
}

TEST_F(ProcessTest, program_starts_are_counted) {
  Watcher watcher;
  const Cgroup group{layout_, "exec"};
  const auto pid = group.spawn([] {
    for (int i = 0; i < 3; ++i) {
      const auto child = ::fork();
      if (child == 0) {
        ::execl("/bin/true", "true", nullptr);
        ::_exit(1);
      }
      wait_for_exit(child);
    }
    live_until_killed();
    return 0;
  });
  std::int64_t execs = 0;
  watcher.wait_until([&] {
    execs = watcher.value(watcher.tick(), group.path(), "process_execs_total").value_or(0);
    return execs == 3;
  }, std::chrono::seconds{20});
  EXPECT_EQ(execs, 3);
  ::kill(pid, SIGKILL);
  wait_for_exit(pid);
}

}  // namespace
}  // namespace fw::test
