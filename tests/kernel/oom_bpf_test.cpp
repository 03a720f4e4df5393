// Real OOM kills on the running kernel.
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "common/units.hpp"
#include "node-agent/kernel/bpf_sensors.hpp"
#include "tests/kernel/sandbox.hpp"

namespace fw::test {
namespace {

using collectors::SensorsConfig;
using collectors::Use;
using wire::FactSource;
using wire::OomConstraint;
using wire::OomKill;
using wire::ProcessExit;

constexpr std::int64_t kLimit = 24_MiB;
constexpr std::size_t kTooMuch = 80_MiB;

class OomTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (!IsSkipped() && !has_bpf_rights()) GTEST_SKIP() << "needs CAP_BPF and CAP_PERFMON";
  }
};

const auto any_kill = [](const OomKill&) { return true; };

TEST_F(OomTest, tells_every_field_of_a_kill_by_limit) {
  Watcher watcher;
  const Cgroup group{layout_, "oom"};
  group.set_limit(kLimit);
  const auto pid = group.spawn([] {
    std::ofstream{"/proc/self/oom_score_adj"} << "300";
    return use_memory(kTooMuch);
  });
  const auto status = wait_for_exit(pid);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

  const auto kill = watcher.wait<OomKill>(group.path(), any_kill);
  ASSERT_TRUE(kill);
  EXPECT_EQ(kill->victim.pid, static_cast<std::uint32_t>(pid));
  EXPECT_EQ(kill->victim.parent_pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(kill->victim.comm, std::string{::program_invocation_short_name}.substr(0, 15));
  EXPECT_EQ(kill->victim.container_main, true);
  ASSERT_TRUE(kill->victim.rss_bytes);
  EXPECT_GT(*kill->victim.rss_bytes, kLimit / 2);
  EXPECT_LT(*kill->victim.rss_bytes, 2 * kLimit + 64_MiB);   // shared pages of the test program are not charged
  ASSERT_TRUE(kill->victim.age_ns);
  EXPECT_LT(*kill->victim.age_ns, 60'000'000'000U);
  EXPECT_EQ(kill->constraint, OomConstraint::memcg);
  EXPECT_NE(kill->constraint_source, FactSource::unknown);
  EXPECT_EQ(kill->oom_score_adj, 300);
  EXPECT_EQ(kill->limit_bytes, kLimit);
  ASSERT_TRUE(kill->usage_bytes);
  EXPECT_GT(*kill->usage_bytes, kLimit * 9 / 10);
  EXPECT_LE(*kill->usage_bytes, kLimit);
  EXPECT_EQ(kill->limit_cgroup_path, group.path());
  EXPECT_EQ(kill->invoker_pid, static_cast<std::uint32_t>(pid));
  EXPECT_EQ(kill->invoker_comm, kill->victim.comm);
  EXPECT_EQ(kill->kills_total, 1U);

  const auto exit = watcher.wait<ProcessExit>(group.path(), [](const auto&) { return true; });
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->process.pid, static_cast<std::uint32_t>(pid));
  EXPECT_EQ(exit->signal, SIGKILL);
  EXPECT_TRUE(exit->oom_victim);
  EXPECT_EQ(exit->process.container_main, true);
}

TEST_F(OomTest, time_of_a_kill_is_now_by_the_wall_clock) {
  Watcher watcher;
  const SystemClock clock;
  const Cgroup group{layout_, "time"};
  group.set_limit(kLimit);
  const auto before = clock.wall_ns();
  wait_for_exit(group.spawn([] { return use_memory(kTooMuch); }));
  const auto after = clock.wall_ns();
  ASSERT_TRUE(watcher.wait<OomKill>(group.path(), any_kill));
  for (const auto& seen : watcher.seen()) {
    if (!std::holds_alternative<OomKill>(seen.event.body) || seen.entity.cgroup_path != group.path()) continue;
    EXPECT_GE(seen.event.time_ns, before - kNsPerMs);
    EXPECT_LE(seen.event.time_ns, after + kNsPerMs);
  }
}

TEST_F(OomTest, concludes_the_constraint_from_reclaim_without_the_kernel_log) {
  SensorsConfig config;
  config.kernel_log_use = Use::never;
  Watcher watcher{config};
  const Cgroup group{layout_, "reclaim"};
  group.set_limit(kLimit);
  wait_for_exit(group.spawn([] { return use_memory(kTooMuch); }));
  const auto kill = watcher.wait<OomKill>(group.path(), any_kill);
  ASSERT_TRUE(kill);
  EXPECT_EQ(kill->constraint, OomConstraint::memcg);
  EXPECT_EQ(kill->constraint_source, FactSource::bpf);
  EXPECT_EQ(kill->limit_cgroup_path, group.path());
}

TEST_F(OomTest, the_kernel_log_has_the_last_word) {
  Watcher watcher;
  if (!watcher.sensors().features().kernel_log) GTEST_SKIP() << "/dev/kmsg is not readable";
  const Cgroup group{layout_, "log"};
  group.set_limit(kLimit);
  wait_for_exit(group.spawn([] { return use_memory(kTooMuch); }));
  const auto kill = watcher.wait<OomKill>(group.path(), any_kill);
  ASSERT_TRUE(kill);
  // The kernel prints at most 10 in 5 s, so other tests may have used them up.
  if (kill->constraint_source != FactSource::kernel_log) GTEST_SKIP() << "the kernel log was rate limited";
  EXPECT_EQ(kill->constraint, OomConstraint::memcg);
}

TEST_F(OomTest, names_the_ancestor_whose_limit_was_hit) {
  SensorsConfig config;
  config.kernel_log_use = Use::never;
  Watcher watcher{config};
  const Cgroup outer{layout_, "outer"};
  outer.set_limit(kLimit);
  outer.let_children_have_limits();
  const Cgroup inner{layout_, "inner", outer.path()};
  wait_for_exit(inner.spawn([] { return use_memory(kTooMuch); }));
  const auto kill = watcher.wait<OomKill>(inner.path(), any_kill);
  ASSERT_TRUE(kill);
  EXPECT_EQ(kill->limit_cgroup_path, outer.path());
  EXPECT_EQ(kill->limit_bytes, kLimit);
}

TEST_F(OomTest, a_child_is_not_the_main_process_and_the_survivor_is_listed) {
  Watcher watcher;
  const Cgroup group{layout_, "child"};
  group.set_limit(kLimit);
  const auto main_pid = group.spawn([] {
    const auto child = ::fork();
    if (child == 0) ::_exit(use_memory(kTooMuch));
    wait_for_exit(child);
    live_until_killed();
    return 0;
  });
  const auto kill = watcher.wait<OomKill>(group.path(), any_kill);
  ASSERT_TRUE(kill);
  EXPECT_EQ(kill->victim.container_main, false);
  EXPECT_EQ(kill->victim.parent_pid, static_cast<std::uint32_t>(main_pid));
  const auto exit = watcher.wait<ProcessExit>(group.path(), [](const auto& e) { return e.oom_victim; });
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->process.container_main, false);
  ASSERT_FALSE(kill->top_processes.empty());
  bool main_listed = false;
  for (const auto& process : kill->top_processes) {
    if (process.pid != static_cast<std::uint32_t>(main_pid)) continue;
    main_listed = true;
    EXPECT_EQ(process.container_main, true);
    EXPECT_TRUE(process.rss_bytes);
    EXPECT_TRUE(process.age_ns);
  }
  EXPECT_TRUE(main_listed);
  ::kill(main_pid, SIGKILL);
  wait_for_exit(main_pid);
}

