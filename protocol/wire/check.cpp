// The rules for every message, in one place; both ends apply them (codec.hpp).
#include <algorithm>
#include <type_traits>

#include "protocol/wire/codec.hpp"
#include "protocol/wire/text.hpp"

namespace fw::wire {
namespace {

constexpr std::size_t kMaxCommBytes = 15;   // TASK_COMM_LEN - 1
constexpr std::int32_t kMaxSignal = 64;     // _NSIG
constexpr std::uint64_t kMaxSeq = std::numeric_limits<std::int64_t>::max();   // SQL has no unsigned numbers

template <class... Checks>
Result<void> all(const char* what, Checks&&... checks) {
  Result<void> result;
  const auto run = [&](auto& one) {
    result = one();
    return result.has_value();
  };
  if (!(run(checks) && ...)) return with_context(result.error(), what);
  return {};
}

Error malformed(std::string what) { return {Errc::malformed, std::move(what)}; }

Result<void> at_most(const char* field, std::size_t count, std::size_t limit) {
  if (count > limit)
    return Error(Errc::too_large, std::string(field) + ": " + std::to_string(count) + " entries, at most " + std::to_string(limit));
  return {};
}

Result<void> text(const char* field, const std::string& value, std::size_t limit = limits::kMaxLabelBytes) {
  if (value.size() > limit)
    return Error(Errc::too_large, std::string(field) + ": " + std::to_string(value.size()) + " bytes, at most " + std::to_string(limit));
  if (!is_wire_text(value)) return malformed(std::string(field) + ": not UTF-8 text");
  return {};
}

template <class Enum>
Result<void> in_range(const char* field, Enum value, Enum last) {
  using Number = std::underlying_type_t<Enum>;
  if (static_cast<Number>(value) > static_cast<Number>(last))
    return malformed(std::string(field) + ": value " + std::to_string(static_cast<Number>(value)));
  return {};
}

Result<void> number(const char* field, std::int64_t value, std::int64_t least, std::int64_t most) {
  if (value < least || value > most) return malformed(std::string(field) + ": " + std::to_string(value) + " is out of range");
  return {};
}

Result<void> wall_time(const char* field, std::int64_t value) { return number(field, value, 0, limits::kMaxWallNs); }

// The sentinel of the schema for "not known" is no value.
template <class Number>
Result<void> no_sentinel(const char* field, const std::optional<Number>& value, Number sentinel) {
  if (value == sentinel) return malformed(std::string(field) + ": out of range");
  return {};
}

template <class List, class Check>
Result<void> each(const char* name, const List& list, Check check) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (Result<void> ok = check(list[i]); !ok) return with_context(ok.error(), std::string(name) + " " + std::to_string(i));
  }
  return {};
}

bool ascends(const std::vector<std::uint32_t>& ids) {
  return std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end();
}

Result<void> check_entity(const EntityEntry& e) {
  if (e.id == 0) return malformed("id: 0");
  if (e.parent_id == e.id) return malformed("parent_id: its own parent");
  return all("entity", [&] { return in_range("kind", e.kind, EntityKind::interface); }, [&] { return text("cgroup_path", e.cgroup_path); },
             [&] { return text("name", e.name); }, [&] { return text("runtime", e.runtime); },
             [&] { return text("container_id", e.container_id); }, [&] { return text("pod_uid", e.pod_uid); },
             [&] { return text("qos_class", e.qos_class); }, [&] { return text("container_name", e.container_name); },
             [&] { return text("pod_name", e.pod_name); }, [&] { return text("pod_namespace", e.pod_namespace); },
             [&] { return text("image", e.image); });
}

// Sorted ids of a dictionary; Errc::malformed when one is there twice.
template <class Entry>
Result<std::vector<std::uint32_t>> unique_ids(const char* name, const std::vector<Entry>& entries) {
  std::vector<std::uint32_t> ids;
  ids.reserve(entries.size());
  for (const auto& entry : entries) ids.push_back(entry.id);
  std::sort(ids.begin(), ids.end());
  if (!ascends(ids)) return malformed(std::string(name) + ": an id is there twice");
  return ids;
}

Result<void> check_metric(const MetricEntry& m) {
  if (m.id == 0) return malformed("id: 0");
  return all("metric", [&] { return in_range("kind", m.kind, MetricKind::counter); }, [&] { return text("name", m.name); },
             [&] { return text("unit", m.unit); });
}

Result<void> check_column(const SampleColumn& c) {
  if (c.entity_ids.size() != c.values.size()) return malformed("column: as many entities as values are needed");
  if (!ascends(c.entity_ids)) return malformed("column: entity ids do not ascend");
  return {};
}

