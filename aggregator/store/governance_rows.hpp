// Rows of plans, votes, signed documents, executors and audit entries that the log does not have yet. Digests are 64 hex digits.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/id.hpp"

namespace fw::store {

// Everything about a plan that never changes; what happens to it are its events.
struct PlanRow {
  std::string digest;
  Uuid incident;                           // nil: none (an undo of an old plan)
  std::int64_t incident_number = 0;
  std::int64_t created_ns = 0;
  int action_class = 0;
  std::string document;                    // bytes
  std::string facts;                       // JSON: safe range, value before, by hand
};

// The plan's state is the fold of these in seq order. Each stands in the audit log exactly once: audit_id names the entry.
struct PlanEventRow {
  std::string plan;
  std::int64_t seq = 0, time_ns = 0;
  std::string kind, body;                  // body: JSON
  std::int64_t audit_id = 0;
  std::optional<std::int64_t> log_index = std::nullopt;   // place in the audit log, once it has one
};

struct VoteRow {
  std::string plan, document, key;         // document: bytes; key: hex
  int algorithm = 0;
  std::string signature;                   // bytes
  std::int64_t time_ns = 0;
};

// A policy, a statement or a standing approval with the signatures that it has so far.
struct DocumentRow {
  std::string digest, kind, document;      // document: bytes
  std::string signatures;                  // bytes (governance/signatures.hpp)
  std::string state;
  std::int64_t version = 0, time_ns = 0;   // version: of a policy
};

struct ExecutorRow {
  Uuid node;
  std::string incarnation;                 // hex
  std::string status;                      // its newest packet, bytes
  std::string problem;
  std::int64_t first_seen_ns = 0, updated_ns = 0;
};

// An entry that the log does not have yet. Ids ascend; the log takes them in this order.
struct AuditRow { std::int64_t id = 0, time_ns = 0; std::string entry; };   // entry: JSON of an audit::Entry without its place
struct SequencedRow { std::int64_t id = 0, log_index = 0; };

// One transaction: what became true and the audit entries that say so.
struct WriteGovernance {
  std::vector<PlanRow> plans;
  std::vector<PlanEventRow> events;
  std::vector<VoteRow> votes;
  std::vector<DocumentRow> documents;      // insert or replace
  std::vector<ExecutorRow> executors;      // insert or replace
  std::vector<AuditRow> audit;
  std::vector<SequencedRow> sequenced;     // these stand in the log now

  bool empty() const noexcept {
    return plans.empty() && events.empty() && votes.empty() && documents.empty() && executors.empty() && audit.empty() && sequenced.empty();
  }
};

struct GovernanceRows {
  std::vector<PlanRow> plans;              // oldest first
  std::vector<PlanEventRow> events;        // of these plans, in order
  std::vector<VoteRow> votes;
  std::vector<DocumentRow> documents;      // oldest first
  std::vector<ExecutorRow> executors;
  std::vector<AuditRow> audit;             // not in the log yet, by id
  std::int64_t last_audit_id = 0;          // ever given out
};

}  // namespace fw::store
