#include "aggregator/incidents/engine.hpp"

#include <gtest/gtest.h>

#include "tests/unit/aggregator/support.hpp"

namespace fw::incidents {
namespace {

using namespace std::chrono_literals;
using test::exit_of;
using test::oom;

class EngineTest : public testing::Test {
 protected:
  // What a store would do: numbers, and every row kept.
  void save_all(Engine& engine) {
    for (store::WriteIncident& write : engine.take_unsaved()) {
      const std::int64_t number = write.row.number != 0 ? write.row.number : ++numbers_;
      auto& stored = stored_[write.row.uid];
      write.row.number = number;
      stored.row = write.row;
      stored.events.insert(stored.events.end(), write.events.begin(), write.events.end());
      outcomes_.insert(outcomes_.end(), write.outcomes.begin(), write.outcomes.end());
      engine.on_saved(write.row.uid, store::Written{.effect = store::Effect::done, .incident_number = number});
    }
  }
  std::vector<Incident> folded() const {
    std::vector<Incident> all;
    for (const auto& [uid, stored] : stored_) {
      Incident incident;
      incident.uid = uid;
      incident.number = stored.row.number;
      incident.lineage = stored.row.lineage;
      for (const auto& row : stored.events) apply(incident, *parse_incident_event(row.time_ns, row.kind, row.ref, row.body));
      all.push_back(std::move(incident));
    }
    return all;
  }
  const Incident& only() const {
    EXPECT_EQ(engine_.visible().size(), 1U);
    return *engine_.visible().front();
  }
  void kill(std::uint32_t pid) {
    engine_.on_event(node_.event(shop_, oom(pid)));
    save_all(engine_);
  }

  static Explained answer(const std::string& card) {
    Explained explained;
    explained.card = card;
    explained.verdict = "v";
    explained.probability = 0.7;
    return explained;
  }

