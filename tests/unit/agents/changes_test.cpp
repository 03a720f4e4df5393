// Which change is blamed, and when none is.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "story.hpp"

namespace fw::agents {
namespace {

void late(Story& s, std::int64_t by) {
  for (auto& c : s.facts.changes)
    if (c.source != "node") c.received_ns += by;
}

// Twenty changes at nearby times: other objects, no object, the node, or the same object with fields that do not act.
void add_unrelated(Story& s, int count = 20) {
  for (std::int64_t i = 0; i < 8; ++i) s.entity(100 + i, "container", "other-" + std::to_string(i), "/other/" + std::to_string(i));
  for (int i = 0; i < count; ++i) {
    ChangeRow& c = s.change("unrelated-" + std::to_string(i), kNow - (i + 1) * 3 * kSecond);
    c.actor = "bob", c.title = "unrelated " + std::to_string(i), c.revision = "fffffff" + std::to_string(i);
    switch (i % 5) {
      case 0: c.entity_id = 100 + i % 8, c.match = "name", c.fields.push_back(Story::limit_field(256, 64)); break;
      case 1: c.entity_id = Story::kSubject, c.match = "uid", c.fields.push_back({"replicas", "3", "2", 3, 2, "replicas"}); break;
      case 2: c.entity_id = Story::kSubject, c.match = "name", c.fields.push_back({"metadata.labels.team", "a", "b", {}, {}, "other"}); break;
      case 3: c.object_name = "somewhere else", c.source = "github"; break;
      default: c.entity_id = 100 + i % 8, c.match = "uid", c.fields.push_back({"image", "v1", "v2", {}, {}, "image"});
    }
  }
}

TEST(Suspect, true_change_is_first_among_twenty_unrelated_ones) {
  Story s = limit_lowered();
  add_unrelated(s);
  const auto f = explain(s);
  ASSERT_EQ(cause(f), "memory-limit-lowered") << ranking(f);
  EXPECT_EQ(suspect(f), "event") << ranking(f);
  ASSERT_FALSE(f.cause()->changes.empty());
  EXPECT_EQ(f.cause()->changes.front().change_id, "event");
  EXPECT_GE(f.cause()->probability, 0.9);
}

TEST(Suspect, true_change_that_arrives_late_gives_the_same_answer) {
  Story s = limit_lowered();
  late(s, 30 * kSecond);
  add_unrelated(s);
  const auto f = explain(s), on_time = explain(limit_lowered());
  EXPECT_EQ(suspect(f), "event") << ranking(f);
  EXPECT_EQ(f.verdict, on_time.verdict);
}

TEST(Suspect, change_that_says_it_began_late_is_still_tied_to_what_the_node_saw) {
  Story s = limit_lowered();
  for (auto& c : s.facts.changes)
    if (c.source != "node") c.started_ns += 35 * kSecond, c.finished_ns = c.started_ns + kSecond;
  const auto f = explain(s);
  ASSERT_EQ(cause(f), "memory-limit-lowered") << ranking(f);
  EXPECT_EQ(suspect(f), "event") << ranking(f);
}

TEST(Suspect, change_never_posted_leaves_what_the_node_saw_and_no_unrelated_one) {
  Story s = limit_lowered(false);
  add_unrelated(s);
  const auto f = explain(s);
  ASSERT_EQ(cause(f), "memory-limit-lowered") << ranking(f);
  EXPECT_EQ(suspect(f), "node-saw") << ranking(f);
  EXPECT_NE(f.verdict.find("by a change that only the node saw (author unknown"), std::string::npos) << f.verdict;
}

TEST(Suspect, change_never_seen_by_anybody_leaves_no_suspect) {
  Story s = limit_lowered(false);
  s.facts.changes.clear();
  add_unrelated(s);
  const auto f = explain(s);
  EXPECT_EQ(cause(f), "memory-limit-lowered") << ranking(f);
  EXPECT_EQ(suspect(f), "") << ranking(f);
  EXPECT_NE(f.cause()->confidence, Confidence::sure) << "no proven change and no track record";
}

TEST(Suspect, same_symptom_without_a_change_is_not_blamed_on_one) {
  for (Story (*story)() : {demand_grew, leak, runaway_child, node_exhausted, killed_by_person, recycled}) {
    Story s = story();
    add_unrelated(s);
    const auto f = explain(s), alone = explain(story());
    EXPECT_EQ(cause(f), cause(alone)) << ranking(f);
    EXPECT_EQ(suspect(f), "") << ranking(f);
  }
}

TEST(Suspect, change_after_the_first_kill_is_not_blamed) {
  Story s = demand_grew();
  ChangeRow& c = s.change("too-late", kNow + 20 * kSecond);
  c.entity_id = Story::kSubject, c.match = "uid";
  c.fields.push_back({"image", "v1", "v2", {}, {}, "image"});
  const auto f = explain(s);
  EXPECT_EQ(suspect(f), "") << ranking(f);
}

TEST(Suspect, raised_limit_is_not_blamed_for_a_lowered_one) {
  Story s = limit_lowered(false);
  s.facts.changes.clear();
  ChangeRow& c = s.change("raised", kNow - 10 * kSecond);
  c.entity_id = Story::kSubject, c.match = "uid";
  c.fields.push_back(Story::limit_field(32, 64));
  const auto f = explain(s);
  EXPECT_EQ(suspect(f), "") << ranking(f);
}

TEST(Suspect, of_two_lowered_limits_the_one_that_the_kernel_names_wins) {
  Story s = limit_lowered();
  ChangeRow& c = s.change("aaa-other-value", kNow - 2 * kSecond);
  c.entity_id = Story::kSubject, c.match = "name";
  c.fields.push_back(Story::limit_field(256, 128));
  const auto f = explain(s);
  EXPECT_EQ(suspect(f), "event") << ranking(f);
}

TEST(Suspect, one_deploy_seen_by_several_sources_is_scored_once) {
  const auto f = explain(limit_lowered());
  ASSERT_EQ(f.cause()->changes.size(), 1U) << ranking(f);
  EXPECT_GT(f.cause()->changes[0].share, 0.9);
}

TEST(Suspect, deploy_that_left_many_healthy_siblings_counts_against_itself) {
  Story few = limit_lowered(), many = limit_lowered();
  for (std::int64_t i = 0; i < 10; ++i) {
    many.entity(100 + i, "container", "sibling", "/shop/sibling" + std::to_string(i));
    ChangeRow& c = many.change("sibling-" + std::to_string(i), kNow - 5 * kSecond);
    c.change_group = "a1b2c3d4e5f6", c.entity_id = 100 + i, c.match = "name";
  }
  EXPECT_LT(explain(many).cause()->changes.front().llr, explain(few).cause()->changes.front().llr);
  EXPECT_EQ(suspect(explain(many)), "event");
}

TEST(Suspect, image_change_of_the_subject_is_the_suspect_of_a_leak) {
  Story s = leak();
  ChangeRow& c = s.change("new-image", kNow - 5 * kMinute - 5 * kSecond);
  c.entity_id = Story::kSubject, c.match = "uid";
  c.fields.push_back({"image", "v1", "v2", {}, {}, "image"});
  const auto f = explain(s);
  EXPECT_EQ(cause(f), "memory-leak") << ranking(f);
  EXPECT_EQ(suspect(f), "new-image") << ranking(f);
}

TEST(Suspect, deploy_without_fields_is_listed_but_not_blamed_where_no_change_is_needed) {
  for (Story (*story)() : {demand_grew, killed_by_person}) {
    Story s = story();
    ChangeRow& c = s.change("deploy", kNow - 2 * kSecond);
    c.source = "github", c.entity_id = Story::kSubject, c.match = "uid";
    EXPECT_EQ(suspect(explain(s)), "") << ranking(explain(s));
  }
}

TEST(TrackRecord, five_confirmations_make_a_cause_without_a_change_sure) {
  Story s = leak();
  EXPECT_EQ(explain(s).cause()->confidence, Confidence::likely);
  s.facts.past_incidents.push_back({"memory-leak", "checkout", 4, 0});
  EXPECT_EQ(explain(s).cause()->confidence, Confidence::likely);
  s.facts.past_incidents.push_back({"memory-leak", "checkout", 1, 1});
  const auto f = explain(s);
  EXPECT_EQ(f.cause()->confidence, Confidence::sure);
  EXPECT_EQ(f.cause()->track_record, "right 5 of 6 times here");
}

}  // namespace
}  // namespace fw::agents
