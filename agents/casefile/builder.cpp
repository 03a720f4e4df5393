#include "agents/casefile/builder.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "agents/casefile/anomalies.hpp"
#include "common/embedded_file.hpp"
#include "common/version.hpp"

namespace fw {
std::span<const EmbeddedFile> case_file_schema();   // schema.sql
}

namespace fw::agents {
namespace {

using sqlite::Statement;

// ---- order: by time, then by content, so that any order of the same facts gives the same file ----

auto order(const EntityRow& r) { return std::tie(r.entity_id, r.key); }
auto order(const EdgeRow& r) { return std::tie(r.from_id, r.relation, r.to_id); }
auto order(const SymptomRow& r) { return std::tie(r.first_ns, r.entity_id, r.kind, r.last_ns, r.count); }
auto order(const PastIncidentRow& r) { return std::tie(r.card, r.subject_name, r.confirmed, r.refuted); }
auto order(const SeriesRow& r) { return std::tie(r.metric, r.entity_id); }
auto order(const ChangeRow& r) { return std::tie(r.started_ns, r.change_id, r.source, r.entity_id); }
auto order(const AnomalyRow& r) { return std::tie(r.onset_ns, r.entity_id, r.metric, r.kind, r.magnitude); }
auto order(const EventRow& r) {
  return std::tie(r.time_ns, r.entity_id, r.kind, r.pid, r.signal, r.exit_code, r.sender_pid, r.resource, r.before_value, r.after_value,
                  r.kills, r.lost_source, r.lost_count, r.comm, r.rss_bytes, r.limit_bytes, r.object, r.reason, r.before_text, r.after_text, r.text, r.count);
}

template <class Row>
std::vector<const Row*> sorted(const std::vector<Row>& rows) {
  std::vector<const Row*> out;
  out.reserve(rows.size());
  for (const auto& row : rows) out.push_back(&row);
  std::stable_sort(out.begin(), out.end(), [](const Row* a, const Row* b) { return order(*a) < order(*b); });
  return out;
}

// ---- evidence ids: E1, E2, ... over all tables in time order ----

enum class Table : std::uint8_t { change = 0, change_field, event, anomaly, symptom };

class EvidenceIds {
 public:
  void add(Table table, std::size_t index, std::int64_t time_ns) { entries_.push_back({time_ns, table, index, 0}); }
  void number() {
    std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
      return std::tie(a.time_ns, a.table, a.index) < std::tie(b.time_ns, b.table, b.index);
    });
    for (std::size_t i = 0; i < entries_.size(); ++i) entries_[i].number = i + 1;
    std::sort(entries_.begin(), entries_.end(),
              [](const Entry& a, const Entry& b) { return std::tie(a.table, a.index) < std::tie(b.table, b.index); });
  }
  std::string operator()(Table table, std::size_t index) const {
    const auto at = std::lower_bound(entries_.begin(), entries_.end(), std::tie(table, index), [](const Entry& e, const auto& key) {
      return std::tie(e.table, e.index) < key;
    });
    return "E" + std::to_string(at->number);
  }

 private:
  struct Entry { std::int64_t time_ns; Table table; std::size_t index; std::size_t number; };
  std::vector<Entry> entries_;
};

Result<Statement> insert_into(sqlite3* db, std::string_view table, int columns) {
  std::string sql{"insert into "};
  sql.append(table).append(" values (?");
  for (int i = 1; i < columns; ++i) sql += ",?";
  return Statement::prepare(db, sql + ")");
}

// `row` binds one row and runs it; the first failure names the table.
template <class Rows, class Bind>
Result<void> write(sqlite3* db, std::string_view table, int columns, const Rows& rows, Bind row) {
  auto insert = insert_into(db, table, columns);
  if (!insert) return with_context(insert.error(), table);
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (Result<void> done = row(*insert, i, *rows[i]); !done) return with_context(done.error(), table);
  return {};
}

