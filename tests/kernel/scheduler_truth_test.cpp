// Waits for a CPU of real threads, against what the kernel says of them in /proc/PID/schedstat.
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <vector>

#include "node-agent/bpf/scheduler.h"
#include "node-agent/collectors/scheduler/scheduler_collector.hpp"
#include "node-agent/kernel/bpf_sensors.hpp"
#include "tests/kernel/recording_sink.hpp"
#include "tests/kernel/sandbox.hpp"
#include "tests/kernel/wait.hpp"

namespace fw::test {
namespace {

struct Schedstat {
  std::int64_t ran_ns = 0, waited_ns = 0, turns = 0;
};

Schedstat schedstat(pid_t pid) {
  Schedstat stat;
  std::ifstream{"/proc/" + std::to_string(pid) + "/schedstat"} >> stat.ran_ns >> stat.waited_ns >> stat.turns;
  return stat;
}

class SchedulerTruthTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    if (!has_bpf_rights()) GTEST_SKIP() << "needs CAP_BPF and CAP_PERFMON";
    opened_ = kernel::open_bpf({});
    if (!opened_.sensors || !opened_.sensors->map("run_queue_counters")) GTEST_SKIP() << "sched_switch cannot be used here";
  }
  void TearDown() override {
    for (const auto pid : pids_) {
      ::kill(pid, SIGKILL);
      wait_for_exit(pid);
    }
  }
  // A process of the group that spins on the first CPU, after a moment in which it waits.
  void spin(const Cgroup& group) {
    pids_.push_back(group.spawn([] {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      cpu_set_t first;
      CPU_ZERO(&first);
      CPU_SET(0, &first);
      ::sched_setaffinity(0, sizeof(first), &first);
      for (;;) asm volatile("");
      return 0;
    }));
  }
  fw_run_queue_counters counters(const Cgroup& group) {
    fw_run_queue_counters counters{};
    opened_.sensors->map("run_queue_counters")->lookup<std::uint64_t>(group.id(), counters);
    return counters;
  }
  Schedstat all() const {
    Schedstat sum;
    for (const auto pid : pids_) {
      const auto one = schedstat(pid);
      sum.ran_ns += one.ran_ns;
      sum.waited_ns += one.waited_ns;
      sum.turns += one.turns;
    }
    return sum;
  }

  // Ours between two of the kernel's: the threads go on meanwhile.
  struct Reading {
    Schedstat before, after;
    fw_run_queue_counters ours;
  };
  Reading reading(const Cgroup& group) {
    Reading reading;
    reading.before = all();
    reading.ours = counters(group);
    reading.after = all();
    return reading;
  }

  kernel::BpfOpened opened_;
  std::vector<pid_t> pids_;
};

TEST_F(SchedulerTruthTest, waits_equal_schedstat) {
  const Cgroup group{layout_, "queue"};
  for (int i = 0; i < 3; ++i) spin(group);
  ASSERT_TRUE(wait_until([&] { return all().turns > 30; }));
  const auto begin = reading(group);
  ASSERT_TRUE(wait_until([&] { return all().turns > begin.after.turns + 200; }));
  const auto end = reading(group);
  const auto turns = static_cast<std::int64_t>(end.ours.waits - begin.ours.waits);
  EXPECT_GE(turns, end.before.turns - begin.after.turns - 3);
  EXPECT_LE(turns, end.after.turns - begin.before.turns + 3);
  const auto waited_ns = static_cast<std::int64_t>(end.ours.wait_ns - begin.ours.wait_ns);
  EXPECT_GE(waited_ns, (end.before.waited_ns - begin.after.waited_ns) * 98 / 100);
  EXPECT_LE(waited_ns, (end.after.waited_ns - begin.before.waited_ns) * 102 / 100);
}

TEST_F(SchedulerTruthTest, threads_that_share_a_cpu_wait_for_each_other) {
  const Cgroup group{layout_, "shared"};
  for (int i = 0; i < 4; ++i) spin(group);
  ASSERT_TRUE(wait_until([&] { return all().turns > 40; }));
  const auto before = all();
  const auto ours_before = counters(group);
  ASSERT_TRUE(wait_until([&] { return all().turns > before.turns + 300; }));
  const auto ours = counters(group);
  const auto after = all();
  // Of four that always want to run three wait; what others of the machine take on that CPU is more waiting, never less.
  const auto ran = static_cast<double>(after.ran_ns - before.ran_ns);
  EXPECT_GE(static_cast<double>(ours.wait_ns - ours_before.wait_ns), 2.7 * ran);

  auto collector = collectors::make_scheduler_collector();
  std::vector<collectors::SampledEntity> due{{.id = 7, .cgroup_id = group.id()}};
  RecordingSink sink;
  collectors::SampleContext context{.due = due, .regular = false, .node_id = RecordingSink::kNode, .bpf = opened_.sensors.get()};
  sink.tick(*collector, context);
  EXPECT_GE(sink.value(7, "run_queue_waits_total").value_or(-1), static_cast<std::int64_t>(ours.waits));
  EXPECT_GE(sink.value(7, "run_queue_wait_us").value_or(-1), static_cast<std::int64_t>(ours.wait_ns / 1000));
  // Every wait is in the histogram once; that of a spinner among four is at least a tick of the scheduler.
  std::uint64_t in_histogram = 0;
  for (const auto count : ours.wait_log2_us) in_histogram += count;
  EXPECT_NEAR(static_cast<double>(in_histogram), static_cast<double>(ours.waits), 2);
  EXPECT_LT(sink.value(7, "run_queue_wait_us_le_256").value_or(-1), sink.value(7, "run_queue_wait_us_le_67108864").value_or(-1));
}

TEST_F(SchedulerTruthTest, a_cgroup_that_sleeps_is_not_charged_for_one_that_waits) {
  const Cgroup busy{layout_, "busy"}, idle{layout_, "idle"};
  for (int i = 0; i < 2; ++i) spin(busy);
  const auto sleeper = idle.spawn([] {
    live_until_killed();
    return 0;
  });
  ASSERT_TRUE(wait_until([&] { return counters(busy).waits > 50; }));
  EXPECT_LT(counters(idle).wait_ns, counters(busy).wait_ns / 4);
  ::kill(sleeper, SIGKILL);
  wait_for_exit(sleeper);
}

}  // namespace
}  // namespace fw::test
