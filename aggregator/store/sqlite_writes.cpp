#include <boost/json.hpp>
#include <array>

#include "aggregator/store/governance_sql.hpp"
#include "aggregator/store/sqlite_rows.hpp"

namespace fw::store {
namespace {

using sqlite::Blob;
using sqlite::Database;
using sqlite::Query;
namespace json = boost::json;

constexpr std::array<std::string_view, 5> kOutcomes{"unknown", "in_progress", "success", "failure", "cancelled"};

std::string fields_json(const std::vector<changes::Field>& fields) {
  json::array out;
  for (const changes::Field& field : fields) {
    json::object item{{"path", field.path}};
    if (field.before) item["before"] = *field.before;
    if (field.after) item["after"] = *field.after;
    out.push_back(std::move(item));
  }
  return json::serialize(out);
}

// Only what fields_json wrote; anything else reads as no fields.
std::vector<changes::Field> fields_from_json(const std::string& text) {
  std::vector<changes::Field> fields;
  boost::system::error_code ec;
  const json::value value = json::parse(text, ec);
  if (ec || !value.is_array()) return fields;
  for (const json::value& item : value.get_array()) {
    const json::object* object = item.if_object();
    if (object == nullptr) continue;
    changes::Field field;
    const auto read = [&](std::string_view key) -> std::optional<std::string> {
      const json::value* found = object->if_contains(key);
      if (found == nullptr || !found->is_string()) return std::nullopt;
      return std::string(found->get_string());
    };
    field.path = read("path").value_or("");
    field.before = read("before");
    field.after = read("after");
    fields.push_back(std::move(field));
  }
  return fields;
}

Written write_frames(Database& db, const WriteFrames& write) {
  std::int64_t watermark = 0;
  {
    Query known(db, "select acknowledged_seq from streams where node_uid = $1 and stream_id = $2");
    if (known.bind(write.node, write.stream).next()) watermark = known.integer(0);
  }
  Written written{.effect = Effect::duplicate};
  for (const Frame& frame : write.frames) {
    const auto seq = static_cast<std::int64_t>(frame.seq);
    written.fresh.push_back(seq > watermark);
    if (seq <= watermark) continue;
    watermark = seq;
    written.effect = Effect::created;
    for (const EventRow& e : frame.events) {
      Query(db, "insert into events (node_uid, stream_id, seq, position, boot_id, cgroup_id, time_ns, received_ns, clock_offset_ns, "
                "clock_error_ns, kind, entity, body) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)")
          .bind(write.node, write.stream, seq, std::int64_t{e.index}, e.boot_id, std::to_string(e.cgroup_id), e.time_ns, e.received_ns,
                e.clock_offset_ns, e.clock_error_ns, e.kind, e.entity, e.body)
          .run();
    }
  }
  if (written.effect == Effect::created) {
    Query(db, "insert into streams (node_uid, stream_id, acknowledged_seq, updated_ns) values ($1, $2, $3, $4) on conflict (node_uid, stream_id) "
              "do update set acknowledged_seq = excluded.acknowledged_seq, updated_ns = excluded.updated_ns")
        .bind(write.node, write.stream, watermark, write.received_ns)
        .run();
  }
  return written;
}

Written write_node(Database& db, const NodeRow& n) {
  Query(db, "insert into nodes (uid, name, agent_version, kernel_release, cgroup_mode, boot_id, first_seen_ns, last_seen_ns, clock_offset_ns, "
            "clock_error_ns) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (uid) do update set name = excluded.name, "
            "agent_version = excluded.agent_version, kernel_release = excluded.kernel_release, cgroup_mode = excluded.cgroup_mode, "
            "boot_id = excluded.boot_id, last_seen_ns = excluded.last_seen_ns, clock_offset_ns = excluded.clock_offset_ns, "
            "clock_error_ns = excluded.clock_error_ns")
      .bind(n.uid, n.name, n.agent_version, n.kernel_release, n.cgroup_mode, n.boot_id, n.first_seen_ns, n.last_seen_ns, n.clock_offset_ns,
            n.clock_error_ns)
      .run();
  return {};
}

Written write_change(Database& db, const WriteChange& write) {
  changes::Change change = write.change;
  if (!write.delivery_id.empty()) {
    Query known(db, "select received_ns from deliveries where source = $1 and delivery_id = $2");
    if (known.bind(change.source, write.delivery_id).next()) return {.effect = Effect::duplicate};
  }
  Written written{.effect = Effect::created};
  {
    const std::string sql = "select " + std::string(kChangeColumns) + " from changes where source = $1 and source_key = $2";
    Query existing(db, sql);
    if (existing.bind(change.source, change.source_key).next()) {
      change = merge_change(read_change(existing), change);
      written.effect = Effect::updated;
    }
  }
  const changes::ObjectRef& o = change.object;
  const std::string sql = "insert into changes (" + std::string(kChangeColumns) +
                          ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22) "
                          "on conflict (source, source_key) do update set change_group = excluded.change_group, "
                          "object_cluster = excluded.object_cluster, object_kind = excluded.object_kind, "
                          "object_namespace = excluded.object_namespace, object_name = excluded.object_name, object_uid = excluded.object_uid, "
                          "object_cgroup_path = excluded.object_cgroup_path, object_container_id = excluded.object_container_id, "
                          "object_node = excluded.object_node, actor = excluded.actor, revision = excluded.revision, title = excluded.title, "
                          "environment = excluded.environment, url = excluded.url, started_ns = excluded.started_ns, "
                          "finished_ns = excluded.finished_ns, outcome = excluded.outcome, fields = excluded.fields";
  Query(db, sql)
      .bind(change.id, change.source, change.source_key, change.change_group, o.cluster, o.kind, o.namespace_name, o.name, o.uid, o.cgroup_path,
            o.container_id, o.node, change.actor, change.revision, change.title, change.environment, change.url, change.started_ns,
            change.finished_ns, kOutcomes.at(static_cast<std::size_t>(change.outcome)), fields_json(change.fields), change.received_ns)
      .run();
  if (!write.delivery_id.empty()) {
    Query(db, "insert into deliveries (source, delivery_id, received_ns) values ($1, $2, $3)")
        .bind(change.source, write.delivery_id, write.change.received_ns)
        .run();
  }
  written.change = std::move(change);
  return written;
}

Written write_incident(Database& db, const WriteIncident& write) {
  Written written{.effect = Effect::updated, .incident_number = write.row.number};
  const IncidentRow& row = write.row;
  if (row.number == 0) {
    // A retry of a write whose commit was lost on the way back finds its row.
    Query known(db, "select number from incidents where uid = $1");
    if (known.bind(row.uid).next()) written.incident_number = known.integer(0);
  }
  if (written.incident_number == 0) {
    Query(db, "update counters set value = value + 1 where name = 'incident_number'").run();
    {
      Query counter(db, "select value from counters where name = 'incident_number'");
      if (counter.next()) written.incident_number = counter.integer(0);
    }
    written.effect = Effect::created;
    Query(db, "insert into incidents (uid, number, lineage, state, opened_ns, updated_ns) values ($1, $2, $3, $4, $5, $6)")
        .bind(row.uid, written.incident_number, row.lineage, row.state, row.opened_ns, row.updated_ns)
        .run();
  } else {
    Query(db, "update incidents set state = $1, updated_ns = $2 where uid = $3").bind(row.state, row.updated_ns, row.uid).run();
  }
  for (const IncidentEventRow& e : write.events) {
    Query(db, "insert into incident_events (incident_uid, seq, time_ns, kind, ref, body) values ($1, $2, $3, $4, $5, $6) "
              "on conflict (incident_uid, seq) do nothing")
        .bind(row.uid, e.seq, e.time_ns, e.kind, e.ref, e.body)
        .run();
  }
  if (write.case_file) {
    Query(db, "insert into case_files (incident_uid, built_ns, bytes, findings) values ($1, $2, $3, $4) on conflict (incident_uid) "
              "do update set built_ns = excluded.built_ns, bytes = excluded.bytes, findings = excluded.findings")
        .bind(row.uid, write.case_file->built_ns, Blob{write.case_file->bytes}, write.case_file->findings)
        .run();
  }
  for (const Outcome& outcome : write.outcomes) {
    Query(db, "insert into outcomes (card, subject_name, confirmed, refuted) values ($1, $2, $3, $4) on conflict (card, subject_name) "
              "do update set confirmed = outcomes.confirmed + excluded.confirmed, refuted = outcomes.refuted + excluded.refuted")
        .bind(outcome.card, outcome.subject_name, outcome.confirmed, outcome.refuted)
        .run();
  }
  return written;
}

Written prune(Database& db, const WritePrune& p) {
  Written written;
  const auto run = [&](std::string_view sql, std::int64_t before_ns) {
    Query(db, sql).bind(before_ns, p.max_rows).run();
    if (!db.failed()) written.pruned_rows += db.changed_rows();
  };
  constexpr std::string_view kPruneEvents =
      "delete from events where (node_uid, stream_id, seq, position) in (select node_uid, stream_id, seq, position from events "
      "where received_ns < $1 order by received_ns limit $2)";
  std::int64_t used_bytes = 0;
  if (p.max_bytes > 0) {
    Query size(db, "select (page_count - freelist_count) * page_size from pragma_page_count, pragma_freelist_count, pragma_page_size");
    if (size.next()) used_bytes = size.integer(0);
  }
  run(kPruneEvents, used_bytes > p.max_bytes ? std::max(p.events_before_ns, p.needed_events_since_ns) : p.events_before_ns);
  run("delete from changes where id in (select id from changes where started_ns < $1 order by started_ns limit $2)", p.changes_before_ns);
  run("delete from deliveries where (source, delivery_id) in (select source, delivery_id from deliveries where received_ns < $1 "
      "order by received_ns limit $2)", p.deliveries_before_ns);
  run("delete from incidents where uid in (select uid from incidents where state in ('resolved', 'closed') and updated_ns < $1 "
      "order by updated_ns limit $2)",
      p.closed_incidents_before_ns);
  if (!db.failed() && db.changed_rows() > 0) {
    Query(db, "delete from incident_events where incident_uid not in (select uid from incidents)").run();
    Query(db, "delete from case_files where incident_uid not in (select uid from incidents)").run();
  }
  run("delete from plans where digest in (select digest from plans where created_ns < $1 order by created_ns limit $2)", p.closed_incidents_before_ns);
  if (!db.failed() && db.changed_rows() > 0) {
    Query(db, "delete from plan_events where plan not in (select digest from plans)").run();
    Query(db, "delete from votes where plan not in (select digest from plans)").run();
  }
  return written;
}

}  // namespace

