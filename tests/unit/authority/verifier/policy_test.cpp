// The next policy: who signed it, what it is, when it begins.
#include "protocol/authority/verify_parts.hpp"
#include "tests/unit/authority/verifier/world.hpp"

namespace fw::authority::verifier_test {
namespace {

using Names = std::vector<std::string>;

struct Change {
  Policy current = World().policy;
  Policy next;
  std::int64_t now_ms = kNow;

  Change() : next(current) { next.version = 8; }

  static std::vector<Signature> sign(ByteView document, const Names& names) {
    std::vector<Signature> signatures;
    for (const auto& name : names) signatures.push_back(key(name).sign(Domain::policy, document));
    return signatures;
  }
  PolicyVerdict verify(const Names& names) const {
    const auto document = to_bytes(next);
    auto verdict = verify_policy(document, sign(document, names), current, now_ms);
    World::seen(verdict.refusal);
    return verdict;
  }
  Code code(const Names& names) const { return verify(names).refusal.code; }
};

TEST(NextPolicy, is_taken_when_the_roots_signed_it) {
  const Change change;
  const auto verdict = change.verify({"root-1", "root-3"});
  ASSERT_TRUE(verdict.policy) << verdict.refusal.sentence;
  EXPECT_EQ(*verdict.policy, change.next);
  EXPECT_EQ(verdict.active_from_ms, kNow);
}

TEST(NextPolicy, needs_the_threshold_of_distinct_roots) {
  const Change change;
  EXPECT_EQ(change.code({}), Code::roots_too_few);
  EXPECT_EQ(change.code({"root-1"}), Code::roots_too_few);
  EXPECT_EQ(change.code({"root-1", "root-1"}), Code::roots_too_few);
  EXPECT_EQ(change.code({"root-1", "mallory"}), Code::roots_too_few);
  EXPECT_EQ(change.code({"root-1", "alice"}), Code::roots_too_few);
  EXPECT_EQ(change.code({"root-1", "mallory", "root-2"}), Code::ok);
}

TEST(NextPolicy, is_not_signed_by_what_only_looks_like_a_signature) {
  const Change change;
  const auto document = to_bytes(change.next);
  auto signatures = Change::sign(document, {"root-1", "root-2"});
  const auto code = [&] { return World::seen(verify_policy(document, signatures, change.current, kNow).refusal).code; };
  EXPECT_EQ(code(), Code::ok);
  signatures[1].algorithm = Algorithm::sk_ed25519;
  EXPECT_EQ(code(), Code::roots_too_few);
  signatures[1] = key("root-2").sign(Domain::statement, document);
  EXPECT_EQ(code(), Code::roots_too_few);
  signatures[1] = key("root-1").sign(Domain::policy, document);
  signatures[1].key = key_id(key("root-2").public_key());
  EXPECT_EQ(code(), Code::roots_too_few);
}

TEST(NextPolicy, with_new_roots_needs_the_old_and_the_new_ones) {
  Change change;
  change.next.roots = {{"root-3", key("root-3").public_key()}, {"root-4", key("root-4").public_key()}, {"root-5", key("root-5").public_key()}};
  EXPECT_EQ(change.code({"root-1", "root-2"}), Code::roots_too_few);
  EXPECT_EQ(change.code({"root-4", "root-5"}), Code::roots_too_few);
  EXPECT_EQ(change.code({"root-1", "root-4", "root-5"}), Code::roots_too_few);
  EXPECT_EQ(change.code({"root-1", "root-2", "root-4"}), Code::roots_too_few);
  EXPECT_EQ(change.code({"root-1", "root-2", "root-4", "root-5"}), Code::ok);
  EXPECT_EQ(change.code({"root-1", "root-3", "root-4"}), Code::ok);
}

TEST(NextPolicy, has_exactly_the_next_version) {
  Change change;
  const auto with = [&](std::uint64_t version) {
    change.next.version = version;
    return change.code({"root-1", "root-2"});
  };
  EXPECT_EQ(with(6), Code::policy_older);
  EXPECT_EQ(with(7), Code::policy_older);
  EXPECT_EQ(with(8), Code::ok);
  EXPECT_EQ(with(9), Code::policy_gap);
  EXPECT_EQ(with(~0ULL), Code::policy_gap);
}

TEST(NextPolicy, is_of_the_same_organisation) {
  Change change;
  change.next.organisation = "other";
  EXPECT_EQ(change.code({"root-1", "root-2"}), Code::policy_invalid);
}

TEST(NextPolicy, keeps_its_own_rules) {
  Change change;
  rule(change.next, 2).threshold = 0;
  const auto refusal = change.verify({"root-1", "root-2"}).refusal;
  EXPECT_EQ(refusal.code, Code::policy_invalid);
  EXPECT_THAT(refusal.sentence, testing::HasSubstr("Class 2 needs 2 people at least, not 0."));
}

TEST(NextPolicy, must_be_read) {
  const Change change;
  auto document = to_bytes(change.next);
  document.resize(document.size() - 8);
  const auto refusal = verify_policy(document, Change::sign(document, {"root-1", "root-2"}), change.current, kNow).refusal;
  EXPECT_EQ(World::seen(refusal).code, Code::policy_malformed);
}

TEST(NextPolicy, has_its_limits_before_any_signature) {
  const Change change;
  const auto code = [&](std::size_t bytes, std::size_t signatures) {
    return World::seen(verify_policy(Bytes(bytes), std::vector<Signature>(signatures), change.current, kNow).refusal).code;
  };
  EXPECT_EQ(code(kMaxPolicyBytes, kMaxListEntries), Code::roots_too_few);
  EXPECT_EQ(code(kMaxPolicyBytes + 1, kMaxListEntries), Code::policy_malformed);
  EXPECT_EQ(code(kMaxPolicyBytes, kMaxListEntries + 1), Code::policy_malformed);
}

TEST(NextPolicy, has_not_ended) {
  Change change;
  change.next.not_after_ms = kNow;
  EXPECT_EQ(change.code({"root-1", "root-2"}), Code::ok);
  change.now_ms = kNow + 1;
  EXPECT_EQ(change.code({"root-1", "root-2"}), Code::policy_expired);
}

TEST(NextPolicy, replaces_one_that_has_ended) {
  Change change;
  change.current.not_after_ms = kNow - 1;
  EXPECT_EQ(change.code({"root-1", "root-2"}), Code::ok);
}

TEST(NextPolicy, waits_when_it_loosens_and_holds_at_once_when_it_tightens) {
  Change change;
  change.next.enabled.clear();
  EXPECT_EQ(change.verify({"root-1", "root-2"}).active_from_ms, kNow);
  std::swap(change.current.enabled, change.next.enabled);
  EXPECT_EQ(change.verify({"root-1", "root-2"}).active_from_ms, kNow + kLooseningDelayMs);
}

TEST(NextPolicy, after_one_of_root_threshold_0_needs_one_root_at_least) {
  Change change;
  change.current.root_threshold = 0;
  EXPECT_EQ(change.code({}), Code::roots_too_few);
  const auto document = to_bytes(change.next);
  EXPECT_TRUE(verify::check_roots(Domain::policy, document, {}, change.current));
  EXPECT_FALSE(verify::check_roots(Domain::policy, document, Change::sign(document, {"root-2"}), change.current));
}

}  // namespace
}  // namespace fw::authority::verifier_test
