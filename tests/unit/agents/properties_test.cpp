// What must hold for every story, whatever its numbers and names.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "story.hpp"

namespace fw::agents {
namespace {

struct Named { const char* name; Story (*story)(); };
Story lowered_and_posted() { return limit_lowered(true); }
Story lowered_and_not_posted() { return limit_lowered(false); }
const Named kStories[] = {{"lowered", lowered_and_posted}, {"not posted", lowered_and_not_posted}, {"demand", demand_grew}, {"leak", leak},
                          {"node", node_exhausted},        {"child", runaway_child},               {"signal", killed_by_person},
                          {"recycled", recycled},          {"prefork", prefork_pool},              {"exit code", crash_loop_without_memory}};

class EveryStory : public testing::TestWithParam<Named> {};
INSTANTIATE_TEST_SUITE_P(Stories, EveryStory, testing::ValuesIn(kStories), [](const auto& story) {
  std::string name = story.param.name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
});

TEST_P(EveryStory, same_facts_in_any_order_give_the_same_bytes_and_findings) {
  IncidentFacts facts = GetParam().story().facts;
  const std::string bytes = CaseFile::build(facts)->serialize(), answer = to_json(explain(facts));
  std::mt19937 random{42};
  for (int round = 0; round < 3; ++round) {
    std::shuffle(facts.entities.begin(), facts.entities.end(), random);
    std::shuffle(facts.edges.begin(), facts.edges.end(), random);
    std::shuffle(facts.symptoms.begin(), facts.symptoms.end(), random);
    std::shuffle(facts.events.begin(), facts.events.end(), random);
    std::shuffle(facts.series.begin(), facts.series.end(), random);
    std::shuffle(facts.changes.begin(), facts.changes.end(), random);
    EXPECT_EQ(CaseFile::build(facts)->serialize(), bytes);
    EXPECT_EQ(to_json(explain(facts)), answer);
  }
}

TEST_P(EveryStory, stored_file_is_explained_like_the_one_built) {
  const auto built = CaseFile::build(GetParam().story().facts);
  const auto loaded = CaseFile::load(built->serialize());
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_EQ(loaded->serialize(), built->serialize());
  EXPECT_EQ(to_json(*investigate(*loaded, Cards::builtin())), to_json(*investigate(*built, Cards::builtin())));
}

TEST_P(EveryStory, onset_a_minute_off_changes_neither_cause_nor_suspect) {
  const auto truth = explain(GetParam().story());
  for (const std::int64_t shift : {-60, -20, 20, 60}) {
    Story s = GetParam().story();
    s.facts.onset_ns += shift * kSecond;
    const auto f = explain(s);
    EXPECT_EQ(cause(f), cause(truth)) << shift << "\n" << ranking(f);
    EXPECT_EQ(suspect(f), suspect(truth)) << shift << "\n" << ranking(f);
  }
}

TEST_P(EveryStory, other_sizes_and_names_give_the_same_answer) {
  const auto truth = explain(GetParam().story());
  for (const std::int64_t factor : {3, 16}) {
    Story s = GetParam().story();
    const auto scale = [&](OptInt& value) { if (value && *value > 0) *value *= factor; };
    for (auto& e : s.facts.entities) e.name = "n" + e.name + "-7f9c", e.cgroup_path = e.cgroup_path.empty() ? "" : "/x" + e.cgroup_path;
    for (auto& e : s.facts.events) {
      scale(e.rss_bytes), scale(e.limit_bytes), scale(e.usage_bytes);
      if (e.kind == "limit_changed") scale(e.before_value), scale(e.after_value);
      for (auto& p : e.top_processes) scale(p.rss_bytes);
    }
    for (auto& row : s.facts.series)
      if (row.metric.starts_with("memory_"))
        for (auto& p : row.points) p.value = p.value > 0 ? p.value * factor : p.value;
    for (auto& c : s.facts.changes)
      for (auto& field : c.fields)
        if (field.mechanism == "memory_limit") scale(field.before_value), scale(field.after_value);
    const auto f = explain(s);
    EXPECT_EQ(cause(f), cause(truth)) << ranking(f);
    EXPECT_EQ(suspect(f), suspect(truth)) << ranking(f);
    for (std::size_t i = 0; i < f.hypotheses.size(); ++i) EXPECT_NEAR(f.hypotheses[i].probability, truth.hypotheses[i].probability, 0.01);
  }
}

TEST_P(EveryStory, an_unrelated_change_raises_no_card_above_the_true_one) {
  const auto truth = explain(GetParam().story());
  const std::pair<const char*, const char*> fields[] = {{"replicas", "replicas"}, {"metadata.labels", "other"}, {"args", "config"}};
  for (const std::int64_t delay : {1, 30, 600})
    for (const auto& [path, mechanism] : fields) {
      Story s = GetParam().story();
      ChangeRow& c = s.change("unrelated", kNow - delay * kSecond);
      c.entity_id = Story::kSubject, c.match = "uid";
      c.fields.push_back({path, "3", "2", 3, 2, mechanism});
      const auto f = explain(s);
      EXPECT_EQ(cause(f), cause(truth)) << ranking(f);
      EXPECT_EQ(suspect(f), suspect(truth)) << ranking(f);
    }
}

TEST_P(EveryStory, taking_facts_away_never_makes_another_cause_certain) {
  const auto truth = explain(GetParam().story());
  const std::string expected = cause(truth);
  const auto check = [&](Story& s, const std::string& what) {
    const auto f = explain(s);
    if (cause(f) != expected && f.cause() != nullptr) {
      EXPECT_LE(f.cause()->probability, 0.9) << "without " << what << "\n" << ranking(f);
    }
  };
  const std::vector<SeriesRow> all_series = GetParam().story().facts.series;
  for (std::size_t i = 0; i < all_series.size(); ++i) {
    Story s = GetParam().story();
    s.facts.series.erase(s.facts.series.begin() + static_cast<std::ptrdiff_t>(i));
    check(s, all_series[i].metric);
  }
  Story no_series = GetParam().story();
  no_series.facts.series.clear();
  check(no_series, "all series");
  Story no_changes = GetParam().story();
  no_changes.facts.changes.clear();
  check(no_changes, "all changes");
  for (const char* kind : {"process_exit", "process_signal", "limit_changed"}) {
    Story s = GetParam().story();
    std::erase_if(s.facts.events, [&](const EventRow& e) { return e.kind == kind; });
    check(s, kind);
  }
}

TEST_P(EveryStory, probabilities_are_normalised_and_sorted) {
  const auto f = explain(GetParam().story());
  double sum = f.unknown_probability;
  for (std::size_t i = 0; i < f.hypotheses.size(); ++i) {
    sum += f.hypotheses[i].probability;
    if (i > 0) { EXPECT_GE(f.hypotheses[i - 1].probability, f.hypotheses[i].probability); }
  }
  EXPECT_NEAR(sum, 1, 1e-9);
  EXPECT_FALSE(f.steps.empty());
}

TEST_P(EveryStory, every_cited_row_is_among_the_facts) {
  const auto f = explain(GetParam().story());
  for (const auto& h : f.hypotheses) {
    if (h.probability < 0.01) continue;
    for (const auto& e : h.evidence)
      for (const auto& id : e.evidence_ids)
        EXPECT_TRUE(std::any_of(f.facts.begin(), f.facts.end(), [&](const Fact& fact) { return fact.id == id; })) << h.card << " " << id;
  }
  EXPECT_TRUE(std::is_sorted(f.facts.begin(), f.facts.end(), [](const Fact& a, const Fact& b) { return a.time_ns < b.time_ns; }));
}

TEST_P(EveryStory, json_carries_the_findings_there_and_back) {
  const auto f = explain(GetParam().story());
  const auto back = findings_from_json(to_json(f));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(to_json(*back), to_json(f));
  EXPECT_EQ(back->hypotheses.size(), f.hypotheses.size());
  EXPECT_EQ(back->incident, "INC-7");
}

TEST_P(EveryStory, hostile_names_stay_text) {
  Story s = GetParam().story();
  const std::string evil = "'; drop table events; --\x1b[31m\x07$(reboot)\xe2\x80\xae\xff";
  for (auto& e : s.facts.entities) e.name = evil, e.runtime = evil, e.cgroup_path = e.cgroup_path.empty() ? "" : e.cgroup_path + evil;
  for (auto& e : s.facts.events) e.comm = evil, e.sender_comm = evil;
  for (auto& c : s.facts.changes) {
    c.title = c.actor = c.object_name = c.environment = evil;
    for (auto& field : c.fields) field.path = evil, field.before_text = evil, field.after_text = evil;
  }
  const auto f = explain(s);
  EXPECT_EQ(cause(f), cause(explain(GetParam().story()))) << ranking(f);
  const std::string json = to_json(f);
  EXPECT_TRUE(findings_from_json(json)) << "valid UTF-8 and JSON";
  EXPECT_EQ(f.verdict.find('\x1b'), std::string::npos);
  EXPECT_EQ(f.verdict.find("\xe2\x80\xae"), std::string::npos);
  if (f.cause() != nullptr) { EXPECT_TRUE(f.cause()->by_hand.empty()) << f.cause()->by_hand.front(); }
}

TEST(Performance, case_with_fifty_thousand_points) {
  Story s = limit_lowered();
  for (std::int64_t i = 0; i < 20; ++i) {
    s.entity(200 + i, "container", "sibling-" + std::to_string(i), "/shop/" + std::to_string(i));
    for (const char* metric : {"memory_current_bytes", "memory_anon_bytes", "cpu_usage_us", "pids_current", "memory_file_bytes", "psi_memory_some_us"})
      s.series(metric, kNow - 70 * kMinute, kNow, 10 * kSecond, [](double t) { return static_cast<std::int64_t>(t) * 1000 + 50 * kMiB; }, 200 + i);
  }
  const auto ms = [](auto from) { return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - from).count(); };
  auto start = std::chrono::steady_clock::now();
  const auto built = CaseFile::build(s.facts);
  const double build_ms = ms(start);
  const std::string bytes = built->serialize();
  start = std::chrono::steady_clock::now();
  const auto loaded = CaseFile::load(bytes);
  const double load_ms = ms(start);
  start = std::chrono::steady_clock::now();
  const auto f = investigate(*loaded, Cards::builtin());
  EXPECT_EQ(cause(*f), "memory-limit-lowered");
  const auto points = loaded->query("select count(*) from series")->rows[0][0];
  std::printf("points=%lld bytes=%zu build_ms=%.1f load_ms=%.1f explain_ms=%.1f\n", static_cast<long long>(std::get<std::int64_t>(points)),
              bytes.size(), build_ms, load_ms, ms(start));
}

}  // namespace
}  // namespace fw::agents
