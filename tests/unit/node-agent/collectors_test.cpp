// NodeSensors on made cgroup trees and a clock that the test moves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/unit/node-agent/fake_node.hpp"

namespace fw::collectors {
namespace {

using std::chrono::seconds;
using wire::EntityKind;
using wire::LimitChanged;
using wire::OomKill;

TEST_F(CollectorsTest, reads_every_value_of_a_v2_cgroup) {
  const FakeNode node{kV2Mounts};
  node.put_v2("/shop/checkout", 2000, "67108864");
  auto sensors = open(node.config());
  const auto samples = sensors->tick();
  const std::pair<const char*, std::int64_t> expected[] = {
      {"memory_current_bytes", 2000}, {"memory_working_set_bytes", 1700}, {"memory_limit_bytes", 67108864},
      {"memory_high_bytes", -1}, {"memory_anon_bytes", 1000}, {"memory_file_bytes", 500}, {"memory_inactive_file_bytes", 300},
      {"memory_pgfaults_total", 9}, {"memory_pgmajfaults_total", 1}, {"memory_oom_kills_total", 0}, {"memory_limit_hits_total", 4},
      {"cpu_usage_us", 5000}, {"cpu_periods_total", 2}, {"cpu_throttled_periods_total", 1}, {"cpu_throttled_us", 70},
      {"cpu_quota_millicores", 200}, {"pids_current", 3}, {"psi_memory_some_us", 11}, {"psi_memory_full_us", 7}};
  for (const auto& [metric, wanted] : expected) EXPECT_EQ(value(*sensors, samples, "/shop/checkout", metric), wanted) << metric;
  for (const char* absent : {"memory_swap_bytes", "memory_refaults_total", "psi_io_some_us", "memory_reclaim_stalls_total"}) {
    EXPECT_FALSE(value(*sensors, samples, "/shop/checkout", absent)) << absent;
  }
  EXPECT_EQ(samples.tick, 1U);
  EXPECT_EQ(samples.time_ns, clock_.wall_ns());
  EXPECT_EQ(samples.metrics.size(), sensors->metrics().size());
}

TEST_F(CollectorsTest, reads_v1_and_the_v2_tree_beside_it) {
  const FakeNode node{kHybridMounts};
  node.put("/c/memory/a/cgroup.procs", "1\n");
  node.put("/c/memory/a/memory.usage_in_bytes", "900\n");
  node.put("/c/memory/a/memory.limit_in_bytes", "9223372036854771712\n");
  node.put("/c/memory/a/memory.stat", "rss 1\ntotal_rss 400\ntotal_cache 300\ntotal_inactive_file 100\ntotal_swap 5\n");
  node.put("/c/memory/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
  node.put("/c/memory/a/memory.failcnt", "6\n");
  node.put("/c/cpu/a/cpuacct.usage", "7000000\n");
  node.put("/c/cpu/a/cpu.stat", "nr_periods 4\nnr_throttled 3\nthrottled_time 2000\n");
  node.put("/c/cpu/a/cpu.cfs_quota_us", "50000\n");
  node.put("/c/cpu/a/cpu.cfs_period_us", "100000\n");
  node.put("/c/unified/a/cpu.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=8\n");
  auto sensors = open(node.config());
  EXPECT_EQ(sensors->features().cgroup_mode, "hybrid");
  const auto samples = sensors->tick();
  const std::pair<const char*, std::int64_t> expected[] = {
      {"memory_current_bytes", 900}, {"memory_working_set_bytes", 800}, {"memory_limit_bytes", -1}, {"memory_anon_bytes", 400},
      {"memory_swap_bytes", 5}, {"memory_oom_kills_total", 2}, {"memory_limit_hits_total", 6}, {"cpu_usage_us", 7000},
      {"cpu_throttled_us", 2}, {"cpu_quota_millicores", 500}, {"psi_cpu_some_us", 8}};
  for (const auto& [metric, wanted] : expected) EXPECT_EQ(value(*sensors, samples, "/a", metric), wanted) << metric;
  EXPECT_FALSE(value(*sensors, samples, "/a", "psi_cpu_full_us"));
  EXPECT_FALSE(value(*sensors, samples, "/a", "pids_current"));
}

TEST_F(CollectorsTest, containers_hang_below_their_pod_and_the_pod_below_the_node) {
  const FakeNode node{kV2Mounts};
  const std::string pod = "/kubepods/burstable/pod1f0a2b3c-4d5e-6f70-8192-a3b4c5d6e7f8";
  node.put_v2(pod + "/" + kId, 1);
  auto sensors = open(node.config());
  const auto entities = sensors->entities();
  ASSERT_EQ(entities.size(), 3U);
  EXPECT_EQ(entities[0].kind, EntityKind::node);
  EXPECT_EQ(entities[0].name, "node-a");
  const auto& container = entities[1].kind == EntityKind::container ? entities[1] : entities[2];
  const auto& parent = entities[1].kind == EntityKind::container ? entities[2] : entities[1];
  EXPECT_EQ(container.parent_id, parent.id);
  EXPECT_EQ(container.container_id, kId);
  EXPECT_EQ(parent.kind, EntityKind::pod);
  EXPECT_EQ(parent.cgroup_path, pod);
  EXPECT_EQ(parent.parent_id, entities[0].id);
  EXPECT_EQ(parent.pod_uid, "1f0a2b3c-4d5e-6f70-8192-a3b4c5d6e7f8");
}

TEST_F(CollectorsTest, empty_groups_without_a_limit_are_no_entities) {
  const FakeNode node{kV2Mounts};
  node.put_v2("/full", 1);
  node.put_v2("/empty", 1);
  node.put("/sys/fs/cgroup/empty/cgroup.procs", "");
  node.put_v2("/limited", 1, "4096");
  node.put("/sys/fs/cgroup/limited/cgroup.procs", "");
  auto sensors = open(node.config());
  std::set<std::string> paths;
  for (const auto& entity : sensors->entities()) paths.insert(entity.cgroup_path);
  EXPECT_EQ(paths, (std::set<std::string>{"", "/full", "/limited"}));
}

TEST_F(CollectorsTest, a_tick_tells_what_came_and_went) {
  const FakeNode node{kV2Mounts};
  node.put_v2("/a", 1);
  auto sensors = open(node.config());
  EXPECT_EQ(sensors->tick().entities.size(), 2U);   // the node and /a
  node.put_v2("/b", 1);
  advance_to_tick(*sensors);
  const auto second = sensors->tick();
  ASSERT_EQ(second.entities.size(), 1U);
  EXPECT_EQ(second.entities[0].cgroup_path, "/b");
  EXPECT_TRUE(second.metrics.empty());
  node.remove("/sys/fs/cgroup/b");
  advance_to_tick(*sensors);
  const auto third = sensors->tick();
  EXPECT_THAT(third.removed_entity_ids, ::testing::ElementsAre(second.entities[0].id));
  EXPECT_EQ(third.tick, 3U);
}

TEST_F(CollectorsTest, an_empty_group_is_noticed_when_its_limit_or_first_process_is_written) {
  const std::pair<const char*, const char*> writes[] = {{"cgroup.procs", "7\n"}, {"memory.max", "4096\n"}};
  for (const auto& [file, text] : writes) {
    const FakeNode node{kV2Mounts};
    node.put_empty_v2("/empty");
    auto sensors = open(node.config());
    sensors->tick();
    EXPECT_EQ(sensors->next_tick_mono_ns() - clock_.mono_ns(), 10'000'000'000U) << "an empty group costs no ticks";
    sensors->drain(10);
    EXPECT_EQ(sensors->entities().size(), 1U);
    node.put(std::string{"/sys/fs/cgroup/empty/"} + file, text);
    sensors->drain(10);
    EXPECT_EQ(sensors->entities().size(), 2U) << file;
    EXPECT_EQ(sensors->next_tick_mono_ns() - clock_.mono_ns(), 1'000'000'000U) << "it is new, and read soon";
    advance_to_tick(*sensors);
    EXPECT_EQ(value(*sensors, sensors->tick(), "/empty", "memory_current_bytes"), 0) << file;
  }
}

TEST_F(CollectorsTest, a_limit_that_changes_right_after_it_appeared_is_an_event) {
  const FakeNode node{kV2Mounts};
  node.put_empty_v2("/empty");
  auto sensors = open(node.config());
  sensors->tick();
  node.put("/sys/fs/cgroup/empty/memory.max", "4096\n");
  sensors->drain(10);
  node.put("/sys/fs/cgroup/empty/memory.max", "1024\n");
  advance_to_tick(*sensors);
  sensors->tick();
  const auto batch = sensors->drain(10);
  ASSERT_EQ(batch.events.size(), 1U);
  EXPECT_EQ(std::get<LimitChanged>(batch.events[0].body).before, 4096);
}

TEST_F(CollectorsTest, empty_groups_are_looked_at_in_turn_on_every_tick_and_keep_no_files_open) {
  const FakeNode node{kV2Mounts};
  node.put_v2("/busy", 1);
  for (int i = 0; i < 100; ++i) node.put("/sys/fs/cgroup/e" + std::to_string(i) + "/cgroup.procs", "");
  auto sensors = open(node.config());
  sensors->tick();
  const auto open_files = sensors->counters().open_files;
  std::uint64_t busy = 0;
  for (const auto& entity : sensors->entities()) busy = entity.cgroup_path == "/busy" ? entity.cgroup_id : busy;
  const std::uint64_t ids[] = {busy};
  sensors->focus(ids, clock_.mono_ns() + 9'000'000'000U);
  for (int i = 0; i < 100; ++i) node.replace("/sys/fs/cgroup/e" + std::to_string(i) + "/cgroup.procs", "7\n");
  EXPECT_EQ(sensors->counters().open_files, open_files);
  std::size_t found = 0;
  for (int tick = 0; tick < 2; ++tick) {
    advance_to_tick(*sensors);
    found = sensors->tick().entities.size();
    EXPECT_EQ(found, tick == 0 ? 64U : 36U);
  }
}

TEST_F(CollectorsTest, more_empty_groups_than_may_be_watched_are_counted_and_found_by_the_next_scan) {
  const FakeNode node{kV2Mounts};
  for (int i = 0; i < 5; ++i) node.put("/sys/fs/cgroup/e" + std::to_string(i) + "/cgroup.procs", "");
  auto config = node.config();
  config.max_waiting_folders = 2;
  auto sensors = open(config);
  EXPECT_EQ(sensors->counters().folders_unwatched_total, 3U);
  for (int i = 0; i < 5; ++i) node.put("/sys/fs/cgroup/e" + std::to_string(i) + "/cgroup.procs", "7\n");
  sensors->drain(10);
  EXPECT_EQ(sensors->entities().size(), 3U);
  advance_to_tick(*sensors);
  sensors->tick();
  EXPECT_EQ(sensors->entities().size(), 6U);
}

TEST_F(CollectorsTest, columns_ascend_by_entity) {
  const FakeNode node{kV2Mounts};
  for (int i = 0; i < 20; ++i) node.put_v2("/g" + std::to_string(i), i);
  auto sensors = open(node.config());
  const auto samples = sensors->tick();
  ASSERT_FALSE(samples.columns.empty());
  for (const auto& column : samples.columns) {
    EXPECT_EQ(column.entity_ids.size(), column.values.size());
    EXPECT_TRUE(std::is_sorted(column.entity_ids.begin(), column.entity_ids.end()));
    EXPECT_EQ(std::adjacent_find(column.entity_ids.begin(), column.entity_ids.end()), column.entity_ids.end());
  }
}

TEST_F(CollectorsTest, a_limit_that_differs_is_an_event_once) {
  const FakeNode node{kV2Mounts};
  node.put_v2("/a", 1, "1000");
  auto sensors = open(node.config());
  sensors->tick();
  node.put("/sys/fs/cgroup/a/memory.max", "500\n");
  node.put("/sys/fs/cgroup/a/cpu.max", "max 100000\n");
  advance_to_tick(*sensors);
  sensors->tick();
  advance_to_tick(*sensors);
  sensors->tick();
  const auto batch = sensors->drain(100);
  ASSERT_EQ(batch.events.size(), 2U);
  const auto& memory = std::get<LimitChanged>(batch.events[0].body);
  EXPECT_EQ(memory.resource, "memory.max");
  EXPECT_EQ(memory.before, 1000);
  EXPECT_EQ(memory.after, 500);
  const auto& cpu = std::get<LimitChanged>(batch.events[1].body);
  EXPECT_EQ(cpu.resource, "cpu.max");
  EXPECT_EQ(cpu.before, 200);
  EXPECT_EQ(cpu.after, -1);
  ASSERT_EQ(batch.entities.size(), 2U);   // the node, then /a
  EXPECT_EQ(batch.entities[0].kind, EntityKind::node);
  EXPECT_EQ(batch.entities[1].id, batch.events[0].entity_id);
}

TEST_F(CollectorsTest, memory_stat_is_left_alone_while_the_use_stands_still) {
  const FakeNode node{kV2Mounts};
  node.put_v2("/a", 2000);
  auto sensors = open(node.config());
  sensors->tick();
  node.put("/sys/fs/cgroup/a/memory.stat", "anon 7\n");
  advance_to_tick(*sensors);
  EXPECT_EQ(value(*sensors, sensors->tick(), "/a", "memory_anon_bytes"), 1000);
  node.put("/sys/fs/cgroup/a/memory.current", "2001\n");
  advance_to_tick(*sensors);
  EXPECT_EQ(value(*sensors, sensors->tick(), "/a", "memory_anon_bytes"), 7);
}

TEST_F(CollectorsTest, text_that_cannot_be_is_counted_and_absent) {
  const FakeNode node{kV2Mounts};
  node.put_v2("/a", 1);
  node.put("/sys/fs/cgroup/a/memory.current", "lots\n");
  auto sensors = open(node.config());
  const auto samples = sensors->tick();
  EXPECT_FALSE(value(*sensors, samples, "/a", "memory_current_bytes"));
  EXPECT_EQ(value(*sensors, samples, "/a", "cpu_usage_us"), 5000);
  EXPECT_EQ(sensors->counters().unreadable_total, 1U);
}

TEST_F(CollectorsTest, entities_beyond_the_limit_are_refused_and_counted) {
  const FakeNode node{kV2Mounts};
  for (int i = 0; i < 5; ++i) node.put_v2("/g" + std::to_string(i), i);
  auto config = node.config();
  config.max_entities = 3;
  auto sensors = open(config);
  EXPECT_EQ(sensors->entities().size(), 3U);
  EXPECT_EQ(sensors->counters().entities_refused_total, 3U) << "the node is one of the three";
}

TEST_F(CollectorsTest, works_with_few_files_kept_open) {
  const FakeNode node{kV2Mounts};
  for (int i = 0; i < 5; ++i) node.put_v2("/g" + std::to_string(i), 100 + i);
  auto config = node.config();
  config.max_open_files = 7;
  auto sensors = open(config);
  for (int round = 0; round < 2; ++round) {
    const auto samples = sensors->tick();
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(value(*sensors, samples, "/g" + std::to_string(i), "memory_current_bytes"), 100 + i);
    }
    EXPECT_LE(sensors->counters().open_files, 7U);
    advance_to_tick(*sensors);
  }
}

TEST_F(CollectorsTest, hot_entities_are_read_between_regular_ticks_until_their_time_is_over) {
  const FakeNode node{kV2Mounts};
  node.put_v2("/a", 1);
  node.put_v2("/b", 2);
  auto sensors = open(node.config());
  sensors->tick();
  EXPECT_EQ(sensors->next_tick_mono_ns() - clock_.mono_ns(), 10'000'000'000U);
  std::uint64_t a = 0;
  for (const auto& entity : sensors->entities()) a = entity.cgroup_path == "/a" ? entity.cgroup_id : a;
  const std::uint64_t ids[] = {a};
  sensors->focus(ids, clock_.mono_ns() + 2'500'000'000U);
  for (int second = 1; second <= 2; ++second) {
    EXPECT_EQ(sensors->next_tick_mono_ns() - clock_.mono_ns(), 1'000'000'000U);
    advance_to_tick(*sensors);
    const auto samples = sensors->tick();
    EXPECT_EQ(value(*sensors, samples, "/a", "memory_current_bytes"), 1);
    EXPECT_FALSE(value(*sensors, samples, "/b", "memory_current_bytes"));
  }
  advance_to_tick(*sensors);
  EXPECT_TRUE(sensors->tick().columns.empty()) << "the focus is over";
  advance_to_tick(*sensors);
  EXPECT_EQ(value(*sensors, sensors->tick(), "/b", "memory_current_bytes"), 2);
}

TEST_F(CollectorsTest, a_late_tick_is_not_made_up_for) {
  const FakeNode node{kV2Mounts};
  auto sensors = open(node.config());
  sensors->tick();
  clock_.advance(seconds{95});
  sensors->tick();
  EXPECT_EQ(sensors->next_tick_mono_ns() - clock_.mono_ns(), 10'000'000'000U);
}

TEST_F(CollectorsTest, the_kernel_log_alone_tells_victim_and_reason) {
  const FakeNode node{kV2Mounts};
  node.put_v2("/shop", 1);
  auto config = node.config();
  config.kernel_log_use = Use::when_possible;
  auto sensors = open(config);
  sensors->tick();
  node.append("/log", "6,1,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/shop,"
                      "task_memcg=/shop,task=hog,pid=7,uid=0\n");
  node.put("/sys/fs/cgroup/shop/memory.events.local", "max 4\noom 1\noom_kill 1\n");
  for (int tick = 0; tick < 3; ++tick) {
    advance_to_tick(*sensors);
    sensors->tick();
  }
  const auto batch = sensors->drain(100);
  ASSERT_EQ(batch.events.size(), 1U) << "the counter adds nothing";
  const auto& kill = std::get<OomKill>(batch.events[0].body);
  EXPECT_EQ(kill.victim.pid, 7U);
  EXPECT_EQ(kill.victim.comm, "hog");
  EXPECT_EQ(kill.constraint, wire::OomConstraint::memcg);
  EXPECT_EQ(kill.constraint_source, wire::FactSource::kernel_log);
  EXPECT_EQ(kill.limit_cgroup_path, "/shop");
  EXPECT_EQ(batch.entities.back().cgroup_path, "/shop");
}

TEST_F(CollectorsTest, more_events_than_pending_may_hold_are_dropped_counted_and_told) {
  const FakeNode node{kV2Mounts};
  for (int i = 0; i < 5; ++i) node.put_v2("/g" + std::to_string(i), i, "1000");
  auto config = node.config();
  config.max_pending_events = 3;
  auto sensors = open(config);
  sensors->tick();
  for (int i = 0; i < 5; ++i) node.put("/sys/fs/cgroup/g" + std::to_string(i) + "/memory.max", "500\n");
  advance_to_tick(*sensors);
  sensors->tick();
  EXPECT_EQ(sensors->drain(100).events.size(), 3U);
  advance_to_tick(*sensors);
  sensors->tick();
  const auto batch = sensors->drain(100);
  ASSERT_EQ(batch.events.size(), 1U);
  EXPECT_EQ(std::get<wire::Lost>(batch.events[0].body).count, 2U);
  EXPECT_EQ(batch.entities[0].kind, EntityKind::node);
}

TEST_F(CollectorsTest, drain_keeps_to_its_budget) {
  const FakeNode node{kV2Mounts};
  for (int i = 0; i < 5; ++i) node.put_v2("/g" + std::to_string(i), i, "1000");
  auto sensors = open(node.config());
  sensors->tick();
  for (int i = 0; i < 5; ++i) node.put("/sys/fs/cgroup/g" + std::to_string(i) + "/memory.max", "500\n");
  advance_to_tick(*sensors);
  sensors->tick();
  const auto first = sensors->drain(2);
  EXPECT_EQ(first.events.size(), 2U);
  EXPECT_TRUE(first.more);
  EXPECT_EQ(sensors->drain(100).events.size(), 3U);
}

TEST_F(CollectorsTest, says_what_it_lacks) {
  const FakeNode node{kV2Mounts};
  const auto sensors = open(node.config());
  EXPECT_THAT(sensors->features().lacking(), ::testing::Contains(::testing::HasSubstr("bpf: switched off by configuration")));
  EXPECT_THAT(sensors->features().text(), ::testing::HasSubstr("cgroups         v2\n"));
}

TEST_F(CollectorsTest, a_machine_without_memory_control_is_refused) {
  const FakeNode node{"1 2 0:1 / / rw - ext4 /dev/vda rw\n"};
  const auto sensors = NodeSensors::open(node.config(), clock_);
  ASSERT_FALSE(sensors);
  EXPECT_EQ(sensors.error().code, Errc::unsupported);
}

TEST(Metrics, are_named_once_and_carry_their_unit) {
  std::set<std::string_view> names;
  for (const auto& info : list_collectors()) {
    for (const auto& metric : info.metrics) {
      EXPECT_TRUE(names.insert(metric.name).second) << metric.name;
      EXPECT_FALSE(metric.help.empty()) << metric.name;
      EXPECT_EQ(metric.name.ends_with("_bytes"), metric.unit == Unit::bytes) << metric.name;
      EXPECT_EQ(metric.name.ends_with("_us"), metric.unit == Unit::microseconds) << metric.name;
      EXPECT_TRUE(!metric.name.ends_with("_total") || metric.kind == wire::MetricKind::counter) << metric.name;
    }
  }
  EXPECT_GE(names.size(), 26U);
}

}  // namespace
}  // namespace fw::collectors
