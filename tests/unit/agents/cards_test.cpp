#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "agents/cards/card.hpp"
#include "agents/orchestrator/by_hand.hpp"
#include "agents/orchestrator/template.hpp"

namespace fw::agents {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const std::string kGood = R"(id: one
title: One
specialist: node
triggers: [oom_kill]
explains: [oom_kill]
prior: 0.02
change: none
confusable_with: []
evidence:
  - name: e
    sql: select 1
    if_true: strong
sentence: "{subject} has it[ since {x}]."
facts:
  x: select 2
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string problems_of(const std::string& text) {
  const auto cards = parse_cards({{"one.yaml", text}});
  return cards ? "" : cards.error().context;
}

TEST(Cards, builtin_ones_are_valid_and_name_the_seven_classes) {
  EXPECT_THAT(Cards::builtin().ids(), testing::IsSupersetOf({"memory-limit-lowered", "memory-demand-grew", "memory-leak", "node-memory-exhausted",
                                                             "runaway-child-process", "killed-by-signal", "nothing-wrong"}));
}

TEST(Cards, good_card_has_no_problem) { EXPECT_EQ(problems_of(kGood), ""); }

TEST(Cards, each_mistake_is_named_with_its_line) {
  const struct { std::string from, to, problem; } cases[] = {
      {"id: one\n", "", "one.yaml:1: 'id' is missing"},
      {"id: one", "id: One!", "one.yaml:1: 'id' is lower-case"},
      {"specialist: node", "specialist: wizard", "one.yaml:3: unknown specialist 'wizard'"},
      {"triggers: [oom_kill]", "triggers: [full_moon]", "one.yaml:4: unknown triggers 'full_moon'"},
      {"triggers: [oom_kill]", "triggers: []", "one.yaml:4: 'triggers' is empty"},
      {"prior: 0.02", "prior: 7", "one.yaml:6: 'prior' must be between"},
      {"prior: 0.02", "prior: .nan", "one.yaml:6: 'prior' must be between"},
      {"change: none", "change: maybe", "one.yaml:7: 'change' must be"},
      {"change: none", "change: any", "'mechanisms' is missing"},
      {"change: none", "change: any\nmechanisms: [magic]", "unknown mechanism 'magic'"},
      {"change: none", "change: any\nmechanisms: [image sideways]", "not 'sideways'"},
      {"confusable_with: []", "confusable_with: [two]", "one.yaml:8: card one: confusable_with names 'two', which does not exist"},
      {"sql: select 1", "sql: select x from nowhere", "no such table: nowhere"},
      {"sql: select 1", "sql: delete from events", "evidence 'e'"},
      {"sql: select 1", "sql: select datetime('now')", "asks a clock"},
      {"if_true: strong", "if_true: huge", "one.yaml:12: 'if_true' must be none, weak"},
      {"if_true: strong", "if_true: strong\n    needed: perhaps", "one.yaml:13: 'needed' must be true or false"},
      {"if_true: strong", "if_true: none", "neither if_true nor if_false"},
      {"if_true: strong", "if_tru: strong", "one.yaml:12: unknown key 'if_tru' in evidence"},
      {"{x}", "{y}", "sentence uses {y}, which is no fact"},
      {"{x}]", "{x}", "a '[' without its ']'"},
      {"x: select 2", "x: [1, 2]", "'facts' maps a name to one query"},
      {"title: One", "title: One\ntitle: Two", "key 'title' twice in card"},
      {"title: One", "title: [", "one.yaml:"},
      {"facts:", "by_hand: [{reboot: now}]\nfacts:", "unknown key 'reboot' in by_hand"},
  };
  for (const auto& c : cases) EXPECT_THAT(problems_of(replaced(kGood, c.from, c.to)), HasSubstr(c.problem)) << c.to;
}

TEST(Cards, all_mistakes_of_all_files_come_together) {
  const auto cards = parse_cards({{"a.yaml", replaced(replaced(kGood, "prior: 0.02", "prior: 2"), "specialist: node", "specialist: x")},
                                  {"b.yaml", replaced(kGood, "change: none", "change: x")}});
  ASSERT_FALSE(cards);
  EXPECT_THAT(cards.error().context, HasSubstr("a.yaml:3:"));
  EXPECT_THAT(cards.error().context, HasSubstr("a.yaml:6:"));
  EXPECT_THAT(cards.error().context, HasSubstr("b.yaml:7:"));
}

TEST(Cards, confusable_must_name_back_and_ids_are_unique) {
  const std::string two = replaced(kGood, "id: one", "id: two"), one = replaced(kGood, "confusable_with: []", "confusable_with: [two]");
  const auto cards = parse_cards({{"one.yaml", one}, {"two.yaml", two}});
  ASSERT_FALSE(cards);
  EXPECT_THAT(cards.error().context, HasSubstr("one.yaml:8: card one: confusable_with names 'two', which does not name it back"));
  EXPECT_THAT(parse_cards({{"1.yaml", kGood}, {"2.yaml", kGood}}).error().context, HasSubstr("this id exists twice"));
}

TEST(Cards, folder_adds_cards_and_reports_its_mistakes) {
  const auto folder = std::filesystem::path{FW_BINARY_DIR} / ("cards-test-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream{folder / "one.yaml"} << kGood;
  const auto more = Cards::load(folder.string());
  ASSERT_TRUE(more) << more.error().message();
  EXPECT_EQ(more->size(), Cards::builtin().size() + 1);
  std::ofstream{folder / "bad.yaml"} << "id: [";
  EXPECT_FALSE(Cards::load(folder.string()));
  std::filesystem::remove_all(folder);
  EXPECT_FALSE(Cards::load(folder.string())) << "a folder that does not exist";
}

TEST(Cards, name_no_application) {
  // Names of products have no place in a failure class; these are the ones that a memory card would be tempted by.
  for (const auto& card : Cards::builtin().impl().cards)
    for (const auto& rule : card.evidence)
      for (const char* word : {"checkout", "java", "nginx", "postgres", "redis", "python", "node.js", "worker", "demo"})
        EXPECT_EQ(rule.sql.find(word), std::string::npos) << card.id << ": " << word;
}

TEST(Template, leaves_out_a_group_whose_fact_is_not_known) {
  const Lookup lookup = [](const std::string& name) -> std::optional<std::string> {
    if (name == "a") return "A";
    return std::nullopt;
  };
  EXPECT_EQ(fill("{a}[ and {b}][ or {a}].", lookup), "A or A.");
  EXPECT_EQ(fill("{b}", lookup), std::nullopt);
  for (const char* bad : {"{", "{}", "[", "]", "[[a]]", "}"}) EXPECT_FALSE(template_names(bad)) << bad;
}

TEST(Printable, replaces_what_a_terminal_would_obey) {
  EXPECT_EQ(printable("caf\xc3\xa9 \xe2\x82\xac"), "caf\xc3\xa9 \xe2\x82\xac");
  for (const char* bad : {"\x1b", "\n", "\x7f", "\xc2\x9b", "\xff", "\xe2\x80\xae", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"})
    EXPECT_THAT(printable(bad), HasSubstr("\xEF\xBF\xBD")) << bad;
  EXPECT_LE(printable(std::string(10'000, 'x')).size(), 210U);
}

TEST(ShellWord, quotes_what_is_not_plain_and_refuses_what_nobody_should_paste) {
  EXPECT_EQ(shell_word("/sys/fs/cgroup/a-b_1.slice"), "/sys/fs/cgroup/a-b_1.slice");
  EXPECT_EQ(shell_word("a b"), "'a b'");
  EXPECT_EQ(shell_word("$(reboot)'x"), "'$(reboot)'\\''x'");
  for (const char* bad : {"", "-rf", "a\nb", "a\x1b", "\xff"}) EXPECT_EQ(shell_word(bad), std::nullopt) << bad;
}

TEST(ByHand, fits_cgroup_version_and_owner) {
  LimitTarget plain{"/shop/checkout", 1, "", "", "checkout"};
  EXPECT_THAT(set_memory_limit(plain, 1 << 28, nullptr), testing::ElementsAre("echo 268435456 > /sys/fs/cgroup/memory/shop/checkout/memory.limit_in_bytes"));
  plain.cgroup_version = 2;
  EXPECT_THAT(set_memory_limit(plain, 1 << 28, nullptr), testing::ElementsAre("echo 268435456 > /sys/fs/cgroup/shop/checkout/memory.max"));
  const LimitTarget service{"/system.slice/shop.service", 2, "systemd", "", "shop"};
  EXPECT_THAT(set_memory_limit(service, 1 << 28, nullptr), testing::ElementsAre("systemctl set-property shop.service MemoryMax=268435456"));
  const LimitTarget pod{"/kubepods/burstable/pod1/abc", 2, "containerd", "0193", "abc"};
  Candidate change;
  change.object_kind = "Deployment", change.object_name = "checkout", change.object_namespace = "shop";
  EXPECT_THAT(set_memory_limit(pod, 1 << 28, &change), testing::ElementsAre("kubectl -n shop set resources deployment/checkout --limits=memory=256Mi"));
  EXPECT_THAT(set_memory_limit(pod, 1 << 28, nullptr), testing::ElementsAre("echo 268435456 > /sys/fs/cgroup/kubepods/burstable/pod1/abc/memory.max"));
  EXPECT_THAT(set_memory_limit({"", 2, "", "", ""}, 1 << 28, nullptr), IsEmpty());
}

}  // namespace
}  // namespace fw::agents
