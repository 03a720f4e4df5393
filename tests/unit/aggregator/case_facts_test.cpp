#include "aggregator/incidents/case_facts.hpp"

#include <gtest/gtest.h>

#include "tests/unit/aggregator/support.hpp"

namespace fw::incidents {
namespace {

class CaseFactsTest : public testing::Test {
 protected:
  CaseFactsTest() {
    auto& state = fleet_.node(node_.uid, clock_.wall_ns());
    state.name = "node-a";
    state.cgroup_mode = "v2";
    for (const auto& entity : {old_, cart_, search_}) fleet_.upsert(entity, clock_.wall_ns());
    incident_.uid = test::uuid_of(8);
    incident_.number = 7;
    incident_.lineage = fleet::lineage_of(*cart_);
    incident_.subject = *cart_;
    incident_.first_symptom_ns = incident_.last_symptom_ns = clock_.wall_ns();
    incident_.symptoms = {{.kind = SymptomKind::oom_kill, .count = 1, .first_ns = clock_.wall_ns(), .last_ns = clock_.wall_ns()}};
  }
  agents::IncidentFacts build() {
    return build_facts({.incident = incident_, .fleet = fleet_, .history = history_, .changes = changes_, .series = series_, .outcomes = outcomes_,
                        .now_ns = clock_.wall_ns(), .limits = limits_});
  }
  changes::Change change(const std::string& name, const std::string& group) {
    changes::Change c;
    c.id = make_uuid_v4();
    c.source = "github";
    c.object.name = name;
    c.change_group = group;
    c.started_ns = clock_.wall_ns() - kNsPerSecond;
    return c;
  }

  test::ManualClock clock_;
  test::Node node_{clock_};
  fleet::EntityPtr old_ = node_.container("/shop/cart", 99), cart_ = node_.container("/shop/cart", 100), search_ = node_.container("/shop/search", 200);
  fleet::Fleet fleet_;
  EventHistory history_;
  ChangeLog changes_;
  std::vector<series::Series> series_;
  std::vector<store::Outcome> outcomes_;
  CaseLimits limits_;
  Incident incident_;
};

TEST_F(CaseFactsTest, incarnations_of_the_subject_are_one_entity) {
  history_.add(node_.event(old_, test::oom(1)));
  history_.add(node_.event(cart_, test::oom(2)));
  series_ = {{.cgroup_id = 99, .metric = "m", .unit = "1", .kind = wire::MetricKind::gauge, .points = {{1, 10}}},
             {.cgroup_id = 100, .metric = "m", .unit = "1", .kind = wire::MetricKind::gauge, .points = {{2, 20}}}};
  const auto facts = build();
  EXPECT_EQ(facts.id, "INC-7");
  EXPECT_EQ(facts.entities.size(), 3U) << "cart, node, search";
  ASSERT_EQ(facts.events.size(), 2U);
  EXPECT_EQ(facts.events[0].entity_id, facts.subject_id);
  EXPECT_EQ(facts.events[1].entity_id, facts.subject_id);
  ASSERT_EQ(facts.series.size(), 1U);
  EXPECT_EQ(facts.series[0].points.size(), 2U);
}

TEST_F(CaseFactsTest, changes_match_by_name_then_by_group) {
  changes_.add(change("cart", "sha1"), fleet_);
  changes_.add(change("pipeline", "sha1"), fleet_);
  changes_.add(change("billing", "sha2"), fleet_);
  changes_.add(change("search", ""), fleet_);
  const auto facts = build();
  std::map<std::string, std::pair<std::optional<std::string>, agents::OptInt>> by_name;
  for (const auto& c : facts.changes) by_name[c.object_name] = {c.match, c.entity_id};
  EXPECT_EQ(by_name["cart"].first, "name");
  EXPECT_EQ(by_name["cart"].second, facts.subject_id);
  EXPECT_EQ(by_name["pipeline"].first, "group");
  EXPECT_EQ(by_name["pipeline"].second, facts.subject_id);
  EXPECT_EQ(by_name["billing"].first, std::nullopt);
  EXPECT_EQ(by_name["search"].first, "name");
  EXPECT_NE(by_name["search"].second, facts.subject_id);
}

TEST_F(CaseFactsTest, when_there_are_too_many_changes_the_matching_one_stays) {
  limits_.changes = 5;
  changes_.add(change("cart", ""), fleet_);
  for (int i = 0; i < 20; ++i) changes_.add(change("other-" + std::to_string(i), ""), fleet_);
  const auto facts = build();
  EXPECT_EQ(facts.changes.size(), 5U);
  EXPECT_TRUE(std::any_of(facts.changes.begin(), facts.changes.end(), [](const auto& c) { return c.object_name == "cart"; }));
}

TEST_F(CaseFactsTest, quantities_of_fields_are_numbers) {
  auto c = change("cart", "");
  c.fields = {{.path = "resources.limits.memory", .before = "256Mi", .after = "64Mi"}};
  changes_.add(c, fleet_);
  const auto facts = build();
  const auto& field = facts.changes.at(0).fields.at(0);
  EXPECT_EQ(field.mechanism, "memory_limit");
  EXPECT_EQ(field.before_value, 256 << 20);
  EXPECT_EQ(field.after_value, 64 << 20);
}

TEST_F(CaseFactsTest, node_times_are_moved_into_ours) {
  fleet_.node(node_.uid, 0).clock_offset_ns = 1'000;
  auto event = std::make_shared<fleet::NodeEvent>(*node_.event(cart_, test::oom(1)));
  event->clock_offset_ns = 1'000;
  history_.add(event);
  series_ = {{.cgroup_id = 100, .metric = "m", .unit = "1", .kind = wire::MetricKind::gauge, .points = {{5'000, 1}}}};
  const auto facts = build();
  EXPECT_EQ(facts.events.at(0).time_ns, event->time_ns - 1'000);
  EXPECT_EQ(facts.series.at(0).points.at(0).t_ns, 4'000);
}

TEST_F(CaseFactsTest, the_whole_node_is_wanted_when_the_node_ran_out) {
  for (std::uint64_t i = 0; i < 100; ++i) fleet_.upsert(node_.container("/other/" + std::to_string(i), 1'000 + i), 0);
  const auto few = wanted_series(incident_, fleet_).size();
  incident_.node_level = true;
  EXPECT_EQ(few, 3U + 50U) << "both incarnations, the node, the siblings";
  EXPECT_EQ(wanted_series(incident_, fleet_).size(), 3U + 101U);
}

}  // namespace
}  // namespace fw::incidents
