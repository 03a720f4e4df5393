#include "protocol/authority/verifier.hpp"

namespace fw::authority {

std::string_view to_string(Code code) {
  switch (code) {
    case Code::ok: return "ok";
    case Code::envelope_malformed: return "envelope-malformed";
    case Code::policy_expired: return "policy-expired";
    case Code::policy_paused: return "policy-paused";
    case Code::paused: return "paused";
    case Code::key_unknown: return "key-unknown";
    case Code::key_expired: return "key-expired";
    case Code::signature_bad: return "signature-bad";
    case Code::approval_malformed: return "approval-malformed";
    case Code::approval_other_plan: return "approval-other-plan";
    case Code::approval_person: return "approval-person";
    case Code::approval_not_yet_valid: return "approval-not-yet-valid";
    case Code::approval_expired: return "approval-expired";
    case Code::policy_version_other: return "policy-version-other";
    case Code::denied: return "denied";
    case Code::too_few_people: return "too-few-people";
    case Code::senior_missing: return "senior-missing";
    case Code::group_missing: return "group-missing";
    case Code::out_of_scope: return "out-of-scope";
    case Code::plan_malformed: return "plan-malformed";
    case Code::plan_invalid: return "plan-invalid";
    case Code::class_mismatch: return "class-mismatch";
    case Code::proposer_approved: return "proposer-approved";
    case Code::wrong_node: return "wrong-node";
    case Code::wrong_incarnation: return "wrong-incarnation";
    case Code::wrong_boot: return "wrong-boot";
    case Code::wrong_cluster: return "wrong-cluster";
    case Code::not_yet_valid: return "not-yet-valid";
    case Code::expired: return "expired";
    case Code::window_too_long: return "window-too-long";
    case Code::standing_malformed: return "standing-malformed";
    case Code::standing_not_covering: return "standing-not-covering";
    case Code::standing_not_now: return "standing-not-now";
    case Code::standing_used_up: return "standing-used-up";
    case Code::inclusion_missing: return "inclusion-missing";
    case Code::checkpoint_bad: return "checkpoint-bad";
    case Code::checkpoint_inconsistent: return "checkpoint-inconsistent";
    case Code::witnesses_missing: return "witnesses-missing";
    case Code::replayed: return "replayed";
    case Code::below_replay_floor: return "below-replay-floor";
    case Code::budget_used_up: return "budget-used-up";
    case Code::out_of_bounds: return "out-of-bounds";
    case Code::not_enabled: return "not-enabled";
    case Code::observe_only: return "observe-only";
    case Code::target_gone: return "target-gone";
    case Code::precondition_changed: return "precondition-changed";
    case Code::busy: return "busy";
    case Code::journal_failed: return "journal-failed";
    case Code::nothing_to_undo: return "nothing-to-undo";
    case Code::policy_malformed: return "policy-malformed";
    case Code::policy_invalid: return "policy-invalid";
    case Code::policy_older: return "policy-older";
    case Code::policy_gap: return "policy-gap";
    case Code::roots_too_few: return "roots-too-few";
    case Code::statement_malformed: return "statement-malformed";
    case Code::statement_old: return "statement-old";
    case Code::people_too_few: return "people-too-few";
    case Code::not_unknown: return "not-unknown";
  }
  return "unknown";
}

bool may_come_again(Code code) noexcept {
  switch (code) {
    // What the plan's own bytes, this node or a good denial decided stays so.
    case Code::ok:
    case Code::denied:
    case Code::plan_malformed:
    case Code::plan_invalid:
    case Code::class_mismatch:
    case Code::wrong_node:
    case Code::wrong_incarnation:
    case Code::wrong_boot:
    case Code::wrong_cluster:
    case Code::expired:
    case Code::window_too_long:
    case Code::replayed:
    case Code::below_replay_floor:
    case Code::out_of_bounds:
    case Code::not_enabled:
    case Code::observe_only:
    case Code::target_gone:
    case Code::precondition_changed:
    case Code::nothing_to_undo: return false;
    default: return true;
  }
}

}  // namespace fw::authority
