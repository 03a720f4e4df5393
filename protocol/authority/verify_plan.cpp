// The order of checks, C1.5 of the design: one line each in verify_plan. Nothing is remembered between them but what they found.
#include "protocol/authority/verify_parts.hpp"

namespace fw::authority {
namespace {

using namespace verify;

class Review {
 public:
  Review(const Envelope& envelope, const Policy& policy, const NodeFacts& facts, const Memory& memory, std::int64_t now_ms)
      : envelope_(envelope), policy_(policy), facts_(facts), memory_(memory), at_(now_ms, memory.time_floor_ms, policy.time_skew_ms) {
    found_.action_class = envelope.action_class;
  }

  Problem layout() {
    const auto standing_signatures = envelope_.standing ? envelope_.standing->signatures.size() : 0;
    if (envelope_.plan.size() > kMaxPlanBytes || envelope_.votes.size() > kMaxVotes || standing_signatures > kMaxVotes) {
      return refuse(Code::envelope_malformed, "the envelope has ", envelope_.plan.size(), " bytes of plan, ", envelope_.votes.size(), " votes and ",
                    standing_signatures, " signatures of a standing approval; the limits are ", kMaxPlanBytes, ", ", kMaxVotes, " and ", kMaxVotes,
                    ": send fewer");
    }
    found_.digest = plan_digest(envelope_.action_class, envelope_.plan);
    const auto rule = rule_of(policy_, envelope_.action_class);
    if (!rule) return rule.error();
    rule_ = *rule;
    return {};
  }

  Problem policy_in_force() {
    if (!acts()) return {};
    if (at_.after(policy_.not_after_ms)) {
      return refuse(Code::policy_expired, "policy version ", policy_.version, " ended at ", time_text(policy_.not_after_ms), ", it is ",
                    time_text(at_.latest_ms()), ": sign a new version (fleetwright policy sign)");
    }
    if (policy_.paused) {
      return refuse(Code::policy_paused, "policy version ", policy_.version, " pauses all actions: sign a version that does not");
    }
    if (memory_.paused) return refuse(Code::paused, "all actions are paused: resume them first (fleetwright resume)");
    return {};
  }

  Problem votes() {
    for (const auto& vote : envelope_.votes) {
      auto ballot = read_ballot(vote, policy_, at_);
      if (!ballot) return ballot.error();
      if (auto problem = check_ballot(*ballot, found_.digest, policy_, at_)) return problem;
      found_.newest_signed_ms = std::max(found_.newest_signed_ms, ballot->approval.issued_ms);
      people_.push_back(ballot->voter);
      ballots_.push_back(std::move(*ballot));
    }
    return {};
  }

  Problem standing() {
    if (!envelope_.standing) return {};
    auto read = read_standing(*envelope_.standing, policy_, at_);
    if (!read) return read.error();
    if (read->approval.trigger == Trigger::one_approver && ballots_.empty()) {
      return refuse(Code::too_few_people, "standing approval ", read->approval.name, " needs one approval for each use, none is there: one person approves");
    }
    people_.insert(people_.end(), read->signers.begin(), read->signers.end());
    found_.standing = read->digest;
    standing_ = std::move(*read);
    return {};
  }

  Problem enough_people() {
    people_ = distinct_people(people_);
    return check_people(people_, rule_);
  }

  Problem plan() {
    auto plan = parse_plan(envelope_.plan);
    if (!plan) return refuse(Code::plan_malformed, "the plan cannot be read (", plan.error().message(), "): propose it again");
    found_.plan = std::move(*plan);
    if (const auto broken = check_plan(found_.plan); !broken.empty()) {
      return refuse(Code::plan_invalid, "the plan breaks a rule. ", joined(broken, " "), " Propose it again.");
    }
    return {};
  }

  Problem computed_class() {
    const auto computed = class_of(found_.plan);
    if (computed == found_.action_class) return {};
    return refuse(Code::class_mismatch, "the plan is of class ", computed, " and was sent as class ", found_.action_class, ": propose it again");
  }

  Problem proposer() {
    if (auto problem = check_proposer(found_.plan, ballots_)) return problem;
    people_ = without_proposer(std::move(people_), found_.plan);
    return check_people(people_, rule_);
  }

  Problem scopes() {
    for (const auto* person : people_) {
      if (auto problem = check_scope(*person, found_.action_class, place())) return problem;
      found_.people.push_back(person->person);
    }
    if (!standing_) return {};
    for (const auto* signer : standing_->signers) {
      if (auto problem = check_scope(*signer, standing_->approval.max_class, place())) return problem;
    }
    return check_covers(standing_->approval, found_.plan, found_.action_class, place());
  }

