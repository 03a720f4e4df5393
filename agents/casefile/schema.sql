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
  lost_count integer,
  -- what a collector noticed (docs/metrics.md, "Events")
  object text,
  reason text,
  before_text text,
  after_text text,
  text text,
  count integer
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

create view lineage as            -- the subject and its other incarnations: a restarted container has a new cgroup
  select e.entity_id from entities e, subject s
  where e.entity_id = s.entity_id
     or (e.kind = s.kind and e.node_id is s.node_id and e.cgroup_path <> '' and e.cgroup_path = s.cgroup_path)
     or (e.kind = s.kind and e.pod_uid <> '' and e.pod_uid = s.pod_uid
         and (e.name = s.name or e.last_seen_ns <= s.first_seen_ns or e.first_seen_ns >= s.last_seen_ns));

create view subject_events as
  select e.* from events e where e.entity_id in (select entity_id from lineage);

create view subject_series as
  select s.* from series s where s.entity_id in (select entity_id from lineage);

create view onset as              -- the first fact of this burst of symptoms; incident.onset_ns may be a minute off
  select coalesce(
    (select min(e.time_ns) from subject_events e, incident i
     where e.kind = 'oom_kill' and e.time_ns >= i.onset_ns - 120000000000),
    (select min(e.time_ns) from subject_events e, incident i
     where e.kind in ('process_exit', 'process_signal') and e.container_main = 1 and e.time_ns >= i.onset_ns - 120000000000),
    (select onset_ns from incident)) as t_ns;

create view subject_kills as      -- OOM kills of this burst
  select * from subject_events where kind = 'oom_kill' and time_ns >= (select t_ns from onset);

create view main_ends as          -- ends of the main process in this burst; a shell reports a signal as 128 + its number
  select *, case when signal > 0 then signal when exit_code > 128 and exit_code < 160 then exit_code - 128 else 0 end as end_signal
  from subject_events where kind = 'process_exit' and container_main = 1 and time_ns >= (select t_ns from onset);

create view limit_owners as       -- whose limit was hit: the cgroup that the kernel named, else the subject.
  select e.entity_id from entities e, subject s   -- Nobody when the kernel named a cgroup that this file does not know.
  where e.node_id is s.node_id and case
    when exists (select 1 from subject_kills where limit_cgroup_path <> '') then e.cgroup_path =
      (select limit_cgroup_path from subject_kills where limit_cgroup_path <> '' order by time_ns limit 1)
    else e.entity_id in (select entity_id from lineage) end;

create view limit_readings as     -- the limit that was hit, over time; a noticed change also tells the value before it
  select t_ns, value, 'reading' as source, null as evidence_id from series
    where metric = 'memory_limit_bytes' and entity_id in (select entity_id from limit_owners)
  union all
  select time_ns - 1, before_value, 'before', evidence_id from events
    where kind = 'limit_changed' and resource = 'memory.max' and entity_id in (select entity_id from limit_owners)
  union all
  select time_ns, after_value, 'after', evidence_id from events
    where kind = 'limit_changed' and resource = 'memory.max' and entity_id in (select entity_id from limit_owners);

create view limit_at_onset as     -- the limit that killed; one row, null when unknown
  select coalesce(
    (select limit_bytes from subject_kills where limit_bytes >= 0 and constraint_kind is not 'node' order by time_ns limit 1),
    (select r.value from limit_readings r, onset o where r.t_ns <= o.t_ns + 15000000000 order by r.t_ns desc limit 1)) as limit_bytes;

create view limit_before as       -- the last other limit before the onset; one row, null when it never was another one.
  select coalesce(                -- An agent reads limits each 10 s, so it may notice a change only after the first kill.
    (select r.value from limit_readings r, onset o, limit_at_onset l
     where r.t_ns < o.t_ns and r.value <> l.limit_bytes order by r.t_ns desc limit 1),
    (select e.before_value from events e, onset o, limit_at_onset l
     where e.kind = 'limit_changed' and e.resource = 'memory.max' and e.entity_id in (select entity_id from limit_owners)
       and e.time_ns between o.t_ns and o.t_ns + 15000000000 and e.after_value = l.limit_bytes
     order by e.time_ns limit 1)) as limit_bytes;

create view limit_changed_at as   -- when the limit that killed came into force; one row, null when it did not change or is not known
  select min(r.t_ns) as t_ns from limit_readings r, limit_at_onset l, limit_before b
  where b.limit_bytes is not null and r.value = l.limit_bytes
    and r.t_ns > coalesce((select max(x.t_ns) from limit_readings x, onset o, limit_before y
                           where x.value = y.limit_bytes and x.t_ns < o.t_ns), 0);

create view limit_watched as      -- known: 1 when the limit was read early enough to say whether it changed before the first kill, else null; one row.
  select case                     -- Early: three minutes before it, or as the main process began and before any kill.
    when o.t_ns - r.t_ns >= 180000000000 then 1
    when r.t_ns <= b.t_ns + 15000000000 and not coalesce((select s.value > 0 from subject_series s where s.metric = 'memory_oom_kills_total'
                                                          order by s.t_ns limit 1), 0) then 1 end as known
  from onset o,
       (select min(x.t_ns) as t_ns from limit_readings x, onset y where x.t_ns < y.t_ns) r,
       (select min(t_ns) as t_ns from (
          select time_ns - age_ns as t_ns from subject_kills where container_main = 1 and age_ns > 0 union all
          select k.time_ns - p.age_ns from subject_kills k join oom_processes p using (evidence_id) where p.container_main = 1 and p.age_ns > 0)) b;

create view subject_use as        -- memory that cannot be given back: anonymous if known, else working set, else all
  select s.entity_id, s.t_ns, s.value, s.metric from subject_series s where s.metric = (
    select metric from (select 'memory_anon_bytes' as metric, 1 as rank union all select 'memory_working_set_bytes', 2
                        union all select 'memory_current_bytes', 3) m
    where exists (select 1 from subject_series x where x.metric = m.metric) order by rank limit 1);

create view use_before as         -- the most that was in use before the onset and before the limit changed; one row, null when not known
  select max(u.value) as peak_bytes, count(*) as readings from subject_use u, onset o, limit_changed_at c
  where u.t_ns < min(o.t_ns, coalesce(c.t_ns, o.t_ns));

create view growers as            -- other containers of the subject's node: memory now against a quarter of an hour before the onset
  select e.entity_id, e.name, max(s.value) as after_bytes,
         (select x.value from series x, onset o where x.entity_id = e.entity_id and x.metric = s.metric
          and x.t_ns >= o.t_ns - 900000000000 order by x.t_ns limit 1) as before_bytes
  from entities e join series s on s.entity_id = e.entity_id and s.metric = 'memory_current_bytes', onset o
  where e.node_id is (select node_id from subject) and e.kind in ('container', 'service', 'cgroup')
    and e.entity_id not in (select entity_id from lineage)
    and not exists (select 1 from subject x where instr(x.cgroup_path || '/', e.cgroup_path || '/') = 1)   -- its own ancestors
    and s.t_ns between o.t_ns - 60000000000 and o.t_ns + 2000000000
  group by e.entity_id, e.name;
