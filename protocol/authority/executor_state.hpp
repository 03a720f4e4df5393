// What the executor knows: the fold of its journal's records. Pure; nothing is in here that is not durable.
#pragma once
#include <map>
#include <vector>

#include "protocol/authority/executor_records.hpp"
#include "protocol/authority/journal.hpp"
#include "protocol/authority/verifier.hpp"

namespace fw::authority {

inline constexpr std::size_t kMaxPlans = 1024;                       // kept at a time
inline constexpr std::size_t kMaxStateBytes = 4 * 1024 * 1024;       // of them; a file of the journal is at most three times this and 256 KiB, plus a record
inline constexpr std::size_t kMaxKept = 4096;                        // denials, and statements
inline constexpr std::int64_t kForgetAfterMs = 24LL * 3600 * 1000;   // after the end of a plan's window and the skew
inline constexpr std::int64_t kUndoKeptMs = 30LL * 24 * 3600 * 1000; // so long what can be undone, or was not acknowledged, is kept

// A snapshot that was not restored: what TTL, undo and extend are about.
bool can_be_restored(const PlanRecord& plan) noexcept;

class ExecutorState {
 public:
  // seq, hash: the record's place in the journal.
  void apply(Record record, std::uint64_t seq, const Digest& hash);
  // One record per thing, for compaction.
  std::vector<JournalRecord> records() const;

  const std::optional<IdentityRecord>& identity() const { return identity_; }
  const std::optional<PolicyRecord>& active_policy() const { return active_; }
  const std::optional<PolicyRecord>& pending_policy() const { return pending_; }
  const FactsRecord& facts() const { return facts_; }
  const std::map<Digest, PlanRecord>& plans() const { return plans_; }
  const PlanRecord* find(const Digest& plan) const;
  bool denied(const Digest& plan) const { return denials_.contains(plan); }
  bool took(const Digest& statement) const { return statements_.contains(statement); }
  std::int64_t time_floor_ms() const { return time_floor_ms_; }

  // For the verifier: everything, with the time floor as the caller knows it (never below ours).
  Memory memory(const Policy& policy, std::int64_t now_ms) const;

  // Forgets what is over; the replay floor rises over it. What is forgotten and still in the file comes back at a restart and is forgotten
  // again: only compaction, which writes the floor in the same file, makes it final.
  void forget(std::int64_t now_ms, std::int64_t skew_ms);
  // Whether one more plan of that size can be kept; forgets sooner what could be undone when it must.
  bool has_room_for(std::size_t plan_bytes, std::int64_t now_ms, std::int64_t skew_ms);

 private:
  enum class Keep { undoable, window_only };
  void forget_plans(std::int64_t now_ms, std::int64_t skew_ms, Keep keep);

  std::optional<IdentityRecord> identity_;
  std::optional<PolicyRecord> active_, pending_;
  FactsRecord facts_;
  std::map<Digest, PlanRecord> plans_;
  std::map<Digest, std::int64_t> denials_, statements_;   // until when
  std::int64_t time_floor_ms_ = 0;
  std::size_t plan_bytes_ = 0;
};

}  // namespace fw::authority