  Problem target() {
    const auto& target = found_.plan.target;
    if (target.node != facts_.node) {
      return refuse(Code::wrong_node, "the plan is for node ", target.node.str(), ", this is ", facts_.node.str(), ": send it there");
    }
    if (target.incarnation != facts_.incarnation) {
      return refuse(Code::wrong_incarnation, "the plan was made before this node's journal was: propose it again");
    }
    if (target.boot && *target.boot != facts_.boot) {
      return refuse(Code::wrong_boot, "the plan is for boot ", target.boot->str(), ", the node booted again since: propose it again");
    }
    if (target.cluster != facts_.cluster) {
      return refuse(Code::wrong_cluster, "the plan is for cluster '", target.cluster, "', this node is in '", facts_.cluster,
                    "': propose it again, or correct node.cluster in executor.yaml");
    }
    return {};
  }

  Problem window() {
    const auto begin_ms = found_.plan.not_before_ms, end_ms = found_.plan.not_after_ms;
    if (end_ms - begin_ms > rule_.max_validity_ms) {
      return refuse(Code::window_too_long, "the plan may be done for ", (end_ms - begin_ms) / 1000, " s, class ", rule_.action_class, " allows ",
                    rule_.max_validity_ms / 1000, " s: propose it with a shorter window");
    }
    if (at_.before(begin_ms)) {
      return refuse(Code::not_yet_valid, "the plan begins at ", time_text(begin_ms), ", this node's clock says ", time_text(at_.now_ms()),
                    ": it comes again then");
    }
    if (at_.after(end_ms)) {
      return refuse(Code::expired, "the plan ended at ", time_text(end_ms), ", it is ", time_text(at_.latest_ms()), ": propose it again");
    }
    return {};
  }

  Problem inclusion() {
    if (!acts() && !rule_.require_inclusion && envelope_.proof == LogProof{}) return {};   // a proof that is there must be good
    const auto head = check_inclusion(envelope_, policy_, memory_);
    if (!head) return head.error();
    found_.checkpoint = *head;
    return {};
  }

  Problem replay() {
    if (memory_.known_plans.contains(found_.digest)) {
      return refuse(Code::replayed, "plan ", short_text(found_.digest), " is in this node's journal already: ask for its outcome (fleetwright plan show)");
    }
    if (memory_.denied_plans.contains(found_.digest)) {
      return refuse(Code::denied, "plan ", short_text(found_.digest), " was denied: propose another");
    }
    if (found_.plan.not_after_ms <= memory_.replay_floor_ms) {
      return refuse(Code::below_replay_floor, "the plan ended at ", time_text(found_.plan.not_after_ms), ", this node forgot what ended until ",
                    time_text(memory_.replay_floor_ms), ": propose it again");
    }
    return {};
  }

  Problem limits() {
    if (auto problem = check_bounds(found_.plan, policy_)) return problem;
    if (auto problem = check_budgets(found_.plan, policy_, memory_, at_)) return problem;
    return standing_ ? check_rate(*standing_, memory_, at_) : Problem{};
  }

  Problem enabled() { return check_enabled(found_.plan, found_.action_class, policy_, facts_); }

  Approved take() { return std::move(found_); }

 private:
  bool acts() const noexcept { return envelope_.action_class >= 1; }
  Place place() const { return {facts_.cluster, found_.plan.target.name_space, &facts_.labels}; }

  const Envelope& envelope_;
  const Policy& policy_;
  const NodeFacts& facts_;
  const Memory& memory_;
  const Instant at_;
  Approved found_;
  ClassRule rule_;
  std::vector<Ballot> ballots_;
  std::optional<Standing> standing_;
  std::vector<const Approver*> people_;
};

}  // namespace

Verdict verify_plan(const Envelope& envelope, const Policy& policy, const NodeFacts& facts, const Memory& memory, std::int64_t now_ms) {
  static constexpr Problem (Review::*kOrder[])() = {
      &Review::layout,
      &Review::policy_in_force,
      &Review::votes,
      &Review::standing,
      &Review::enough_people,
      &Review::plan,            // parsed only now, when its signatures are known to be good
      &Review::computed_class,
      &Review::proposer,
      &Review::scopes,
      &Review::target,
      &Review::window,
      &Review::inclusion,
      &Review::replay,
      &Review::limits,
      &Review::enabled,
  };
  Review review(envelope, policy, facts, memory, now_ms);
  for (const auto check : kOrder) {
    if (auto problem = (review.*check)()) return {std::nullopt, std::move(*problem)};
  }
  return {review.take(), {}};
}

std::vector<std::string> uses_of(const Approved& approved) {
  std::vector<std::string> uses{std::string(info_of(approved.plan.action).name)};
  if (!approved.plan.budget.empty() && approved.plan.budget != uses.front()) uses.push_back(approved.plan.budget);
  if (approved.standing) uses.push_back(to_text(*approved.standing));
  return uses;
}

}  // namespace fw::authority