// A pid of 0 and an empty name are how the wire says "not known"; rules must see that as missing.
OptInt known_pid(const OptInt& pid) { return pid && *pid > 0 ? pid : OptInt{}; }
std::optional<std::string> known_name(const std::optional<std::string>& name) { return name && !name->empty() ? name : std::nullopt; }

Result<void> write_event(Statement& s, const std::string& id, const EventRow& e) {
  s.bind(id).bind(e.entity_id).bind(e.kind).bind(e.time_ns).bind(e.clock_error_ns).bind(known_pid(e.pid)).bind(known_pid(e.parent_pid));
  s.bind(known_name(e.comm));
  s.bind(e.container_main).bind(e.age_ns).bind(e.rss_bytes).bind(e.constraint_kind).bind(e.constraint_source);
  s.bind(e.limit_bytes).bind(e.usage_bytes).bind(e.limit_cgroup_path).bind(e.oom_score_adj);
  s.bind(known_pid(e.invoker_pid)).bind(known_name(e.invoker_comm));
  s.bind(e.kills).bind(e.exit_code).bind(e.signal).bind(e.oom_victim).bind(e.from_kernel).bind(known_pid(e.sender_pid)).bind(known_name(e.sender_comm));
  s.bind(e.sender_uid).bind(e.sender_in_container).bind(e.resource).bind(e.before_value).bind(e.after_value);
  s.bind(e.lost_source).bind(e.lost_count).bind(e.object).bind(e.reason).bind(e.before_text).bind(e.after_text);
  return s.bind(e.text).bind(e.count).insert();
}

Result<void> write_change(Statement& s, const std::string& id, const ChangeRow& c) {
  s.bind(id).bind(c.change_id).bind(c.change_group).bind(c.source).bind(c.object_kind).bind(c.object_name).bind(c.object_namespace);
  s.bind(c.actor).bind(c.revision).bind(c.title).bind(c.environment).bind(c.started_ns).bind(c.finished_ns).bind(c.outcome);
  return s.bind(c.received_ns).bind(c.entity_id).bind(c.match).insert();
}

}  // namespace

Result<void> create_schema(sqlite3* db) { return sqlite::exec(db, std::string{case_file_schema().front().text}); }

