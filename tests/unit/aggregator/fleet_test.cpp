#include "aggregator/fleet/fleet.hpp"

#include <gtest/gtest.h>

#include "tests/unit/aggregator/support.hpp"

namespace fw::fleet {
namespace {

class FleetTest : public testing::Test {
 protected:
  test::ManualClock clock_;
  test::Node node_{clock_};
};

TEST_F(FleetTest, what_is_gone_is_kept_for_a_while_and_then_forgotten) {
  Fleet fleet;
  const auto cart = node_.container("/cart", 1);
  fleet.upsert(cart, 0);
  fleet.remove(cart->key, 10);
  EXPECT_EQ(fleet.live_entities(node_.uid), 0U);
  ASSERT_NE(fleet.find(cart->key), nullptr);
  fleet.expire(10 + std::chrono::nanoseconds(std::chrono::minutes(61)).count());
  EXPECT_EQ(fleet.find(cart->key), nullptr);
}

TEST_F(FleetTest, a_reboot_ends_every_entity_of_the_boot_before) {
  Fleet fleet;
  fleet.upsert(node_.container("/cart", 1), 0);
  fleet.on_connected(node_.uid, test::uuid_of(9), 5);
  EXPECT_EQ(fleet.live_entities(node_.uid), 0U);
}

TEST_F(FleetTest, over_its_limit_a_gone_entity_makes_room_and_a_live_one_does_not) {
  Fleet fleet(FleetLimits{.entities_per_node = 2});
  const auto a = node_.container("/a", 1);
  EXPECT_TRUE(fleet.upsert(a, 0));
  EXPECT_TRUE(fleet.upsert(node_.container("/b", 2), 0));
  EXPECT_FALSE(fleet.upsert(node_.container("/c", 3), 0));
  EXPECT_EQ(fleet.refused_total(), 1U);
  fleet.remove(a->key, 1);
  EXPECT_TRUE(fleet.upsert(node_.container("/c", 3), 2));
}

TEST(NodeEvent, bodies_survive_the_store) {
  test::ManualClock clock;
  test::Node node{clock};
  auto kill = test::oom(7);
  kill.top_processes.push_back({.pid = 9, .parent_pid = 1, .comm = "big\"\n", .rss_bytes = 5, .age_ns = 6, .container_main = true});
  kill.oom_score_adj = -5;
  const auto event = node.event(node.container("/x", 1), kill);
  const auto back = parse_body(kind_of(*event), body_json(*event));
  ASSERT_TRUE(back);
  const auto& read = std::get<wire::OomKill>(*back);
  EXPECT_EQ(read.top_processes.at(0).comm, "big\"\n");
  EXPECT_EQ(read.top_processes.at(0).container_main, true);
  EXPECT_EQ(read.oom_score_adj, -5);
  EXPECT_EQ(read.limit_bytes, kill.limit_bytes);
  EXPECT_FALSE(read.usage_bytes.has_value());
  EXPECT_EQ(*parse_entity(entity_json(*event->entity)), (Entity{.key = {}, .kind = wire::EntityKind::container, .parent_cgroup_id = 0, .cgroup_path = "/x",
                                                                .name = "x", .runtime = "", .container_id = "", .pod_uid = "", .qos_class = ""}));
}

TEST(NodeEvent, damaged_rows_are_errors) {
  EXPECT_FALSE(parse_body("oom_kill", "{}"));
  EXPECT_FALSE(parse_body("process_exit", "[1]"));
  EXPECT_FALSE(parse_entity("{\"kind\": \"x\"}"));
}

}  // namespace
}  // namespace fw::fleet