TEST_F(OomTest, counters_add_nothing_to_what_events_told) {
  Watcher watcher;
  const Cgroup group{layout_, "once"};
  group.set_limit(kLimit);
  const auto idle = group.spawn([] {
    live_until_killed();
    return 0;
  });
  // Known to the registry before the kill, with a first reading.
  ASSERT_TRUE(watcher.wait_until([&] {
    const auto samples = watcher.tick();
    return watcher.value(samples, group.path(), "memory_oom_kills_total").has_value();
  }, std::chrono::seconds{20}));
  wait_for_exit(group.spawn([] { return use_memory(kTooMuch); }));
  ASSERT_TRUE(watcher.wait<OomKill>(group.path(), any_kill));
  watcher.sensors().set_periods(std::chrono::milliseconds{100}, std::chrono::milliseconds{100});
  std::int64_t counted = 0;
  watcher.wait_until([&] {
    for (int i = 0; i < 3; ++i) {
      if (const auto value = watcher.value(watcher.tick(), group.path(), "memory_oom_kills_total")) counted = *value;
    }
    return counted == 1;
  }, std::chrono::seconds{20});
  EXPECT_EQ(counted, 1);
  watcher.tick();
  EXPECT_EQ(watcher.all<OomKill>(group.path()).size(), 1U);
  ::kill(idle, SIGKILL);
  wait_for_exit(idle);
}