Result<void> check_samples(const Samples& s) {
  std::size_t values = 0;
  for (const auto& column : s.columns) values += column.values.size();
  return all("samples", [&] { return wall_time("time_ns", s.time_ns); },
             [&] { return at_most("entities", s.entities.size(), limits::kMaxEntitiesPerNode); },
             [&] { return at_most("metrics", s.metrics.size(), limits::kMaxMetricsPerNode); },
             [&] { return at_most("removed_entity_ids", s.removed_entity_ids.size(), limits::kMaxEntitiesPerNode); },
             [&] { return at_most("columns", s.columns.size(), limits::kMaxMetricsPerNode); },
             [&] { return at_most("values", values, limits::kMaxValuesPerSamples); },
             [&] { return each("entity", s.entities, check_entity); }, [&] { return each("metric", s.metrics, check_metric); },
             [&]() -> Result<void> {
               if (auto ids = unique_ids("entities", s.entities); !ids) return ids.error();
               if (auto ids = unique_ids("metrics", s.metrics); !ids) return ids.error();
               if (!ascends(s.removed_entity_ids)) return malformed("removed_entity_ids: do not ascend");
               const auto by_metric = [](const SampleColumn& a, const SampleColumn& b) { return a.metric_id >= b.metric_id; };
               if (std::adjacent_find(s.columns.begin(), s.columns.end(), by_metric) != s.columns.end())
                 return malformed("columns: metric ids do not ascend");
               return {};
             },
             [&] { return each("column", s.columns, check_column); });
}

Result<void> check_process(const char* name, const ProcessInfo& p) {
  return all(name, [&] { return text("comm", p.comm, kMaxCommBytes); },
             [&] { return no_sentinel("rss_bytes", p.rss_bytes, std::numeric_limits<std::int64_t>::min()); },
             [&] { return no_sentinel("age_ns", p.age_ns, std::numeric_limits<std::uint64_t>::max()); });
}

Result<void> check_body(const std::monostate&) { return {}; }

Result<void> check_body(const OomKill& k) {
  constexpr auto kAbsent = std::numeric_limits<std::int64_t>::min();
  return all("oom_kill", [&] { return check_process("victim", k.victim); },
             [&] { return in_range("constraint", k.constraint, OomConstraint::cpuset); },
             [&] { return in_range("constraint_source", k.constraint_source, FactSource::counters); },
             [&] { return number("oom_score_adj", k.oom_score_adj.value_or(0), -1000, 1000); },
             [&] { return no_sentinel("limit_bytes", k.limit_bytes, kAbsent); },
             [&] { return no_sentinel("usage_bytes", k.usage_bytes, kAbsent); },
             [&] { return text("limit_cgroup_path", k.limit_cgroup_path); },
             [&] { return text("invoker_comm", k.invoker_comm, kMaxCommBytes); },
             [&] { return number("kills_total", k.kills_total, 1, std::numeric_limits<std::uint32_t>::max()); },
             [&] { return at_most("top_processes", k.top_processes.size(), limits::kMaxTopProcesses); },
             [&] { return each("top process", k.top_processes, [](const auto& p) { return check_process("process", p); }); });
}

Result<void> check_body(const ProcessExit& e) {
  return all("process_exit", [&] { return check_process("process", e.process); }, [&] { return number("exit_code", e.exit_code, 0, 255); },
             [&] { return number("signal", e.signal, 0, kMaxSignal); });
}

Result<void> check_body(const ProcessSignal& s) {
  return all("process_signal", [&] { return check_process("target", s.target); }, [&] { return check_process("sender", s.sender); },
             [&] { return number("signal", s.signal, 1, kMaxSignal); });
}

Result<void> check_body(const LimitChanged& l) {
  return all("limit_changed", [&] { return text("resource", l.resource); });
}

Result<void> check_body(const Observed& o) {
  const auto is_word = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  if (o.what.empty() || !std::all_of(o.what.begin(), o.what.end(), is_word)) return malformed("observed: what: not a word of [a-z_]");
  return all("observed", [&] { return text("what", o.what, limits::kMaxObservedWordBytes); }, [&] { return text("object", o.object); },
             [&] { return text("reason", o.reason); }, [&] { return text("before", o.before); }, [&] { return text("after", o.after); },
             [&] { return text("text", o.text, limits::kMaxObservedTextBytes); },
             [&] { return number("count", static_cast<std::int64_t>(std::min<std::uint64_t>(o.count, kMaxSeq)), 1, std::numeric_limits<std::int64_t>::max()); });
}

Result<void> check_body(const Lost& l) {
  return all("lost", [&] { return text("source", l.source); });
}

