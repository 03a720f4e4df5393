// Parsers of cgroup and proc files, on text of real kernels (tests/fixtures) and on bad text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "node-agent/kernel/capabilities.hpp"
#include "node-agent/kernel/cgroup_files.hpp"
#include "node-agent/kernel/cgroup_layout.hpp"
#include "node-agent/kernel/kernel_log.hpp"
#include "node-agent/kernel/proc_files.hpp"

namespace fw::kernel {
namespace {

std::string fixture(const std::string& path) {
  std::ifstream in{std::string{FW_SOURCE_DIR} + "/tests/fixtures/" + path};
  EXPECT_TRUE(in) << path;
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

constexpr const char* kV2Kernels[] = {"linux-6.1-v2", "linux-6.12-v2"};

TEST(MemoryStat, reads_real_v2_files) {
  for (const std::string kernel : kV2Kernels) {
    const auto stat = parse_memory_stat_v2(fixture(kernel + "/cgroup/memory.stat"));
    ASSERT_TRUE(stat) << kernel;
    EXPECT_GT(stat->anon_bytes.value_or(0), 0U) << kernel;
    EXPECT_TRUE(stat->file_bytes) << kernel;
    EXPECT_TRUE(stat->inactive_file_bytes) << kernel;
    EXPECT_GT(stat->pgfault_total.value_or(0), 20'000U) << kernel;   // 90 MiB were touched, page by page
    EXPECT_TRUE(stat->pgmajfault_total) << kernel;
    EXPECT_TRUE(stat->refaults_total) << kernel;
    EXPECT_FALSE(stat->swap_bytes) << "v2 has a file of its own for it";
  }
}

TEST(MemoryStat, reads_a_real_v1_file_with_descendants) {
  const auto stat = parse_memory_stat_v1(fixture("linux-6.18-hybrid/cgroup/memory.stat"));
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->anon_bytes, 114688U);
  EXPECT_EQ(stat->file_bytes, 8192U);
  EXPECT_EQ(stat->inactive_file_bytes, 8192U);
  EXPECT_EQ(stat->swap_bytes, 0U);
  EXPECT_EQ(stat->pgfault_total, 22641U);
  EXPECT_EQ(stat->pgmajfault_total, 1U);
  EXPECT_EQ(stat->refaults_total, 30U);
}

TEST(MemoryStat, adds_refaults_of_both_kinds_and_keeps_absent_absent) {
  EXPECT_EQ(parse_memory_stat_v2("workingset_refault_anon 3\nworkingset_refault_file 4\n")->refaults_total, 7U);
  EXPECT_EQ(parse_memory_stat_v2("workingset_refault 5\n")->refaults_total, 5U);
  EXPECT_FALSE(parse_memory_stat_v2("anon 1\n")->refaults_total);
  EXPECT_FALSE(parse_memory_stat_v2("")->anon_bytes);
}

TEST(MemoryStat, bad_numbers_of_known_keys_are_errors_and_unknown_keys_are_not) {
  for (const char* bad : {"anon x\n", "anon\n", "anon -1\n", "anon 1 2\n", "anon 99999999999999999999\n"}) {
    EXPECT_FALSE(parse_memory_stat_v2(bad)) << bad;
  }
  EXPECT_TRUE(parse_memory_stat_v2("new_key what ever\nanon 1\n"));
}

TEST(MemoryEvents, reads_real_files) {
  for (const std::string kernel : kV2Kernels) {
    const auto events = parse_memory_events(fixture(kernel + "/cgroup/memory.events.local"));
    ASSERT_TRUE(events) << kernel;
    EXPECT_EQ(events->oom_kill, 1U) << kernel;
    EXPECT_GE(events->oom.value_or(0), 1U) << kernel;
    EXPECT_GT(events->max.value_or(0), 0U) << kernel;
    EXPECT_EQ(events->high, 0U) << kernel;
  }
  const auto kills = parse_oom_control(fixture("linux-6.18-hybrid/cgroup/memory.oom_control"));
  ASSERT_TRUE(kills);
  EXPECT_EQ(*kills, 1U);
  EXPECT_FALSE(*parse_oom_control("oom_kill_disable 0\nunder_oom 0\n")) << "kernels before 4.13 do not count";
}

TEST(Limit, reads_every_form) {
  EXPECT_EQ(*parse_limit("max\n"), kNoLimit);
  EXPECT_EQ(*parse_limit("67108864\n"), 67108864);
  EXPECT_EQ(*parse_limit("0\n"), 0);
  EXPECT_EQ(*parse_limit("9223372036854771712\n"), kNoLimit) << "v1 with pages of 4 KiB";
  EXPECT_EQ(*parse_limit("9223372036854710272\n"), kNoLimit) << "v1 with pages of 64 KiB";
  for (const char* bad : {"", "\n", "maximum", "1k", "-2", "18446744073709551616"}) EXPECT_FALSE(parse_limit(bad)) << bad;
}

TEST(CpuStat, reads_real_files) {
  for (const std::string kernel : kV2Kernels) {
    const auto stat = parse_cpu_stat(fixture(kernel + "/cgroup/cpu.stat"));
    ASSERT_TRUE(stat) << kernel;
    EXPECT_GT(stat->usage_us.value_or(0), 0U);
    EXPECT_GT(stat->periods_total.value_or(0), 0U);
    EXPECT_GT(stat->throttled_us.value_or(0), 0U);
  }
  const auto v1 = parse_cpu_stat(fixture("linux-6.18-hybrid/cgroup/cpu.stat"));
  ASSERT_TRUE(v1);
  EXPECT_EQ(v1->periods_total, 11U);
  EXPECT_EQ(v1->throttled_periods_total, 8U);
  EXPECT_EQ(v1->throttled_us, 149'689U) << "v1 counts nanoseconds";
  EXPECT_FALSE(v1->usage_us);
}

TEST(CpuMax, is_told_in_thousandths_of_a_cpu) {
  EXPECT_EQ(*parse_cpu_max_millicores("20000 100000\n"), 200);
  EXPECT_EQ(*parse_cpu_max_millicores("250000 100000\n"), 2500);
  EXPECT_EQ(*parse_cpu_max_millicores("max 100000\n"), kNoLimit);
  EXPECT_EQ(*cfs_millicores("-1\n", "100000\n"), kNoLimit);
  EXPECT_EQ(*cfs_millicores("50000\n", "100000\n"), 500);
  for (const char* bad : {"", "max", "max 0", "1 -5", "x 100000", "9223372036854775807 1"}) {
    EXPECT_FALSE(parse_cpu_max_millicores(bad)) << bad;
  }
}

TEST(Pressure, reads_real_files_and_old_ones_without_a_full_line) {
  for (const std::string kernel : {"linux-6.1-v2", "linux-6.12-v2", "linux-6.18-hybrid"}) {
    for (const std::string file : {"memory", "cpu", "io"}) {
      const auto pressure = parse_pressure(fixture(kernel + "/cgroup/" + file + ".pressure"));
      ASSERT_TRUE(pressure) << kernel << file;
      EXPECT_TRUE(pressure->some_us);
      EXPECT_TRUE(pressure->full_us);
    }
  }
  const auto old = parse_pressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=12\n");
  EXPECT_EQ(old->some_us, 12U);
  EXPECT_FALSE(old->full_us);
  EXPECT_FALSE(parse_pressure("some avg10=0.00\n"));
  EXPECT_FALSE(parse_pressure("full total=x\n"));
}

TEST(CgroupLayout, finds_the_hierarchies_of_real_machines) {
  const auto hybrid = parse_cgroup_mounts(fixture("linux-6.18-hybrid/mountinfo"));
  ASSERT_TRUE(hybrid);
  EXPECT_EQ(hybrid->mode, CgroupMode::hybrid);
  EXPECT_EQ(hybrid->memory, "/sys/fs/cgroup/memory");
  EXPECT_EQ(hybrid->cpu, "/sys/fs/cgroup/cpu");
  EXPECT_EQ(hybrid->cpuacct, "/sys/fs/cgroup/cpuacct");
  EXPECT_EQ(hybrid->unified, "/sys/fs/cgroup/unified");
  EXPECT_FALSE(hybrid->memory_v2());
  for (const std::string kernel : kV2Kernels) {
    const auto v2 = parse_cgroup_mounts(fixture(kernel + "/mountinfo"));
    ASSERT_TRUE(v2);
    EXPECT_EQ(v2->mode, CgroupMode::v2);
    EXPECT_EQ(v2->memory, "/sys/fs/cgroup");
    EXPECT_TRUE(v2->memory_v2());
  }
}

TEST(CgroupLayout, joined_controllers_odd_folders_and_machines_without_memory_control) {
  const auto v1 = parse_cgroup_mounts(
      "30 20 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
      "31 20 0:27 / /mnt/my\\040groups rw,nosuid shared:9 - cgroup cgroup rw,memory\n");
  ASSERT_TRUE(v1);
  EXPECT_EQ(v1->mode, CgroupMode::v1);
  EXPECT_EQ(v1->memory, "/mnt/my groups");
  EXPECT_EQ(v1->cpu, v1->cpuacct);
  const auto none = parse_cgroup_mounts("30 20 0:26 / /sys rw - sysfs sysfs rw\n31 20 0:27 / /c rw - cgroup cgroup rw,cpuset\n");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::unsupported);
}

TEST(ProcStat, reads_real_ones_and_names_that_try_to_confuse) {
  const auto real = parse_proc_stat(fixture("linux-6.12-v2/proc_stat"));
  ASSERT_TRUE(real);
  EXPECT_EQ(real->pid, 174U);
  EXPECT_EQ(real->parent_pid, 153U);
  EXPECT_EQ(real->comm, "cat");
  EXPECT_EQ(real->start_ticks, 2536U);
  EXPECT_EQ(real->rss_pages, 331U);
  const auto odd = parse_proc_stat("7 (a) R 1 (b) S 3 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 55 9 44 0");
  ASSERT_TRUE(odd);
  EXPECT_EQ(odd->comm, "a) R 1 (b");
  EXPECT_EQ(odd->parent_pid, 3U);
  EXPECT_EQ(odd->start_ticks, 55U);
  EXPECT_EQ(odd->rss_pages, 44U);
  for (const char* bad : {"", "7", "7 (a", "7 )a(", "x (a) S 1", "7 (a) S 1 2 3"}) EXPECT_FALSE(parse_proc_stat(bad)) << bad;
}

TEST(ProcCgroup, takes_the_memory_controllers_line) {
  const auto text = fixture("linux-6.18-hybrid/proc_cgroup");
  EXPECT_THAT(*parse_proc_cgroup(text, false), ::testing::StartsWith("/fw-fx-"));
  EXPECT_EQ(*parse_proc_cgroup("0::/a/b:c\n", true), "/a/b:c");
  EXPECT_EQ(*parse_proc_cgroup("3:cpu,memory:/x\n0::/y\n", false), "/x");
  EXPECT_EQ(parse_proc_cgroup("3:cpu:/x\n", true).error().code, Errc::not_found);
}

TEST(Pids, are_bounded_and_strangers_left_out) {
  EXPECT_THAT(parse_pids("1\n0\n22\n", 10), ::testing::ElementsAre(1U, 22U));
  EXPECT_EQ(parse_pids("1\n2\n3\n", 2).size(), 2U);
}

TEST(KernelLog, reads_real_oom_records) {
  for (const std::string kernel : kV2Kernels) {
    const auto text = fixture(kernel + "/kmsg_record");
    const auto record = parse_log_record(text);
    ASSERT_TRUE(record) << kernel;
    EXPECT_GT(record->seq, 0U);
    const auto line = parse_oom_line(record->text);
    ASSERT_TRUE(line) << kernel;
    EXPECT_EQ(line->constraint, wire::OomConstraint::memcg);
    EXPECT_EQ(line->oom_memcg, "/shop");
    EXPECT_EQ(line->task_memcg, "/shop");
    EXPECT_EQ(line->comm, "dd");
    EXPECT_GT(line->pid, 0U);
  }
  const auto host = fixture("linux-6.18-hybrid/oom_line");
  EXPECT_TRUE(parse_oom_line(host.substr(0, host.find('\n'))));
}

TEST(KernelLog, tells_the_constraints_apart) {
  const auto node = parse_oom_line("oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,"
                                   "global_oom,task_memcg=/a,task=hog,pid=5,uid=0");
  ASSERT_TRUE(node);
  EXPECT_EQ(node->constraint, wire::OomConstraint::node);
  EXPECT_EQ(node->oom_memcg, "");
  EXPECT_EQ(node->task_memcg, "/a");
  EXPECT_EQ(parse_oom_line("oom-kill:constraint=CONSTRAINT_CPUSET,global_oom,task_memcg=/a,task=h,pid=5,uid=0")->constraint,
            wire::OomConstraint::cpuset);
  EXPECT_EQ(parse_oom_line("oom-kill:constraint=NEW,task_memcg=/a,task=h,pid=5,uid=0")->constraint,
            wire::OomConstraint::unknown);
}

TEST(KernelLog, names_with_commas_do_not_shift_the_fields) {
  const auto line = parse_oom_line("oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
                                   "oom_memcg=/a,b,task_memcg=/a,b/c,task=x,pid=1,uid=0,pid=77,uid=0");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->oom_memcg, "/a,b");
  EXPECT_EQ(line->task_memcg, "/a,b/c");
  EXPECT_EQ(line->comm, "x,pid=1,uid=0");
  EXPECT_EQ(line->pid, 77U);
}

TEST(KernelLog, other_and_broken_lines_are_no_oom_lines) {
  for (const char* text : {"", "oom-kill:", "oom-kill:constraint=CONSTRAINT_MEMCG", "oom-kill:task=a,uid=0",
                           "Memory cgroup out of memory: Killed process 7 (hog)", " oom-kill:constraint=X,task=a,pid=1,uid=0",
                           "oom-kill:constraint=X,task=a,pid=99999999999,uid=0"}) {
    EXPECT_FALSE(parse_oom_line(text)) << text;
  }
  for (const char* record : {"", "6,1,2,-", "x;y", "6,x,2,-;y", "6,1,;y"}) EXPECT_FALSE(parse_log_record(record)) << record;
  EXPECT_EQ(parse_log_record("6,1,2,-;text\n SUBSYSTEM=x\n")->text, "text");
}

TEST(Capabilities, are_read_from_the_status_file) {
  const auto all = parse_capabilities("Name:\tx\nCapInh:\t0\nCapEff:\t000001fffeffffff\n");
  ASSERT_TRUE(all);
  EXPECT_TRUE(all->can_load_bpf());
  EXPECT_FALSE(parse_capabilities("CapEff:\t0000000000000000\n")->can_load_bpf());
  EXPECT_FALSE(parse_capabilities("CapEff:\t0000008000000000\n")->can_load_bpf()) << "CAP_BPF alone";
  EXPECT_TRUE(parse_capabilities("CapEff:\t000000c000000000\n")->can_load_bpf());
  EXPECT_FALSE(parse_capabilities("CapEff:\txyz\n"));
}

}  // namespace
}  // namespace fw::kernel