Result<void> write_facts(sqlite3* db, const IncidentFacts& facts) {
  const auto entities = sorted(facts.entities);
  const auto edges = sorted(facts.edges);
  const auto symptoms = sorted(facts.symptoms);
  const auto events = sorted(facts.events);
  const auto series = sorted(facts.series);
  const auto changes = sorted(facts.changes);
  const auto past = sorted(facts.past_incidents);
  const auto found = find_anomalies(facts);
  const auto anomalies = sorted(found);
  std::vector<std::pair<const ChangeRow*, const ChangeFieldRow*>> fields;
  for (const auto* change : changes)
    for (const auto& field : change->fields) fields.emplace_back(change, &field);

  EvidenceIds ids;
  for (std::size_t i = 0; i < changes.size(); ++i) ids.add(Table::change, i, changes[i]->started_ns);
  for (std::size_t i = 0; i < fields.size(); ++i) ids.add(Table::change_field, i, fields[i].first->started_ns);
  for (std::size_t i = 0; i < events.size(); ++i) ids.add(Table::event, i, events[i]->time_ns);
  for (std::size_t i = 0; i < anomalies.size(); ++i) ids.add(Table::anomaly, i, anomalies[i]->onset_ns);
  for (std::size_t i = 0; i < symptoms.size(); ++i) ids.add(Table::symptom, i, symptoms[i]->first_ns);
  ids.number();

  const std::vector<std::pair<std::string, std::string>> meta{{"schema_version", std::to_string(kSchemaVersion)},
                                                              {"engine_version", std::string{kVersion}},
                                                              {"built_ns", std::to_string(facts.built_ns)},
                                                              {"incident", facts.id}};
  std::vector<const std::pair<std::string, std::string>*> meta_rows;
  for (const auto& row : meta) meta_rows.push_back(&row);
  const std::vector<const IncidentFacts*> incident{&facts};
  std::vector<const std::pair<const ChangeRow*, const ChangeFieldRow*>*> field_rows;
  for (const auto& field : fields) field_rows.push_back(&field);

  if (auto r = sqlite::exec(db, "begin"); !r) return r;
  Result<void> done = write(db, "meta", 2, meta_rows, [](Statement& s, std::size_t, const auto& m) {
    return s.bind(m.first).bind(m.second).insert();
  });
  if (done) done = write(db, "incident", 7, incident, [](Statement& s, std::size_t, const IncidentFacts& f) {
    s.bind(f.id).bind(f.uid).bind(f.subject_id).bind(f.onset_ns).bind(f.last_symptom_ns).bind(f.built_ns);
    return s.bind(f.state).insert();
  });
  if (done) done = write(db, "entities", 12, entities, [](Statement& s, std::size_t, const EntityRow& e) {
    s.bind(e.entity_id).bind(e.key).bind(e.kind).bind(e.name).bind(e.node_id).bind(e.cgroup_path).bind(e.cgroup_version);
    return s.bind(e.runtime).bind(e.container_id).bind(e.pod_uid).bind(e.first_seen_ns).bind(e.last_seen_ns).insert();
  });
  if (done) done = write(db, "edges", 3, edges, [](Statement& s, std::size_t, const EdgeRow& e) {
    return s.bind(e.from_id).bind(e.relation).bind(e.to_id).insert();
  });
  if (done) done = write(db, "symptoms", 6, symptoms, [&](Statement& s, std::size_t i, const SymptomRow& r) {
    return s.bind(ids(Table::symptom, i)).bind(r.entity_id).bind(r.kind).bind(r.first_ns).bind(r.last_ns).bind(r.count).insert();
  });
  if (done) done = write(db, "events", 39, events, [&](Statement& s, std::size_t i, const EventRow& e) {
    return write_event(s, ids(Table::event, i), e);
  });
  if (done) done = write(db, "oom_processes", 8, events, [&](Statement& s, std::size_t i, const EventRow& e) -> Result<void> {
    std::int64_t rank = 0;
    for (const auto& p : e.top_processes) {
      s.bind(ids(Table::event, i)).bind(++rank).bind(p.pid).bind(p.parent_pid).bind(p.comm).bind(p.rss_bytes).bind(p.age_ns);
      if (auto r = s.bind(p.container_main).insert(); !r) return r;
    }
    return {};
  });
  if (done) done = write(db, "series", 6, series, [](Statement& s, std::size_t, const SeriesRow& row) -> Result<void> {
    for (const auto& p : row.points) {
      s.bind(row.entity_id).bind(row.metric).bind(row.unit).bind(row.kind).bind(p.t_ns).bind(p.value);
      if (auto r = s.insert(); !r) return r;
    }
    return {};
  });
  if (done) done = write(db, "anomalies", 7, anomalies, [&](Statement& s, std::size_t i, const AnomalyRow& a) {
    s.bind(ids(Table::anomaly, i)).bind(a.entity_id).bind(a.metric).bind(a.kind).bind(a.onset_ns);
    return s.bind(a.magnitude).bind(a.score).insert();
  });
  if (done) done = write(db, "changes", 17, changes, [&](Statement& s, std::size_t i, const ChangeRow& c) {
    return write_change(s, ids(Table::change, i), c);
  });
  if (done) done = write(db, "change_fields", 8, field_rows, [&](Statement& s, std::size_t i, const auto& row) {
    const auto& [change, f] = row;
    s.bind(ids(Table::change_field, i)).bind(change->change_id).bind(f->path).bind(f->before_text).bind(f->after_text);
    return s.bind(f->before_value).bind(f->after_value).bind(f->mechanism).insert();
  });
  if (done) done = write(db, "past_incidents", 4, past, [](Statement& s, std::size_t, const PastIncidentRow& p) {
    return s.bind(p.card).bind(p.subject_name).bind(p.confirmed).bind(p.refuted).insert();
  });
  if (!done) return done;
  return sqlite::exec(db, "commit");
}

}  // namespace fw::agents
