// Rules for the kernel's log on lines as kernels print them.
#include <gtest/gtest.h>

#include <string>

#include "node-agent/collectors/kernel_log/rules.hpp"

namespace fw::collectors {
namespace {

LogMatcher& builtin() {
  static auto matcher = [] {
    auto rules = parse_log_rules(builtin_log_rules());
    EXPECT_TRUE(rules) << rules.error().message();
    auto made = LogMatcher::make(std::move(*rules));
    EXPECT_TRUE(made) << made.error().message();
    return std::move(*made);
  }();
  return matcher;
}

TEST(KernelLogRules, lines_of_kernels_are_known) {
  struct Case {
    unsigned level;
    const char *text, *rule, *object;
  };
  const Case cases[] = {
      {3, "INFO: task jbd2/sda1-8:312 blocked for more than 120 seconds.", "hung_task", "jbd2/sda1-8"},
      {3, "INFO: task a b:7 is blocked on a mutex likely owned by task c:8.", "", ""},
      {0, "watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [stress:1234]", "soft_lockup", "CPU#3"},
      {3, "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", "rcu_stall", "rcu_preempt"},
      {3, "rcu: INFO: rcu_sched self-detected stall on CPU", "rcu_stall", "rcu_sched"},
      {2, "EXT4-fs error (device sda1): ext4_find_entry:1463: inode #131073: comm ls: reading directory lblock 0", "filesystem_error", "sda1"},
      {2, "EXT4-fs (dm-0): Remounting filesystem read-only", "read_only_remount", "dm-0"},
      {1, "XFS (nvme0n1p2): Corruption detected. Unmount and run xfs_repair", "filesystem_error", "nvme0n1p2"},
      {2, "BTRFS critical (device vdb): corrupt leaf: root=5 block=1", "filesystem_error", "vdb"},
      {3, "blk_update_request: I/O error, dev sdb, sector 2048 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 0", "io_error", "sdb"},
      {3, "critical medium error, dev sdc, sector 99 op 0x0:(READ)", "io_error", "sdc"},
      {3, "Buffer I/O error on dev loop0, logical block 3, async page read", "io_error", "loop0"},
      {0, "mce: [Hardware Error]: CPU 2: Machine Check: 0 Bank 5: bea0000000000108", "machine_check", ""},
      {4, "EDAC MC0: 1 CE memory read error on CPU_SrcID#0_Ha#0_Chan#1_DIMM#0", "memory_error", "MC0"},
      {6, "e1000e 0000:00:1f.6 eno1: NIC Link is Down", "link_down", "eno1"},
      {6, "mlx5_core 0000:01:00.0 eth0: Link down", "link_down", "eth0"},
      {2, "NETDEV WATCHDOG: eth0 (e1000e): transmit queue 0 timed out", "nic_reset", "eth0"},
      {6, "nginx[4242]: segfault at 0 ip 000055d0 sp 00007ffc error 4 in nginx[55d0+1000]", "segfault", "nginx"},
      {6, "traps: python3[99] general protection fault ip:7f sp:7e error:0 in libc.so.6[7f+1000]", "general_protection", "python3"},
      {6, "TCP: out of memory -- consider tuning tcp_mem", "out_of_sockets", ""},
      {4, "nf_conntrack: nf_conntrack: table full, dropping packet", "conntrack_full", ""},
      {6, "neighbour: arp_cache: neighbor table overflow!", "neighbour_overflow", "arp_cache"},
      {4, "clocksource: timekeeping watchdog on CPU1: Marking clocksource 'tsc' as unstable because the skew is too large:", "clock_unstable", "tsc"},
      {4, "CPU4: Core temperature above threshold, cpu clock throttled (total events = 1)", "thermal_throttling", "CPU4"},
      {6, "cgroup: fork rejected by pids controller in /kubepods/besteffort/pod1", "fork_refused", "/kubepods/besteffort/pod1"},
      {3, "Memory cgroup out of memory: Killed process 7 (hog) total-vm:33888kB", "", ""},
      {6, "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),task=hog,pid=7,uid=0", "", ""},
      {6, "e1000e 0000:00:1f.6 eno1: NIC Link is Up 1000 Mbps Full Duplex", "", ""},
      {6, "IPv6: ADDRCONF(NETDEV_CHANGE): eth0: link becomes ready", "", ""},
  };
  for (const auto& line : cases) {
    const auto match = builtin().match(line.level, line.text);
    EXPECT_EQ(match ? match->rule : "", line.rule) << line.text;
    EXPECT_EQ(match ? match->object : "", line.object) << line.text;
  }
}

TEST(KernelLogRules, a_bad_file_names_its_line) {
  const auto why = [](const std::string& text) {
    const auto rules = parse_log_rules(text);
    return rules ? std::string{"taken"} : rules.error().message();
  };
  EXPECT_NE(why("# x\n\nBad\terr\tx").find("line 3"), std::string::npos);
  EXPECT_NE(why("a\tfatal\tx").find("line 1"), std::string::npos);
  EXPECT_NE(why("a\terr").find("pattern"), std::string::npos);
  EXPECT_NE(why("a\terr\t" + std::string(kMaxLogPatternBytes + 1, 'x')).find("too long"), std::string::npos);
  std::string many;
  for (std::size_t i = 0; i <= kMaxLogRules; ++i) many += "a\terr\tx\n";
  EXPECT_NE(why(many).find("more than"), std::string::npos);
  const auto broken = LogMatcher::make({{"mine", 3, "("}});
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message().find("mine"), std::string::npos);
}

TEST(KernelLogRules, the_first_rule_that_matches_counts) {
  auto matcher = LogMatcher::make({{"one", 3, "disk (\\w+)"}, {"two", 7, "disk"}, {"three", 7, "d"}});
  ASSERT_TRUE(matcher);
  EXPECT_EQ(matcher->match(3, "disk sda")->rule, "one");
  EXPECT_EQ(matcher->match(3, "disk sda")->object, "sda");
  EXPECT_EQ(matcher->match(4, "disk sda")->rule, "two");
  EXPECT_FALSE(matcher->match(4, "x"));
  EXPECT_FALSE(LogMatcher::make({})->match(0, "x"));
}

}  // namespace
}  // namespace fw::collectors