Result<void> check_events(const Events& e) {
  if (e.seq == 0) return malformed("events: seq: 0");
  if (e.seq > kMaxSeq) return malformed("events: seq: " + std::to_string(e.seq) + " is out of range");
  std::vector<std::uint32_t> ids;
  const auto known = [&](std::uint32_t id) { return std::binary_search(ids.begin(), ids.end(), id); };
  return all("events", [&] { return at_most("events", e.events.size(), limits::kMaxEventsPerFrame); },
             [&] { return at_most("entities", e.entities.size(), limits::kMaxEntitiesPerNode); },
             [&] { return each("entity", e.entities, check_entity); },
             [&]() -> Result<void> {
               auto unique = unique_ids("entities", e.entities);
               if (!unique) return unique.error();
               ids = std::move(*unique);
               return each("entity", e.entities, [&](const EntityEntry& entity) -> Result<void> {
                 if (entity.parent_id != 0 && !known(entity.parent_id)) return malformed("parent_id: not in this frame");
                 return {};
               });
             },
             [&] {
               return each("event", e.events, [&](const Event& event) -> Result<void> {
                 if (auto ok = wall_time("time_ns", event.time_ns); !ok) return ok;
                 // What the agent itself lost belongs to no entity.
                 const bool may_be_nobody = std::holds_alternative<Lost>(event.body) || event.body.index() == 0;
                 if (!known(event.entity_id) && !(event.entity_id == 0 && may_be_nobody))
                   return malformed("entity_id: not in this frame");
                 return std::visit([](const auto& body) { return check_body(body); }, event.body);
               });
             });
}

Result<void> check_one(const Hello& h) {
  return all("hello", [&] { return text("agent_version", h.agent_version); }, [&] { return text("node_name", h.node_name); },
             [&] { return text("kernel_release", h.kernel_release); }, [&] { return text("cgroup_mode", h.cgroup_mode); },
             [&] { return wall_time("wall_time_ns", h.wall_time_ns); },
             [&] { return at_most("lacking", h.lacking.size(), limits::kMaxLacking); },
             [&] { return each("lacking", h.lacking, [](const std::string& line) { return text("text", line); }); },
             [&]() -> Result<void> {
               if (h.stream_id.is_nil()) return malformed("stream_id: nil");
               return {};
             });
}

Result<void> check_one(const Welcome& w) {
  return all("welcome", [&] { return number("sample_period_ms", w.sample_period_ms, 1, std::numeric_limits<std::uint32_t>::max()); },
             [&] { return number("hot_period_ms", w.hot_period_ms, 1, std::numeric_limits<std::uint32_t>::max()); });
}

Result<void> check_one(const Ack&) { return {}; }
Result<void> check_one(const Ping&) { return {}; }
Result<void> check_one(const Pong& p) { return wall_time("pong: wall_time_ns", p.wall_time_ns); }
Result<void> check_one(const Slow&) { return {}; }
Result<void> check_one(const Goodbye& g) {
  return all("goodbye", [&] { return text("reason", g.reason); });
}
Result<void> check_one(const Focus& f) {
  return all("focus", [&] { return at_most("cgroup_ids", f.cgroup_ids.size(), limits::kMaxEntitiesPerNode); });
}
Result<void> check_one(const ExecutorPacket& p) {
  if (p.bytes.empty()) return malformed("executor: bytes: none");
  if (p.bytes.size() > limits::kMaxExecutorPacketBytes)
    return Error(Errc::too_large, "executor: bytes: " + std::to_string(p.bytes.size()) + ", at most " + std::to_string(limits::kMaxExecutorPacketBytes));
  return {};
}
Result<void> check_one(const Probe& p) {
  const auto is_word = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  return all("probe", [&]() -> Result<void> {
               if (p.id == 0) return malformed("id: 0");
               if (p.kind.empty() || !std::all_of(p.kind.begin(), p.kind.end(), is_word)) return malformed("kind: not a word of [a-z_]");
               return {};
             },
             [&] { return text("kind", p.kind, limits::kMaxProbeKindBytes); }, [&] { return text("target", p.target); },
             [&] { return number("deadline_ms", p.deadline_ms, 1, limits::kMaxProbeTime.count()); },
             [&] { return at_most("arguments", p.arguments.size(), limits::kMaxProbeArguments); },
             [&] {
               return each("argument", p.arguments, [](const ProbeArgument& a) {
                 return all("argument", [&] { return text("name", a.name, limits::kMaxProbeKindBytes); }, [&] { return text("value", a.value, limits::kMaxProbeValueBytes); });
               });
             });
}
Result<void> check_one(const ProbeResult& r) {
  return all("probe_result", [&] { return in_range("status", r.status, ProbeStatus::timeout); },
             [&] { return text("text", r.text, limits::kMaxProbeResultBytes); });
}
Result<void> check_one(const Samples& s) { return check_samples(s); }
Result<void> check_one(const Events& e) { return check_events(e); }

}  // namespace

Result<void> check(const Message& message) {
  return std::visit([](const auto& one) { return check_one(one); }, message);
}

}  // namespace fw::wire
