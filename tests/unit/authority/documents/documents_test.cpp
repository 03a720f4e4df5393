#include <capnp/any.h>
#include <capnp/message.h>
#include <gmock/gmock.h>

#include <cstring>
#include <set>

#include "schema/authority.capnp.h"
#include "tests/support/authority_builder.hpp"

namespace fw::authority {
namespace {

template <class T>
Errc code_of(const Result<T>& result) { return result ? Errc{} : static_cast<Errc>(result.error().code.value()); }
template <class T>
std::string why(const Result<T>& result) { return result ? "" : result.error().context; }

Outcome outcome() {
  Outcome out;
  out.state = State::failed;
  out.code = "target-gone";
  out.sentence = "two\nlines";
  out.rolled_back = true;
  return out;
}

// ---- round trips

TEST(Documents, plans_of_every_action_are_read_as_written) {
  for (const auto& action : test::every_action()) {
    auto plan = test::plan(action);
    EXPECT_EQ(parse_plan(to_bytes(plan)).value(), plan) << describe(action);
    plan.proposer = Proposer::person;
    plan.person = {"https://id.example", "alice"};
    plan.target.cluster = "prod-eu";
    plan.target.pod_uid = "p";
    plan.target.container_id = "c";
    plan.budget = "b";
    EXPECT_EQ(parse_plan(to_bytes(plan)).value(), plan) << describe(action);
  }
}

TEST(Documents, every_probe_comparison_and_state_is_read_as_written) {
  auto plan = test::plan();
  for (int probe = 1; probe <= static_cast<int>(Probe::node_available_bytes); ++probe)
    for (int comparison = 0; comparison <= static_cast<int>(Comparison::greater_or_equal); ++comparison)
      plan.preconditions.push_back({static_cast<Probe>(probe), static_cast<Comparison>(comparison), -probe});
  EXPECT_EQ(parse_plan(to_bytes(plan)).value(), plan);
  for (int state = 1; state <= static_cast<int>(State::expired); ++state) {
    auto value = outcome();
    value.state = static_cast<State>(state);
    EXPECT_EQ(parse_outcome(to_bytes(value)).value(), value);
  }
}

TEST(Documents, approvals_standing_approvals_and_statements_are_read_as_written) {
  auto approval = test::approval(test::plan(), "alice", Decision::deny);
  approval.reason = "first\nsecond";
  EXPECT_EQ(parse_approval(to_bytes(approval)).value(), approval);

  auto standing = test::standing();
  EXPECT_EQ(parse_standing(to_bytes(standing)).value(), standing);
  standing.trigger = Trigger::automatic;
  standing.clusters = {"a", "b"};
  standing.name_spaces = {"n"};
  standing.node_labels = {"k=v"};
  standing.cgroup_prefixes = {"/shop", ""};
  EXPECT_EQ(parse_standing(to_bytes(standing)).value(), standing);

  const std::vector<decltype(Statement::body)> bodies = {Pause{"a\nb"}, Resume{"r"}, Settle{sha256({}), true, "s"}, Settle{},
                                                         NewOrigin{"new", test::public_key_of("log"), "old", 7, sha256({})}};
  for (const auto& body : bodies) {
    const auto statement = test::statement(body);
    EXPECT_EQ(parse_statement(to_bytes(statement)).value(), statement);
  }
}

TEST(Documents, policies_are_read_as_written) {
  for (auto policy : {test::team_policy(), test::solo_policy()}) {
    EXPECT_EQ(parse_policy(to_bytes(policy)).value(), policy);
    policy.paused = true;
    policy.limits = {{"b", 1, 2}};
    policy.bounds = {{2, -1, 5, 6}};
    policy.enabled = {{{"c"}, {"k=v"}, {1, 2}, 2}, {}};
    policy.witnesses = {{"w", test::public_key_of("w")}};
    policy.approvers[0].scope = {{"c"}, {"n"}, {"k=v"}, 1};
    policy.approvers[0].not_after_ms = 5;
    policy.approvers[0].keys.push_back(test::public_key_of("erin"));
    EXPECT_EQ(parse_policy(to_bytes(policy)).value(), policy);
  }
}

// ---- one form only

TEST(Canonical, a_plan_with_any_flipped_bit_is_refused_or_another_plan) {
  const auto plan = test::plan();
  const auto good = to_bytes(plan);
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    auto flipped = good;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    const auto read = parse_plan(flipped);
    if (!read) continue;
    EXPECT_NE(*read, plan) << bit;
    EXPECT_EQ(to_bytes(*read), flipped) << bit;
  }
}

TEST(Canonical, cut_or_longer_documents_are_refused) {
  const auto good = to_bytes(test::plan());
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_EQ(code_of(parse_plan(ByteView(good).first(size))), Errc::malformed) << size;
  auto longer = good;
  longer.push_back(0);
  EXPECT_EQ(code_of(parse_plan(longer)), Errc::malformed);
  longer.resize(good.size() + 8);
  EXPECT_EQ(code_of(parse_plan(longer)), Errc::malformed);
}

TEST(Canonical, bytes_at_any_address_are_read) {
  auto shifted = to_bytes(test::plan());
  shifted.insert(shifted.begin(), 0);
  EXPECT_TRUE(parse_plan(ByteView(shifted).subspan(1)));
}

template <class Schema>
Bytes uncanonical(void (*fill)(typename Schema::Builder)) {
  capnp::MallocMessageBuilder message;
  fill(message.initRoot<Schema>());
  const auto segment = message.getSegmentsForOutput()[0];
  const auto bytes = segment.asBytes();
  return {bytes.begin(), bytes.end()};
}

template <class Schema, class Change>
Bytes changed(const Bytes& document, Change change) {
  auto words = kj::heapArray<capnp::word>(document.size() / sizeof(capnp::word));
  std::memcpy(words.asBytes().begin(), document.data(), document.size());
  const kj::ArrayPtr<const capnp::word> segment = words;
  capnp::SegmentArrayMessageReader reader(kj::arrayPtr(&segment, 1));
  capnp::MallocMessageBuilder message;
  message.setRoot(reader.getRoot<Schema>());
  auto root = message.getRoot<Schema>();
  change(root);
  const auto out = capnp::canonicalize(root.asReader());
  const auto bytes = out.asBytes();
  return {bytes.begin(), bytes.end()};
}

TEST(Canonical, the_same_content_in_another_layout_is_refused) {
  // Built without canonicalising: the fields lie in the order in which they were set.
  const auto backwards = uncanonical<schema::Statement>([](schema::Statement::Builder to) {
    const std::array<kj::byte, 16> nonce{1};
    to.setNonce(capnp::Data::Reader(nonce.data(), nonce.size()));
    to.initPause().setReason("reason");
  });
  EXPECT_THAT(why(parse_statement(backwards)), ::testing::HasSubstr("not canonical"));
}

// A newer version may have added a field at the end; nobody may act on half of what was signed.
TEST(Canonical, a_field_that_this_version_does_not_know_is_refused) {
  const auto document = to_bytes(test::approval(test::plan(), "alice"));
  auto words = kj::heapArray<capnp::word>(document.size() / sizeof(capnp::word));
  std::memcpy(words.asBytes().begin(), document.data(), document.size());
  const kj::ArrayPtr<const capnp::word> segment = words;
  capnp::SegmentArrayMessageReader reader(kj::arrayPtr(&segment, 1));
  const auto old = reader.getRoot<capnp::AnyStruct>();
  const auto grown = [&](unsigned more_words, unsigned more_pointers) {
    capnp::MallocMessageBuilder message;
    const auto data_words = static_cast<std::uint16_t>(old.getDataSection().size() / 8 + more_words);
    const auto pointers = static_cast<std::uint16_t>(old.getPointerSection().size() + more_pointers);
    auto root = message.getRoot<capnp::AnyPointer>().initAsAnyStruct(data_words, pointers);
    std::memcpy(root.getDataSection().begin(), old.getDataSection().begin(), old.getDataSection().size());
    if (more_words > 0) *(root.getDataSection().end() - 1) = 1;
    for (unsigned i = 0; i < old.getPointerSection().size(); ++i) root.getPointerSection()[i].set(old.getPointerSection()[i]);
    if (more_pointers > 0) root.getPointerSection()[pointers - 1U].setAs<capnp::Text>("new");
    const auto out = root.asReader().canonicalize();
    const auto bytes = out.asBytes();
    return Bytes(bytes.begin(), bytes.end());
  };
  EXPECT_EQ(grown(0, 0), document);
  EXPECT_THAT(why(parse_approval(grown(1, 0))), ::testing::HasSubstr("newer version"));
  EXPECT_THAT(why(parse_approval(grown(0, 1))), ::testing::HasSubstr("newer version"));
}

TEST(Canonical, an_absent_text_and_an_empty_one_are_not_both_taken) {
  const auto document = to_bytes(test::approval(test::plan(), "alice"));
  const auto absent = changed<schema::Approval>(document, [](schema::Approval::Builder to) { to.disownReason(); });
  EXPECT_NE(absent, document);
  EXPECT_EQ(code_of(parse_approval(absent)), Errc::malformed);
}

// ---- what a document may not hold

template <class Change>
Errc approval_with(Change change) {
  return code_of(parse_approval(changed<schema::Approval>(to_bytes(test::approval(test::plan(), "alice")), change)));
}

TEST(Limits, unknown_enumerators_are_refused) {
  for (const unsigned bad : {0U, 3U, 4U, 0xffffU})
    EXPECT_EQ(approval_with([&](schema::Approval::Builder to) { to.setDecision(static_cast<schema::Decision>(bad)); }), Errc::malformed) << bad;
  const auto plan = to_bytes(test::plan());
  const auto check = [&](unsigned probe, unsigned comparison) {
    return code_of(parse_plan(changed<schema::Plan>(plan, [&](schema::Plan::Builder to) {
      to.getEffect().setProbe(static_cast<schema::Probe>(probe));
      to.getEffect().setComparison(static_cast<schema::Comparison>(comparison));
    })));
  };
  EXPECT_EQ(check(1, 1), Errc{});
  EXPECT_EQ(check(13, 6), Errc{});
  EXPECT_EQ(check(0, 1), Errc::malformed);
  EXPECT_EQ(check(14, 1), Errc::malformed);
  EXPECT_EQ(check(1, 0), Errc::malformed);
  EXPECT_EQ(check(1, 7), Errc::malformed);
  for (const unsigned bad : {0U, 3U})
    EXPECT_EQ(code_of(parse_plan(changed<schema::Plan>(plan, [&](schema::Plan::Builder to) { to.setProposer(static_cast<schema::Proposer>(bad)); }))),
              Errc::malformed);
}

TEST(Limits, a_plan_without_action_and_a_statement_without_body_are_refused) {
  auto plan = test::plan();
  plan.action = std::monostate{};
  EXPECT_EQ(code_of(parse_plan(to_bytes(plan))), Errc::malformed);
  EXPECT_EQ(code_of(parse_statement(to_bytes(test::statement({})))), Errc::malformed);
  auto state = outcome();
  state.state = State::unset;
  EXPECT_EQ(code_of(parse_outcome(to_bytes(state))), Errc::malformed);
  auto policy = test::team_policy();
  policy.log_key.algorithm = Algorithm::unknown;
  EXPECT_EQ(code_of(parse_policy(to_bytes(policy))), Errc::malformed);
}

TEST(Limits, texts_end_at_1024_bytes) {
  auto approval = test::approval(test::plan(), "alice");
  approval.reason = std::string(kMaxTextBytes, 'x');
  EXPECT_TRUE(parse_approval(to_bytes(approval)));
  approval.reason += 'x';
  EXPECT_EQ(code_of(parse_approval(to_bytes(approval))), Errc::too_large);
}

TEST(Limits, texts_are_clean) {
  auto approval = test::approval(test::plan(), "alice");
  approval.person.subject = "ali\nce";
  EXPECT_EQ(code_of(parse_approval(to_bytes(approval))), Errc::malformed);
  approval.person.subject = "alice\xff";
  EXPECT_EQ(code_of(parse_approval(to_bytes(approval))), Errc::malformed);
  approval.person.subject = "alice";
  approval.reason = "line\nend";
  EXPECT_TRUE(parse_approval(to_bytes(approval)));
  approval.reason = "bell\a";
  EXPECT_EQ(code_of(parse_approval(to_bytes(approval))), Errc::malformed);
}

TEST(Limits, fixed_fields_have_their_length) {
  for (const unsigned bytes : {0U, 31U, 33U})
    EXPECT_EQ(approval_with([&](schema::Approval::Builder to) { to.initPlan(bytes); }), Errc::malformed) << bytes;
  EXPECT_EQ(approval_with([](schema::Approval::Builder to) { to.initNonce(15); }), Errc::malformed);
  EXPECT_EQ(code_of(parse_plan(changed<schema::Plan>(to_bytes(test::plan()), [](schema::Plan::Builder to) { to.getTarget().initBoot(15); }))),
            Errc::malformed);
}

TEST(Limits, lists_end_at_256_entries) {
  auto plan = test::plan();
  plan.preconditions.resize(kMaxListEntries, {Probe::frozen, Comparison::equal, 0});
  EXPECT_TRUE(parse_plan(to_bytes(plan)));
  plan.preconditions.push_back({Probe::frozen, Comparison::equal, 0});
  EXPECT_EQ(code_of(parse_plan(to_bytes(plan))), Errc::too_large);
  auto standing = test::standing();
  standing.actions.assign(kMaxListEntries + 1, 1);
  EXPECT_EQ(code_of(parse_standing(to_bytes(standing))), Errc::too_large);
}

TEST(Limits, keys_end_at_1024_bytes) {
  auto policy = test::team_policy();
  policy.log_key.bytes.assign(1024, 1);
  EXPECT_TRUE(parse_policy(to_bytes(policy)));
  policy.log_key.bytes.push_back(1);
  EXPECT_EQ(code_of(parse_policy(to_bytes(policy))), Errc::too_large);
}

TEST(Limits, documents_have_a_largest_size) {
  EXPECT_EQ(code_of(parse_plan(Bytes(kMaxPlanBytes + 8))), Errc::too_large);
  EXPECT_EQ(code_of(parse_plan(Bytes(kMaxPlanBytes))), Errc::malformed);
  EXPECT_EQ(code_of(parse_policy(Bytes(kMaxPolicyBytes + 8))), Errc::too_large);
  EXPECT_EQ(code_of(parse_approval(Bytes(kMaxDocumentBytes + 8))), Errc::too_large);
  EXPECT_EQ(code_of(parse_standing(Bytes(kMaxDocumentBytes + 8))), Errc::too_large);
  EXPECT_EQ(code_of(parse_statement(Bytes(kMaxDocumentBytes + 8))), Errc::too_large);
  EXPECT_EQ(code_of(parse_outcome(Bytes(kMaxDocumentBytes + 8))), Errc::too_large);
}

// A list of empty structs claims any length in no bytes.
TEST(Limits, a_tiny_message_cannot_claim_a_huge_list) {
  const auto bomb = changed<schema::Plan>(to_bytes(test::plan()), [](schema::Plan::Builder to) { to.initPreconditions(100'000); });
  EXPECT_LT(bomb.size(), 1024U);
  EXPECT_FALSE(parse_plan(bomb));
}

// ---- small functions

TEST(Check, holds_as_it_says) {
  struct Row { Comparison comparison; bool below, same, above; };
  for (const auto& row : {Row{Comparison::equal, false, true, false}, Row{Comparison::not_equal, true, false, true},
                          Row{Comparison::less, true, false, false}, Row{Comparison::less_or_equal, true, true, false},
                          Row{Comparison::greater, false, false, true}, Row{Comparison::greater_or_equal, false, true, true}}) {
    const Check check{Probe::pids_current, row.comparison, 10};
    EXPECT_EQ(holds(check, 9), row.below) << to_string(check);
    EXPECT_EQ(holds(check, 10), row.same) << to_string(check);
    EXPECT_EQ(holds(check, 11), row.above) << to_string(check);
  }
  EXPECT_FALSE(holds({Probe::pids_current, static_cast<Comparison>(6), 10}, 10));
}

TEST(Check, no_limit_is_more_than_every_limit) {
  for (const auto probe : {Probe::memory_limit_bytes, Probe::memory_high_bytes, Probe::cpu_quota_us, Probe::pids_max}) {
    EXPECT_FALSE(holds({probe, Comparison::less, 100}, kUnlimited));
    EXPECT_TRUE(holds({probe, Comparison::greater, 100}, kUnlimited));
    EXPECT_TRUE(holds({probe, Comparison::equal, kUnlimited}, kUnlimited));
    EXPECT_TRUE(holds({probe, Comparison::less, kUnlimited}, 100));
  }
  EXPECT_TRUE(holds({Probe::sysctl_value, Comparison::less, 0}, -1));
}

TEST(Check, is_said_in_words) {
  EXPECT_EQ(to_string(Check{Probe::memory_limit_bytes, Comparison::equal, 67'108'864}), "memory_limit_bytes = 67108864");
  EXPECT_EQ(to_string(Check{Probe::pids_max, Comparison::not_equal, kUnlimited}), "pids_max != max");
  EXPECT_EQ(to_string(Check{Probe::sysctl_value, Comparison::greater_or_equal, -1}), "sysctl_value >= -1");
}

TEST(Probes, states_and_profiles_have_names_of_their_own) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Probe::node_available_bytes); ++i) names.insert(to_string(static_cast<Probe>(i)));
  EXPECT_EQ(names.size(), 14U);
  std::set<std::string_view> states;
  for (int i = 0; i <= static_cast<int>(State::expired); ++i) states.insert(to_string(static_cast<State>(i)));
  EXPECT_EQ(states, (std::set<std::string_view>{"UNSET", "RECEIVED", "VERIFIED", "CLAIMED", "DONE", "FAILED", "UNKNOWN", "REFUSED", "EXPIRED"}));
  EXPECT_EQ(to_string(Profile::solo), "solo");
  EXPECT_EQ(to_string(Profile::team), "team");
  EXPECT_EQ(to_string(Profile::enterprise), "enterprise");
}

TEST(States, that_end_a_plan) {
  for (const auto state : {State::unset, State::received, State::verified, State::claimed}) EXPECT_FALSE(is_final(state));
  for (const auto state : {State::done, State::failed, State::unknown, State::refused, State::expired}) EXPECT_TRUE(is_final(state));
}

TEST(Person, local_ones_need_no_issuer_in_words) {
  EXPECT_EQ((Person{"local", "alice"}.str()), "alice");
  EXPECT_EQ((Person{"https://id.example", "alice"}.str()), "alice@https://id.example");
}

TEST(Nonces, are_never_the_same) { EXPECT_NE(make_nonce(), make_nonce()); }

}  // namespace
}  // namespace fw::authority
