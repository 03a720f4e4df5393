// Plans as people read and sign them, against golden files. FW_UPDATE_GOLDEN=1 writes them anew.
#include <gtest/gtest.h>

#include <cstdlib>

#include "aggregator/cli/files.hpp"
#include "aggregator/cli/policy/policy_yaml.hpp"
#include "aggregator/cli/render/plan.hpp"
#include "aggregator/cli/render/policy.hpp"
#include "aggregator/cli/signing/bytes_text.hpp"
#include "aggregator/cli/term/text.hpp"
#include "tests/support/authority_builder.hpp"

namespace fw::cli {
namespace {

namespace at = authority::test;
using authority::Plan;

constexpr std::int64_t kNowMs = at::kNowMs + 60'000;
const std::string kFolder = FW_SOURCE_DIR "/tests/unit/cli/golden/";

void expect_golden(const std::string& name, const std::string& text) {
  const auto path = kFolder + name + ".txt";
  if (std::getenv("FW_UPDATE_GOLDEN") != nullptr) {
    ASSERT_TRUE(replace_file(path, text, FileMode::plain));
  }
  const auto golden = read_file(path, kMaxConfigBytes);
  ASSERT_TRUE(golden) << path;
  EXPECT_EQ(text, *golden) << path;
}

term::Layout people() {
  term::Layout layout;
  layout.for_people = true;
  return layout;
}

CheckedPlan checked(const Plan& plan) { return check_plan_bytes(authority::to_bytes(plan), plan); }

// What a truthful server says about it.
PlanObject object_of(const CheckedPlan& plan) {
  PlanObject out;
  out.digest = authority::to_text(plan.digest);
  out.document = plan.bytes;
  out.action_class = plan.action_class;
  out.incident = plan.plan.incident;
  out.state = "PROPOSED";
  out.state_text = "waits for 2 of 2 approvals";
  out.summary = authority::describe(plan.plan.action);
  out.node = "node-a";
  out.proposer = "engine";
  out.needed_people = 2;
  out.created_ns = (kNowMs - 60'000) * 1'000'000;
  return out;
}

void expect_harmless(const std::string& text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    ASSERT_FALSE((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F) << text;
  }
  auto cells = text;
  std::replace(cells.begin(), cells.end(), '\t', '\n');   // of the table
  ASSERT_EQ(term::escape_lines(cells), cells);
}

TEST(PlanRender, diff_of_a_kept_limit) {
  auto plan = at::plan();
  plan.preconditions = {{authority::Probe::memory_limit_bytes, authority::Comparison::equal, 64 << 20}};
  const auto found = checked(plan);
  auto object = object_of(found);
  object.by_hand = {"echo 268435456 > /sys/fs/cgroup/memory/shop/checkout/memory.limit_in_bytes"};
  object.safe_min = 192 << 20;
  object.safe_max = 1 << 30;
  object.safe_unit = "bytes";
  object.safe_why = "its highest use was 180MiB";
  const auto text = render::plan_diff(found, object, people(), kNowMs);
  EXPECT_NE(text.find("~ memory limit: 64MiB -> 256MiB, kept"), std::string::npos) << text;
  EXPECT_NE(text.find("fleetwright approve INC-"), std::string::npos) << text;
  expect_golden("plan-diff-people", text);
  expect_golden("plan-diff-script", render::plan_diff(found, object, {}, kNowMs));
}

TEST(PlanRender, every_action_has_a_text_of_its_own_that_is_signed_as_it_is_shown) {
  std::string all;
  std::vector<authority::Digest> digests;
  for (const auto& action : at::every_action()) {
    const auto found = checked(at::plan(action));
    const auto text = render::signed_text(found);
    EXPECT_EQ(text, render::signed_text(checked(at::plan(action)))) << "the same bytes, the same text";
    EXPECT_EQ(render::render_digest(found), authority::sha256(bytes_of(text)));
    // What people see is the same, word by word.
    auto shown = render::plan_diff(found, object_of(found), people(), kNowMs);
    const auto squeeze = [](std::string out) {
      std::erase_if(out, [](char c) { return c == ' ' || c == '\n'; });
      return out;
    };
    EXPECT_TRUE(squeeze(shown).starts_with(squeeze(text))) << text;
    digests.push_back(render::render_digest(found));
    all += text + "----\n";
  }
  std::sort(digests.begin(), digests.end());
  EXPECT_EQ(std::adjacent_find(digests.begin(), digests.end()), digests.end());
  expect_golden("plan-signed-texts", all);
}

TEST(PlanRender, show_counts_the_signatures_itself) {
  const auto plan = at::plan();
  const auto found = checked(plan);
  auto object = object_of(found);
  object.have_people = 2;   // says the server
  auto forged = at::vote(plan, "bob");
  forged.signature.bytes[0] ^= 1U;
  const std::vector<authority::Vote> votes{at::vote(plan, "alice"), forged};
  object.votes = {{"alice", "approve", "looks right", kNowMs, votes[0]}, {"bob", "approve", "", kNowMs, votes[1]}};
  object.refusals = {{kNowMs * 1'000'000, "too-few-people", "One of two people signed."}};
  const auto progress = authority::count_votes(found.bytes, votes, std::nullopt, at::team_policy(), kNowMs);
  ASSERT_EQ(progress.people.size(), 1U);
  const auto text = render::plan_show(found, object, progress, people(), kNowMs);
  EXPECT_NE(text.find("1 of 2 people: alice"), std::string::npos) << text;
  EXPECT_NE(text.find("[signature-bad]"), std::string::npos) << text;
  expect_golden("plan-show-people", text);
}

TEST(PlanRender, show_tells_what_the_node_did) {
  const auto found = checked(at::plan());
  auto object = object_of(found);
  object.state = "ROLLED_BACK";
  object.outcome = PlanOutcome{"FAILED", "effect-missing", "The limit was changed again within 30 s.", "64 MiB", "256 MiB", kNowMs, kNowMs + 10, true};
  object.log_index = 41;
  const auto text = render::plan_show(found, object, std::nullopt, {}, kNowMs);
  EXPECT_NE(text.find("The limit was changed again within 30 s. [effect-missing]"), std::string::npos) << text;
  EXPECT_NE(text.find("the old value is back"), std::string::npos) << text;
  EXPECT_NE(text.find("audit log entry: 41"), std::string::npos) << text;
  EXPECT_EQ(text.find("fleetwright approve"), std::string::npos) << "nothing to approve any more";
}

TEST(PlanRender, says_so_when_it_expired_or_breaks_a_rule) {
  auto plan = at::plan();
  plan.target.node = Uuid{};
  const auto found = checked(plan);
  ASSERT_FALSE(found.problems.empty());
  const auto text = render::plan_diff(found, object_of(found), {}, plan.not_after_ms + 1);
  EXPECT_NE(text.find("it has expired"), std::string::npos) << text;
  EXPECT_NE(text.find(found.problems.front()), std::string::npos) << text;
  EXPECT_EQ(text.find("fleetwright approve"), std::string::npos) << text;
}

TEST(PlanRender, hostile_words_in_every_field_are_made_harmless) {
  const std::string evil = "\x1b[31m\xe2\x80\xae$(reboot)\n\x07";
  auto plan = at::plan();
  plan.incident = evil;
  plan.person = {evil, evil};
  plan.proposer = authority::Proposer::person;
  for (auto* text : {&plan.target.cluster, &plan.target.name_space, &plan.target.workload, &plan.target.pod_uid, &plan.target.container_name,
                     &plan.target.container_id, &plan.target.cgroup_path, &plan.target.display_name, &plan.budget}) {
    *text = evil;
  }
  for (const auto& action : {authority::Action(authority::SetSysctl{evil, 1, 0}), authority::Action(authority::RotateLog{evil, 1})}) {
    plan.action = action;
    CheckedPlan found{{}, plan, 2, {}, {evil}};   // such bytes are refused by the parser: this is the second line
    auto object = object_of(found);
    object.state = object.state_text = object.standing = object.superseded_by = object.safe_why = evil;
    object.by_hand = {evil};
    object.votes = {{evil, evil, evil, 1, {}}};
    object.refusals = {{1, evil, evil}};
    object.outcome = PlanOutcome{evil, evil, evil, evil, evil, 1, 2, true};
    for (const auto& layout : {term::Layout{}, people()}) {
      expect_harmless(render::plan_diff(found, object, layout, kNowMs));
      expect_harmless(render::plan_show(found, object, std::nullopt, layout, kNowMs));
      expect_harmless(render::plans({object}, layout, render::Detail::wide, kNowMs * 1'000'000));
    }
    expect_harmless(render::object_name(found));
    EXPECT_NE(render::plan_diff(found, object, {}, kNowMs).find("do not paste it"), std::string::npos);
  }
  auto standing = at::standing();
  standing.name = evil;
  standing.cgroup_prefixes = {evil};
  SignedObject object{evil, evil, evil, {}, {}, {evil}, 2, 1};
  expect_harmless(render::standing_text(standing, object, people()));
  expect_harmless(render::signed_objects({object}, people(), 2));
  expect_harmless(render::statement_text(at::statement(authority::Pause{evil}), people()));
  auto policy = at::team_policy();
  policy.organisation = policy.approvers[0].person.subject = evil;
  PolicyObject status{{}, {}, {{evil, evil, evil, 1, {}, true, false, false}}, {evil}};
  expect_harmless(render::policy_diff(at::team_policy(), policy, people()));
  expect_harmless(render::policy_status(policy, status, people(), kNowMs));
}

TEST(PlanObject, what_the_server_says_otherwise_than_the_bytes_is_refused) {
  const auto found = checked(at::plan());
  const auto good = object_of(found);
  EXPECT_TRUE(check_plan_object(good));
  const auto refused = [&](auto change) {
    auto object = good;
    change(object);
    return !check_plan_object(object);
  };
  EXPECT_TRUE(refused([](PlanObject& o) { o.action_class = 1; })) << "class";
  EXPECT_TRUE(refused([](PlanObject& o) { o.action_class = -1; })) << "no class";
  EXPECT_TRUE(refused([](PlanObject& o) { o.digest[0] = o.digest[0] == '0' ? '1' : '0'; })) << "digest";
  EXPECT_TRUE(refused([](PlanObject& o) { o.document.clear(); })) << "no bytes";
  EXPECT_TRUE(refused([](PlanObject& o) { o.document.back() ^= 1U; })) << "other bytes";
}

TEST(PlanObject, reads_tolerantly) {
  EXPECT_FALSE(read_plan("[]"));
  EXPECT_FALSE(read_plan(R"({"kind":"Incident"})"));
  const auto plan = read_plan(R"({"kind":"Plan","class":"two","votes":[1,{"person":"alice","signature":7}],"safeRange":3,"document":"?"})");
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->action_class, -1);
  EXPECT_EQ(plan->votes.size(), 1U);
  EXPECT_TRUE(plan->document.empty());
  EXPECT_FALSE(plan->safe_min);
}

TEST(PolicyRender, diff_shows_lines_and_what_is_loosened) {
  const auto before = at::team_policy();
  auto after = before;
  EXPECT_EQ(render::policy_diff(before, after, {}), "");
  after.version = 2;
  after.classes[1].threshold = 2;
  EXPECT_NE(render::policy_diff(before, after, {}).find("Nothing is loosened"), std::string::npos);
  after.paused = false;
  after.approvers.push_back({{"local", "mallory"}, authority::Level::approver, {}, {at::public_key_of("mallory")}, {}, 0});
  const auto text = render::policy_diff(before, after, {});
  EXPECT_NE(text.find("+   - person: \"mallory\""), std::string::npos) << text;
  EXPECT_NE(text.find("- version: 1\n+ version: 2"), std::string::npos) << text;
  EXPECT_NE(text.find("This loosens"), std::string::npos) << text;
  after.version = 4;
  EXPECT_NE(render::policy_diff(before, after, {}).find("does not follow"), std::string::npos);
}

TEST(PolicyRender, status_names_nodes_that_are_behind_and_what_runs_out) {
  auto policy = at::solo_policy();
  policy.approvers[0].not_after_ms = kNowMs + 86'400'000;
  const PolicyObject object{{}, {}, {{"node-a", "u", "", 1, {}, true, false, false}, {"node-b", "u", "key changed", 0, 1, false, false, true}}, {"the server's word"}};
  const auto text = render::policy_status(policy, object, people(), kNowMs);
  for (const auto* word : {"SOLO", "node-b", "key changed", "observe-only", "the right of alice ends in", "the server's word", "inclusion-only"}) {
    EXPECT_NE(text.find(word), std::string::npos) << word << "\n" << text;
  }
}

}  // namespace
}  // namespace fw::cli
