// Pause, resume, settle, new origin; and one person's denial.
#include "protocol/authority/verify_parts.hpp"

namespace fw::authority {
namespace {

using namespace verify;

Checked<std::vector<const Approver*>> signers_of(ByteView document, const std::vector<Signature>& signatures, const Policy& policy, const Instant& at) {
  std::vector<const Approver*> signers;
  for (const auto& signature : signatures) {
    const auto signer = signer_of(signature, Domain::statement, document, policy, at);
    if (!signer) return signer.error();
    signers.push_back(*signer);
  }
  return distinct_people(signers);
}

Problem check_count(std::size_t people, std::uint32_t needed, std::string_view what) {
  if (people >= needed) return {};
  return refuse(Code::people_too_few, "to ", what, " needs ", needed, " people, ", people, " signed: more people sign");
}

Problem check_version(const Statement& statement, const Policy& policy) {
  if (statement.policy_version == policy.version) return {};
  return refuse(Code::policy_version_other, "the statement is under policy version ", statement.policy_version, ", this node has version ",
                policy.version, ": sign it again under that");
}

Problem check_time(const Statement& statement, const Instant& at) {
  if (at.before(statement.issued_ms)) {
    return refuse(Code::not_yet_valid, "the statement is dated ", time_text(statement.issued_ms), ", this node's clock says ", time_text(at.now_ms()),
                  ": compare the clocks and send it again");
  }
  if (at.after(statement.expires_ms)) {
    return refuse(Code::statement_old, "the statement ended at ", time_text(statement.expires_ms), ", it is ", time_text(at.latest_ms()), ": sign it again");
  }
  const auto life_ms = max_life_ms(statement);
  if (statement.issued_ms < statement.expires_ms - life_ms) {   // its end is not far in the past, so this has a value
    return refuse(Code::window_too_long, "the statement is from ", time_text(statement.issued_ms), " to ", time_text(statement.expires_ms),
                  ", it may live for ", life_ms / 1000, " s: sign a new one");
  }
  return {};
}

Problem check_resume(const Statement& statement, const std::vector<const Approver*>& people, const Policy& policy, const Memory& memory) {
  if (auto problem = check_version(statement, policy)) return problem;
  // A resume that was sent again must not end a pause that came after it.
  if (statement.issued_ms <= memory.newest_pause_ms) {
    return refuse(Code::statement_old, "the resume is dated ", time_text(statement.issued_ms), ", the newest pause ", time_text(memory.newest_pause_ms),
                  ": sign a new resume");
  }
  return check_count(people.size(), std::max<std::uint32_t>(1, policy.resume_threshold), "resume");
}

Problem check_settle(const Statement& statement, const Settle& settle, const std::vector<const Approver*>& people, const Policy& policy,
                     const Memory& memory) {
  if (auto problem = check_version(statement, policy)) return problem;
  const auto unknown = memory.unknown_plans.find(settle.plan);
  if (unknown == memory.unknown_plans.end()) {
    return refuse(Code::not_unknown, "plan ", short_text(settle.plan), " is not in doubt on this node: nothing to settle");
  }
  const auto may = std::count_if(people.begin(), people.end(), [&](const auto* person) { return person->scope.max_class >= unknown->second; });
  return check_count(static_cast<std::size_t>(may), 1, "settle a plan of that class");
}

Problem check_origin(const Statement& statement, const NewOrigin& body, ByteView document, const std::vector<Signature>& signatures,
                     const Policy& policy, const Memory& memory) {
  if (auto problem = check_roots(Domain::statement, document, signatures, policy)) return problem;
  if (auto problem = check_version(statement, policy)) return problem;
  if (body.old_origin != memory.log_origin || body.origin == memory.log_origin) {
    return refuse(Code::statement_old, "the statement replaces the log ", body.old_origin, " by ", body.origin, ", this node follows ", memory.log_origin,
                  ": sign one that starts there");
  }
  const auto& seen = memory.checkpoint;
  if (seen && seen->size == body.old_size && seen->root != body.old_root) {
    return refuse(Code::checkpoint_inconsistent, "the statement names a head of size ", body.old_size,
                  " of another history than this node has seen: run fleetwright audit verify and compare the nodes' checkpoints");
  }
  return {};
}

Problem check_body(const Statement& statement, ByteView document, const std::vector<Signature>& signatures, const std::vector<const Approver*>& people,
                   const Policy& policy, const Memory& memory) {
  if (const auto* settle = std::get_if<Settle>(&statement.body)) return check_settle(statement, *settle, people, policy, memory);
  if (const auto* origin = std::get_if<NewOrigin>(&statement.body)) return check_origin(statement, *origin, document, signatures, policy, memory);
  if (std::holds_alternative<Resume>(statement.body)) return check_resume(statement, people, policy, memory);
  return check_count(people.size(), 1, "pause");
}

}  // namespace

StatementVerdict verify_statement(ByteView document, const std::vector<Signature>& signatures, const Policy& policy, const Memory& memory,
                                  std::int64_t now_ms) {
  const auto refused = [](Refusal refusal) { return StatementVerdict{std::nullopt, {}, std::move(refusal)}; };
  const Instant at(now_ms, memory.time_floor_ms, policy.time_skew_ms);
  if (signatures.size() > kMaxVotes) {
    return refused(refuse(Code::statement_malformed, "the statement has ", signatures.size(), " signatures; the limit is ", kMaxVotes, ": send fewer"));
  }
  auto statement = parse_statement(document);
  if (!statement) return refused(refuse(Code::statement_malformed, "the statement cannot be read (", statement.error().message(), "): sign it again"));
  if (auto problem = check_time(*statement, at)) return refused(*problem);
  std::vector<const Approver*> people;
  if (!std::holds_alternative<NewOrigin>(statement->body)) {   // that one is the roots' alone
    auto signers = signers_of(document, signatures, policy, at);
    if (!signers) return refused(signers.error());
    people = std::move(*signers);
  }
  if (auto problem = check_body(*statement, document, signatures, people, policy, memory)) return refused(*problem);
  StatementVerdict verdict{std::move(*statement), {}, {}};
  for (const auto* person : people) verdict.people.push_back(person->person);
  return verdict;
}

DenialVerdict verify_denial(const Vote& vote, const Policy& policy, std::int64_t now_ms) {
  const Instant at(now_ms, now_ms, policy.time_skew_ms);
  auto ballot = read_ballot(vote, policy, at);
  if (!ballot) return {std::nullopt, ballot.error()};
  if (ballot->approval.decision != Decision::deny) {
    return {std::nullopt, refuse(Code::approval_malformed, ballot->voter->person.str(), " approves plan ", short_text(ballot->approval.plan),
                                 " here and does not deny it: send it with the plan")};
  }
  if (auto problem = check_ballot_time(*ballot, at)) return {std::nullopt, std::move(*problem)};
  return {std::move(ballot->approval), {}};
}

}  // namespace fw::authority
