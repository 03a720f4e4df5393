#include "agents/orchestrator/facts.hpp"

#include <algorithm>
#include <charconv>

#include "agents/casefile/rows.hpp"
#include "agents/orchestrator/template.hpp"

namespace fw::agents {
namespace {

// One select per table: evidence_id, time, source, text. `ids` is a temporary relation of the ids asked for.
constexpr std::string_view kDescriptions = R"sql(
select v.evidence_id, v.t_ns, v.source, v.text from (
  select s.evidence_id, s.first_ns as t_ns, 'symptom' as source,
         e.name || ': ' || s.kind || ' ' || s.count || case s.count when 1 then ' time' else ' times' end as text
  from symptoms s left join entities e using (entity_id)
  union all
  select v.evidence_id, v.time_ns,
    case v.kind when 'oom_kill' then 'kernel, ' || coalesce(v.constraint_source, 'unknown') else 'kernel' end,
    case v.kind
      when 'oom_kill' then coalesce(e.name, '?') || ': the kernel OOM-killed '
        || case when v.comm is null and coalesce(v.kills, 1) > 1 then v.kills || ' processes' else coalesce(v.comm, 'a process') end
        || coalesce(' (pid ' || v.pid || ')', '')
        || case v.constraint_kind when 'memcg' then ' at the memory limit of ' || coalesce(nullif(v.limit_cgroup_path, ''), 'its cgroup')
             when 'node' then ' because the node ran out of memory' when 'cpuset' then ' because its cpuset ran out of memory' else '' end
        || coalesce(', limit ' || size(v.limit_bytes), '') || coalesce(', victim held ' || size(v.rss_bytes), '')
        || case v.container_main when 1 then ', the main process' when 0 then ', a child process' else '' end
      when 'process_exit' then coalesce(e.name, '?') || ': ' || case v.container_main when 1 then 'main process ' else 'process ' end
        || coalesce(v.comm, '') || coalesce(' (pid ' || v.pid || ')', '')
        || case when coalesce(v.signal, 0) > 0 then ' ended by signal ' || v.signal else ' exited with code ' || coalesce(v.exit_code, '?') end
        || case v.oom_victim when 1 then ' (OOM victim)' else '' end
      when 'process_signal' then coalesce(e.name, '?') || ': signal ' || coalesce(v.signal, '?') || ' to ' || coalesce(v.comm, 'a process')
        || coalesce(' (pid ' || v.pid || ')', '') || ' from '
        || case v.from_kernel when 1 then 'the kernel' else coalesce(v.sender_comm, 'an unknown sender')
             || coalesce(' (pid ' || v.sender_pid || ', uid ' || v.sender_uid || ')', '')
             || case v.sender_in_container when 1 then ', inside the container' when 0 then ', outside the container' else '' end end
      when 'limit_changed' then coalesce(e.name, '?') || ': ' || coalesce(v.resource, 'a limit') || ' went from '
        || size(v.before_value) || ' to ' || size(v.after_value)
      when 'lost' then 'the agent lost ' || coalesce(v.lost_count, '?') || ' events of ' || coalesce(v.lost_source, '?')
      else coalesce(e.name, '?') || ': ' || replace(v.kind, '_', ' ') || coalesce(' ' || v.object, '') || coalesce(', ' || v.reason, '')
        || coalesce(', was ' || v.before_text, '') || coalesce(', is ' || v.after_text, '')
        || case when v.count > 1 then ', ' || v.count || ' times' else '' end || coalesce(': ' || v.text, '') end
  from events v left join entities e using (entity_id)
  union all
  select a.evidence_id, a.onset_ns, 'series ' || a.metric,
    coalesce(e.name, '?') || ': ' || a.metric || case a.kind
      when 'trend_up' then ' grew steadily, ' || cast(round(a.magnitude * 100) as integer) || '% per hour'
      else printf(' %s to %.2f of what it was', case a.kind when 'step_up' then 'rose' else 'fell' end, a.magnitude) end
  from anomalies a left join entities e using (entity_id)
  union all
  select c.evidence_id, c.started_ns, 'change, ' || c.source,
    'change of ' || coalesce(nullif(trim(coalesce(c.object_kind, '') || ' ' || coalesce(c.object_name, '')), ''), 'an unnamed object') || ' by ' || c.actor
      || coalesce(': ' || nullif(c.title, ''), '') || coalesce(', revision ' || nullif(substr(c.revision, 1, 12), ''), '')
      || case c.outcome when 'unknown' then '' else ', ' || c.outcome end
  from changes c
  union all
  select f.evidence_id, c.started_ns, 'change, ' || c.source,
    'changed ' || f.path || coalesce(' from ' || f.before_text, '') || coalesce(' to ' || f.after_text, '')
  from change_fields f join changes c on c.change_id = f.change_id group by f.evidence_id
) v where instr(:ids, ',' || v.evidence_id || ',') > 0 order by v.t_ns)sql";

std::int64_t number_of(const std::string& id) {
  std::int64_t number = 0;
  std::from_chars(id.data() + std::min<std::size_t>(1, id.size()), id.data() + id.size(), number);
  return number;
}

}  // namespace

Result<std::vector<Fact>> describe(const CaseFile& file, const std::set<std::string>& evidence_ids) {
  std::string ids = ",";
  for (const auto& id : evidence_ids) ids += id + ",";
  const auto table = file.query(kDescriptions, {{":ids", ids}});
  if (!table) return with_context(table.error(), "facts");
  std::vector<Fact> out;
  for (const auto& row : table->rows)
    out.push_back({as_text(row[0]), as_int(row[1]).value_or(0), printable(as_text(row[2])), printable(as_text(row[3]))});
  std::stable_sort(out.begin(), out.end(), [](const Fact& a, const Fact& b) {
    return std::pair{a.time_ns, number_of(a.id)} < std::pair{b.time_ns, number_of(b.id)};
  });
  return out;
}

}  // namespace fw::agents
