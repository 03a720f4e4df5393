// The executor without its process: packets and the time in, packets and effects (through the Actuator) out. The program
// fleetwright-executor, the simulator and the fuzzers drive the same code.
//
//   verify -> journal VERIFIED -> open handles, preconditions -> snapshot -> journal CLAIMED -> act -> journal "acted" -> effect -> DONE
//
// CLAIMED lasts until the effect was seen (DONE) or was missing and rolled back (FAILED): a state never goes back. A TTL that is over, or an
// undo, gives a DONE plan a second outcome, with rolled_back.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "common/disk/disk.hpp"
#include "protocol/authority/actuator.hpp"
#include "protocol/authority/packets.hpp"
#include "protocol/authority/verifier.hpp"

namespace fw::authority {

struct ExecutorConfig {
  Uuid node;
  Uuid boot;
  std::string cluster;
  std::vector<std::string> labels;
  bool observe_only = true;            // verifies all, executes nothing
  Bytes first_policy;                  // document; and its SHA-256 as installed by other hands: both must agree. One newer than the journal's wins
  Digest first_policy_digest{};
  std::string version;
};

// Identity: one journal folder, which holds its key and incarnation. Invariants: I1-I9, I12, I19 of docs/security-model.md.
// Threading: one executor. Blocking: disk and the actuator. Lifetime: disk, clock and actuator outlive it.
class Executor {
 public:
  struct Deps { Disk& disk; const Clock& clock; Actuator& actuator; };
  // Recovers what a crash left: CLAIMED without outcome is settled by the action's Recovery. Errors: the journal, the policy.
  static Result<std::unique_ptr<Executor>> open(ExecutorConfig config, Deps deps);
  virtual ~Executor() = default;

  // Packets to send. An error means that the peer broke the protocol (Errc::malformed, Errc::too_large, Errc::unsupported) or the journal
  // is broken (Errc::io): the program ends and is started again.
  virtual Result<std::vector<Bytes>> on_packet(ByteView packet) = 0;
  // The journal broke: nothing more is done or said, no time of a TTL is kept, until the program starts again. To be asked after on_timer()
  // and on_connected(), which have no error of their own: no packet may come for a long time.
  virtual bool broken() const = 0;
  // A peer connected: status and the outcomes that were not acknowledged.
  virtual std::vector<Bytes> on_connected() = 0;
  // Effects that are due, restores, expiry, outcomes that are sent again. Cheap; may be called too early.
  virtual std::vector<Bytes> on_timer() = 0;
  virtual std::optional<std::uint64_t> next_deadline_mono_ns() const = 0;

  virtual ExecutorStatus status() const = 0;
  // State of every plan in the journal, for status files, simulation and tests.
  virtual std::vector<Outcome> outcomes() const = 0;
};

}  // namespace fw::authority