  test::ManualClock clock_;
  test::Node node_{clock_};
  fleet::EntityPtr shop_ = node_.container("/shop/cart", 100);
  Engine engine_{EngineConfig{}, clock_};
  std::int64_t numbers_ = 0;
  std::unordered_map<Uuid, store::StoredIncident> stored_;
  std::vector<store::Outcome> outcomes_;
};

TEST_F(EngineTest, is_visible_only_once_it_is_durable) {
  engine_.on_event(node_.event(shop_, oom(1)));
  EXPECT_TRUE(engine_.visible().empty());
  EXPECT_TRUE(engine_.take_due().empty());
  save_all(engine_);
  EXPECT_EQ(only().number, 1);
  EXPECT_EQ(engine_.take_due().size(), 1U);
}

TEST_F(EngineTest, a_failed_save_is_offered_again) {
  engine_.on_event(node_.event(shop_, oom(1)));
  const auto first = engine_.take_unsaved();
  ASSERT_EQ(first.size(), 1U);
  EXPECT_TRUE(engine_.take_unsaved().empty()) << "in flight";
  engine_.on_saved(first[0].row.uid, Error(Errc::overloaded, "full"));
  EXPECT_EQ(engine_.take_unsaved().at(0).events.size(), first[0].events.size());
}

TEST_F(EngineTest, further_symptoms_of_the_lineage_fold_in) {
  kill(1);
  shop_ = node_.container("/shop/cart", 101);   // made again
  kill(2);
  engine_.on_event(node_.event(shop_, exit_of(1, 1)));
  EXPECT_EQ(only().symptoms.at(0).count, 2);
  EXPECT_EQ(only().subject.key.cgroup_id, 101U);
}

TEST_F(EngineTest, another_subject_is_another_incident) {
  kill(1);
  shop_ = node_.container("/shop/search", 200);
  kill(2);
  EXPECT_EQ(engine_.visible().size(), 2U);
}

TEST_F(EngineTest, resolves_when_quiet_and_reopens_when_symptoms_return) {
  kill(1);
  clock_.advance(4min);
  engine_.on_tick();
  EXPECT_EQ(only().state, State::open);
  clock_.advance(1min);
  engine_.on_tick();
  EXPECT_EQ(only().state, State::resolved);
  kill(2);
  EXPECT_EQ(only().state, State::open);
  EXPECT_FALSE(only().resolved_ns.has_value());
}

TEST_F(EngineTest, after_a_person_closed_it_a_symptom_opens_a_new_one) {
  kill(1);
  ASSERT_TRUE(engine_.close(1, "alice", "fixed", "memory-leak"));
  EXPECT_EQ(engine_.close(1, "bob", "again", "").error().code, Errc::conflict);
  kill(2);
  ASSERT_NE(engine_.find(2), nullptr);
  EXPECT_EQ(engine_.find(2)->state, State::open);
  EXPECT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(outcomes_.at(0).confirmed, 1);
}

TEST_F(EngineTest, an_old_incident_that_people_act_on_stays_until_no_request_can_know_an_older_form_of_it) {
  kill(1);
  ASSERT_TRUE(engine_.close(1, "alice", "done", ""));
  save_all(engine_);
  engine_.on_tick();
  ASSERT_EQ(engine_.find(1), nullptr);
  engine_.adopt(folded().at(0));
  ASSERT_TRUE(engine_.note(1, "bob", "afterwards"));
  save_all(engine_);
  engine_.on_tick();
  EXPECT_NE(engine_.find(1), nullptr) << "another request with the incident without bob's note would take its place in the sequence";
  clock_.advance(3min);
  engine_.on_tick();
  EXPECT_EQ(engine_.find(1), nullptr);
}

TEST_F(EngineTest, a_wrong_answer_is_refuted_by_the_confirmed_cause) {
  kill(1);
  const auto uid = engine_.take_due().at(0);
  engine_.on_explained(uid, answer("memory-leak"), {});
  EXPECT_EQ(only().state, State::explained);
  ASSERT_TRUE(engine_.close(1, "alice", "", "memory-limit-lowered"));
  save_all(engine_);
  ASSERT_EQ(outcomes_.size(), 2U);
  EXPECT_EQ(outcomes_.at(1).card, "memory-leak");
  EXPECT_EQ(outcomes_.at(1).refuted, 1);
}

TEST_F(EngineTest, investigates_at_once_then_with_a_least_spacing_and_again_when_late_evidence_is_there) {
  kill(1);
  auto due = engine_.take_due();
  ASSERT_EQ(due.size(), 1U);
  engine_.on_explained(due[0], {}, {});
  clock_.advance(100ms);
  kill(2);
  EXPECT_TRUE(engine_.take_due().empty()) << "too soon";
  clock_.advance(200ms);
  due = engine_.take_due();
  EXPECT_EQ(due.size(), 1U);
  engine_.on_explained(due[0], {}, {});
  clock_.advance(1s);
  EXPECT_TRUE(engine_.take_due().empty());
  clock_.advance(1s);
  EXPECT_EQ(engine_.take_due().size(), 1U) << "hot samples came";
}

TEST_F(EngineTest, a_step_of_the_wall_clock_delays_no_investigation) {
  kill(1);
  engine_.on_explained(engine_.take_due().at(0), {}, {});
  clock_.set_wall_ns(clock_.wall_ns() - 3'600 * kNsPerSecond);
  clock_.advance(2s);
  EXPECT_EQ(engine_.take_due().size(), 1U) << "the round for late evidence";
}

TEST_F(EngineTest, a_node_whose_clock_is_ahead_does_not_keep_its_incident_open) {
  auto event = *node_.event(shop_, oom(1));
  event.time_ns += 3'600 * kNsPerSecond;
  engine_.on_event(std::make_shared<const fleet::NodeEvent>(event));
  save_all(engine_);
  clock_.advance(6min);
  engine_.on_tick();
  EXPECT_EQ(only().state, State::resolved);
}

TEST_F(EngineTest, only_a_change_that_may_matter_asks_for_an_investigation) {
  kill(1);
  engine_.on_explained(engine_.take_due().at(0), {}, {});
  clock_.advance(1s);
  changes::Change change;
  change.object.name = "billing";
  const auto name = [](const Uuid&) { return std::string("node-a"); };
  engine_.on_change(change, name);
  EXPECT_TRUE(engine_.take_due().empty());
  change.object.name = "cart";
  engine_.on_change(change, name);
  EXPECT_EQ(engine_.take_due().size(), 1U);
}

TEST_F(EngineTest, a_change_is_looked_at_soon_however_many_investigations_the_symptoms_took) {
  for (std::uint32_t pid = 1; pid <= 100; ++pid) {
    kill(pid);
    for (const Uuid& uid : engine_.take_due()) engine_.on_explained(uid, {}, {});
    clock_.advance(300ms);
  }
  ASSERT_TRUE(engine_.take_due().empty()) << "symptoms alone are looked at more rarely by now";
  changes::Change change;
  change.object.name = "cart";
  engine_.on_change(change, [](const Uuid&) { return std::string("node-a"); });
  const auto due = engine_.take_due();
  ASSERT_EQ(due.size(), 1U);
  engine_.on_explained(due[0], {}, {});
  kill(101);
  clock_.advance(300ms);
  EXPECT_TRUE(engine_.take_due().empty()) << "the change was looked at";
}

TEST_F(EngineTest, a_restart_goes_on_where_it_was_and_counts_no_symptom_twice) {
  const auto first = node_.event(shop_, oom(1)), second = node_.event(shop_, oom(2));
  engine_.on_event(first);
  save_all(engine_);
  ASSERT_TRUE(engine_.note(1, "alice", "looking"));
  save_all(engine_);
  // The crash came before the second symptom was saved; its event is durable.
  Engine again{EngineConfig{}, clock_};
  std::vector<std::string> refs;
  for (const auto& [uid, stored] : stored_) {
    for (const auto& row : stored.events) refs.push_back(row.ref);
  }
  again.restore(folded(), refs);
  again.on_event(first);
  again.on_event(second);
  again.end_replay();
  ASSERT_EQ(again.visible().size(), 1U);
  EXPECT_EQ(again.find(1)->symptoms.at(0).count, 2);
  EXPECT_EQ(again.find(1)->notes.size(), 1U);
  EXPECT_EQ(again.stats().opened_total, 0U);
}

TEST_F(EngineTest, a_restart_investigates_what_had_no_answer_yet) {
  kill(1);
  Engine again{EngineConfig{}, clock_};
  again.restore(folded(), {});
  again.end_replay();
  EXPECT_EQ(again.take_due().size(), 1U);
}

TEST_F(EngineTest, the_fold_of_the_stored_events_is_the_incident) {
  kill(1);
  engine_.on_explained(engine_.take_due().at(0), answer("c"), {});
  ASSERT_TRUE(engine_.take(1, "alice"));
  save_all(engine_);
  const Incident folded_back = folded().at(0);
  EXPECT_EQ(folded_back.state, only().state);
  EXPECT_EQ(folded_back.subject, only().subject);
  EXPECT_EQ(folded_back.explanation, only().explanation);
  EXPECT_EQ(folded_back.taken_by, "alice");
  EXPECT_EQ(folded_back.last_seq, only().last_seq);
}

TEST_F(EngineTest, asks_the_agent_to_look_closer) {
  engine_.on_event(node_.event(shop_, oom(1)));
  const auto focus = engine_.take_focus();
  ASSERT_EQ(focus.size(), 1U);
  EXPECT_EQ(focus[0].entity.cgroup_id, 100U);
}

TEST_F(EngineTest, severity_grows_with_what_is_seen) {
  kill(1);
  EXPECT_EQ(severity(only()), "major");
  kill(2);
  kill(3);
  EXPECT_EQ(severity(only()), "critical");
}

}  // namespace
}  // namespace fw::incidents
