#include <gtest/gtest.h>

#include <cstdlib>

#include "aggregator/cli/files.hpp"
#include "aggregator/cli/policy/policy_yaml.hpp"
#include "aggregator/cli/policy/signed_policy.hpp"
#include "aggregator/cli/policy/standing_yaml.hpp"
#include "aggregator/cli/policy/starter_policy.hpp"
#include "tests/support/authority_builder.hpp"

namespace fw::cli {
namespace {

namespace at = authority::test;
using authority::Policy;
using authority::Profile;

std::string all(const std::vector<YamlProblem>& problems) { return problems_text("p.yaml", problems); }

std::string problems_of(const std::string& yaml) {
  std::vector<YamlProblem> problems;
  EXPECT_FALSE(parse_policy_yaml(yaml, problems).has_value());
  return all(problems);
}

// Replaces the first `from`.
std::string with(std::string text, const std::string& from, const std::string& to) {
  const auto found = text.find(from);
  EXPECT_NE(found, std::string::npos) << from;
  if (found != std::string::npos) text.replace(found, from.size(), to);
  return text;
}

StarterPolicy starter(Profile profile) {
  StarterPolicy out;
  out.profile = profile;
  out.organisation = "acme";
  out.people = {"alice", "bob", "carol"};
  if (profile == Profile::solo) out.people.resize(1);
  for (const auto& name : out.people) out.people_keys.push_back(at::public_key_of(name));
  for (std::uint32_t i = 1; i <= root_count(profile).roots; ++i) out.root_keys.push_back(at::public_key_of("root-" + std::to_string(i)));
  out.log_key = at::public_key_of("log");
  out.issued_ms = at::kNowMs;
  out.not_after_ms = at::kNowMs + 365 * 24 * at::kHourMs;
  return out;
}

TEST(PolicyYaml, reads_back_what_it_prints) {
  auto rich = at::team_policy();
  rich.approvers[0].scope = {{"prod-eu"}, {"shop"}, {"pool=web"}, 2};
  rich.approvers[0].not_after_ms = at::kNowMs + at::kHourMs;
  rich.approvers[1].person.issuer = "https://login.example";
  rich.classes[2].groups = {"platform"};
  rich.classes[1].max_validity_ms = at::kHourMs;
  rich.limits = {{"set_memory_limit", 1, 2}};
  rich.bounds = {{2, 16 << 20, 1 << 30, 3'600'000}, {6, 16, 100, 0}};
  rich.enabled = {{{"prod-eu"}, {"pool=web"}, {2, 4}, 1}};
  rich.time_skew_ms = 90'000;
  rich.witnesses = {{"node/7", at::public_key_of("witness")}};
  rich.witness_quorum = 1;
  rich.organisation = "a \"quoted\" \\ name: #x";
  for (const auto& policy : {rich, at::team_policy(), at::solo_policy()}) {
    for (const auto guide : {Guide::no, Guide::yes}) {
      std::vector<YamlProblem> problems;
      const auto parsed = parse_policy_yaml(policy_yaml(policy, guide), problems);
      ASSERT_TRUE(parsed) << all(problems) << policy_yaml(policy, guide);
      EXPECT_EQ(*parsed, policy) << policy_yaml(policy, guide);
      EXPECT_EQ(authority::to_bytes(*parsed), authority::to_bytes(policy));
    }
  }
}

TEST(PolicyYaml, every_problem_has_its_line_and_says_what_to_write) {
  const auto good = policy_yaml(at::team_policy());
  const auto line_of = [](const std::string& text, const std::string& what) {
    return std::to_string(1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(text.find(what)), '\n'));
  };
  struct Case { std::string from, to, line_with, says; };
  const Case cases[] = {
      {"profile: team", "profile: teem", "profile: teem", "solo, team or enterprise"},
      {"profile: team", "profil: team", "profil: team", "did you mean profile?"},
      {"people: 2", "people: many", "people: many", "whole number"},
      {"people: 2", "people: 2\n    people: 3", "people: 3", "given twice"},
      {"level: approver", "level: boss", "level: boss", "approver or senior"},
      {"ed25519:", "ed25518:", "ed25518:", "a key looks like"},
      {"time_skew: 2m", "time_skew: soon", "time_skew", "duration"},
      {"paused: false", "paused: maybe", "paused", "true or false"},
      {"version: 1", "version:", "version:", "has no value"},
      {"max_class: ", "max_class: [1] #", "max_class: [1]", "one value is expected"},
  };
  for (const auto& [from, to, line_with, says] : cases) {
    const auto bad = with(good, from, to);
    const auto text = problems_of(bad);
    EXPECT_NE(text.find("p.yaml:" + line_of(bad, line_with) + ": "), std::string::npos) << text << bad;
    EXPECT_NE(text.find(says), std::string::npos) << text;
  }
  EXPECT_NE(problems_of("- a\n- b\n").find("p.yaml:1:"), std::string::npos);
  EXPECT_NE(problems_of("a: [\n").find("p.yaml:"), std::string::npos);
  EXPECT_NE(problems_of("").find("p.yaml:1:"), std::string::npos);
}

TEST(PolicyYaml, what_the_whole_breaks_is_said_in_sentences) {
  const auto text = problems_of(with(policy_yaml(at::team_policy()), "class: 2\n    people: 2", "class: 2\n    people: 0"));
  EXPECT_NE(text.find("Class 2 needs 2 people at least"), std::string::npos) << text;
}

TEST(PolicyYaml, a_problem_does_not_hide_another) {
  auto bad = with(policy_yaml(at::team_policy()), "profile: team", "profile: teem");
  bad = with(bad, "paused: false", "paused: maybe");
  const auto text = problems_of(bad);
  EXPECT_NE(text.find("profile"), std::string::npos);
  EXPECT_NE(text.find("paused"), std::string::npos);
}

// FW_UPDATE_GOLDEN=1 writes them anew.
TEST(StarterPolicy, is_good_and_is_the_example_of_the_page) {
  for (const auto profile : {Profile::solo, Profile::team, Profile::enterprise}) {
    const auto policy = starter_policy(starter(profile));
    const auto wrong = authority::check_policy(policy);
    EXPECT_TRUE(wrong.empty()) << wrong.front();
    const auto path = std::string(FW_SOURCE_DIR "/docs/policies/") + std::string(authority::to_string(profile)) + ".yaml";
    if (std::getenv("FW_UPDATE_GOLDEN") != nullptr) {
      ASSERT_TRUE(replace_file(path, policy_yaml(policy, Guide::yes), FileMode::plain));
    }
    const auto example = read_file(path, kMaxConfigBytes);
    ASSERT_TRUE(example) << path;
    EXPECT_EQ(*example, policy_yaml(policy, Guide::yes)) << path;
    std::vector<YamlProblem> problems;
    EXPECT_EQ(parse_policy_yaml(*example, problems), policy) << all(problems);
  }
}

TEST(SignedPolicy, reads_back_and_counts_roots_once) {
  const auto policy = at::team_policy();
  SignedPolicy out{authority::to_bytes(policy), at::sign(policy, {"root-1", "root-1", "root-3"}).signatures};
  out.signatures.push_back(at::sign_as("eve", authority::Domain::policy, out.document));
  out.signatures.push_back(at::sign_as("root-2", authority::Domain::approval, out.document));
  const auto parsed = parse_signed_policy(render_signed_policy(out));
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(parsed->document, out.document);
  EXPECT_EQ(parsed->signatures, out.signatures);
  const auto roots = check_root_signatures(*parsed, policy);
  EXPECT_EQ(roots.good, (std::vector<std::string>{"root-1", "root-3"}));
  EXPECT_EQ(roots.strangers.size(), 2U) << "eve, and a signature of another domain";
}

TEST(SignedPolicy, refuses_other_texts) {
  for (const auto* text : {"", "{}", "[]", R"({"kind":"SignedPolicy","document":"","signatures":[]})", R"({"kind":"SignedPolicy","document":"AAAA"})",
                           R"({"kind":"SignedPolicy","document":"AAAA","signatures":[{"key":"00"}]})", R"({"kind":"Policy","document":"AAAA","signatures":[]})"}) {
    EXPECT_FALSE(parse_signed_policy(text)) << text;
  }
}

const StandingContext kContext{3, at::kNowMs, {}};

TEST(StandingYaml, reads_back_what_it_prints) {
  auto standing = at::standing();
  standing.policy_version = kContext.policy_version;
  standing.nonce = kContext.nonce;
  standing.name_spaces = {"shop"};
  standing.cgroup_prefixes = {"/shop"};
  standing.max_factor_percent = 200;
  standing.from_minute = 22 * 60 + 30;
  standing.to_minute = 7 * 60;
  standing.not_before_ms = kContext.now_ms;
  standing.not_after_ms = kContext.now_ms + at::kHourMs;
  std::vector<YamlProblem> problems;
  const auto parsed = parse_standing_yaml(standing_yaml(standing), kContext, problems);
  ASSERT_TRUE(parsed) << all(problems) << standing_yaml(standing);
  EXPECT_EQ(*parsed, standing) << standing_yaml(standing);
}

TEST(StandingYaml, refuses_with_lines) {
  std::vector<YamlProblem> problems;
  EXPECT_FALSE(parse_standing_yaml("name: x\nactions: [set_memory_limits]\nmax_class: 9\nmax_value: 1GiB\nfrom: 25:00\nnot_after: 2020-01-01\n", kContext, problems));
  const auto text = all(problems);
  EXPECT_NE(text.find("p.yaml:2: actions: 'set_memory_limits' is no action; did you mean set_memory_limit?"), std::string::npos) << text;
  EXPECT_NE(text.find("p.yaml:3: max_class"), std::string::npos) << text;
  EXPECT_NE(text.find("p.yaml:5: from"), std::string::npos) << text;
  EXPECT_NE(text.find("p.yaml:6: not_after"), std::string::npos) << text;
}

TEST(StandingYaml, made_from_a_plan_it_covers_that_plan_and_not_more) {
  auto plan = at::plan();
  plan.target.name_space = "shop";
  const auto standing = standing_from_plan(plan, "night", kContext);
  EXPECT_EQ(standing.actions, std::vector<std::uint16_t>{2});
  EXPECT_EQ(standing.max_value, 256LL << 20);
  EXPECT_EQ(standing.max_class, authority::class_of(plan));
  EXPECT_EQ(standing.name_spaces, std::vector<std::string>{"shop"});
  EXPECT_EQ(standing.cgroup_prefixes, std::vector<std::string>{plan.target.cgroup_path});
  EXPECT_EQ(standing.trigger, authority::Trigger::one_approver);
}

TEST(Times, read_back_and_refuse_dates_that_do_not_exist) {
  for (const std::int64_t ms : {0LL, at::kNowMs + 0LL, 1'795'488'423'120LL, 951'782'400'000LL}) EXPECT_EQ(*parse_time_ms(time_text(ms)), ms);
  EXPECT_EQ(*parse_time_ms("2024-02-29"), 1'709'164'800'000);
  for (const auto* text : {"", "2023-02-29", "2024-13-01", "2024-02-29T24:00:00Z", "2024-02-29T10:00:00", "2024-02-29 10:00:00Z", "20240229", "2024-02-2x"}) {
    EXPECT_FALSE(parse_time_ms(text)) << text;
  }
  for (const std::uint64_t ms : {0ULL, 1'500ULL, 90'000ULL, 43'200'000ULL, 30ULL * 86'400'000}) EXPECT_EQ(*parse_length_ms(length_text(ms)), ms);
  EXPECT_FALSE(parse_length_ms("-1d"));
}

TEST(YamlQuoted, hides_nothing_and_reads_back) {
  EXPECT_EQ(yaml_quoted("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(yaml_quoted("x\xe2\x80\xaey"), "\"x\\u202ey\"");
  EXPECT_EQ(yaml_quoted("a\nb\x1b[2J"), "\"a\\x0ab\\x1b[2J\"");
  EXPECT_EQ(yaml_quoted("gr\xc3\xbc\xc3\x9f"), "\"gr\xc3\xbc\xc3\x9f\"");
  EXPECT_EQ(yaml_quoted("\xc2\x85"), "\"\\x85\"");
}

}  // namespace
}  // namespace fw::cli
