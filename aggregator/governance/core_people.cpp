// What people do with plans.
#include <algorithm>

#include "aggregator/governance/impl.hpp"
#include "protocol/authority/catalogue.hpp"

namespace fw::governance {

using authority::Code;
using authority::Decision;

namespace {

constexpr std::size_t kMostVotes = 32;               // kept of one plan, denials and stale ones included

Errc errc_of(Code code) {
  switch (code) {
    case Code::key_unknown:
    case Code::key_expired:
    case Code::signature_bad:
    case Code::approval_person:
    case Code::out_of_scope:
    case Code::proposer_approved: return Errc::permission;
    case Code::approval_malformed:
    case Code::plan_malformed:
    case Code::policy_malformed:
    case Code::statement_malformed:
    case Code::standing_malformed: return Errc::malformed;
    default: return Errc::conflict;
  }
}

}  // namespace

Reply Core::Impl::refuse(Errc errc, std::string code, std::string sentence, PlanRecord* plan) {
  ++stats.refused_total;
  if (plan != nullptr) add_event(*plan, Refused{code, sentence});
  Reply reply;
  reply.errc = errc;
  reply.code = std::move(code);
  reply.sentence = std::move(sentence);
  return reply;
}

Reply Core::Impl::refuse(const authority::Refusal& refusal, PlanRecord* plan) {
  return refuse(errc_of(refusal.code), std::string(authority::to_string(refusal.code)), refusal.sentence, plan);
}

Reply Core::Impl::vote(const authority::Digest& digest, authority::Vote vote, const Caller& caller) {
  if (auto reply = not_now()) return *reply;
  const auto at = plans.find(digest);
  if (at == plans.end()) return refuse(Errc::not_found, "no-such-plan", "no plan " + digest_text(digest));
  PlanRecord& plan = at->second;
  // A failed approval is an entry too, but whoever floods the log with them is cut off.
  const auto bad = [&](const authority::Refusal& refusal) {
    record("plan.vote_refused", caller, digest_text(digest), authority::to_string(refusal.code), refusal.sentence);
    if (plan.refusals.size() < PlanRecord::kMostRefusals) return refuse(refusal, &plan);
    return refuse(refusal);
  };
  auto approval = authority::parse_approval(vote.document);
  if (!approval) return bad({Code::approval_malformed, "the approval cannot be read (" + approval.error().message() + "): approve again"});
  if (approval->person != caller.person) {
    return bad({Code::approval_person, "the approval names " + approval->person.str() + " and was sent by " + caller.person.str() + ": each person sends their own"});
  }
  const authority::Digest document = authority::document_digest(authority::Domain::approval, vote.document);
  for (const VoteRecord& known : plan.votes) {
    if (known.document == document) return {.subject = digest, .ticket = ticket()};      // a retry
  }
  const authority::Policy& in_force = *policy_of(plan.plan.target.node);
  const bool approves = approval->decision == Decision::approve;
  if (approves) {
    if (!awaits_people(plan.state)) {
      return refuse(Errc::conflict, "not-open", "plan " + short_digest(digest) + " is " + std::string(to_string(plan.state)) + ": it takes no approvals");
    }
    const authority::Progress alone = authority::count_votes(plan.document, {vote}, std::nullopt, in_force, now_ms());
    if (!alone.bad.empty()) return bad(alone.bad.front());
    const bool again = std::any_of(plan.votes.begin(), plan.votes.end(), [&](const VoteRecord& known) {
      return known.approval.person == approval->person && known.approval.decision == Decision::approve &&
             authority::count_votes(plan.document, {known.vote}, std::nullopt, in_force, now_ms()).bad.empty();
    });
    if (again) return refuse(Errc::conflict, "voted-already", approval->person.str() + " approved this plan already");
  } else {
    const authority::DenialVerdict verdict = authority::verify_denial(vote, in_force, now_ms());
    if (!verdict.denial) return bad(verdict.refusal);
    if (verdict.denial->plan != digest) return bad({Code::approval_other_plan, "the denial is for another plan: deny this one"});
    if (is_finished(plan.state) || plan.state == PlanState::claimed || plan.state == PlanState::unknown) {
      return refuse(Errc::conflict, "not-open", "plan " + short_digest(digest) + " is " + std::string(to_string(plan.state)) + ": a denial comes too late");
    }
  }
  if (plan.votes.size() >= kMostVotes) return refuse(Errc::conflict, "too-many-votes", "this plan has too many votes: propose it again");
  ++stats.votes_total;
  next.votes.push_back({.plan = digest_text(digest), .document = std::string(vote.document.begin(), vote.document.end()),
                        .key = digest_text(vote.signature.key), .algorithm = static_cast<int>(vote.signature.algorithm),
                        .signature = std::string(vote.signature.bytes.begin(), vote.signature.bytes.end()), .time_ns = now_ns()});
  Voted voted{.person = approval->person.str(), .decision = approval->decision, .reason = approval->reason};
  const bool on_its_way = plan.state == PlanState::released || plan.state == PlanState::verified;
  plan.votes.push_back({.vote = vote, .approval = std::move(*approval), .document = document, .time_ns = now_ns()});
  add_event(plan, std::move(voted));
  if (approves) {
    try_release(plan);
  } else if (on_its_way) {
    deliveries[digest].denials.push_back(std::move(vote));   // the node may have the plan: it hears of the denial until it answers
    deliveries[digest].resend.next_ns = 0;
  }
  return {.subject = digest, .ticket = ticket()};
}

Reply Core::Impl::propose_edit(const authority::Digest& replaces, ByteView document, std::uint8_t action_class, const Caller& caller) {
  if (auto reply = not_now()) return *reply;
  const auto at = plans.find(replaces);
  if (at == plans.end()) return refuse(Errc::not_found, "no-such-plan", "no plan " + digest_text(replaces));
  auto edited = authority::parse_plan(document);
  if (!edited) return refuse({Code::plan_malformed, "the plan cannot be read (" + edited.error().message() + ")"});
  if (edited->proposer != authority::Proposer::person || edited->person != caller.person) {
    return refuse(Errc::permission, "proposer-other", "the proposer of an edited plan is who sends it");
  }
  if (authority::class_of(*edited) != action_class) return refuse({Code::class_mismatch, "the plan is of class " + std::to_string(authority::class_of(*edited))});
  if (const auto problems = authority::check_plan(*edited); !problems.empty()) return refuse({Code::plan_invalid, problems.front()});
  const authority::Digest digest = authority::plan_digest(action_class, document);
  if (plans.contains(digest)) return {.subject = digest, .ticket = ticket()};            // a retry
  PlanRecord& original = at->second;
  if (!awaits_people(original.state)) {
    return refuse(Errc::conflict, "not-open", "plan " + short_digest(replaces) + " is " + std::string(to_string(original.state)) + ": it cannot be edited");
  }
  if (const std::string why = edit_problem(original, *edited); !why.empty()) return refuse(Errc::conflict, "out-of-safe-range", why);
  const std::int64_t window = edited->not_after_ms - edited->not_before_ms;
  if (edited->not_after_ms <= now_ms() || window > authority::kMaxValidityMs) return refuse({Code::plan_invalid, "the window is over or longer than 24 hours"});
  PlanFacts facts = original.facts;
  facts.proposed_by = caller.person.str();
  const PlanRecord& added = add_plan(std::move(*edited), std::move(facts), original.incident, original.incident_number);
  add_event(plans.at(replaces), Superseded{.by = digest_text(added.digest), .why = caller.person.str() + " edited it"});
  return {.subject = added.digest, .ticket = ticket()};
}

Reply Core::Impl::propose_follow_up(const authority::Digest& of, std::optional<std::uint64_t> extend_ms, const Caller& caller) {
  if (auto reply = not_now()) return *reply;
  const auto at = plans.find(of);
  if (at == plans.end()) return refuse(Errc::not_found, "no-such-plan", "no plan " + digest_text(of));
  const PlanRecord& plan = at->second;
  const bool acted = plan.state == PlanState::done || (plan.state == PlanState::failed && plan.outcome && !plan.outcome->rolled_back);
  if (!acted) {
    return refuse({Code::nothing_to_undo, "plan " + short_digest(of) + " is " + std::string(to_string(plan.state)) + ": there is nothing to undo or extend"});
  }
  if (extend_ms && authority::ttl_ms(plan.plan.action) == 0) return refuse(Errc::conflict, "kept", "plan " + short_digest(of) + " is kept: it has no end to move");
  for (const auto& [digest, other] : plans) {                // one question at a time
    const auto* undo = std::get_if<authority::Undo>(&other.plan.action);
    if (!extend_ms && undo != nullptr && undo->plan == of && !is_finished(other.state)) return {.subject = digest, .ticket = ticket()};
    const auto* extend = std::get_if<authority::Extend>(&other.plan.action);
    if (!extend_ms || extend == nullptr || extend->plan != of || is_finished(other.state)) continue;
    if (extend->ttl_ms == *extend_ms) return {.subject = digest, .ticket = ticket()};
    return refuse(Errc::conflict, "extend-open", "plan " + short_digest(digest) + " extends it already and is " + std::string(to_string(other.state)) +
                                                     ": approve or deny that one first");
  }
  // Whoever asks for it may also approve it: undo never needs more people than the action did, so the engine is its proposer.
  NewPlan made = extend_ms ? extension_of(plan, *extend_ms, caller.person, setting(plan.plan.target.node, 1))
                           : undo_of(plan, nullptr, setting(plan.plan.target.node, 1));
  if (extend_ms) {
    made.plan.proposer = authority::Proposer::engine;
    made.plan.person = {};
  }
  made.facts.proposed_by = caller.person.str();
  if (const auto problems = authority::check_plan(made.plan); !problems.empty()) return refuse({Code::plan_invalid, problems.front()});
  const PlanRecord& added = add_plan(std::move(made.plan), std::move(made.facts), plan.incident, plan.incident_number);
  return {.subject = added.digest, .ticket = ticket()};
}

// At most so many a minute: nobody fills the log by knocking. What was left out is counted in the next entry.
void Core::Impl::record(std::string_view verb, const Caller& caller, std::string_view object, std::string_view code, std::string_view detail) {
  const std::int64_t minute = now_ns() / (60 * kNsPerSecond);
  if (minute != free_minute) {
    free_minute = minute;
    free_entries = 0;
  }
  if (++free_entries > config.free_audit_per_minute) {
    ++free_hidden;
    return;
  }
  audit::Entry entry;
  entry.time_ms = now_ms();
  entry.verb = verb;
  const bool person = !caller.person.subject.empty();
  entry.actor = {.kind = person ? "person" : "anonymous", .name = person ? caller.person.str() : caller.address, .key = ""};
  entry.object = {.type = "call", .id = std::string(object)};
  entry.code = code;
  if (!detail.empty()) entry.detail.emplace_back("sentence", std::string(detail));
  if (person && !caller.address.empty()) entry.detail.emplace_back("address", caller.address);
  if (free_hidden > 0) entry.detail.emplace_back("leftOutBefore", std::int64_t{std::exchange(free_hidden, 0)});
  add_audit(entry);
}

}  // namespace fw::governance
