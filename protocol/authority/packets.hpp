// What goes between the agent's socket and the executor, one packet each: "FLX1" | u8 type | body. The aggregator writes and reads them;
// the agent relays them unread. The executor trusts neither. Bodies: single-segment Cap'n Proto (schema/packets.capnp).
#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "protocol/authority/documents.hpp"
#include "protocol/authority/envelope.hpp"

namespace fw::authority {

inline constexpr std::size_t kMaxPacketBytes = 160 * 1024;

// ---- to the executor ------------------------------------------------------------------------------------------------

struct DeliverPlan { Bytes envelope; friend bool operator==(const DeliverPlan&, const DeliverPlan&) = default; };
struct DeliverDenial { Vote vote; friend bool operator==(const DeliverDenial&, const DeliverDenial&) = default; };   // an Approval with Decision::deny
struct DeliverPolicy { Bytes policy; std::vector<Signature> signatures; friend bool operator==(const DeliverPolicy&, const DeliverPolicy&) = default; };
struct DeliverStatement { Bytes statement; std::vector<Signature> signatures; friend bool operator==(const DeliverStatement&, const DeliverStatement&) = default; };
struct DeliverCheckpoint { std::string note; std::uint64_t from_size = 0; std::vector<Digest> consistency; friend bool operator==(const DeliverCheckpoint&, const DeliverCheckpoint&) = default; };
// The outcome stands in the audit log at this index: it need not be sent again.
struct AckOutcome { Digest plan{}; std::uint64_t journal_seq = 0, log_index = 0; friend bool operator==(const AckOutcome&, const AckOutcome&) = default; };
struct AskStatus { friend bool operator==(const AskStatus&, const AskStatus&) = default; };

// ---- from the executor ----------------------------------------------------------------------------------------------

// First thing after the socket connects, and when anything in it changed.
struct ExecutorStatus {
  std::string version;
  Uuid node;
  Nonce incarnation{};
  PublicKey key;                        // signs outcomes and cosigns checkpoints; made with the journal
  std::uint64_t policy_version = 0;
  Digest policy{};
  std::optional<std::uint64_t> pending_policy_version;   // accepted, not active yet
  std::int64_t policy_not_after_ms = 0;
  bool observe_only = true;             // by its own configuration; what the policy enables is a question per plan
  bool paused = false;
  std::string journal_problem;          // why nothing can be claimed; "" while healthy
  std::int64_t time_floor_ms = 0;
  std::string checkpoint;               // newest note that it verified, with its own cosignature; "" before the first
  std::uint64_t journal_seq = 0;
  std::uint32_t pending_restores = 0;   // TTLs that run
  friend bool operator==(const ExecutorStatus&, const ExecutorStatus&) = default;
};
// Signed by the executor's key over signing_input(Domain::result, outcome). Sent again until AckOutcome.
struct OutcomeReport { Bytes outcome; Signature signature; friend bool operator==(const OutcomeReport&, const OutcomeReport&) = default; };
// The answer to a delivery that has no outcome of its own. code "" : taken. `again`: the same may be sent again later, with what is missing.
struct Notice {
  Digest subject{};                     // plan digest or document digest of what was delivered
  std::string code, sentence;
  bool again = false;
  friend bool operator==(const Notice&, const Notice&) = default;
};

using Packet = std::variant<DeliverPlan, DeliverDenial, DeliverPolicy, DeliverStatement, DeliverCheckpoint, AckOutcome, AskStatus, ExecutorStatus,
                            OutcomeReport, Notice>;

Bytes to_bytes(const Packet& packet);
Result<Packet> parse_packet(ByteView bytes);   // Errc::malformed, Errc::too_large, Errc::unsupported (type)

}  // namespace fw::authority
