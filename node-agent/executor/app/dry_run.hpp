// `--dry-run`: what this node would say to an envelope, without a journal and without an effect.
#pragma once
#include <string>

#include "common/result.hpp"
#include "node-agent/executor/actions/host_actuator.hpp"
#include "protocol/authority/verifier.hpp"

namespace fw::executor {

struct DryRun {
  std::string text;        // lines for people, the last one is the verdict
  bool would_act = false;
};

// Signatures, people, scope, window and bounds, then the target and its preconditions on open handles. What only the journal knows (replay,
// budgets, denials, pause, incarnation) is not looked at.
DryRun dry_run(ByteView envelope, const authority::Policy& policy, const authority::NodeFacts& facts, authority::Actuator& actuator, std::int64_t now_ms);

}  // namespace fw::executor
