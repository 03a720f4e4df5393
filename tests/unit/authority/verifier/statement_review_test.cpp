// How long a statement may live: whoever keeps one back must not have it for ever.
#include <limits>

#include "tests/unit/authority/verifier/world.hpp"

namespace fw::authority::verifier_test {
namespace {

Refusal said(decltype(Statement::body) body, std::int64_t issued_ms, std::int64_t expires_ms, const std::vector<std::string>& names) {
  World world;
  world.memory.unknown_plans[sha256({})] = 1;
  Statement statement;
  statement.body = std::move(body);
  statement.nonce = nonce("life");
  statement.policy_version = world.policy.version;
  statement.issued_ms = issued_ms;
  statement.expires_ms = expires_ms;
  const auto document = to_bytes(statement);
  std::vector<Signature> signatures;
  for (const auto& name : names) signatures.push_back(key(name).sign(Domain::statement, document));
  return World::seen(verify_statement(document, signatures, world.policy, world.memory, kNow).refusal);
}

TEST(LifeOfStatement, is_an_hour_at_most) {
  const std::vector<std::string> people{"alice", "bob"};
  for (const decltype(Statement::body)& body : {decltype(Statement::body)(Pause{"stop"}), {Resume{"fine"}}, {Settle{sha256({}), true, "I looked"}}}) {
    EXPECT_EQ(said(body, kNow, kNow + kHour, people).code, Code::ok);
    const auto refusal = said(body, kNow, kNow + kHour + 1, people);
    EXPECT_EQ(refusal.code, Code::window_too_long);
    EXPECT_NE(refusal.sentence.find("it may live for 3600 s: sign a new one"), std::string::npos) << refusal.sentence;
    EXPECT_EQ(said(body, kNow, kNow + 1000 * 24 * kHour, people).code, Code::window_too_long);
  }
  EXPECT_FALSE(may_come_again(Code::window_too_long));
}

TEST(LifeOfStatement, is_a_day_for_roots) {
  NewOrigin moved;
  moved.origin = "fleetwright/acme/audit-2";
  moved.log_key = key("log-2").public_key();
  moved.old_origin = "fleetwright/acme/audit";
  moved.old_size = 5;
  moved.old_root = World().book.checkpoint(5).root;
  EXPECT_EQ(said(moved, kNow, kNow + 24 * kHour, {"root-1", "root-2"}).code, Code::ok);
  EXPECT_EQ(said(moved, kNow, kNow + 24 * kHour + 1, {"root-1", "root-2"}).code, Code::window_too_long);
}

TEST(LifeOfStatement, of_any_dates_has_an_answer) {
  constexpr auto kFirst = std::numeric_limits<std::int64_t>::min(), kLast = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(said(Pause{"stop"}, kFirst, kLast, {"alice"}).code, Code::window_too_long);
  EXPECT_EQ(said(Pause{"stop"}, kLast, kLast, {"alice"}).code, Code::not_yet_valid);
  EXPECT_EQ(said(Pause{"stop"}, kFirst, kFirst, {"alice"}).code, Code::statement_old);
}

}  // namespace
}  // namespace fw::authority::verifier_test
