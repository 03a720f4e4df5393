-- The case file, schema version 1: everything known about one incident, one row per fact. Documented in docs/case-file.md.
-- Times are ns Unix (…_ns). Every fact row has an evidence_id (E1, E2, ... unique in the file) that explanations cite.
-- Rows are written once by the aggregator; specialists and people only read.

create table meta (key text primary key, value text not null);
-- schema_version, engine_version, built_ns, incident

create table incident (
  id text not null,               -- INC-7
  uid text not null,
  subject_id integer not null,    -- entities.entity_id
  onset_ns integer not null,      -- first symptom
  last_symptom_ns integer not null,
  built_ns integer not null,      -- the "now" of this file; rules never ask another clock
  state text not null
);

create table entities (
  entity_id integer primary key,
  key text not null,              -- (node uid, boot id, cgroup inode) or (cluster, kind, uid)
  kind text not null,             -- node, pod, container, service, cgroup
  name text not null,             -- an attribute for people, never an identity
  node_id integer,                -- entities.entity_id of its node
  cgroup_path text,
  cgroup_version integer,         -- 1 or 2
  runtime text,                   -- containerd, cri-o, docker, systemd, or ''
  container_id text,
  pod_uid text,
  first_seen_ns integer,
  last_seen_ns integer
);

create table edges (
  from_id integer not null,
  relation text not null,         -- runs_on, part_of
  to_id integer not null
);

create table symptoms (
  evidence_id text primary key,
  entity_id integer not null,
  kind text not null,             -- oom_kill, crash_loop, killed, restart_loop
  first_ns integer not null,
  last_ns integer not null,
  count integer not null
);

create table events (
  evidence_id text primary key,
  entity_id integer not null,
  kind text not null,             -- oom_kill, process_exit, process_signal, limit_changed, lost
  time_ns integer not null,
  clock_error_ns integer not null,
  pid integer,
  parent_pid integer,
  comm text,
  container_main integer,         -- 1: the process's parent lives outside the cgroup
  age_ns integer,                 -- of the process
  rss_bytes integer,
  -- oom_kill
  constraint_kind text,           -- memcg, node, cpuset, unknown
  constraint_source text,         -- kernel_log, bpf, counters, unknown
  limit_bytes integer,
  usage_bytes integer,
  limit_cgroup_path text,
  oom_score_adj integer,
  invoker_pid integer,
  invoker_comm text,
  kills integer,
  -- process_exit
  exit_code integer,
  signal integer,                 -- also process_signal
  oom_victim integer,
  -- process_signal
  from_kernel integer,
  sender_pid integer,
  sender_comm text,
  sender_uid integer,
  sender_in_container integer,    -- 1: the sender lives in the same cgroup as the target
  -- limit_changed
  resource text,                  -- memory.max, ...
  before_value integer,           -- -1: no limit
  after_value integer,
  -- lost
  lost_source text,
  lost_count integer
);

create table oom_processes (      -- the largest processes of the cgroup as read just after an oom_kill
  evidence_id text not null,      -- events.evidence_id of the oom_kill
  rank integer not null,
  pid integer not null,
  parent_pid integer,
  comm text not null,
  rss_bytes integer,
  age_ns integer,
  container_main integer
);

create table series (
  entity_id integer not null,
  metric text not null,           -- memory_current_bytes, ...
  unit text not null,
  kind text not null,             -- gauge, counter
  t_ns integer not null,
  value integer not null
);
create index series_by_metric on series (metric, entity_id, t_ns);

create table anomalies (
  evidence_id text primary key,
  entity_id integer not null,
  metric text not null,
  kind text not null,             -- step_up, step_down, trend_up
  onset_ns integer not null,
  magnitude real not null,        -- after / before for steps, relative growth per hour for trends
  score real not null             -- robust z
);

create table changes (
  evidence_id text primary key,
  change_id text not null,
  change_group text not null,     -- the same deploy seen by several sources has one group
  source text not null,           -- github, cloudevents, node
  object_kind text,
  object_name text,
  object_namespace text,
  actor text not null,            -- 'unknown' when no author is known
  revision text,
  title text,
  environment text,
  started_ns integer not null,
  finished_ns integer,
  outcome text not null,          -- unknown, in_progress, success, failure, cancelled
  received_ns integer not null,
  entity_id integer,              -- what it touched, when the object could be matched; null otherwise
  match text                      -- how it was matched: uid, cgroup_path, container_id, name, group, observed; null
);

create table change_fields (
  evidence_id text primary key,
  change_id text not null,
  path text not null,             -- resources.limits.memory, image, memory.max, ...
  before_text text,
  after_text text,
  before_value integer,           -- bytes, milli-CPU, ... where the text is a quantity
  after_value integer,
  mechanism text not null         -- memory_limit, memory_use, image, cpu_limit, config, replicas, probe, other
);

create table past_incidents (
  card text not null,
  subject_name text not null,
  confirmed integer not null,     -- a person closed it with this cause
  refuted integer not null
);

-- Views that many rules need.

create view subject as
  select e.* from incident i join entities e on e.entity_id = i.subject_id;

create view container_limits as   -- last known memory limit of each entity
  select s.entity_id, s.value as limit_bytes, max(s.t_ns) as t_ns
  from series s where s.metric = 'memory_limit_bytes' and s.value >= 0 group by s.entity_id;

create view changes_before_onset as
  select c.*, i.onset_ns - coalesce(c.finished_ns, c.started_ns) as age_ns
  from changes c, incident i where c.started_ns <= i.onset_ns;

create view restarts_per_minute as
  select entity_id, time_ns / 60000000000 as minute, count(*) as restarts
  from events where kind = 'process_exit' and container_main = 1 group by entity_id, minute;
