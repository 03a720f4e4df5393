// Plans and what belongs to them, to and from SQL.
#include "aggregator/store/governance_sql.hpp"

namespace fw::store {

using sqlite::Blob;
using sqlite::Database;
using sqlite::Query;

// A retry of a write whose commit was lost on the way back finds its rows: they are the same.
Written write_governance(Database& db, const WriteGovernance& write) {
  for (const PlanRow& p : write.plans) {
    Query(db, "insert into plans (digest, incident_uid, incident_number, created_ns, action_class, document, facts) "
              "values ($1, $2, $3, $4, $5, $6, $7) on conflict (digest) do nothing")
        .bind(p.digest, p.incident, p.incident_number, p.created_ns, p.action_class, Blob{p.document}, p.facts)
        .run();
  }
  for (const PlanEventRow& e : write.events) {
    Query(db, "insert into plan_events (plan, seq, time_ns, kind, body, audit_id, log_index) values ($1, $2, $3, $4, $5, $6, $7) "
              "on conflict (plan, seq) do nothing")
        .bind(e.plan, e.seq, e.time_ns, e.kind, e.body, e.audit_id, e.log_index)
        .run();
  }
  for (const VoteRow& v : write.votes) {
    Query(db, "insert into votes (plan, signer, algorithm, document, signature, time_ns) values ($1, $2, $3, $4, $5, $6) "
              "on conflict (plan, signer, time_ns) do nothing")
        .bind(v.plan, v.key, v.algorithm, Blob{v.document}, Blob{v.signature}, v.time_ns)
        .run();
  }
  for (const DocumentRow& d : write.documents) {
    Query(db, "insert into documents (digest, kind, version, state, document, signatures, time_ns) values ($1, $2, $3, $4, $5, $6, $7) "
              "on conflict (digest) do update set state = excluded.state, signatures = excluded.signatures")
        .bind(d.digest, d.kind, d.version, d.state, Blob{d.document}, Blob{d.signatures}, d.time_ns)
        .run();
  }
  for (const ExecutorRow& e : write.executors) {
    Query(db, "insert into executors (node_uid, incarnation, status, problem, first_seen_ns, updated_ns) values ($1, $2, $3, $4, $5, $6) "
              "on conflict (node_uid) do update set incarnation = excluded.incarnation, status = excluded.status, "
              "problem = excluded.problem, updated_ns = excluded.updated_ns")
        .bind(e.node, e.incarnation, Blob{e.status}, e.problem, e.first_seen_ns, e.updated_ns)
        .run();
  }
  for (const AuditRow& a : write.audit) {
    Query(db, "insert into audit_pending (id, time_ns, entry) values ($1, $2, $3) on conflict (id) do nothing").bind(a.id, a.time_ns, a.entry).run();
    Query(db, "update counters set value = $1 where name = 'audit_id' and value < $1").bind(a.id).run();
  }
  for (const SequencedRow& s : write.sequenced) {
    Query(db, "update plan_events set log_index = $1 where audit_id = $2").bind(s.log_index, s.id).run();
    Query(db, "delete from audit_pending where id = $1").bind(s.id).run();
  }
  return {.effect = Effect::updated};
}

GovernanceRows read_governance(Database& db, std::size_t most_plans) {
  GovernanceRows rows;
  {
    Query q(db, "select digest, incident_uid, incident_number, created_ns, action_class, document, facts from "
                "(select * from plans order by created_ns desc, digest limit $1) newest order by created_ns, digest");
    q.bind(static_cast<std::int64_t>(most_plans));
    while (q.next()) {
      rows.plans.push_back({.digest = q.text(0), .incident = q.uuid(1), .incident_number = q.integer(2), .created_ns = q.integer(3),
                            .action_class = static_cast<int>(q.integer(4)), .document = q.text(5), .facts = q.text(6)});
    }
  }
  const std::int64_t since_ns = rows.plans.empty() ? 0 : rows.plans.front().created_ns;
  {
    Query q(db, "select plan, seq, time_ns, kind, body, audit_id, log_index from plan_events "
                "where plan in (select digest from plans where created_ns >= $1) order by plan, seq");
    q.bind(since_ns);
    while (q.next()) {
      rows.events.push_back({.plan = q.text(0), .seq = q.integer(1), .time_ns = q.integer(2), .kind = q.text(3), .body = q.text(4),
                             .audit_id = q.integer(5), .log_index = q.optional_integer(6)});
    }
  }
  {
    Query q(db, "select plan, signer, algorithm, document, signature, time_ns from votes "
                "where plan in (select digest from plans where created_ns >= $1) order by plan, time_ns, signer");
    q.bind(since_ns);
    while (q.next()) {
      rows.votes.push_back({.plan = q.text(0), .document = q.text(3), .key = q.text(1), .algorithm = static_cast<int>(q.integer(2)),
                            .signature = q.text(4), .time_ns = q.integer(5)});
    }
  }
  {
    Query q(db, "select digest, kind, version, state, document, signatures, time_ns from documents order by time_ns, version, digest");
    while (q.next()) {
      rows.documents.push_back({.digest = q.text(0), .kind = q.text(1), .document = q.text(4), .signatures = q.text(5), .state = q.text(3),
                                .version = q.integer(2), .time_ns = q.integer(6)});
    }
  }
  {
    Query q(db, "select node_uid, incarnation, status, problem, first_seen_ns, updated_ns from executors order by node_uid");
    while (q.next()) {
      rows.executors.push_back({.node = q.uuid(0), .incarnation = q.text(1), .status = q.text(2), .problem = q.text(3),
                                .first_seen_ns = q.integer(4), .updated_ns = q.integer(5)});
    }
  }
  {
    Query q(db, "select id, time_ns, entry from audit_pending order by id");
    while (q.next()) rows.audit.push_back({.id = q.integer(0), .time_ns = q.integer(1), .entry = q.text(2)});
  }
  Query last(db, "select value from counters where name = 'audit_id'");
  if (last.next()) rows.last_audit_id = last.integer(0);
  return rows;
}

}  // namespace fw::store
