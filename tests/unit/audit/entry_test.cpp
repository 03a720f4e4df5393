#include "aggregator/audit/entry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/authority/envelope.hpp"
#include "tests/unit/audit/audit_fixture.hpp"

namespace fw::audit {
namespace {

using testing::HasSubstr;

TEST(AuditEntry, is_one_line_of_a_fixed_form) {
  auto entry = sample_entry(2);
  entry.code = "too-few-people";
  entry.decision = "deny";
  const Draft draft{5, to_text(entry)};
  EXPECT_EQ(to_line(draft, 41, authority::Digest{}),
            R"({"schema":1,"seq":41,"prev":")" + std::string(64, '0') +
                R"(","id":5,"time":"2026-09-21T14:13:22.000Z","actor":{"kind":"person","name":"alice","key":")" + std::string(64, 'a') +
                R"("},"verb":"plan.released","object":{"type":"plan","id":")" + std::string(64, '2') + R"("},"incident":"INC-0","plan":")" +
                std::string(64, '2') + R"(","release":")" + std::string(64, 'b') +
                R"(","policyVersion":1,"decision":"deny","code":"too-few-people","detail":{"node":"node-a","value":268435456,"kept":true}})");
}

TEST(AuditEntry, is_read_back_as_it_was_written) {
  auto entry = sample_entry(4);
  entry.actor.name = "al\"ice\\\n\x01 \u00e9\u2014";
  entry.detail.emplace_back("people", std::vector<std::string>{"alice", "bob"});
  entry.detail.emplace_back("less", std::int64_t{-5});
  const auto stored = parse_line(to_line({9, to_text(entry)}, 3, authority::leaf_hash("x")));
  ASSERT_TRUE(stored) << stored.error().message();
  EXPECT_EQ(stored->seq, 3U);
  EXPECT_EQ(stored->id, 9U);
  EXPECT_EQ(stored->prev, authority::leaf_hash("x"));
  EXPECT_EQ(stored->entry.time_ms, entry.time_ms);
  EXPECT_EQ(stored->entry.actor.name, entry.actor.name);
  EXPECT_EQ(stored->entry.actor.key, entry.actor.key);
  EXPECT_EQ(stored->entry.verb, entry.verb);
  EXPECT_EQ(stored->entry.object.id, entry.object.id);
  EXPECT_EQ(stored->entry.policy_version, 1U);
  EXPECT_EQ(stored->entry.detail, entry.detail);
}

