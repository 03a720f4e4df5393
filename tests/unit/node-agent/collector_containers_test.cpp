// What the container runtime says finds its entity.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/node-agent/fake_node.hpp"

namespace fw::collectors {
namespace {

using std::chrono::seconds;
using wire::EntityKind;

const std::string kPodUid = "1f0a2b3c-4d5e-6f70-8192-a3b4c5d6e7f8";
const std::string kPodPath = "/kubepods/burstable/pod" + kPodUid;
const ContainerFacts kFacts{.container_name = "app", .pod_name = "web-1", .pod_namespace = "shop", .pod_uid = kPodUid, .image = "shop/app:1"};

wire::Observed word(std::string what) {
  wire::Observed observed;
  observed.what = std::move(what);
  return observed;
}

TEST_F(CollectorsTest, names_of_the_runtime_go_to_the_container_and_its_pod_once) {
  const FakeNode node{kV2Mounts};
  node.put_v2(kPodPath + "/" + kId, 1);
  auto sensors = open(node.config());
  sensors->tick();
  sensors->describe(kId, kFacts);
  sensors->describe(kId, kFacts);
  advance_to_tick(*sensors);
  const auto changed = sensors->tick().entities;
  ASSERT_EQ(changed.size(), 2U);
  for (const auto& entry : changed) {
    EXPECT_EQ(entry.pod_name, "web-1");
    EXPECT_EQ(entry.container_name, entry.kind == EntityKind::container ? "app" : "");
  }
}

TEST_F(CollectorsTest, names_wait_for_their_container) {
  const FakeNode node{kV2Mounts};
  auto sensors = open(node.config());
  sensors->tick();
  sensors->describe(kId, kFacts);
  node.put_v2(kPodPath + "/" + kId, 1);
  advance_to_tick(*sensors);
  sensors->tick();
  const auto entities = sensors->entities();
  EXPECT_TRUE(std::any_of(entities.begin(), entities.end(), [](const auto& entry) { return entry.image == "shop/app:1"; }));
}

TEST_F(CollectorsTest, word_about_a_container_is_its_event_at_the_time_that_the_runtime_says) {
  const FakeNode node{kV2Mounts};
  node.put_v2(kPodPath + "/" + kId, 1);
  auto sensors = open(node.config());
  sensors->tick();
  node.remove("/sys/fs/cgroup" + kPodPath + "/" + kId);
  advance_to_tick(*sensors);
  sensors->tick();
  sensors->observe(kId, word("container_exited"), clock_.wall_ns() - 3 * kNsPerSecond);
  const auto batch = sensors->drain(100);
  ASSERT_EQ(batch.events.size(), 1U);
  EXPECT_EQ(batch.events[0].time_ns, clock_.wall_ns() - 3 * kNsPerSecond);
  EXPECT_EQ(batch.entities.back().container_id, kId) << "the container is gone, its entity is kept for late words";
}

TEST_F(CollectorsTest, word_about_a_container_that_never_appears_goes_to_its_pod_else_to_the_node) {
  const FakeNode node{kV2Mounts};
  node.put_v2(kPodPath + "/" + std::string(64, 'a'), 1);
  auto sensors = open(node.config());
  sensors->tick();
  sensors->describe(kId, kFacts);
  sensors->observe(kId, word("container_exited"), 0);
  sensors->observe("", word("container_runtime_unreachable"), 0);
  auto batch = sensors->drain(100);
  ASSERT_EQ(batch.events.size(), 1U);
  EXPECT_EQ(batch.entities[0].kind, EntityKind::node);
  clock_.advance(seconds{10});
  batch = sensors->drain(100);
  ASSERT_EQ(batch.events.size(), 1U);
  EXPECT_EQ(batch.entities.back().kind, EntityKind::pod);
  sensors->observe("unknown", word("container_exited"), 0);
  EXPECT_EQ(sensors->drain(100).entities.back().kind, EntityKind::node);
}

TEST_F(CollectorsTest, time_of_a_runtime_with_a_wrong_clock_is_not_in_the_future) {
  const FakeNode node{kV2Mounts};
  auto sensors = open(node.config());
  sensors->observe("", word("container_exited"), std::numeric_limits<std::int64_t>::max());
  sensors->observe("", word("container_exited"), std::numeric_limits<std::int64_t>::min());
  const auto batch = sensors->drain(100);
  ASSERT_EQ(batch.events.size(), 2U);
  EXPECT_EQ(batch.events[0].time_ns, clock_.wall_ns());
  EXPECT_LT(batch.events[1].time_ns, clock_.wall_ns());
}

TEST_F(CollectorsTest, talkative_runtime_is_cut_off_and_counted) {
  const FakeNode node{kV2Mounts};
  auto sensors = open(node.config());
  sensors->tick();
  for (int i = 0; i < 500; ++i) {
    sensors->describe("c" + std::to_string(i), kFacts);
    sensors->observe("c" + std::to_string(i), word("container_exited"), 0);
  }
  const auto lost = sensors->counters().lost;
  EXPECT_THAT(lost, testing::Contains(testing::Pair("observed events", 300U)));
}

}  // namespace
}  // namespace fw::collectors
