// What acts on the world and answers questions about it. The real one is node-agent/executor/actions; the simulator counts effects.
#pragma once
#include <memory>
#include <string>

#include "protocol/authority/documents.hpp"

namespace fw::authority {

inline constexpr std::size_t kMaxSnapshotBytes = 4096;

// One open object: every method works on handles that were opened once, so what was checked is what is acted on.
// Errors: Errc::gone (the object ended), Errc::permission, Errc::unsupported, Errc::io. Of apply(), finish() and restore(): only after
// Errc::io may anything have been done.
// Undo and extend never come here: the executor opens the plan that they name.
class OpenTarget {
 public:
  virtual ~OpenTarget() = default;
  virtual std::string identity() const = 0;                     // for evidence: "/shop/checkout inode 4711"
  virtual Result<std::int64_t> read(Probe probe) = 0;
  // What restore() needs, before apply(); at most kMaxSnapshotBytes, which stay in the journal. Empty: there is nothing to restore.
  virtual Result<Bytes> snapshot() = 0;
  virtual Result<std::string> apply() = 0;                      // the plan's action, by the narrowest call; what was read after it
  // kill_process with grace_ms: apply() was the polite part; this is the end, called once more when the grace is over and process_alive is
  // still 1, after a restart of the program on a target that was opened again. No other action has it.
  virtual Result<std::string> finish() { return apply(); }
  // After a crash or Errc::io: whether the effect is there. snapshot: what snapshot() gave before it. Errc::unsupported: cannot be told.
  virtual Result<bool> happened(ByteView snapshot) = 0;
  virtual Result<std::string> restore(ByteView snapshot) = 0;   // idempotent; what was read after it
};

class Actuator {
 public:
  virtual ~Actuator() = default;
  // By the steadiest identity that the plan names. Errc::gone when there is no such object now, Errc::conflict when there are several.
  virtual Result<std::unique_ptr<OpenTarget>> open(const Plan& plan) = 0;
};

}  // namespace fw::authority
