// Records of the BPF programs, and the events made of them.
#include <gtest/gtest.h>

#include <cstring>

#include "node-agent/collectors/event_builder.hpp"
#include "node-agent/kernel/bpf_sensors.hpp"

namespace fw::collectors {
namespace {

using wire::FactSource;
using wire::OomConstraint;

fw_oom_event oom_record() {
  fw_oom_event event{};
  event.hdr = {FW_EVENT_OOM, sizeof(event), 10'000'000'000, 42};
  event.victim.start_ns = 4'000'000'000;
  event.victim.pid = 7;
  event.victim.parent_pid = 3;
  event.victim.container_main = 1;
  std::strcpy(event.victim.comm, "worker");
  event.rss_pages = 100;
  event.limit_pages = 256;
  event.usage_pages = 255;
  event.limit_cgroup_id = 42;
  event.reclaim_ns = 9'999'000'000;
  event.reclaim_kind = FW_RECLAIM_MEMCG;
  event.oom_score_adj = -5;
  event.victim_thread = 7;
  event.invoker_pid = 8;
  std::strcpy(event.invoker_comm, "other");
  return event;
}

TEST(BpfRecords, decode_checks_size_and_type) {
  const auto oom = oom_record();
  const auto decoded = kernel::decode_bpf_event(&oom, sizeof(oom));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(std::get<fw_oom_event>(*decoded).victim.pid, 7U);
  EXPECT_FALSE(kernel::decode_bpf_event(&oom, sizeof(oom) - 1));
  EXPECT_FALSE(kernel::decode_bpf_event(&oom, 3));
  auto unknown = oom;
  unknown.hdr.type = 99;
  EXPECT_EQ(kernel::decode_bpf_event(&unknown, sizeof(unknown)).error().code, Errc::unsupported);
}

TEST(BpfRecords, decode_ends_every_name) {
  auto oom = oom_record();
  std::memset(oom.victim.comm, 'a', sizeof(oom.victim.comm));
  std::memset(oom.invoker_comm, 'b', sizeof(oom.invoker_comm));
  const auto decoded = kernel::decode_bpf_event(&oom, sizeof(oom));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(std::strlen(std::get<fw_oom_event>(*decoded).victim.comm), 15U);
  EXPECT_EQ(std::strlen(std::get<fw_oom_event>(*decoded).invoker_comm), 15U);
}

TEST(OomKillEvent, takes_every_field) {
  const auto kill = to_oom_kill(oom_record(), 4096, std::nullopt, "/shop");
  EXPECT_EQ(kill.victim.pid, 7U);
  EXPECT_EQ(kill.victim.parent_pid, 3U);
  EXPECT_EQ(kill.victim.comm, "worker");
  EXPECT_EQ(kill.victim.rss_bytes, 409'600);
  EXPECT_EQ(kill.victim.age_ns, 6'000'000'000U);
  EXPECT_EQ(kill.victim.container_main, true);
  EXPECT_EQ(kill.constraint, OomConstraint::memcg);
  EXPECT_EQ(kill.constraint_source, FactSource::bpf);
  EXPECT_EQ(kill.oom_score_adj, -5);
  EXPECT_EQ(kill.limit_bytes, 256 * 4096);
  EXPECT_EQ(kill.usage_bytes, 255 * 4096);
  EXPECT_EQ(kill.limit_cgroup_path, "/shop");
  EXPECT_EQ(kill.invoker_pid, 8U);
  EXPECT_EQ(kill.invoker_comm, "other");
}

TEST(OomKillEvent, absent_values_stay_absent) {
  auto record = oom_record();
  record.rss_pages = record.limit_pages = record.usage_pages = FW_ABSENT;
  record.oom_score_adj = FW_S32_ABSENT;
  record.victim.container_main = FW_ABSENT;
  record.victim.start_ns = 0;
  record.reclaim_ns = 0;
  const auto kill = to_oom_kill(record, 4096, std::nullopt, "");
  EXPECT_FALSE(kill.victim.rss_bytes);
  EXPECT_FALSE(kill.limit_bytes);
  EXPECT_FALSE(kill.usage_bytes);
  EXPECT_FALSE(kill.oom_score_adj);
  EXPECT_FALSE(kill.victim.container_main);
  EXPECT_FALSE(kill.victim.age_ns);
  EXPECT_EQ(kill.constraint, OomConstraint::unknown);
  EXPECT_EQ(kill.constraint_source, FactSource::unknown);
}

TEST(OomKillEvent, a_node_kill_has_no_limit_cgroup) {
  auto record = oom_record();
  record.reclaim_kind = FW_RECLAIM_NODE;
  const auto kill = to_oom_kill(record, 4096, std::nullopt, "/shop");
  EXPECT_EQ(kill.constraint, OomConstraint::node);
  EXPECT_EQ(kill.limit_cgroup_path, "");
}

TEST(OomKillEvent, an_old_reclaim_proves_nothing) {
  auto record = oom_record();
  record.hdr.mono_ns = record.reclaim_ns + 61'000'000'000;
  EXPECT_EQ(to_oom_kill(record, 4096, std::nullopt, "/shop").constraint, OomConstraint::unknown);
  record.hdr.mono_ns = record.reclaim_ns - 1;
  EXPECT_EQ(to_oom_kill(record, 4096, std::nullopt, "/shop").constraint, OomConstraint::unknown);
}

TEST(OomKillEvent, the_kernel_log_overrides_and_its_cgroup_wins) {
  kernel::OomLine line;
  line.constraint = OomConstraint::memcg;
  line.oom_memcg = "/outer";
  line.task_memcg = "/outer/inner";
  const auto kill = to_oom_kill(oom_record(), 4096, line, "/outer/inner");
  EXPECT_EQ(kill.constraint_source, FactSource::kernel_log);
  EXPECT_EQ(kill.limit_cgroup_path, "/outer");
  EXPECT_FALSE(kill.limit_bytes) << "that of another cgroup would mislead";
  line.constraint = OomConstraint::node;
  line.oom_memcg.clear();
  const auto node = to_oom_kill(oom_record(), 4096, line, "/outer/inner");
  EXPECT_EQ(node.constraint, OomConstraint::node);
  EXPECT_EQ(node.limit_cgroup_path, "");
}

}  // namespace
}  // namespace fw::collectors
