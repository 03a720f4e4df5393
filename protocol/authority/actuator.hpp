// What acts on the world and answers questions about it. The real one is node-agent/executor/actions; the simulator counts effects.
#pragma once
#include <memory>
#include <string>

#include "protocol/authority/documents.hpp"

namespace fw::authority {

// One open object: every method works on handles that were opened once, so what was checked is what is acted on.
// Errors: Errc::gone (the object ended), Errc::permission, Errc::unsupported, Errc::io.
class OpenTarget {
 public:
  virtual ~OpenTarget() = default;
  virtual std::string identity() const = 0;                     // for evidence: "/shop/checkout inode 4711"
  virtual Result<std::int64_t> read(Probe probe) = 0;
  // What restore() needs, before apply(). Bytes stay in the journal.
  virtual Result<Bytes> snapshot() = 0;
  virtual Result<std::string> apply() = 0;                      // the plan's action, by the narrowest call; what was read after it
  // After a crash, for Recovery::checkable: whether the effect is there.
  virtual Result<bool> happened(ByteView snapshot) = 0;
  virtual Result<std::string> restore(ByteView snapshot) = 0;   // idempotent
};

class Actuator {
 public:
  virtual ~Actuator() = default;
  // By the steadiest identity that the plan names. Errc::gone when there is no such object now, Errc::conflict when there are several.
  virtual Result<std::unique_ptr<OpenTarget>> open(const Plan& plan) = 0;
};

}  // namespace fw::authority
