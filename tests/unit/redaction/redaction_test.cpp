// The table's own examples, what is kept, what is counted, and rules of the operator.
#include <gtest/gtest.h>

#include <set>

#include "node-agent/redaction/redaction.hpp"

namespace fw::redaction {
namespace {

TEST(Redaction, each_rule_changes_its_example_and_leaves_its_counter_example) {
  std::set<std::string_view> names;
  EXPECT_GE(builtin_rules().size(), 30U);
  for (const auto& rule : builtin_rules()) {
    EXPECT_TRUE(names.insert(rule.name).second) << rule.name << " is there twice";
    RedactionCounts counts;
    const auto redacted = redact(rule.example, &counts);
    EXPECT_EQ(counts[std::string(rule.name)], 1U) << rule.name << ": " << redacted;
    EXPECT_NE(redacted.find("[redacted:" + std::string(rule.name) + "]"), std::string::npos) << redacted;
    EXPECT_EQ(redact(rule.counter_example), rule.counter_example) << rule.name;
  }
}

TEST(Redaction, keeps_what_is_beside_a_secret) {
  EXPECT_EQ(redact("connect postgres://app:hunter2@db:5432/shop failed: timeout"), "connect postgres://app:[redacted:url_password]@db:5432/shop failed: timeout");
  EXPECT_EQ(redact(R"({"user":"joe","password":"it's \"mine\"","n":1})"), R"({"user":"joe","password":"[redacted:keyed]","n":1})");
  EXPECT_EQ(redact(R"({"log":"{\"token\":\"abc\",\"n\":1}\n"})"), R"({"log":"{\"token\":\"[redacted:keyed]\",\"n\":1}\n"})");
  EXPECT_EQ(redact("one\npassword=x9\nthree"), "one\npassword=[redacted:keyed]\nthree");
}

TEST(Redaction, keeps_references_and_empty_values) {
  for (const char* text : {"PASSWORD=${DB_PASSWORD}", "token: null", "password: {{ vault_password }}", "secret=<hidden>", "api_key: ********", "password=", "TOKEN=$TOKEN", ""}) {
    EXPECT_EQ(redact(text), text);
  }
}

TEST(Redaction, takes_a_key_whose_begin_or_end_was_cut_off) {
  EXPECT_EQ(redact("ab\n-----BEGIN PRIVATE KEY-----\nMIIE\nvg"), "ab\n[redacted:pem]");
  EXPECT_EQ(redact("MIIE\nvg\n-----END PRIVATE KEY-----\nnext"), "[redacted:pem_tail]\nnext");
}

TEST(Redaction, twice_is_the_same_as_once) {
  for (const auto& rule : builtin_rules()) {
    const auto once = redact(rule.example);
    EXPECT_EQ(redact(once), once) << rule.name;
  }
}

TEST(Redaction, takes_any_bytes_and_cuts_at_its_limit) {
  const std::string bytes("\xff\xfe password=\xc3\x28zz \0 token=q7", 30);
  const auto redacted = redact(bytes);
  EXPECT_EQ(redacted.find("zz"), std::string::npos);
  EXPECT_EQ(redacted.find("q7"), std::string::npos);
  const std::string beyond = std::string(kMaxInputBytes - 1, '\n') + "xSECRET";
  EXPECT_EQ(redact(beyond).size(), kMaxInputBytes);
}

TEST(Redaction, finds_email_addresses_and_operator_rules_when_asked) {
  EXPECT_EQ(redact("mail joe@example.com"), "mail joe@example.com");
  auto redactor = Redactor::make({.email = true, .extra = {{"badge", "BADGE-([0-9]+)"}}});
  ASSERT_TRUE(redactor) << redactor.error().message();
  RedactionCounts counts;
  EXPECT_EQ(redactor->redact("mail joe@example.com, BADGE-1234", &counts), "mail [redacted:email], BADGE-[redacted:badge]");
  EXPECT_EQ(counts, (RedactionCounts{{"badge", 1}, {"email", 1}}));
}

TEST(Redaction, names_a_rule_that_does_not_compile) {
  const auto redactor = Redactor::make({.email = false, .extra = {{"broken", "a(b"}}});
  ASSERT_FALSE(redactor);
  EXPECT_EQ(redactor.error().code, Errc::malformed);
  EXPECT_NE(redactor.error().message().find("broken"), std::string::npos);
}

TEST(Redaction, reads_a_rule_file) {
  const auto rules = parse_rules("# ours\n\nbadge BADGE-([0-9]+)\nroom (?i)room [0-9]+\n");
  ASSERT_TRUE(rules) << rules.error().message();
  ASSERT_EQ(rules->size(), 2U);
  EXPECT_EQ(rules->at(1).pattern, "(?i)room [0-9]+");
  for (const char* bad : {"name", "name ", " x", "Name x", "a-b x"}) {
    const auto refused = parse_rules(std::string("ok x\n") + bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_NE(refused.error().message().find("line 2"), std::string::npos);
  }
  EXPECT_EQ(parse_rules("a " + std::string(kMaxPatternBytes + 1, 'x')).error().code, Errc::too_large);
}

}  // namespace
}  // namespace fw::redaction
