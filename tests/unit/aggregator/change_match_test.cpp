#include "aggregator/incidents/change_match.hpp"

#include <gtest/gtest.h>

#include "aggregator/incidents/recent.hpp"
#include "tests/unit/aggregator/support.hpp"

namespace fw::incidents {
namespace {

using namespace std::chrono_literals;

TEST(Quantity, table) {
  struct Row { const char* text; std::optional<std::int64_t> bytes; };
  for (const Row& row : {Row{"64Mi", 64LL << 20}, {"128M", 128'000'000}, {"1.5GiB", 3LL << 29}, {"1e3", 1'000}, {"67108864", 67'108'864},
                         {"64 MB", 64'000'000}, {"max", -1}, {"infinity", -1}, {"", std::nullopt}, {"Mi", std::nullopt}, {"64Xi", std::nullopt},
                         {"-5", std::nullopt}, {"100m", std::nullopt}, {"1e300", std::nullopt}, {"nan", std::nullopt}, {"8Ei", std::nullopt}}) {
    EXPECT_EQ(parse_bytes(row.text), row.bytes) << row.text;
  }
  EXPECT_EQ(parse_milli("500m"), 500);
  EXPECT_EQ(parse_milli("2"), 2'000);
  EXPECT_EQ(parse_milli("2Gi"), std::nullopt);
}

TEST(Mechanism, table) {
  struct Row { const char* path; const char* mechanism; };
  for (const Row& row : {Row{"resources.limits.memory", "memory_limit"}, {"memory.max", "memory_limit"}, {"MemoryMax", "memory_limit"},
                         {"spec.template.spec.containers[0].resources.limits.memory", "memory_limit"}, {"memory limit", "memory_limit"},
                         {"env.GOMEMLIMIT", "memory_use"}, {"jvm.heap", "memory_use"}, {"resources.limits.cpu", "cpu_limit"}, {"image", "image"},
                         {"spec.replicas", "replicas"}, {"livenessProbe.timeoutSeconds", "probe"}, {"env.LOG_LEVEL", "config"}, {"colour", "other"}}) {
    EXPECT_EQ(mechanism_of(row.path), row.mechanism) << row.path;
  }
}

class MatchTest : public testing::Test {
 protected:
  test::ManualClock clock_;
  test::Node node_{clock_};
  fleet::EntityPtr cart_ = node_.container("/system.slice/cart.service/main", 5, "pod-9");
  changes::Change change_;
};

TEST_F(MatchTest, names_match_a_path_component_without_its_unit_suffix) {
  change_.object.name = "cart";
  EXPECT_EQ(match_change(change_, *cart_, "node-a"), "name");
  change_.object.name = "car";
  EXPECT_EQ(match_change(change_, *cart_, "node-a"), std::nullopt);
}

TEST_F(MatchTest, an_exact_identity_excludes_a_namesake) {
  change_.object.name = "cart";
  change_.object.uid = "pod-8";
  EXPECT_EQ(match_change(change_, *cart_, "node-a"), std::nullopt);
  change_.object.uid = "POD-9";
  EXPECT_EQ(match_change(change_, *cart_, "node-a"), "uid");
}

TEST_F(MatchTest, another_node_never_matches) {
  change_.object.cgroup_path = "/system.slice/cart.service";
  EXPECT_EQ(match_change(change_, *cart_, "node-a"), "cgroup_path");
  change_.object.node = "node-b";
  EXPECT_EQ(match_change(change_, *cart_, "node-a"), std::nullopt);
}

TEST_F(MatchTest, a_path_prefix_inside_a_component_is_no_ancestor) {
  change_.object.cgroup_path = "/system.slice/cart";
  EXPECT_EQ(match_change(change_, *cart_, "node-a"), std::nullopt);
}

class LinkTest : public MatchTest {
 protected:
  LinkTest() {
    fleet_.node(node_.uid, 1).name = "node-a";
    observed_ = observed_change(*node_.event(cart_, wire::LimitChanged{.resource = "memory.max", .before = 256 << 20, .after = 64 << 20}),
                                {.resource = "memory.max", .before = 256 << 20, .after = 64 << 20});
    posted_.id = make_uuid_v7(1);
    posted_.source = "cloudevents";
    posted_.change_group = "commit-1";
    posted_.object.name = "cart";
    posted_.started_ns = clock_.wall_ns() - 30 * kNsPerSecond;
    posted_.fields = {{.path = "resources.limits.memory", .before = "256Mi", .after = "64Mi"}};
  }
  fleet::Fleet fleet_;
  ChangeLog log_;
  changes::Change observed_, posted_;
};

TEST_F(LinkTest, the_kernels_view_joins_the_posted_change_whichever_comes_first) {
  EXPECT_TRUE(log_.add(posted_, fleet_).empty());
  auto updates = log_.add(observed_, fleet_);
  ASSERT_EQ(updates.size(), 1U);
  EXPECT_EQ(updates[0].change_id, observed_.id);
  EXPECT_EQ(updates[0].group, "commit-1");

  ChangeLog other;
  EXPECT_TRUE(other.add(observed_, fleet_).empty());
  EXPECT_EQ(other.add(posted_, fleet_).size(), 1U);
  EXPECT_EQ(other.find(observed_.id)->change_group, "commit-1");
}

TEST_F(LinkTest, what_nodes_show_does_not_push_out_what_people_said) {
  ChangeLog log(10);
  log.add(posted_, fleet_);
  for (int i = 0; i < 20; ++i) {
    observed_.id = make_uuid_v4();
    observed_.fields[0].after = "65Mi";
    observed_.started_ns += kNsPerMs;
    log.add(observed_, fleet_);
  }
  EXPECT_EQ(log.all().size(), 10U);
  EXPECT_NE(log.find(posted_.id), nullptr);
}

TEST_F(LinkTest, another_value_or_another_time_is_another_change) {
  log_.add(observed_, fleet_);
  posted_.fields[0].after = "65Mi";
  EXPECT_TRUE(log_.add(posted_, fleet_).empty());
  posted_.fields[0].after = "64Mi";
  posted_.started_ns -= 3'600 * kNsPerSecond;
  EXPECT_TRUE(log_.add(posted_, fleet_).empty());
}

}  // namespace
}  // namespace fw::incidents
