#include "aggregator/store/governance_sql.hpp"
#include "aggregator/store/sqlite_rows.hpp"
#include "aggregator/store/sqlite_store.hpp"

namespace fw::store {
namespace {

using sqlite::Database;
using sqlite::Query;

IncidentRow read_incident(const Query& q) {
  return {.uid = q.uuid(0), .number = q.integer(1), .lineage = q.text(2), .state = q.text(3), .opened_ns = q.integer(4), .updated_ns = q.integer(5)};
}

constexpr std::string_view kIncidentColumns = "uid, number, lineage, state, opened_ns, updated_ns";

void read_events(Database& db, StoredIncident& incident) {
  Query q(db, "select seq, time_ns, kind, ref, body from incident_events where incident_uid = $1 order by seq");
  q.bind(incident.row.uid);
  while (q.next()) {
    incident.events.push_back({.seq = q.integer(0), .time_ns = q.integer(1), .kind = q.text(2), .ref = q.text(3), .body = q.text(4)});
  }
}

// What was read, or the error that stopped it.
template <class T>
Result<T> judged(Database& db, T value) {
  if (auto error = db.take_error()) return with_context(*error, "store read");
  return value;
}

std::int64_t as_limit(std::size_t limit) { return static_cast<std::int64_t>(limit); }

}  // namespace

Result<std::uint64_t> SqliteStore::acknowledged_seq(const Uuid& node, const Uuid& stream) {
  const std::lock_guard lock(reader_mutex_);
  std::uint64_t seq = 0;
  Query q(reader_, "select acknowledged_seq from streams where node_uid = $1 and stream_id = $2");
  if (q.bind(node, stream).next()) seq = static_cast<std::uint64_t>(q.integer(0));
  return judged(reader_, seq);
}

Result<std::vector<StoredEvent>> SqliteStore::events_since(std::int64_t received_ns, std::size_t limit) {
  const std::lock_guard lock(reader_mutex_);
  std::vector<StoredEvent> events;
  Query q(reader_, "select node_uid, stream_id, seq, position, boot_id, cgroup_id, time_ns, received_ns, clock_offset_ns, clock_error_ns, kind, "
                   "entity, body from (select * from events where received_ns >= $1 order by received_ns desc, seq desc, position desc "
                   "limit $2) newest order by received_ns, seq, position");
  q.bind(received_ns, as_limit(limit));
  while (q.next()) {
    StoredEvent& e = events.emplace_back();
    e.node = q.uuid(0);
    e.stream = q.uuid(1);
    e.seq = static_cast<std::uint64_t>(q.integer(2));
    e.row = {.index = static_cast<std::uint32_t>(q.integer(3)), .boot_id = q.uuid(4), .cgroup_id = std::strtoull(q.text(5).c_str(), nullptr, 10),
             .time_ns = q.integer(6), .received_ns = q.integer(7), .clock_offset_ns = q.integer(8), .clock_error_ns = q.integer(9),
             .kind = q.text(10), .entity = q.text(11), .body = q.text(12)};
  }
  return judged(reader_, std::move(events));
}

Result<std::vector<NodeRow>> SqliteStore::nodes() {
  const std::lock_guard lock(reader_mutex_);
  std::vector<NodeRow> nodes;
  Query q(reader_, "select uid, name, agent_version, kernel_release, cgroup_mode, boot_id, first_seen_ns, last_seen_ns, clock_offset_ns, "
                   "clock_error_ns from nodes order by name, uid");
  while (q.next()) {
    nodes.push_back({.uid = q.uuid(0), .name = q.text(1), .agent_version = q.text(2), .kernel_release = q.text(3), .cgroup_mode = q.text(4),
                     .boot_id = q.uuid(5), .first_seen_ns = q.integer(6), .last_seen_ns = q.integer(7), .clock_offset_ns = q.integer(8),
                     .clock_error_ns = q.integer(9)});
  }
  return judged(reader_, std::move(nodes));
}

Result<std::vector<changes::Change>> SqliteStore::changes(std::int64_t since_ns, std::size_t limit) {
  const std::lock_guard lock(reader_mutex_);
  std::vector<changes::Change> found;
  const std::string sql = "select " + std::string(kChangeColumns) + " from changes where started_ns >= $1 order by started_ns desc, id limit $2";
  Query q(reader_, sql);
  q.bind(since_ns, as_limit(limit));
  while (q.next()) found.push_back(read_change(q));
  return judged(reader_, std::move(found));
}

Result<std::vector<StoredIncident>> SqliteStore::incidents(bool include_closed, std::size_t limit) {
  const std::lock_guard lock(reader_mutex_);
  std::vector<StoredIncident> found;
  const std::string sql = "select " + std::string(kIncidentColumns) + " from incidents where state <> 'closed' or $1 <> 0 " +
                          "order by case when state = 'closed' then 1 else 0 end, number desc limit $2";
  {
    Query q(reader_, sql);
    q.bind(include_closed ? 1 : 0, as_limit(limit));
    while (q.next()) found.push_back({.row = read_incident(q), .events = {}});
  }
  for (StoredIncident& incident : found) read_events(reader_, incident);
  return judged(reader_, std::move(found));
}

Result<StoredIncident> SqliteStore::incident(std::int64_t number) {
  const std::lock_guard lock(reader_mutex_);
  StoredIncident found;
  const std::string sql = "select " + std::string(kIncidentColumns) + " from incidents where number = $1";
  bool known = false;
  {
    Query q(reader_, sql);
    known = q.bind(number).next();
    if (known) found.row = read_incident(q);
  }
  if (known) read_events(reader_, found);
  if (!known && !reader_.failed()) return Error(Errc::not_found, "INC-" + std::to_string(number));
  return judged(reader_, std::move(found));
}

Result<CaseFileRow> SqliteStore::case_file(const Uuid& incident) {
  const std::lock_guard lock(reader_mutex_);
  CaseFileRow row;
  Query q(reader_, "select built_ns, bytes, findings from case_files where incident_uid = $1");
  const bool known = q.bind(incident).next();
  if (known) row = {.built_ns = q.integer(0), .bytes = q.text(1), .findings = q.text(2)};
  if (!known && !reader_.failed()) return Error(Errc::not_found, "case file");
  return judged(reader_, std::move(row));
}

Result<std::vector<Outcome>> SqliteStore::outcomes() {
  const std::lock_guard lock(reader_mutex_);
  std::vector<Outcome> found;
  Query q(reader_, "select card, subject_name, confirmed, refuted from outcomes order by card, subject_name");
  while (q.next()) found.push_back({.card = q.text(0), .subject_name = q.text(1), .confirmed = q.integer(2), .refuted = q.integer(3)});
  return judged(reader_, std::move(found));
}

Result<std::vector<std::string>> SqliteStore::symptom_refs_since(std::int64_t time_ns) {
  const std::lock_guard lock(reader_mutex_);
  std::vector<std::string> refs;
  Query q(reader_, "select ref from incident_events where time_ns >= $1 and ref <> ''");
  q.bind(time_ns);
  while (q.next()) refs.push_back(q.text(0));
  return judged(reader_, std::move(refs));
}

Result<GovernanceRows> SqliteStore::governance(std::size_t most_plans) {
  const std::lock_guard lock(reader_mutex_);
  reader_.exec("begin");                   // one state of the database for all tables
  GovernanceRows rows = read_governance(reader_, most_plans);
  reader_.exec("commit");
  return judged(reader_, std::move(rows));
}

}  // namespace fw::store
