// Statements, standing approvals and policies: gathering, coming into force, running out.
#include "fleet.hpp"

namespace fw::governance::test {
namespace {

Reply sign(Fleet& fleet, const StandingApproval& standing, std::string_view name) {
  const Bytes document = to_bytes(standing);
  const Reply reply = fleet.core->sign_standing(document, authority::test::sign_as(name, Domain::standing, document), Fleet::caller(name));
  fleet.settle();
  return reply;
}

TEST(Statements, anybody_pauses_and_resuming_lets_the_plan_go_on) {
  Fleet fleet;
  fleet.explain();
  ASSERT_TRUE(fleet.state_by(Pause{"stop"}, "dave").ok());
  fleet.pass(6s);
  EXPECT_TRUE(fleet.executor->status().paused);
  fleet.vote("alice");
  fleet.vote("bob");
  fleet.pass(10s);
  EXPECT_EQ(fleet.limit(), kOld);
  ASSERT_FALSE(fleet.plan().refusals.empty());
  EXPECT_EQ(fleet.plan().refusals.back().code, "paused");
  for (const char* name : {"alice", "bob"}) {
    const std::optional<Bytes> again = name == std::string("bob") ? std::optional(fleet.last_statement) : std::nullopt;
    const Reply reply = fleet.state_by(Resume{"go on"}, name, again);
    ASSERT_TRUE(reply.ok()) << reply.sentence;
    if (fleet.core->find_document(reply.subject)->state == DocumentState::active) break;
  }
  fleet.pass(90s, 1s);
  EXPECT_FALSE(fleet.executor->status().paused);
  EXPECT_EQ(fleet.limit(), kNew);
}

TEST(Statements, a_bad_signature_or_another_person_is_refused) {
  Fleet fleet;
  const Bytes document = to_bytes(authority::test::statement(Pause{"x"}));
  EXPECT_EQ(fleet.core->sign_statement(document, authority::test::sign_as("mallory", Domain::statement, document), Fleet::caller("mallory")).code, "key-unknown");
  EXPECT_EQ(fleet.core->sign_statement(document, authority::test::sign_as("alice", Domain::statement, document), Fleet::caller("bob")).code, "approval-person");
  Signature bad = authority::test::sign_as("alice", Domain::statement, document);
  bad.bytes[0] ^= 1;
  EXPECT_EQ(fleet.core->sign_statement(document, bad, Fleet::caller("alice")).code, "signature-bad");
  EXPECT_TRUE(fleet.core->documents(DocumentKind::statement).empty());
}

TEST(Standing, a_night_pass_makes_one_signature_enough) {
  Fleet fleet;
  const StandingApproval pass = authority::test::standing();
  ASSERT_TRUE(sign(fleet, pass, "alice").ok());
  EXPECT_EQ(fleet.core->documents(DocumentKind::standing).front()->state, DocumentState::gathering);
  ASSERT_TRUE(sign(fleet, pass, "bob").ok());
  EXPECT_EQ(fleet.core->documents(DocumentKind::standing).front()->state, DocumentState::active);
  fleet.explain();
  EXPECT_EQ(fleet.plan().state, PlanState::proposed);
  EXPECT_NE(fleet.plan().standing, "") << "shown on the plan";
  ASSERT_TRUE(fleet.vote("dave").ok());
  fleet.pass(2s);
  EXPECT_EQ(fleet.limit(), kNew);
  EXPECT_EQ(fleet.plan().state, PlanState::done);
}

TEST(Standing, an_automatic_one_needs_nobody) {
  Fleet fleet;
  StandingApproval automatic = authority::test::standing();
  automatic.trigger = Trigger::automatic;
  sign(fleet, automatic, "alice");
  sign(fleet, automatic, "bob");
  fleet.explain();
  fleet.pass(2s);
  EXPECT_EQ(fleet.limit(), kNew);
  EXPECT_TRUE(fleet.plan().votes.empty());
}

TEST(Standing, covers_only_what_it_says) {
  Fleet fleet;
  StandingApproval narrow = authority::test::standing();
  narrow.max_value = 100 * kMiB;
  sign(fleet, narrow, "alice");
  sign(fleet, narrow, "bob");
  fleet.explain();
  EXPECT_EQ(fleet.plan().standing, "");
  fleet.vote("dave");
  fleet.pass(2s);
  EXPECT_EQ(fleet.limit(), kOld);
}

TEST(Policies, an_older_one_or_one_without_its_roots_is_refused) {
  Fleet fleet;
  Policy next = fleet.policy;
  next.version = 2;
  const auto few = authority::test::sign(next, {"root-1"});
  EXPECT_EQ(fleet.core->load_policy(few.document, few.signatures, Fleet::caller("alice")).code, "roots-too-few");
  next.version = 3;
  const auto gap = authority::test::sign(next, {"root-1", "root-2"});
  EXPECT_EQ(fleet.core->load_policy(gap.document, gap.signatures, Fleet::caller("alice")).code, "policy-gap");
}

TEST(Policies, what_runs_out_is_said_before) {
  Fleet fleet;
  EXPECT_TRUE(fleet.core->warnings().empty());
  fleet.clock.advance(17 * 24h);
  const auto warnings = fleet.core->warnings();
  ASSERT_FALSE(warnings.empty());
  EXPECT_NE(warnings.front().find("policy version 1 runs out in"), std::string::npos);
}

TEST(Policies, without_one_nothing_is_proposed) {
  ManualClock clock;
  Core core(CoreConfig{}, clock);
  EXPECT_FALSE(core.enabled());
  EXPECT_EQ(core.vote({}, {}, Fleet::caller("alice")).code, "no-policy");
  IncidentView incident;
  incident.uid = Uuid{{7}};
  incident.number = 7;
  core.on_incident(incident);
  Explanation explanation;
  explanation.incident = incident.uid;
  core.on_explained(explanation);
  EXPECT_FALSE(core.take_write());
}

TEST(Statements, a_pause_is_possible_however_many_documents_there_are) {
  CoreConfig config;
  config.documents = 8;
  Fleet fleet(authority::test::team_policy(), config);
  for (int i = 0; i < 20; ++i) {
    fleet.clock.advance(1s);
    const Reply reply = fleet.state_by(Pause{"stop " + std::to_string(i)}, "dave");
    ASSERT_TRUE(reply.ok()) << i << ": " << reply.sentence;
  }
  EXPECT_LE(fleet.core->documents(DocumentKind::statement).size(), 8U);
  fleet.pass(6s);
  EXPECT_TRUE(fleet.executor->status().paused);
  ASSERT_TRUE(fleet.state_by(Resume{"go on"}, "alice").ok());
  const Reply resumed = fleet.state_by(Resume{"go on"}, "bob", fleet.last_statement);
  ASSERT_TRUE(resumed.ok()) << resumed.sentence;
  fleet.pass(10s);
  EXPECT_FALSE(fleet.executor->status().paused);
  EXPECT_NE(fleet.core->policy(), nullptr);
}

TEST(Policies, signatures_that_do_not_count_are_not_carried_to_the_nodes) {
  Fleet fleet;
  Policy next = fleet.policy;
  next.version = 2;
  next.issued_ms += 1;
  auto signed_next = authority::test::sign(next, {"root-1", "root-2"});
  auto signatures = signed_next.signatures;
  Signature forged = signatures.front();
  forged.bytes[0] ^= 1;
  signatures.insert(signatures.begin(), forged);            // of a root's key, and bad
  for (int i = 0; i < 12; ++i) signatures.push_back(authority::test::sign_as("mallory", Domain::policy, signed_next.document));
  const Reply reply = fleet.core->load_policy(signed_next.document, signatures, Fleet::caller("alice"));
  ASSERT_TRUE(reply.ok()) << reply.sentence;
  EXPECT_EQ(fleet.core->policy()->signatures.size(), 2U);
  fleet.settle();
  fleet.pass(2s);
  EXPECT_EQ(fleet.executor->status().policy_version, 2U);
}

}  // namespace
}  // namespace fw::governance::test
