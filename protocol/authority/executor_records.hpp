// What the executor writes into its journal. Each record says a thing whole, so the last one of its kind (and digest) is what counts:
// reading back needs no order of events, and compaction is one record per thing. Big endian, nothing may follow.
#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "protocol/authority/checkpoint.hpp"
#include "protocol/authority/documents.hpp"

namespace fw::authority {

// Made once, with the journal.
struct IdentityRecord {
  Nonce incarnation{};
  Uuid node;
  std::string key_pem;
  friend bool operator==(const IdentityRecord&, const IdentityRecord&) = default;
};

struct PolicyRecord {
  bool active = false;               // else it waits for active_from_ms
  std::int64_t active_from_ms = 0;
  Bytes document;
  friend bool operator==(const PolicyRecord&, const PolicyRecord&) = default;
};

// What only grows or is switched by statements.
struct FactsRecord {
  std::int64_t replay_floor_ms = 0;
  bool paused = false;
  std::int64_t newest_pause_ms = 0;
  std::string log_origin;            // of a NewOrigin statement, in force while the policy's is still log_replaces; "": the policy's
  PublicKey log_key;
  std::string log_replaces;
  std::optional<Checkpoint> checkpoint;
  std::string note;                  // of the checkpoint, with our cosignature
  friend bool operator==(const FactsRecord&, const FactsRecord&) = default;
};

// One plan, from VERIFIED or its refusal on.
struct PlanRecord {
  Digest digest{};
  std::uint8_t action_class = 0;
  State state = State::unset;        // verified, claimed, done, failed, unknown, refused, expired
  bool acted = false;                // the action was done: recovery does not run it again
  bool effect_missing = false;       // it is being rolled back
  bool rolled_back = false;
  bool acknowledged = false;         // the outcome below stands in the audit log
  Bytes plan;                        // "" once nothing can be asked of it any more
  Bytes snapshot;                    // for restore()
  std::string code, sentence, before, after;
  std::vector<std::string> uses;     // what the claim counts as
  Uuid boot;                         // of the claim
  std::uint64_t policy_version = 0;  // under which it was claimed
  std::int64_t not_after_ms = 0;
  std::int64_t started_ms = 0, ended_ms = 0;
  std::int64_t finish_at_ms = 0;     // end of a kill's grace; 0: none, or over
  std::int64_t effect_by_ms = 0;     // the effect must be there by then
  std::int64_t restore_at_ms = 0;    // the TTL's end; 0: kept, or restored
  std::uint64_t outcome_seq = 0;     // where the outcome was written; 0: by this record, or there is none
  Digest outcome_hash{};
  friend bool operator==(const PlanRecord&, const PlanRecord&) = default;
};

// Refused before it came, and a statement that took effect: both are known until then.
struct DenialRecord { Digest plan{}; std::int64_t keep_until_ms = 0; friend bool operator==(const DenialRecord&, const DenialRecord&) = default; };
struct StatementRecord { Digest digest{}; std::int64_t keep_until_ms = 0; friend bool operator==(const StatementRecord&, const StatementRecord&) = default; };

using RecordBody = std::variant<IdentityRecord, PolicyRecord, FactsRecord, PlanRecord, DenialRecord, StatementRecord>;
struct Record {
  std::int64_t time_ms = 0;          // of writing: the time floor is the highest
  RecordBody body;
  friend bool operator==(const Record&, const Record&) = default;
};

std::uint8_t record_type(const Record& record);      // from 1, the alternative's place
Bytes to_bytes(const Record& record);
Result<Record> parse_record(std::uint8_t type, ByteView payload);   // Errc::malformed

}  // namespace fw::authority
