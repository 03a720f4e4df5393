// Pause, resume, settle, new origin, denial.
#include "tests/unit/authority/verifier/world.hpp"

namespace fw::authority::verifier_test {
namespace {

using Names = std::vector<std::string>;

struct Spoken {
  World world;
  Statement statement;

  explicit Spoken(decltype(Statement::body) body) {
    statement.body = std::move(body);
    statement.nonce = nonce("statement");
    statement.policy_version = world.policy.version;
    statement.issued_ms = kNow - kMinute;
    statement.expires_ms = statement.issued_ms + kHour;
  }
  StatementVerdict verify(const Names& names, Domain domain = Domain::statement) const {
    const auto document = to_bytes(statement);
    std::vector<Signature> signatures;
    for (const auto& name : names) signatures.push_back(key(name).sign(domain, document));
    auto verdict = verify_statement(document, signatures, world.policy, world.memory, world.now_ms);
    World::seen(verdict.refusal);
    EXPECT_EQ(verdict.statement.has_value(), verdict.refusal.code == Code::ok);
    return verdict;
  }
  Code code(const Names& names) const { return verify(names).refusal.code; }
};

TEST(PauseStatement, needs_one_approver) {
  const Spoken pause(Pause{"stop"});
  const auto verdict = pause.verify({"carol"});
  ASSERT_TRUE(verdict.statement) << verdict.refusal.sentence;
  EXPECT_EQ(*verdict.statement, pause.statement);
  EXPECT_EQ(verdict.people, std::vector{person("carol")});
  EXPECT_EQ(pause.code({}), Code::people_too_few);
  EXPECT_EQ(pause.code({"mallory"}), Code::key_unknown);
  EXPECT_EQ(pause.code({"root-1"}), Code::key_unknown);
  EXPECT_EQ(pause.verify({"carol"}, Domain::approval).refusal.code, Code::signature_bad);
}

TEST(PauseStatement, is_taken_under_any_policy_version_and_scope) {
  Spoken pause(Pause{"stop"});
  pause.statement.policy_version = 3;
  approver(pause.world.policy, "carol").scope = {{"staging"}, {"billing"}, {"zone=b"}, 0};
  EXPECT_EQ(pause.code({"carol"}), Code::ok);
}

TEST(AnyStatement, has_its_time) {
  Spoken pause(Pause{"stop"});
  const auto with = [&](std::int64_t issued_ms, std::int64_t expires_ms, std::int64_t floor_ms = 0) {
    pause.statement.issued_ms = issued_ms;
    pause.statement.expires_ms = expires_ms;
    pause.world.memory.time_floor_ms = floor_ms;
    return pause.code({"carol"});
  };
  EXPECT_EQ(with(kNow + kSkew, kNow + kHour), Code::ok);
  EXPECT_EQ(with(kNow + kSkew + 1, kNow + kHour), Code::not_yet_valid);
  EXPECT_EQ(with(kNow + kSkew + 1, kNow + kHour, kNow + kHour), Code::not_yet_valid);
  EXPECT_EQ(with(kNow - kHour, kNow - kSkew), Code::ok);
  EXPECT_EQ(with(kNow - kHour, kNow - kSkew - 1), Code::statement_old);
  EXPECT_EQ(with(kNow - kHour, kNow + kSkew, kNow + 2 * kSkew + 1), Code::statement_old);
}

TEST(AnyStatement, must_be_read_and_have_few_signatures) {
  const Spoken pause(Pause{"stop"});
  EXPECT_EQ(pause.code(Names(kMaxVotes, "carol")), Code::ok);
  EXPECT_EQ(pause.code(Names(kMaxVotes + 1, "carol")), Code::statement_malformed);
  auto document = to_bytes(pause.statement);
  document.resize(document.size() - 8);
  const auto& world = pause.world;
  const auto signature = key("carol").sign(Domain::statement, document);
  EXPECT_EQ(World::seen(verify_statement(document, {signature}, world.policy, world.memory, kNow).refusal).code, Code::statement_malformed);
}

TEST(ResumeStatement, needs_its_threshold_of_distinct_people) {
  Spoken resume(Resume{"looked at it"});
  EXPECT_EQ(resume.code({}), Code::people_too_few);
  EXPECT_EQ(resume.code({"alice"}), Code::people_too_few);
  EXPECT_EQ(resume.code({"alice", "alice"}), Code::people_too_few);
  EXPECT_EQ(resume.verify({"alice", "bob"}).people, (std::vector{person("alice"), person("bob")}));
  resume.world.policy.resume_threshold = 0;
  EXPECT_EQ(resume.code({}), Code::people_too_few);
  EXPECT_EQ(resume.code({"alice"}), Code::ok);
}

TEST(ResumeStatement, that_is_sent_again_does_not_end_a_later_pause) {
  Spoken resume(Resume{"looked at it"});
  resume.world.memory.newest_pause_ms = resume.statement.issued_ms - 1;
  EXPECT_EQ(resume.code({"alice", "bob"}), Code::ok);
  resume.world.memory.newest_pause_ms = resume.statement.issued_ms;
  EXPECT_EQ(resume.code({"alice", "bob"}), Code::statement_old);
}

TEST(ResumeStatement, is_under_the_policy_in_force) {
  Spoken resume(Resume{"looked at it"});
  resume.statement.policy_version = 6;
  EXPECT_EQ(resume.code({"alice", "bob"}), Code::policy_version_other);
  resume.statement.policy_version = 8;
  EXPECT_EQ(resume.code({"alice", "bob"}), Code::policy_version_other);
}

struct Settled : Spoken {
  Settled() : Spoken(Settle{sha256({}), true, "I looked"}) { world.memory.unknown_plans[sha256({})] = 2; }
};

TEST(SettleStatement, needs_one_approver_of_the_plan_s_class) {
  Settled settle;
  EXPECT_EQ(settle.code({"alice"}), Code::ok);
  EXPECT_EQ(settle.code({}), Code::people_too_few);
  approver(settle.world.policy, "alice").scope.max_class = 2;
  EXPECT_EQ(settle.code({"alice"}), Code::ok);
  approver(settle.world.policy, "alice").scope.max_class = 1;
  EXPECT_EQ(settle.code({"alice"}), Code::people_too_few);
  EXPECT_EQ(settle.code({"alice", "bob"}), Code::ok);
}

TEST(SettleStatement, is_of_a_plan_in_doubt_and_the_policy_in_force) {
  Settled settle;
  settle.statement.policy_version = 6;
  EXPECT_EQ(settle.code({"alice"}), Code::policy_version_other);
  settle.statement.policy_version = 7;
  settle.world.memory.known_plans = {sha256({})};
  settle.world.memory.unknown_plans = {{Digest{}, 2}};
  EXPECT_EQ(settle.code({"alice"}), Code::not_unknown);
}

struct Moved : Spoken {
  static NewOrigin body() {
    NewOrigin made;
    made.origin = "fleetwright/acme/audit-2";
    made.log_key = key("log-2").public_key();
    made.old_origin = "fleetwright/acme/audit";
    made.old_size = 5;
    made.old_root = World().book.checkpoint(5).root;
    return made;
  }
  Moved() : Spoken(body()) {}
  NewOrigin& origin() { return std::get<NewOrigin>(statement.body); }
};

TEST(NewOriginStatement, is_the_roots_alone) {
  const Moved moved;
  const auto verdict = moved.verify({"root-1", "root-2"});
  ASSERT_TRUE(verdict.statement) << verdict.refusal.sentence;
  EXPECT_TRUE(verdict.people.empty());
  EXPECT_EQ(moved.code({}), Code::roots_too_few);
  EXPECT_EQ(moved.code({"root-1"}), Code::roots_too_few);
  EXPECT_EQ(moved.code({"alice", "bob", "carol"}), Code::roots_too_few);
  EXPECT_EQ(moved.verify({"root-1", "root-2"}, Domain::policy).refusal.code, Code::roots_too_few);
}

TEST(NewOriginStatement, starts_at_the_log_that_this_node_follows_and_counts_once) {
  Moved moved;
  moved.world.memory.log_origin = "fleetwright/acme/audit-2";
  EXPECT_EQ(moved.code({"root-1", "root-2"}), Code::statement_old);
  moved.world.memory.log_origin = "fleetwright/acme/audit-3";
  EXPECT_EQ(moved.code({"root-1", "root-2"}), Code::statement_old);
  moved.origin().old_origin = moved.origin().origin = "fleetwright/acme/audit-3";
  EXPECT_EQ(moved.code({"root-1", "root-2"}), Code::statement_old);
}

TEST(NewOriginStatement, is_under_the_policy_in_force) {
  Moved moved;
  moved.statement.policy_version = 6;
  EXPECT_EQ(moved.code({"root-1", "root-2"}), Code::policy_version_other);
}

TEST(NewOriginStatement, names_the_history_that_this_node_saw) {
  Moved moved;
  moved.origin().old_root[0] ^= 1;
  EXPECT_EQ(moved.code({"root-1", "root-2"}), Code::checkpoint_inconsistent);
  moved.origin().old_size = 4;
  EXPECT_EQ(moved.code({"root-1", "root-2"}), Code::ok) << "of another size: nothing to compare";
  moved.world.memory.checkpoint.reset();
  EXPECT_EQ(moved.code({"root-1", "root-2"}), Code::ok);
}

// ---- denial

Code denial(const Approval& approval, const std::string& key_name = "", std::int64_t now_ms = kNow, const Policy& policy = World().policy) {
  const auto verdict = verify_denial(World::sign(approval, key_name), policy, now_ms);
  if (verdict.denial) {
    EXPECT_EQ(*verdict.denial, approval);
  }
  EXPECT_EQ(verdict.denial.has_value(), verdict.refusal.code == Code::ok);
  return World::seen(verdict.refusal).code;
}

Approval no_by(const std::string& name) {
  auto no = World().approval(name);
  no.decision = Decision::deny;
  return no;
}

TEST(Denial, is_taken_from_anyone_who_may_approve) {
  EXPECT_EQ(denial(no_by("carol")), Code::ok);
  EXPECT_EQ(denial(no_by("carol"), "mallory"), Code::key_unknown);
  EXPECT_EQ(denial(no_by("carol"), "bob"), Code::approval_person);
}

TEST(Denial, is_taken_whatever_scope_and_policy_version) {
  auto policy = World().policy;
  approver(policy, "carol").scope = {{"staging"}, {"billing"}, {"zone=b"}, 0};
  auto no = no_by("carol");
  no.policy_version = 1;
  EXPECT_EQ(denial(no, "", kNow, policy), Code::ok);
}

TEST(Denial, is_not_an_approval) { EXPECT_EQ(denial(World().approval("carol")), Code::approval_malformed); }

TEST(Denial, has_its_time) {
  const auto no = no_by("carol");
  EXPECT_EQ(denial(no, "", no.expires_ms + kSkew), Code::ok);
  EXPECT_EQ(denial(no, "", no.expires_ms + kSkew + 1), Code::approval_expired);
  EXPECT_EQ(denial(no, "", no.issued_ms - kSkew), Code::ok);
  EXPECT_EQ(denial(no, "", no.issued_ms - kSkew - 1), Code::approval_not_yet_valid);
}

TEST(Denial, of_an_approver_whose_time_is_over_is_none) {
  auto policy = World().policy;
  approver(policy, "carol").not_after_ms = kNow - kSkew - 1;
  EXPECT_EQ(denial(no_by("carol"), "", kNow, policy), Code::key_expired);
}

}  // namespace
}  // namespace fw::authority::verifier_test
