// Each card's positive case and one for each confusable, and what the issue asks of changes.
#include <gtest/gtest.h>

#include <algorithm>

#include "story.hpp"

namespace fw::agents {
namespace {

TEST(Explain, blames_the_change_that_lowered_the_limit) {
  const auto f = explain(limit_lowered());
  ASSERT_EQ(cause(f), "memory-limit-lowered") << ranking(f);
  EXPECT_GE(f.cause()->probability, 0.9) << ranking(f);
  EXPECT_EQ(suspect(f), "event") << ranking(f);
  EXPECT_EQ(f.cause()->confidence, Confidence::sure);
  EXPECT_EQ(f.verdict,
            "checkout is OOM-killed again and again (7 times since 14:13:20 UTC) because its memory limit was lowered from 256 MiB to 64 MiB "
            "by change resources.limits.memory 256Mi -> 64Mi (alice, 14:13:15 UTC); it had up to 180 MiB in use before. Sure.");
  EXPECT_EQ(f.cause()->by_hand, std::vector<std::string>{"echo 268435456 > /sys/fs/cgroup/memory/shop/checkout/memory.limit_in_bytes"});
  EXPECT_EQ(f.cause()->track_record, "never confirmed yet");
}

TEST(Explain, tells_the_classes_apart) {
  const std::pair<const char*, Story (*)()> cases[] = {{"memory-demand-grew", demand_grew},        {"memory-leak", leak},
                                                       {"node-memory-exhausted", node_exhausted},  {"runaway-child-process", runaway_child},
                                                       {"killed-by-signal", killed_by_person},     {"nothing-wrong", recycled},
                                                       {"memory-demand-grew", prefork_pool},       {"unknown", crash_loop_without_memory}};
  for (const auto& [card, story] : cases) {
    const auto f = explain(story());
    EXPECT_EQ(cause(f), card) << ranking(f);
    EXPECT_EQ(suspect(f), "") << ranking(f);
  }
}

// ---- one case for each pair that can be confused: looks like the second, is the first ----

TEST(Confusable, demand_grew_after_a_limit_was_lowered_to_what_still_fitted) {
  Story s = demand_grew();
  s.limit(kNow - 30 * kMinute, kNow - 11 * kMinute, 256);
  for (auto& row : s.facts.series)
    std::sort(row.points.begin(), row.points.end(), [](const auto& a, const auto& b) { return a.t_ns < b.t_ns; });
  ChangeRow& c = s.change("lowered", kNow - 10 * kMinute);
  c.entity_id = Story::kSubject, c.match = "name";
  c.fields.push_back(Story::limit_field(256, 128));
  const auto f = explain(s);
  EXPECT_EQ(cause(f), "memory-demand-grew") << ranking(f);
}

TEST(Confusable, leak_after_a_limit_was_lowered_to_what_still_fitted) {
  Story s = leak();
  // Before the change: the same container, level at 30 MiB under 256 MiB.
  Story before;
  before.memory(kNow - 30 * kMinute, kNow - 6 * kMinute, 10 * kSecond, [](double) { return 30; });
  before.limit(kNow - 30 * kMinute, kNow - 6 * kMinute, 256);
  for (auto& row : before.facts.series)
    for (auto& mine : s.facts.series)
      if (mine.metric == row.metric) mine.points.insert(mine.points.begin(), row.points.begin(), row.points.end());
  s.main_end(kNow - 5 * kMinute - kSecond, 15, 0, 3999);
  ChangeRow& c = s.change("lowered", kNow - 6 * kMinute);
  c.entity_id = Story::kSubject, c.match = "name";
  c.fields.push_back(Story::limit_field(256, 128));
  const auto f = explain(s);
  EXPECT_EQ(cause(f), "memory-leak") << ranking(f);
}

TEST(Confusable, demand_grew_while_another_container_of_the_node_grew_too) {
  Story s = demand_grew();
  s.entity(Story::kOther, "container", "batch", "/jobs/batch");
  s.series("memory_current_bytes", kNow - 10 * kMinute, kNow, 10 * kSecond,
           [](double t) { return static_cast<std::int64_t>((200 + t * 5) * static_cast<double>(kMiB)); }, Story::kOther);
  const auto f = explain(s);
  EXPECT_EQ(cause(f), "memory-demand-grew") << ranking(f);
}

TEST(Confusable, node_exhausted_while_the_load_of_the_victim_grew) {
  Story s = node_exhausted();
  const Story grown = demand_grew();
  std::erase_if(s.facts.series, [](const SeriesRow& r) { return r.entity_id == Story::kSubject && r.metric != "memory_limit_bytes"; });
  for (const auto& row : grown.facts.series)
    if (row.metric != "memory_limit_bytes") s.facts.series.push_back(row);
  const auto f = explain(s);
  ASSERT_EQ(cause(f), "node-memory-exhausted") << ranking(f);
  EXPECT_NE(f.verdict.find("batch grew most, from 200 MiB to 3.1 GiB"), std::string::npos) << f.verdict;
}

TEST(Confusable, node_oom_that_the_kernel_delivers_as_sigkill_is_no_kill_by_a_person) {
  Story s = node_exhausted();
  s.signal(kNow + 10'000'000, 9, "").from_kernel = 1;
  s.symptom("crash_loop", 1);
  const auto f = explain(s);
  EXPECT_EQ(cause(f), "node-memory-exhausted") << ranking(f);
}

TEST(Confusable, kill_by_a_person_on_a_node_whose_memory_is_tight) {
  Story s = killed_by_person();
  s.entity(Story::kOther, "container", "batch", "/jobs/batch");
  s.series("memory_current_bytes", kNow - 10 * kMinute, kNow, 10 * kSecond,
           [](double t) { return static_cast<std::int64_t>((200 + t * 5) * static_cast<double>(kMiB)); }, Story::kOther);
  s.symptom("crash_loop", 1);
  const auto f = explain(s);
  EXPECT_EQ(cause(f), "killed-by-signal") << ranking(f);
}

TEST(Confusable, stop_with_sigterm_and_then_sigkill_is_planned) {
  Story s = recycled();
  for (auto& e : s.facts.events) e.signal = 9;
  for (int i = 0; i < 6; ++i) {
    s.signal(kNow + i * 15 * kSecond - 10 * kSecond, 15, "supervisor", 4000 + i);
    s.signal(kNow + i * 15 * kSecond - kSecond, 9, "supervisor", 4000 + i);
  }
  const auto f = explain(s);
  EXPECT_EQ(cause(f), "nothing-wrong") << ranking(f);
}

TEST(Confusable, repeated_sigkill_in_a_loop_is_not_planned) {
  Story s = recycled();
  for (auto& e : s.facts.events) e.signal = 9;
  for (int i = 0; i < 6; ++i) s.signal(kNow + i * 15 * kSecond - 5'000'000, 9, "killer", 4000 + i);
  const auto f = explain(s);
  EXPECT_EQ(cause(f), "killed-by-signal") << ranking(f);
  EXPECT_NE(f.verdict.find("by killer (pid 999, uid 0), from outside the container"), std::string::npos) << f.verdict;
}

TEST(Confusable, growth_that_planned_recycling_ends_before_the_limit_is_no_leak) {
  Story s;
  const auto mib = [](double t) { return 30 + t; };
  for (int i = 0; i < 6; ++i) {
    const std::int64_t start = kNow + (i - 1) * 20 * kSecond;
    s.memory(start + kSecond, start + 19 * kSecond, 2 * kSecond, mib);
    if (i > 0) s.main_end(start, 0, 0, 4000 + i);
  }
  s.limit(kNow - 5 * kMinute, kNow + 50 * kSecond, 256);
  s.symptom("restart_loop", 6).symptom("crash_loop", 1);
  const auto f = explain(s);
  EXPECT_EQ(cause(f), "nothing-wrong") << ranking(f);
}

TEST(Confusable, leak_of_the_main_process_with_small_children_is_no_runaway_child) {
  Story s = leak();
  for (auto& e : s.facts.events)
    if (e.kind == "oom_kill") e.top_processes = {{4000, 1, "worker", 115 * kMiB, 300 * kSecond, 1}, {4100, 4000, "helper", 3 * kMiB, kSecond, 0}};
  const auto f = explain(s);
  EXPECT_EQ(cause(f), "memory-leak") << ranking(f);
}

TEST(Confusable, runaway_child_beside_a_level_pool_is_no_demand) {
  Story s = runaway_child();
  for (auto& e : s.facts.events)
    if (e.kind == "oom_kill")
      for (int i = 0; i < 4; ++i) e.top_processes.push_back({7000 + i, 4000, "pool", 8 * kMiB, 50 * kMinute, 0});
  const auto f = explain(s);
  EXPECT_EQ(cause(f), "runaway-child-process") << ranking(f);
}

// ---- what an agent cannot see is missing, not false ----

TEST(Missing, without_bpf_the_lowered_limit_is_still_found) {
  Story s = limit_lowered();
  std::erase_if(s.facts.events, [](const EventRow& e) { return e.kind == "process_exit"; });
  for (auto& e : s.facts.events)
    if (e.kind == "oom_kill") {
      e.pid = e.parent_pid = e.container_main = e.age_ns = e.rss_bytes = e.limit_bytes = e.usage_bytes = std::nullopt;
      e.comm = std::nullopt;
      e.constraint_kind = "unknown", e.constraint_source = "counters";
    }
  const auto f = explain(s);
  EXPECT_EQ(cause(f), "memory-limit-lowered") << ranking(f);
  EXPECT_EQ(suspect(f), "event") << ranking(f);
  EXPECT_FALSE(f.next_evidence.empty());
}

TEST(Missing, oom_kills_alone_are_not_enough_for_any_cause) {
  Story s;
  s.kill(kNow, 64);
  s.symptom("oom_kill", 1);
  const auto f = explain(s);
  EXPECT_EQ(cause(f), "unknown") << ranking(f);
  EXPECT_EQ(f.verdict.rfind("The cause is not known: checkout has oom_kill 1 time", 0), 0U) << f.verdict;
  EXPECT_FALSE(f.next_evidence.empty());
  for (const auto& h : f.hypotheses)
    for (const auto& e : h.evidence) {
      if (e.answer == Answer::missing) { EXPECT_EQ(e.llr, 0); }
      EXPECT_EQ(e.answer == Answer::missing, !e.missing_reason.empty()) << e.name;
    }
}

TEST(Missing, a_change_and_two_kills_within_seconds_of_the_start_are_enough) {
  Story s = limit_lowered();
  for (auto& row : s.facts.series)
    if (row.metric != "memory_limit_bytes") row.points = {{kNow - 6 * kSecond, 178 * kMiB}};
    else std::erase_if(row.points, [](const SeriesPoint& p) { return p.t_ns < kNow - 20 * kSecond; });
  std::erase_if(s.facts.events, [](const EventRow& e) { return e.time_ns > kNow + 7 * kSecond || e.kind == "limit_changed"; });
  std::erase_if(s.facts.changes, [](const ChangeRow& c) { return c.source == "node"; });
  s.facts.symptoms = {{Story::kSubject, "oom_kill", kNow, kNow + 6 * kSecond, 2}};
  const auto f = explain(s);
  EXPECT_EQ(cause(f), "memory-limit-lowered") << ranking(f);
  EXPECT_GE(f.cause()->probability, 0.9) << ranking(f);
  EXPECT_EQ(suspect(f), "event");
}

TEST(Missing, one_reading_at_the_start_of_a_process_does_not_say_what_it_needs) {
  Story s = limit_lowered();
  for (auto& row : s.facts.series)
    if (row.metric != "memory_limit_bytes") row.points = {{kNow - 20 * kSecond, 4 * kMiB}};
  const auto f = explain(s);
  EXPECT_EQ(cause(f), "memory-limit-lowered") << ranking(f);
  EXPECT_GE(f.cause()->probability, 0.9) << ranking(f);
}

// An agent reads each 10 s, and each second only after the first symptom.
TEST(Missing, two_readings_before_the_first_kill_and_quick_kills_after_it_are_demand) {
  Story s;
  s.memory(kNow - 17 * kSecond, kNow - 7 * kSecond, 10 * kSecond, [](double t) { return 27 + t * 1.3; });
  s.limit(kNow - 17 * kSecond, kNow + 20 * kSecond, 64).level_load(kNow - 17 * kSecond, kNow - 7 * kSecond);
  for (int i = 0; i < 6; ++i) {
    s.kill(kNow + i * 2 * kSecond, 64, 4000 + i).age_ns = i == 0 ? 20 * kSecond : 1'500'000'000;
    s.main_end(kNow + i * 2 * kSecond + 20'000'000, 9, 0, 4000 + i).oom_victim = 1;
    s.memory(kNow + i * 2 * kSecond + 600'000'000, kNow + i * 2 * kSecond + 1'700'000'000, kSecond, [](double t) { return 20 + 40 * t; });
  }
  const auto f = explain(s.symptom("oom_kill", 6).symptom("crash_loop", 1, kNow + 4 * kSecond));
  EXPECT_EQ(cause(f), "memory-demand-grew") << ranking(f);
}

TEST(Missing, two_readings_before_the_first_kill_and_the_same_growth_after_it_are_a_leak) {
  Story s;
  s.memory(kNow - 17 * kSecond, kNow - 7 * kSecond, 10 * kSecond, [](double t) { return 17 + t * 3.7; });
  s.memory(kNow + kSecond, kNow + 17 * kSecond, kSecond, [](double t) { return 17 + t * 3.7; });
  s.limit(kNow - 17 * kSecond, kNow + 20 * kSecond, 80).level_load(kNow - 17 * kSecond, kNow - 7 * kSecond);
  for (int i = 0; i < 2; ++i) {
    s.kill(kNow + i * 18 * kSecond, 80, 4000 + i).age_ns = 17 * kSecond;
    s.main_end(kNow + i * 18 * kSecond + 20'000'000, 9, 0, 4000 + i).oom_victim = 1;
  }
  const auto f = explain(s.symptom("oom_kill", 2));
  EXPECT_EQ(cause(f), "memory-leak") << ranking(f);
}

// ---- a limit that was lowered while nobody looked: what came after the first kill does not tell it from a load that grew ----

// Killed at 64 MiB after ten minutes of life, then each 12 s: what a lowered limit looks like, and a grown load too.
Story kills_at_an_unread_limit() {
  Story s;
  for (int i = 0; i < 6; ++i) {
    s.kill(kNow + i * 12 * kSecond, 64, 4000 + i).age_ns = i == 0 ? 10 * kMinute : 11 * kSecond;
    s.main_end(kNow + i * 12 * kSecond + 20'000'000, 9, 0, 4000 + i).oom_victim = 1;
  }
  s.facts.built_ns = kNow + 2 * kMinute;
  return s.symptom("oom_kill", 6, kNow, kNow + kMinute).symptom("crash_loop", 1, kNow + 24 * kSecond), s;
}

// Each life fills up to the limit, as read each second after the first kill.
void read_after_the_kills(Story& s) {
  for (int i = 0; i < 6; ++i)
    s.memory(kNow + i * 12 * kSecond + kSecond, kNow + i * 12 * kSecond + 11 * kSecond, kSecond, [](double t) { return 4 + 5.5 * t; });
  s.limit(kNow + kSecond, kNow + 80 * kSecond, 64).level_load(kNow + kSecond, kNow + 80 * kSecond);
}

void expect_modest(const Findings& f) {
  EXPECT_EQ(cause(f), "unknown") << ranking(f);
  for (const auto& h : f.hypotheses) EXPECT_LT(h.probability, 0.5) << h.card << "\n" << ranking(f);
}

TEST(Unread, kills_without_any_reading_are_unknown) { expect_modest(explain(kills_at_an_unread_limit())); }

TEST(Unread, a_first_reading_after_the_first_kill_is_unknown) {
  Story s = kills_at_an_unread_limit();
  read_after_the_kills(s);
  expect_modest(explain(s));
}

TEST(Unread, a_new_image_does_not_replace_the_missing_readings) {
  Story s = kills_at_an_unread_limit();
  read_after_the_kills(s);
  ChangeRow& c = s.change("image", kNow - kMinute);
  c.entity_id = Story::kSubject, c.match = "name";
  c.fields.push_back({"image", "a:1", "a:2", std::nullopt, std::nullopt, "image"});
  expect_modest(explain(s));
}

TEST(Unread, a_posted_lower_limit_is_enough) {
  Story s = kills_at_an_unread_limit();
  read_after_the_kills(s);
  ChangeRow& c = s.change("event", kNow - 5 * kSecond);
  c.entity_id = Story::kSubject, c.match = "name";
  c.fields.push_back(Story::limit_field(256, 64));
  const auto f = explain(s);
  EXPECT_EQ(cause(f), "memory-limit-lowered") << ranking(f);
  EXPECT_EQ(suspect(f), "event") << ranking(f);
}

TEST(Unread, two_readings_just_before_the_first_kill_of_an_old_process_do_not_say_what_its_limit_was) {
  Story s = kills_at_an_unread_limit();
  s.memory(kNow - 15 * kSecond, kNow - 5 * kSecond, 10 * kSecond, [](double t) { return 58 + t / 5; });
  s.limit(kNow - 15 * kSecond, kNow - 5 * kSecond, 64).level_load(kNow - 15 * kSecond, kNow - 5 * kSecond);
  expect_modest(explain(s));
  read_after_the_kills(s);
  expect_modest(explain(s));
}

TEST(Unread, readings_that_began_after_kills_nobody_saw_do_not_say_what_the_limit_was) {
  Story s = kills_at_an_unread_limit();
  for (auto& e : s.facts.events) e.age_ns = e.age_ns ? std::optional<std::int64_t>{11 * kSecond} : std::nullopt;
  s.limit(kNow - 5 * kSecond, kNow + 80 * kSecond, 64);
  s.series("memory_oom_kills_total", kNow - 5 * kSecond, kNow + 75 * kSecond, 10 * kSecond, [](double t) { return 3 + static_cast<std::int64_t>(t) / 12; });
  expect_modest(explain(s));
}

// A supervisor that starts its only worker again and again: the victim is a young child that holds nearly everything.
TEST(Unread, the_only_worker_of_a_supervisor_is_no_runaway_child) {
  Story s = kills_at_an_unread_limit();
  for (auto& e : s.facts.events) {
    if (e.kind != "oom_kill") continue;
    e.container_main = 0, e.parent_pid = 3000;
    e.top_processes = {{*e.pid, 3000, "worker", 58 * kMiB, e.age_ns, 0}, {3000, 1, "supervisor", kMiB, 20 * kMinute, 1}};
  }
  std::erase_if(s.facts.events, [](const EventRow& e) { return e.kind == "process_exit"; });
  std::erase_if(s.facts.symptoms, [](const SymptomRow& r) { return r.kind == "crash_loop"; });
  expect_modest(explain(s));
  Story late = s;
  read_after_the_kills(late);
  expect_modest(explain(late));
  // With its memory from before it is clear that the limit was higher.
  s.memory(kNow - 10 * kMinute, kNow - 5 * kSecond, 10 * kSecond, [](double t) { return 178 + 2 * (static_cast<int>(t / 10) % 2); });
  const auto f = explain(s);
  EXPECT_EQ(cause(f), "memory-limit-lowered") << ranking(f);
}

TEST(Unread, memory_in_use_from_before_still_shows_that_the_limit_must_have_been_higher) {
  Story s = kills_at_an_unread_limit();
  s.memory(kNow - 10 * kMinute, kNow - 5 * kSecond, 10 * kSecond, [](double t) { return 178 + 2 * (static_cast<int>(t / 10) % 2); });
  s.level_load(kNow - 10 * kMinute, kNow - 5 * kSecond);   // the limit itself was never read, its change not noticed
  const auto f = explain(s);
  EXPECT_EQ(cause(f), "memory-limit-lowered") << ranking(f);
  EXPECT_EQ(suspect(f), "") << ranking(f);
}

TEST(Missing, zero_pids_and_empty_names_are_unknown) {
  Story s = limit_lowered();
  for (auto& e : s.facts.events)
    if (e.kind == "oom_kill") e.pid = 0, e.comm = "", e.container_main = std::nullopt, e.rss_bytes = std::nullopt;
  const auto f = explain(s);
  EXPECT_EQ(cause(f), "memory-limit-lowered") << ranking(f);
  for (const auto& fact : f.facts) EXPECT_EQ(fact.text.find("pid 0"), std::string::npos) << fact.text;
}

TEST(Missing, no_symptom_asks_no_card) {
  const auto f = explain(Story{});
  EXPECT_TRUE(f.hypotheses.empty());
  EXPECT_EQ(f.unknown_probability, 1);
  EXPECT_EQ(f.verdict, "The cause is not known: checkout has no symptom.");
}

}  // namespace
}  // namespace fw::agents
