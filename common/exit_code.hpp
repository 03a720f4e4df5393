// One table of exit codes for all programs (docs/exit-codes.md, `fleetwright help exit-codes`).
#pragma once

namespace fw {

enum class ExitCode : int {
  ok = 0,
  failure = 1,
  usage = 2,        // wrong usage or configuration
  unprivileged = 3, // a kernel feature or privilege is missing
  needs_approvers = 4,
  plan_changed = 5,     // changed, expired or superseded
  not_authorised = 6,
  differs = 7,          // `--exit-code` and check verbs: there is something
  audit_tampered = 10,
  audit_forked = 11,
  quorum_missing = 12,
  stale = 13,
  interrupted = 130,
};

constexpr int to_int(ExitCode code) noexcept { return static_cast<int>(code); }

}  // namespace fw
