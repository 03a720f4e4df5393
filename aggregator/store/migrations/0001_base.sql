-- Portable between SQLite and PostgreSQL: bigint, text, bytea, double precision; keys are text UUIDs.

create table nodes (
  uid text primary key,
  name text not null,
  agent_version text not null,
  kernel_release text not null,
  cgroup_mode text not null,
  boot_id text not null,
  first_seen_ns bigint not null,
  last_seen_ns bigint not null,
  clock_offset_ns bigint not null,
  clock_error_ns bigint not null
);

-- A stream belongs to the node of the certificate: a node cannot move another node's watermark.
create table streams (
  node_uid text not null,
  stream_id text not null,
  acknowledged_seq bigint not null,
  updated_ns bigint not null,
  primary key (node_uid, stream_id)
);

create table events (
  node_uid text not null,
  stream_id text not null,
  seq bigint not null,
  position bigint not null,
  boot_id text not null,
  cgroup_id text not null,
  time_ns bigint not null,
  received_ns bigint not null,
  clock_offset_ns bigint not null,
  clock_error_ns bigint not null,
  kind text not null,
  entity text not null,
  body text not null,
  primary key (node_uid, stream_id, seq, position)
);
create index events_by_received on events (received_ns);

create table changes (
  id text primary key,
  source text not null,
  source_key text not null,
  change_group text not null,
  object_cluster text not null,
  object_kind text not null,
  object_namespace text not null,
  object_name text not null,
  object_uid text not null,
  object_cgroup_path text not null,
  object_container_id text not null,
  object_node text not null,
  actor text not null,
  revision text not null,
  title text not null,
  environment text not null,
  url text not null,
  started_ns bigint not null,
  finished_ns bigint,
  outcome text not null,
  fields text not null,
  received_ns bigint not null,
  unique (source, source_key)
);
create index changes_by_start on changes (started_ns);

create table deliveries (
  source text not null,
  delivery_id text not null,
  received_ns bigint not null,
  primary key (source, delivery_id)
);
create index deliveries_by_received on deliveries (received_ns);

create table counters (name text primary key, value bigint not null);
insert into counters (name, value) values ('incident_number', 0);

create table incidents (
  uid text primary key,
  number bigint not null unique,
  lineage text not null,
  state text not null,
  opened_ns bigint not null,
  updated_ns bigint not null
);

create table incident_events (
  incident_uid text not null,
  seq bigint not null,
  time_ns bigint not null,
  kind text not null,
  ref text not null,
  body text not null,
  primary key (incident_uid, seq)
);
create index incident_events_by_time on incident_events (time_ns);
