// A plan as the aggregator knows it: the fold of its events. Each event is one row in the store and one entry of the audit log.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "aggregator/store/governance_rows.hpp"
#include "protocol/authority/envelope.hpp"
#include "protocol/authority/verifier.hpp"

namespace fw::governance {

// docs/governance.md has the picture. `approved` and `released` are one event, whose entry stands in the log or not yet.
enum class PlanState : std::uint8_t {
  proposed = 0, approved, released, verified, claimed, done, failed, unknown, refused, expired, denied, superseded, rolled_back,
};
std::string_view to_string(PlanState state);      // "PROPOSED"
// Nothing is awaited any more, from people or from the node. (A late word of the node still counts, see apply.)
bool is_finished(PlanState state) noexcept;
bool awaits_people(PlanState state) noexcept;     // proposed
bool awaits_node(PlanState state) noexcept;       // approved to claimed

// What does not change and is not in the signed bytes: what the engine knew when it proposed.
struct PlanFacts {
  std::optional<std::int64_t> value_before;
  std::int64_t safe_min = 0, safe_max = 0;         // `plan edit` stays within; 0, 0: not to be edited
  std::string unit, why;
  std::vector<std::string> by_hand;
  std::string proposed_by;                         // "engine", or the person's name
  friend bool operator==(const PlanFacts&, const PlanFacts&) = default;
};

struct Proposed {};
struct Voted { std::string person; authority::Decision decision = authority::Decision::approve; std::string reason; };
// Enough people said yes: exactly these votes (digests of their documents) and, if used, this standing approval (its digest) go with it.
struct Released { authority::Digest release{}; std::vector<std::string> votes; std::string standing; };
struct NodeSaid { Bytes outcome; };                // an Outcome whose signature was good
struct Refused { std::string code, sentence; };    // of a vote or a delivery; changes no state
struct Superseded { std::string by, why; };        // by: digest text of a plan, or "" for people's hands
struct Expired { std::string why; };
struct Fixed { std::int64_t quiet_ns = 0; };       // the symptom that it was for is gone
struct EffectMissing { std::string why; };         // it is not
using PlanEventBody = std::variant<Proposed, Voted, Released, NodeSaid, Refused, Superseded, Expired, Fixed, EffectMissing>;

struct PlanEvent {
  std::int64_t time_ns = 0;
  PlanEventBody body;
  std::int64_t audit_id = 0;
  std::optional<std::int64_t> log_index;
};
std::string_view kind_of(const PlanEventBody& body);
std::string body_json(const PlanEventBody& body);
Result<PlanEventBody> parse_event_body(std::string_view kind, std::string_view json);

struct VoteRecord {
  authority::Vote vote;
  authority::Approval approval;
  authority::Digest document{};                    // document_digest of the approval
  std::int64_t time_ns = 0;
};
struct RefusalRecord { std::int64_t time_ns = 0; std::string code, sentence; };

struct PlanRecord {
  authority::Digest digest{};
  Bytes document;
  authority::Plan plan;
  std::uint8_t action_class = 0;
  Uuid incident;
  std::int64_t incident_number = 0, created_ns = 0;
  PlanFacts facts;

  PlanState state = PlanState::proposed;
  std::vector<VoteRecord> votes;
  std::string standing;                            // digest text: used, or (while proposed) the night pass that would cover it
  std::optional<Released> release;
  std::int64_t release_audit_id = 0;
  std::optional<std::int64_t> log_index;           // of the release entry
  std::optional<authority::Outcome> outcome;       // newest
  std::int64_t outcome_audit_id = 0;
  std::optional<std::int64_t> outcome_log_index;
  std::int64_t done_ns = 0;                        // our time at which the effect began, from the node's word
  bool fixed = false;
  std::string superseded_by, ended_because;
  std::vector<RefusalRecord> refusals;             // newest kMostRefusals
  std::int64_t last_seq = 0;                       // of the events folded in

  static constexpr std::size_t kMostRefusals = 20;
};

// Pure. An event that cannot follow the state changes nothing but last_seq: a late vote, an outcome that was counted.
void apply(PlanRecord& plan, const PlanEvent& event);
// The entry of one of its events stands in the log now.
void apply_sequenced(PlanRecord& plan, std::int64_t audit_id, std::int64_t log_index);

std::string to_json(const PlanFacts& facts);
Result<PlanFacts> parse_facts(std::string_view json);

}  // namespace fw::governance