TEST_F(OomTest, reclaim_before_the_kill_is_counted_as_stall) {
  Watcher watcher;
  const Cgroup group{layout_, "stall"};
  group.set_limit(kLimit);
  const auto idle = group.spawn([] {
    live_until_killed();
    return 0;
  });
  wait_for_exit(group.spawn([] { return use_memory(kTooMuch); }));
  std::optional<std::int64_t> stalls, stall_us;
  watcher.wait_until([&] {
    const auto samples = watcher.tick();
    stalls = watcher.value(samples, group.path(), "memory_reclaim_stalls_total");
    stall_us = watcher.value(samples, group.path(), "memory_reclaim_stall_us");
    return stalls.value_or(0) > 0;
  }, std::chrono::seconds{20});
  EXPECT_GT(stalls.value_or(0), 0);
  EXPECT_GT(stall_us.value_or(0), 0);
  ::kill(idle, SIGKILL);
  wait_for_exit(idle);
}

TEST_F(OomTest, a_kernel_that_names_only_the_pid_still_gives_the_victim) {
  if (::access("/sys/kernel/tracing/events/oom/mark_victim", F_OK) != 0) {
    GTEST_SKIP() << "tracefs is not mounted on /sys/kernel/tracing";
  }
  kernel::BpfOptions options;
  options.without = {"mark_victim"};
  const auto opened = kernel::open_bpf(options);
  ASSERT_TRUE(opened.sensors);
  const Cgroup group{layout_, "pid"};
  group.set_limit(kLimit);
  const auto pid = group.spawn([] { return use_memory(kTooMuch); });
  wait_for_exit(pid);
  std::optional<fw_oom_event> event;
  opened.sensors->drain(100'000, [&](const kernel::BpfEvent& any) {
    const auto* const oom = std::get_if<fw_oom_event>(&any);
    if (oom != nullptr && oom->victim_thread == static_cast<std::uint32_t>(pid)) event = *oom;
  });
  ASSERT_TRUE(event);
  EXPECT_EQ(event->hdr.cgroup_id, 0U);
  EXPECT_EQ(event->reclaim_kind, static_cast<std::uint32_t>(FW_RECLAIM_MEMCG));
  EXPECT_EQ(event->rss_pages, FW_ABSENT);
}

TEST_F(OomTest, a_node_out_of_memory_is_told_from_a_limit) {
  if (!in_small_vm()) GTEST_SKIP() << "makes the whole machine run out of memory: only in a small VM (ctest label vm)";
  for (const auto log : {Use::when_possible, Use::never}) {
    SensorsConfig config;
    config.kernel_log_use = log;
    Watcher watcher{config};
    const Cgroup group{layout_, "node"};   // no limit
    const auto pid = group.spawn([] {
      std::ofstream{"/proc/self/oom_score_adj"} << "1000";
      return use_memory(4096_MiB);
    });
    const auto status = wait_for_exit(pid);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    const auto kill = watcher.wait<OomKill>(group.path(), any_kill);
    ASSERT_TRUE(kill);
    EXPECT_EQ(kill->victim.pid, static_cast<std::uint32_t>(pid));
    EXPECT_EQ(kill->constraint, OomConstraint::node);
    EXPECT_EQ(kill->limit_cgroup_path, "");
    if (log == Use::never) {
      EXPECT_EQ(kill->constraint_source, FactSource::bpf);
    }
  }
}

}  // namespace
}  // namespace fw::test
