// What can be read of it.
#include <algorithm>

#include "aggregator/governance/impl.hpp"
#include "protocol/authority/catalogue.hpp"

namespace fw::governance {
namespace {

std::string days_left(std::int64_t end_ms, std::int64_t now_ms) {
  const std::int64_t days = (end_ms - now_ms) / (24LL * 3600 * 1000);
  return end_ms <= now_ms ? "has run out" : days == 0 ? "runs out within a day" : "runs out in " + std::to_string(days) + (days == 1 ? " day" : " days");
}

}  // namespace

const PlanRecord* Core::find(const authority::Digest& plan) const {
  const auto at = impl_->plans.find(plan);
  return at == impl_->plans.end() ? nullptr : &at->second;
}

Result<const PlanRecord*> Core::find_prefix(std::string_view hex) const {
  constexpr std::size_t kLeast = 8;
  if (hex.starts_with("sha256:")) hex.remove_prefix(7);
  if (hex.size() < kLeast || hex.size() > 64 || hex.find_first_not_of("0123456789abcdef") != std::string_view::npos) {
    return Error(Errc::invalid_argument, "a plan is named by at least 8 of its 64 hex digits");
  }
  const PlanRecord* found = nullptr;
  for (const auto& [digest, plan] : impl_->plans) {
    if (!digest_text(digest).starts_with(hex)) continue;
    if (found != nullptr) return Error(Errc::conflict, std::string(hex) + " names several plans: give more of its digits");
    found = &plan;
  }
  if (found == nullptr) return Error(Errc::not_found, "no plan " + std::string(hex));
  return found;
}

std::vector<const PlanRecord*> Core::plans(const Uuid& incident) const {
  std::vector<const PlanRecord*> found;
  for (const auto& [digest, plan] : impl_->plans) {
    if (incident.is_nil() || plan.incident == incident) found.push_back(&plan);
  }
  std::sort(found.begin(), found.end(), [](const PlanRecord* a, const PlanRecord* b) {
    return a->created_ns != b->created_ns ? a->created_ns > b->created_ns : a->digest < b->digest;
  });
  return found;
}

const PlanRecord* Core::newest_plan(const Uuid& incident) const {
  const PlanRecord* newest = nullptr;
  for (const auto& [digest, plan] : impl_->plans) {
    if (plan.incident == incident && (newest == nullptr || plan.created_ns > newest->created_ns)) newest = &plan;
  }
  return newest;
}

authority::Progress Core::progress(const PlanRecord& plan) const {
  const authority::Policy* in_force = impl_->policy_of(plan.plan.target.node);
  if (in_force == nullptr) return {};
  std::optional<authority::SignedStanding> standing;
  if (const auto digest = authority::parse_digest(plan.standing)) {
    if (const auto at = impl_->documents.find(*digest); at != impl_->documents.end()) standing = {at->second.document, at->second.signatures};
  }
  const auto votes = plan.release ? impl_->released_votes(plan) : impl_->good_votes(plan, *in_force);
  return authority::count_votes(plan.document, votes, standing, *in_force, impl_->now_ms());
}

std::string Core::state_text(const PlanRecord& plan) const {
  switch (plan.state) {
    case PlanState::proposed: {
      const authority::Progress have = progress(plan);
      const auto needed = std::max<std::size_t>(have.needed, 1);
      std::string text;
      if (have.people.size() < needed) {
        text = "waits for " + std::to_string(needed - have.people.size()) + " of " + std::to_string(needed) + " approvals";
      } else if (have.seniors < have.seniors_needed) {
        text = "waits for a senior";
      } else if (!have.groups_missing.empty()) {
        text = "waits for somebody of group " + have.groups_missing.front();
      } else {
        text = "waits for one approval";
      }
      return plan.standing.empty() ? text : text + " (a night pass covers it)";
    }
    case PlanState::approved: return "approved; its release goes into the audit log";
    case PlanState::released: {
      const auto at = impl_->executors.find(plan.plan.target.node);
      const bool there = at != impl_->executors.end() && at->second.connected;
      if (there && !plan.refusals.empty()) return "released; the node says: " + plan.refusals.back().sentence;
      return there ? "released; on its way to the node" : "released; the node's executor is not connected";
    }
    case PlanState::verified: return "the node has verified it";
    case PlanState::claimed: return "the node is doing it";
    case PlanState::done: return plan.fixed ? "done; the symptom is gone" : "done; the symptom is watched";
    case PlanState::unknown: return "not known whether it happened: a person settles it";
    case PlanState::failed: return "failed: " + plan.ended_because;
    case PlanState::rolled_back: return plan.ended_because.empty() ? "rolled back" : "rolled back: " + plan.ended_because;
    case PlanState::refused:
    case PlanState::expired:
    case PlanState::denied:
    case PlanState::superseded: return plan.ended_because;
  }
  return {};
}

std::vector<const DocumentRecord*> Core::documents(DocumentKind kind) const {
  std::vector<const DocumentRecord*> found;
  for (const auto& [digest, record] : impl_->documents) {
    if (record.kind == kind) found.push_back(&record);
  }
  std::sort(found.begin(), found.end(), [](const DocumentRecord* a, const DocumentRecord* b) {
    const bool ga = a->state == DocumentState::gathering, gb = b->state == DocumentState::gathering;
    if (ga != gb) return ga;
    return a->time_ns != b->time_ns ? a->time_ns > b->time_ns : a->digest < b->digest;
  });
  return found;
}

const DocumentRecord* Core::find_document(const authority::Digest& digest) const {
  const auto at = impl_->documents.find(digest);
  return at == impl_->documents.end() ? nullptr : &at->second;
}

const DocumentRecord* Core::policy() const { return impl_->newest_policy(); }

std::vector<const ExecutorState*> Core::executors() const {
  std::vector<const ExecutorState*> all;
  for (const auto& [node, executor] : impl_->executors) all.push_back(&executor);
  return all;
}

std::vector<std::string> Core::warnings() const {
  std::vector<std::string> all;
  const std::int64_t now_ms = impl_->now_ms(), soon_ms = now_ms + impl_->config.warn_before.count() / kNsPerMs;
  if (const std::string why = problem(); enabled() && !why.empty()) all.push_back(why);
  if (const authority::Policy* newest = impl_->policy()) {
    if (newest->not_after_ms < soon_ms) all.push_back("policy version " + std::to_string(newest->version) + " " + days_left(newest->not_after_ms, now_ms));
    for (const authority::Approver& approver : newest->approvers) {
      if (approver.not_after_ms != 0 && approver.not_after_ms < soon_ms) all.push_back("the right of " + approver.person.str() + " to approve " + days_left(approver.not_after_ms, now_ms));
    }
    if (newest->paused) all.push_back("the policy says pause: nothing of class 1 or higher begins");
  }
  for (const auto& [digest, record] : impl_->documents) {
    const auto* standing = std::get_if<authority::StandingApproval>(&record.parsed);
    if (standing == nullptr || record.state != DocumentState::active) continue;
    if (standing->not_after_ms < soon_ms) all.push_back("standing approval " + standing->name + " " + days_left(standing->not_after_ms, now_ms));
    if (standing->policy_version != impl_->policy_version()) all.push_back("standing approval " + standing->name + " is under an older policy: sign it again");
  }
  for (const auto& [node, executor] : impl_->executors) {
    if (!executor.problem.empty()) all.push_back("node " + node.str() + ": " + executor.problem);
    if (!executor.status.journal_problem.empty()) all.push_back("node " + node.str() + ": its journal fails: " + executor.status.journal_problem);
  }
  return all;
}

const std::string& Core::checkpoint() const { return impl_->note; }
std::uint64_t Core::log_size() const noexcept { return impl_->log_size; }
std::string Core::log_origin() const { return impl_->origin(); }

std::optional<ContinueAs> Core::log_continuation() const {
  const authority::NewOrigin* moved = impl_->newest_origin();
  if (moved == nullptr) return std::nullopt;
  return ContinueAs{.origin = moved->origin, .old_origin = moved->old_origin, .old_size = moved->old_size, .old_root = moved->old_root};
}

const CoreStats& Core::stats() const noexcept { return impl_->stats; }

std::optional<std::int64_t> Core::next_deadline_ns() const {
  const Impl& c = *impl_;
  std::optional<std::int64_t> next;
  const auto at = [&](std::int64_t time_ns) { next = next ? std::min(*next, time_ns) : time_ns; };
  if (!c.writing.empty() && !c.in_flight) at(c.retry_ns);
  if (!c.waiting.empty() && c.log_open && !c.sequencing && c.log_problem.empty()) at(c.urgent ? c.mono_ns() : c.sequenced_ns + c.config.checkpoint_every.count());
  for (const auto& [digest, delivery] : c.deliveries) {
    if (!delivery.proof_asked) at(std::max(delivery.resend.next_ns, c.mono_ns() + kNsPerMs));
  }
  const bool waits = std::any_of(c.plans.begin(), c.plans.end(), [](const auto& plan) {
    return !is_finished(plan.second.state) || (plan.second.state == PlanState::done && !plan.second.fixed);
  });
  if (waits || !c.executors.empty()) at(c.mono_ns() + kNsPerSecond);
  return next;
}

}  // namespace fw::governance
