// The fold of the journal's records, its bounds, and the records' bytes.
#include "protocol/authority/executor_state.hpp"

#include <gtest/gtest.h>

namespace fw::authority {
namespace {

constexpr std::int64_t kNowMs = 1'800'000'000'000, kDayMs = 24LL * 3600 * 1000, kSkewMs = 120'000;

Digest digest(std::uint32_t n) {
  Digest out{};
  for (std::size_t i = 0; i < 4; ++i) out[i] = static_cast<std::uint8_t>(n >> (8 * i));
  return out;
}
PlanRecord plan(std::uint32_t n, State state = State::refused) {
  PlanRecord out;
  out.digest = digest(n);
  out.state = state;
  out.not_after_ms = kNowMs;
  out.acknowledged = true;
  return out;
}
void apply(ExecutorState& state, RecordBody body) { state.apply({kNowMs, std::move(body)}, 7, digest(7)); }

TEST(ExecutorState, is_the_same_after_compaction) {
  ExecutorState state;
  IdentityRecord identity;
  identity.key_pem = "key";
  apply(state, identity);
  apply(state, PolicyRecord{true, 0, {1}});
  apply(state, PolicyRecord{false, kNowMs + 5, {2}});
  FactsRecord facts;
  facts.paused = true;
  facts.checkpoint = Checkpoint{"origin", 4, digest(4)};
  facts.log_key = {Algorithm::ed25519, Bytes(32, 1)};
  apply(state, facts);
  auto done = plan(1, State::done);
  done.uses = {"a", "b"};
  done.snapshot = {1, 2};
  done.restore_at_ms = kNowMs + 9;
  apply(state, done);
  apply(state, DenialRecord{digest(2), kNowMs + 1});
  apply(state, StatementRecord{digest(3), kNowMs + 1});

  ExecutorState again;
  std::uint64_t seq = 100;
  for (const auto& record : state.records()) again.apply(parse_record(record.type, record.payload).value(), ++seq, {});
  EXPECT_EQ(again.identity(), state.identity());
  EXPECT_EQ(again.active_policy(), state.active_policy());
  EXPECT_EQ(again.pending_policy(), state.pending_policy());
  EXPECT_EQ(again.facts(), state.facts());
  EXPECT_EQ(again.plans(), state.plans());
  EXPECT_EQ(again.find(digest(1))->outcome_seq, 7);   // where the outcome was written, not where it was copied to
  EXPECT_EQ(again.find(digest(1))->outcome_hash, digest(7));
  EXPECT_TRUE(again.denied(digest(2)));
  EXPECT_TRUE(again.took(digest(3)));
  EXPECT_EQ(again.time_floor_ms(), kNowMs);
}

TEST(ExecutorState, keeps_a_bounded_number_of_plans) {
  ExecutorState state;
  for (std::uint32_t i = 0; i < kMaxPlans; ++i) {
    ASSERT_TRUE(state.has_room_for(10, kNowMs, kSkewMs));
    auto kept = plan(i, State::done);
    kept.snapshot = {1};
    apply(state, kept);
  }
  EXPECT_FALSE(state.has_room_for(10, kNowMs, kSkewMs));
  EXPECT_FALSE(state.has_room_for(10, kNowMs + kSkewMs + kDayMs, kSkewMs));
  state.forget(kNowMs + kSkewMs + kDayMs + 1, kSkewMs);
  EXPECT_EQ(state.plans().size(), kMaxPlans);         // all could be undone
  EXPECT_TRUE(state.has_room_for(10, kNowMs + kSkewMs + kDayMs + 1, kSkewMs));
  EXPECT_TRUE(state.plans().empty());
  EXPECT_EQ(state.facts().replay_floor_ms, kNowMs);
  apply(state, FactsRecord{});
  EXPECT_EQ(state.facts().replay_floor_ms, kNowMs);   // a record made before does not lower it
}

TEST(ExecutorState, keeps_a_bounded_size_of_plans) {
  ExecutorState state;
  std::uint32_t n = 0;
  for (; state.has_room_for(kMaxPlanBytes, kNowMs, kSkewMs); ++n) {
    auto kept = plan(n, State::claimed);
    kept.plan = Bytes(kMaxPlanBytes);
    apply(state, kept);
    ASSERT_LT(n, kMaxPlans);
  }
  EXPECT_EQ(n, kMaxStateBytes / kMaxPlanBytes - 1);
  EXPECT_TRUE(state.has_room_for(10, kNowMs, kSkewMs));
}

TEST(ExecutorState, keeps_a_plan_that_still_matters) {
  auto restoring = plan(1, State::done);
  restoring.restore_at_ms = kNowMs + 90 * kDayMs;
  auto unheard = plan(2);
  unheard.acknowledged = false;
  ExecutorState state;
  apply(state, restoring);
  apply(state, unheard);
  apply(state, plan(3, State::claimed));
  apply(state, plan(4));
  state.forget(kNowMs + 2 * kDayMs, kSkewMs);
  EXPECT_TRUE(state.find(digest(1)) && state.find(digest(2)) && state.find(digest(3)));
  EXPECT_FALSE(state.find(digest(4)));
  state.forget(kNowMs + 40 * kDayMs, kSkewMs);
  EXPECT_TRUE(state.find(digest(1)) && state.find(digest(3)));
  EXPECT_FALSE(state.find(digest(2)));
}

TEST(ExecutorState, keeps_a_bounded_number_of_denials_those_that_last_longest) {
  ExecutorState state;
  for (std::uint32_t i = 0; i <= kMaxKept; ++i) apply(state, DenialRecord{digest(i), kNowMs + i});
  EXPECT_FALSE(state.denied(digest(0)));
  EXPECT_TRUE(state.denied(digest(1)));
  state.forget(kNowMs + 2, kSkewMs);
  EXPECT_FALSE(state.denied(digest(1)));
  EXPECT_TRUE(state.denied(digest(2)));
}

TEST(ExecutorState, a_denial_that_is_known_takes_nobodys_place) {
  ExecutorState state;
  for (std::uint32_t i = 0; i < kMaxKept; ++i) apply(state, DenialRecord{digest(i), kNowMs + i});
  apply(state, DenialRecord{digest(7), kNowMs + kDayMs});
  EXPECT_TRUE(state.denied(digest(0)));
  EXPECT_TRUE(state.denied(digest(7)));
}

TEST(ExecutorState, of_nothing_has_only_its_facts) { EXPECT_EQ(ExecutorState().records().size(), 1U); }

TEST(ExecutorState, counts_the_uses_of_a_day) {
  ExecutorState state;
  auto old = plan(1, State::done);
  old.uses = {"a"};
  old.started_ms = kNowMs - kDayMs;
  apply(state, old);
  auto fresh = plan(2, State::done);
  fresh.uses = {"b"};
  fresh.started_ms = kNowMs - kDayMs + 1;
  apply(state, fresh);
  const auto memory = state.memory(Policy{}, kNowMs);
  ASSERT_EQ(memory.uses.size(), 1U);
  EXPECT_EQ(memory.uses[0].what, "b");
}

TEST(ExecutorState, a_new_origin_holds_while_the_policy_names_the_old_one) {
  ExecutorState state;
  Policy policy;
  policy.log_origin = "old";
  FactsRecord facts;
  facts.log_origin = "new";
  facts.log_replaces = "old";
  facts.checkpoint = Checkpoint{"old", 4, {}};
  apply(state, facts);
  EXPECT_EQ(state.memory(policy, kNowMs).log_origin, "new");
  EXPECT_FALSE(state.memory(policy, kNowMs).checkpoint);   // of another log
  policy.log_origin = "third";
  EXPECT_EQ(state.memory(policy, kNowMs).log_origin, "third");
}

TEST(ExecutorRecords, are_read_whole_or_not_at_all) {
  auto record = plan(5, State::done);
  record.uses = {"budget"};
  const Bytes good = to_bytes(Record{kNowMs, record});
  ASSERT_EQ(parse_record(4, good).value(), (Record{kNowMs, record}));
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(parse_record(4, ByteView(good).first(size))) << size;
  auto longer = good;
  longer.push_back(0);
  EXPECT_FALSE(parse_record(4, longer));
  EXPECT_FALSE(parse_record(0, good));
  EXPECT_FALSE(parse_record(7, good));
  auto bad = good;
  bad[8 + 32 + 1] = 99;                        // the state
  EXPECT_FALSE(parse_record(4, bad));
  bad = good;
  bad[8 + 32 + 2] = 2;                         // acted
  EXPECT_FALSE(parse_record(4, bad));
}

}  // namespace
}  // namespace fw::authority
