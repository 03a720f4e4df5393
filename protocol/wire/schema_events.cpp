#include <limits>

#include "protocol/wire/schema_io.hpp"

namespace fw::wire {
namespace {

constexpr auto kAbsentI64 = std::numeric_limits<std::int64_t>::min();
constexpr auto kAbsentI32 = std::numeric_limits<std::int32_t>::min();
constexpr auto kAbsentU64 = std::numeric_limits<std::uint64_t>::max();

template <class Number>
std::optional<Number> unless(Number absent, Number value) {
  return value == absent ? std::optional<Number>() : std::optional<Number>(value);
}

void write_process(const ProcessInfo& p, schema::ProcessInfo::Builder to) {
  to.setPid(p.pid);
  to.setParentPid(p.parent_pid);
  to.setComm(to_text(p.comm));
  to.setRssBytes(p.rss_bytes.value_or(kAbsentI64));
  to.setAgeNs(p.age_ns.value_or(kAbsentU64));
  to.setContainerMain(!p.container_main ? schema::Truth::UNKNOWN : *p.container_main ? schema::Truth::YES : schema::Truth::NO);
}

Result<ProcessInfo> read_process(schema::ProcessInfo::Reader from) {
  ProcessInfo p;
  p.pid = from.getPid();
  p.parent_pid = from.getParentPid();
  p.comm = to_string(from.getComm());
  p.rss_bytes = unless(kAbsentI64, from.getRssBytes());
  p.age_ns = unless(kAbsentU64, from.getAgeNs());
  switch (from.getContainerMain()) {
    case schema::Truth::UNKNOWN: return p;
    case schema::Truth::NO: p.container_main = false; return p;
    case schema::Truth::YES: p.container_main = true; return p;
  }
  return Error(Errc::malformed, "process: container_main: unknown value");
}

void write_body(const std::monostate&, schema::Event::Builder) {}

void write_body(const OomKill& k, schema::Event::Builder event) {
  auto to = event.initOomKill();
  write_process(k.victim, to.initVictim());
  to.setConstraint(static_cast<schema::OomConstraint>(k.constraint));
  to.setConstraintSource(static_cast<schema::FactSource>(k.constraint_source));
  to.setOomScoreAdj(k.oom_score_adj.value_or(kAbsentI32));
  to.setLimitBytes(k.limit_bytes.value_or(kAbsentI64));
  to.setUsageBytes(k.usage_bytes.value_or(kAbsentI64));
  to.setLimitCgroupPath(to_text(k.limit_cgroup_path));
  to.setInvokerPid(k.invoker_pid);
  to.setInvokerComm(to_text(k.invoker_comm));
  to.setKillsTotal(k.kills_total);
  auto top = to.initTopProcesses(static_cast<unsigned>(k.top_processes.size()));
  for (unsigned i = 0; i < top.size(); ++i) write_process(k.top_processes[i], top[i]);
}

Result<void> read_body(schema::OomKill::Reader from, Event& event) {
  OomKill k;
  auto victim = read_process(from.getVictim());
  if (!victim) return victim.error();
  k.victim = std::move(*victim);
  auto constraint = read_enum("oom_kill: constraint", from.getConstraint(), OomConstraint::cpuset);
  if (!constraint) return constraint.error();
  k.constraint = *constraint;
  auto source = read_enum("oom_kill: constraint_source", from.getConstraintSource(), FactSource::counters);
  if (!source) return source.error();
  k.constraint_source = *source;
  k.oom_score_adj = unless(kAbsentI32, from.getOomScoreAdj());
  k.limit_bytes = unless(kAbsentI64, from.getLimitBytes());
  k.usage_bytes = unless(kAbsentI64, from.getUsageBytes());
  k.limit_cgroup_path = to_string(from.getLimitCgroupPath());
  k.invoker_pid = from.getInvokerPid();
  k.invoker_comm = to_string(from.getInvokerComm());
  k.kills_total = from.getKillsTotal();
  const auto top = from.getTopProcesses();
  if (top.size() > limits::kMaxTopProcesses)
    return Error(Errc::too_large, "oom_kill: top_processes: " + std::to_string(top.size()) + " entries");
  for (const auto entry : top) {
    auto process = read_process(entry);
    if (!process) return process.error();
    k.top_processes.push_back(std::move(*process));
  }
  event.body = std::move(k);
  return {};
}

void write_body(const ProcessExit& e, schema::Event::Builder event) {
  auto to = event.initProcessExit();
  write_process(e.process, to.initProcess());
  to.setExitCode(e.exit_code);
  to.setSignal(e.signal);
  to.setOomVictim(e.oom_victim);
}

Result<void> read_body(schema::ProcessExit::Reader from, Event& event) {
  auto process = read_process(from.getProcess());
  if (!process) return process.error();
  event.body = ProcessExit{std::move(*process), from.getExitCode(), from.getSignal(), from.getOomVictim()};
  return {};
}

void write_body(const ProcessSignal& s, schema::Event::Builder event) {
  auto to = event.initProcessSignal();
  write_process(s.target, to.initTarget());
  to.setSignal(s.signal);
  to.setFromKernel(s.from_kernel);
  write_process(s.sender, to.initSender());
  to.setSenderUid(s.sender_uid);
  to.setSenderCgroupId(s.sender_cgroup_id);
}

Result<void> read_body(schema::ProcessSignal::Reader from, Event& event) {
  auto target = read_process(from.getTarget());
  if (!target) return target.error();
  auto sender = read_process(from.getSender());
  if (!sender) return sender.error();
  event.body = ProcessSignal{std::move(*target),   from.getSignal(),    from.getFromKernel(),
                             std::move(*sender),   from.getSenderUid(), from.getSenderCgroupId()};
  return {};
}

void write_body(const LimitChanged& l, schema::Event::Builder event) {
  auto to = event.initLimitChanged();
  to.setResource(to_text(l.resource));
  to.setBefore(l.before);
  to.setAfter(l.after);
}

void write_body(const Lost& l, schema::Event::Builder event) {
  auto to = event.initLost();
  to.setSource(to_text(l.source));
  to.setCount(l.count);
}

void write_body(const Observed& o, schema::Event::Builder event) {
  auto to = event.initObserved();
  to.setWhat(to_text(o.what));
  to.setObject(to_text(o.object));
  to.setReason(to_text(o.reason));
  to.setBefore(to_text(o.before));
  to.setAfter(to_text(o.after));
  to.setText(to_text(o.text));
  to.setCount(o.count);
}

Observed read_observed(schema::Observed::Reader from) {
  return {to_string(from.getWhat()), to_string(from.getObject()), to_string(from.getReason()), to_string(from.getBefore()),
          to_string(from.getAfter()), to_string(from.getText()), from.getCount()};
}

Result<void> read_event(schema::Event::Reader from, Event& event) {
  event.entity_id = from.getEntityId();
  event.time_ns = from.getTimeNs();
  switch (from.which()) {
    case schema::Event::UNSET: return {};
    case schema::Event::OOM_KILL: return read_body(from.getOomKill(), event);
    case schema::Event::PROCESS_EXIT: return read_body(from.getProcessExit(), event);
    case schema::Event::PROCESS_SIGNAL: return read_body(from.getProcessSignal(), event);
    case schema::Event::LIMIT_CHANGED: {
      const auto l = from.getLimitChanged();
      event.body = LimitChanged{to_string(l.getResource()), l.getBefore(), l.getAfter()};
      return {};
    }
    case schema::Event::LOST:
      event.body = Lost{to_string(from.getLost().getSource()), from.getLost().getCount()};
      return {};
    case schema::Event::OBSERVED: event.body = read_observed(from.getObserved()); return {};
  }
  return Error(Errc::unsupported, "body " + std::to_string(static_cast<unsigned>(from.which())));
}

}  // namespace

void write(const Events& events, schema::Events::Builder to) {
  to.setSeq(events.seq);
  write_entities(events.entities, to.initEntities(static_cast<unsigned>(events.entities.size())));
  auto list = to.initEvents(static_cast<unsigned>(events.events.size()));
  for (unsigned i = 0; i < list.size(); ++i) {
    const Event& event = events.events[i];
    auto one = list[i];
    one.setEntityId(event.entity_id);
    one.setTimeNs(event.time_ns);
    std::visit([&](const auto& body) { write_body(body, one); }, event.body);
  }
}

Result<Events> read(schema::Events::Reader from) {
  Events out;
  out.seq = from.getSeq();
  auto entities = read_entities(from.getEntities());
  if (!entities) return with_context(entities.error(), "events");
  out.entities = std::move(*entities);
  const auto list = from.getEvents();
  if (list.size() > limits::kMaxEventsPerFrame) return Error(Errc::too_large, "events: " + std::to_string(list.size()) + " events");
  for (const auto entry : list) {
    Event event;
    if (auto ok = read_event(entry, event); !ok)
      return with_context(ok.error(), "events: event " + std::to_string(out.events.size()));
    out.events.push_back(std::move(event));
  }
  return out;
}

}  // namespace fw::wire