changes::Change read_change(const Query& q) {
  changes::Change change;
  change.id = q.uuid(0);
  change.source = q.text(1);
  change.source_key = q.text(2);
  change.change_group = q.text(3);
  change.object = {.cluster = q.text(4), .kind = q.text(5), .namespace_name = q.text(6), .name = q.text(7), .uid = q.text(8),
                   .cgroup_path = q.text(9), .container_id = q.text(10), .node = q.text(11)};
  change.actor = q.text(12);
  change.revision = q.text(13);
  change.title = q.text(14);
  change.environment = q.text(15);
  change.url = q.text(16);
  change.started_ns = q.integer(17);
  change.finished_ns = q.optional_integer(18);
  const std::string outcome = q.text(19);
  for (std::size_t i = 0; i < kOutcomes.size(); ++i) {
    if (kOutcomes.at(i) == outcome) change.outcome = static_cast<changes::Outcome>(i);
  }
  change.fields = fields_from_json(q.text(20));
  change.received_ns = q.integer(21);
  return change;
}

Written apply(Database& database, const Write& write) {
  struct Visitor {
    Database& db;
    Written operator()(const WriteFrames& w) const { return write_frames(db, w); }
    Written operator()(const WriteNode& w) const { return write_node(db, w.node); }
    Written operator()(const WriteChange& w) const { return write_change(db, w); }
    Written operator()(const WriteChangeGroup& w) const {
      Query(db, "update changes set change_group = $1 where id = $2").bind(w.group, w.change_id).run();
      return {.effect = Effect::updated};
    }
    Written operator()(const WriteIncident& w) const { return write_incident(db, w); }
    Written operator()(const WriteGovernance& w) const { return write_governance(db, w); }
    Written operator()(const WritePrune& w) const { return prune(db, w); }
  };
  return std::visit(Visitor{database}, write);
}

}  // namespace fw::store
