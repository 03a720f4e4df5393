// What the aggregator keeps on disk, behind one interface: a write is a value, its completion says that it is durable.
// The first engine is SQLite (sqlite_store.hpp); PostgreSQL follows with the same SQL. docs/store.md has the tables.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "aggregator/changes/change.hpp"
#include "aggregator/store/governance_rows.hpp"
#include "common/id.hpp"
#include "common/result.hpp"

namespace fw::store {

// ---- rows ---------------------------------------------------------------------------------------------------------

struct EventRow {
  std::uint32_t index = 0;                 // position in its frame
  Uuid boot_id;
  std::uint64_t cgroup_id = 0;             // 0: the node itself
  std::int64_t time_ns = 0;                // the node's clock
  std::int64_t received_ns = 0;            // ours
  std::int64_t clock_offset_ns = 0;        // node minus ours
  std::int64_t clock_error_ns = 0;         // bound of the offset
  std::string kind;
  std::string entity;                      // JSON (fleet/node_event.hpp)
  std::string body;                        // JSON
};

struct StoredEvent { Uuid node, stream; std::uint64_t seq = 0; EventRow row; };

struct NodeRow {
  Uuid uid;
  std::string name, agent_version, kernel_release, cgroup_mode;
  Uuid boot_id;
  std::int64_t first_seen_ns = 0, last_seen_ns = 0, clock_offset_ns = 0, clock_error_ns = 0;
};

struct IncidentRow {
  Uuid uid;
  std::int64_t number = 0;                 // given by the store when the row is made
  std::string lineage, state;
  std::int64_t opened_ns = 0, updated_ns = 0;
};

// Every state change of an incident; the incident is the fold of these in seq order.
struct IncidentEventRow { std::int64_t seq = 0, time_ns = 0; std::string kind, ref, body; };

struct CaseFileRow { std::int64_t built_ns = 0; std::string bytes, findings; };
struct Outcome { std::string card, subject_name; std::int64_t confirmed = 0, refuted = 0; };

struct StoredIncident { IncidentRow row; std::vector<IncidentEventRow> events; };

// ---- writes -------------------------------------------------------------------------------------------------------

// Event frames of one stream in ascending seq and the stream's watermark, all or nothing: seq at or below the watermark is a duplicate.
// Frames of one stream are written one write after the other, or a failed one would be skipped for ever.
struct Frame { std::uint64_t seq = 0; std::vector<EventRow> events; };
struct WriteFrames { Uuid node, stream; std::int64_t received_ns = 0; std::vector<Frame> frames; };
struct WriteNode { NodeRow node; };
// One row per (source, source_key), merged with what is there (merge_change); a known (source, delivery_id) is a duplicate.
struct WriteChange { changes::Change change; std::string delivery_id; };
struct WriteChangeGroup { Uuid change_id; std::string group; };
// row.number == 0 makes the incident and gives it the next number.
struct WriteIncident {
  IncidentRow row;
  std::vector<IncidentEventRow> events;
  std::optional<CaseFileRow> case_file = std::nullopt;   // replaces the one before
  std::vector<Outcome> outcomes;           // add to the counts of (card, subject_name)
};
// Deletes what is older than these times, oldest first, at most max_rows of each table.
struct WritePrune {
  std::int64_t events_before_ns = 0, changes_before_ns = 0, closed_incidents_before_ns = 0, deliveries_before_ns = 0;
  std::int64_t max_bytes = 0;              // 0: no limit; above it the oldest events go before their time
  std::int64_t max_rows = 2'000;
  std::int64_t needed_events_since_ns = INT64_MAX;   // these a restart reads again: they stay whatever the size
};
using Write = std::variant<WriteFrames, WriteNode, WriteChange, WriteChangeGroup, WriteIncident, WriteGovernance, WritePrune>;

enum class Effect : std::uint8_t { done = 0, created, updated, duplicate };
struct Written {
  Effect effect = Effect::done;
  std::int64_t incident_number = 0;        // WriteIncident
  std::vector<bool> fresh = {};            // WriteFrames: per frame, false for a duplicate
  std::optional<changes::Change> change = std::nullopt;   // WriteChange: as it is stored now
  std::int64_t pruned_rows = 0;            // WritePrune
};

struct Stats {
  std::uint64_t commits_total = 0, writes_total = 0, failed_writes_total = 0, refused_writes_total = 0;
  std::uint64_t pruned_rows_total = 0, queue_length = 0;
};

// Pure. What a row becomes when its source tells more: known words win over unknown ones, an end is not taken back.
changes::Change merge_change(const changes::Change& stored, const changes::Change& told);

// Identity: one database. Invariant: a completion with a value means durable; after a failed fsync nothing is reported durable any
// more until the program starts again.
// Threading: thread-safe. submit() never blocks; `done` runs on the writer thread (aggregator/store/async.hpp posts it back).
// Reads block: call them off the network threads.
// Errors: Errc::overloaded (queue full, nothing written), Errc::io, Errc::not_found.
class Store {
 public:
  using Done = std::function<void(Result<Written>)>;
  virtual ~Store() = default;

  virtual void submit(Write write, Done done) = 0;

  virtual Result<std::uint64_t> acknowledged_seq(const Uuid& node, const Uuid& stream) = 0;   // 0 when unknown
  virtual Result<std::vector<StoredEvent>> events_since(std::int64_t received_ns, std::size_t limit) = 0;  // newest limit, oldest first
  virtual Result<std::vector<NodeRow>> nodes() = 0;
  virtual Result<std::vector<changes::Change>> changes(std::int64_t since_ns, std::size_t limit) = 0;      // newest first
  virtual Result<std::vector<StoredIncident>> incidents(bool include_closed, std::size_t limit) = 0;       // newest first
  virtual Result<StoredIncident> incident(std::int64_t number) = 0;
  virtual Result<CaseFileRow> case_file(const Uuid& incident) = 0;
  virtual Result<std::vector<Outcome>> outcomes() = 0;
  virtual Result<std::vector<std::string>> symptom_refs_since(std::int64_t time_ns) = 0;                   // of all incidents

  virtual Result<GovernanceRows> governance(std::size_t most_plans) = 0;                                  // the newest plans

  virtual std::optional<std::string> failure() const = 0;   // why no write can succeed; empty while healthy
  virtual Stats stats() const = 0;
};

struct Options {
  std::string url;                         // sqlite:///absolute/path
  std::size_t max_queued_writes = 8'192;
  std::size_t max_group = 512;             // writes in one transaction
  std::string vfs = {};                    // SQLite VFS by name; tests only
  std::function<void(double seconds)> on_commit = {};   // after each commit, on the writer thread
};

// Opens, migrates, starts the writer. Errors name the file.
Result<std::unique_ptr<Store>> open_store(const Options& options);

}  // namespace fw::store