TEST(AuditEntry, hostile_texts_stay_one_line_and_short) {
  Entry entry;
  entry.actor = {std::string(100'000, '\x01'), std::string(100'000, '"'), "\xff\xfe"};
  entry.verb = std::string(5000, 'v');
  entry.object = {"x\ny", std::string(3000, '\\')};
  entry.incident = entry.plan = entry.release = entry.decision = entry.code = std::string(70'000, '\x02');
  for (int i = 0; i < 100; ++i) entry.detail.emplace_back("d" + std::to_string(i), std::string(5000, 'x'));
  const Draft draft{1, to_text(entry)};
  EXPECT_TRUE(good_draft(draft));
  const auto line = to_line(draft, 9'999'999'999'999'999'999U, authority::Digest{});
  EXPECT_LE(line.size(), kMaxLineBytes);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_THAT(line, HasSubstr(R"("detail":{"detailCut":true})"));
  EXPECT_THAT(line, HasSubstr("\u2026"));
  EXPECT_THAT(line, HasSubstr("\ufffd\ufffd"));
  EXPECT_TRUE(parse_line(line)) << parse_line(line).error().message();
}

// The executor looks for ,"release":"..." in the line: no text may imitate it, only the member itself is it.
TEST(AuditEntry, only_the_member_itself_names_a_release) {
  authority::Digest release{};
  release.fill(0xbb);
  auto entry = sample_entry(2);
  entry.release = authority::to_text(release);
  EXPECT_TRUE(authority::entry_names_release(to_line({1, to_text(entry)}, 0, {}), release));
  entry.release.clear();
  entry.actor.name = entry.code = entry.incident = "x\",\"release\":\"" + authority::to_text(release) + "\"";
  entry.detail = {{"text", ",\"release\":\"" + authority::to_text(release) + "\""}};
  EXPECT_FALSE(authority::entry_names_release(to_line({1, to_text(entry)}, 0, {}), release));
}

TEST(AuditEntry, other_lines_have_no_place) {
  const auto line = to_line(sample_draft(1), 12, authority::leaf_hash("x"));
  EXPECT_TRUE(parse_place(line));
  const std::string prev = authority::to_text(authority::leaf_hash("x"));
  const std::string forms[] = {"",
                               "{}",
                               " " + line,
                               line + "x",
                               line.substr(0, line.size() - 1),
                               R"({"schema":2,"seq":1,"prev":")" + prev + R"(","id":1})",
                               R"({"schema":1,"seq":01,"prev":")" + prev + R"(","id":1})",
                               R"({"schema":1,"seq":-1,"prev":")" + prev + R"(","id":1})",
                               R"({"schema":1,"seq":18446744073709551616,"prev":")" + prev + R"(","id":1})",
                               R"({"schema":1,"seq":1,"prev":")" + prev.substr(1) + R"(","id":1})",
                               R"({"schema":1,"seq":1,"prev":"A)" + prev.substr(1) + R"(","id":1})",
                               R"({"schema":1,"seq":1,"prev":")" + prev + R"("})",
                               R"({"schema":1,"seq":1,"prev":")" + prev + R"(","id":1,})",
                               line.substr(0, line.size() - 1) + ",\"x\":\"\xff\"}",
                               line.substr(0, line.size() - 1) + ",\"x\":\"" + std::string(kMaxLineBytes, 'x') + "\"}"};
  for (const auto& form : forms) EXPECT_FALSE(parse_place(form)) << form.substr(0, 200);
}

TEST(AuditEntry, lines_without_time_actor_or_verb_are_no_entries) {
  const std::string start = R"({"schema":1,"seq":1,"prev":")" + std::string(64, '0') + R"(","id":1)";
  const std::string actor = R"(,"actor":{"kind":"k","name":"n"})", verb = R"(,"verb":"v")", time = R"(,"time":"2026-11-24T15:04:05.123Z")";
  EXPECT_TRUE(parse_line(start + time + actor + verb + "}"));
  EXPECT_EQ(parse_line(start + time + actor + verb + "}")->entry.time_ms, 1795532645123);
  EXPECT_FALSE(parse_line(start + actor + verb + "}"));
  EXPECT_FALSE(parse_line(start + time + verb + "}"));
  EXPECT_FALSE(parse_line(start + time + actor + "}"));
  for (const auto* bad : {"2026-11-24T15:04:05Z", "2026-13-24T15:04:05.123Z", "2026-02-30T15:04:05.123Z", "2026-11-24T24:04:05.123Z",
                          "2026-11-24 15:04:05.123Z", "2026-11-24T15:04:05.1x3Z", "2026-11-24T15:60:05.123Z"}) {
    EXPECT_FALSE(parse_line(start + ",\"time\":\"" + bad + "\"" + actor + verb + "}")) << bad;
  }
}

TEST(AuditEntry, what_the_store_held_in_another_form_is_no_draft) {
  EXPECT_TRUE(good_draft(sample_draft(1)));
  for (const auto* text : {"", "{}", "[]", "{\"time\":\"x\"", "{\"time\":\"x\"}\n", "{\"time\":\"x\"}{}"}) EXPECT_FALSE(good_draft({1, text})) << text;
  EXPECT_FALSE(good_draft({1, "{\"time\":\"" + std::string(kMaxLineBytes, 'x') + "\"}"}));
}

}  // namespace
}  // namespace fw::audit
