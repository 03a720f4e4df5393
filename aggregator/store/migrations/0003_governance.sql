-- Plans, votes, signed documents, executors, and audit entries on their way into the log (docs/governance.md).

-- What was proposed, as its exact bytes. What happens to it are its events.
create table plans (
  digest text primary key,
  incident_uid text not null,
  incident_number bigint not null,
  created_ns bigint not null,
  action_class bigint not null,
  document bytea not null,
  facts text not null
);
create index plans_by_time on plans (created_ns);

-- audit_id names the audit entry that says the same; log_index is its place in the audit log, once it has one.
create table plan_events (
  plan text not null,
  seq bigint not null,
  time_ns bigint not null,
  kind text not null,
  body text not null,
  audit_id bigint not null,
  log_index bigint,
  primary key (plan, seq)
);
create index plan_events_by_audit on plan_events (audit_id);

create table votes (
  plan text not null,
  signer text not null,
  algorithm bigint not null,
  document bytea not null,
  signature bytea not null,
  time_ns bigint not null,
  primary key (plan, signer, time_ns)
);

create table documents (
  digest text primary key,
  kind text not null,
  version bigint not null,
  state text not null,
  document bytea not null,
  signatures bytea not null,
  time_ns bigint not null
);

create table executors (
  node_uid text primary key,
  incarnation text not null,
  status bytea not null,
  problem text not null,
  first_seen_ns bigint not null,
  updated_ns bigint not null
);

-- Written in the transaction that makes them true; gone once they stand in the log.
create table audit_pending (
  id bigint primary key,
  time_ns bigint not null,
  entry text not null
);
insert into counters (name, value) values ('audit_id', 0);
