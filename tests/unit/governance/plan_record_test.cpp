// The fold of a plan's events, and their JSON.
#include "aggregator/governance/plan_record.hpp"

#include <gtest/gtest.h>

#include "aggregator/governance/signatures.hpp"
#include "tests/support/authority_builder.hpp"

namespace fw::governance {
namespace {

using authority::Outcome;
using authority::State;

NodeSaid said(State state, std::uint64_t seq, bool rolled_back = false) {
  return {authority::to_bytes(Outcome{.plan = {}, .node = authority::test::node_uid(), .incarnation = {}, .state = state, .code = "", .sentence = "said",
                                      .started_ms = 1, .ended_ms = 2, .before = "", .after = "", .rolled_back = rolled_back, .journal_seq = seq,
                                      .journal_hash = {}})};
}

PlanRecord after(std::vector<PlanEventBody> bodies) {
  PlanRecord plan;
  std::int64_t id = 0;
  for (PlanEventBody& body : bodies) apply(plan, {.time_ns = 1'000'000'000, .body = std::move(body), .audit_id = ++id, .log_index = std::nullopt});
  return plan;
}

TEST(PlanRecord, is_released_when_its_entry_stands_in_the_log) {
  PlanRecord plan = after({Proposed{}, Voted{"alice", authority::Decision::approve, ""}, Released{{}, {"d"}, ""}});
  EXPECT_EQ(plan.state, PlanState::approved);
  apply_sequenced(plan, 2, 40);
  EXPECT_EQ(plan.state, PlanState::approved) << "another entry";
  apply_sequenced(plan, 3, 41);
  EXPECT_EQ(plan.state, PlanState::released);
  EXPECT_EQ(plan.log_index, 41);
}

TEST(PlanRecord, the_word_of_the_node_wins_over_what_was_assumed_here) {
  const Released released{{}, {}, ""};
  EXPECT_EQ(after({released, Expired{"no answer"}, said(State::done, 1)}).state, PlanState::done);
  EXPECT_EQ(after({released, Voted{"carol", authority::Decision::deny, ""}, said(State::done, 1)}).state, PlanState::done);
  EXPECT_EQ(after({released, Voted{"carol", authority::Decision::deny, ""}, said(State::refused, 1)}).state, PlanState::denied);
  EXPECT_EQ(after({released, said(State::done, 1), said(State::done, 2, true)}).state, PlanState::rolled_back);
}

TEST(PlanRecord, what_cannot_follow_changes_nothing) {
  EXPECT_EQ(after({Voted{"carol", authority::Decision::deny, ""}, Released{{}, {}, ""}}).state, PlanState::denied);
  EXPECT_EQ(after({Released{{}, {}, ""}, said(State::done, 1), Superseded{"", "x"}, Expired{"x"}}).state, PlanState::done);
  EXPECT_EQ(after({Proposed{}, EffectMissing{"x"}}).state, PlanState::proposed);
  EXPECT_FALSE(after({Proposed{}, Fixed{1}}).fixed);
  EXPECT_EQ(after({Proposed{}, EffectMissing{"x"}}).last_seq, 2);
}

TEST(PlanRecord, events_come_back_from_their_json) {
  const std::vector<PlanEventBody> bodies{Proposed{},
                                          Voted{"alice", authority::Decision::approve, "because \"yes\""},
                                          Released{authority::sha256({}), {"a", "b"}, "s"},
                                          said(State::unknown, 3),
                                          Refused{"too-few-people", "sentence"},
                                          Superseded{"by", "why"},
                                          Expired{"why"},
                                          Fixed{17},
                                          EffectMissing{"why"}};
  for (const PlanEventBody& body : bodies) {
    const auto back = parse_event_body(kind_of(body), body_json(body));
    ASSERT_TRUE(back) << kind_of(body);
    EXPECT_EQ(body_json(*back), body_json(body));
  }
  EXPECT_FALSE(parse_event_body("voted", "[]"));
  EXPECT_FALSE(parse_event_body("sung", "{}"));
  const PlanFacts facts{.value_before = 5, .safe_min = 1, .safe_max = 9, .unit = "bytes", .why = "w", .by_hand = {"echo"}, .proposed_by = "alice"};
  EXPECT_EQ(*parse_facts(to_json(facts)), facts);
}

TEST(Signatures, come_back_and_cut_ones_are_refused) {
  const std::vector<authority::Signature> list{{authority::sha256({}), authority::Algorithm::ed25519, Bytes(64, 7)}, {{}, authority::Algorithm::sk_p256, Bytes(300, 8)}};
  const std::string bytes = encode_signatures(list);
  EXPECT_EQ(*decode_signatures(bytes), list);
  for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(decode_signatures(bytes.substr(0, n)));
  EXPECT_FALSE(decode_signatures(bytes + "x"));
}

}  // namespace
}  // namespace fw::governance
