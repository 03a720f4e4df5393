// Cases for tests: a container on a node, told minute by minute. Sizes scale and names change without changing the story.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "agents/casefile/facts.hpp"
#include "agents/investigate.hpp"

namespace fw::agents {

inline constexpr std::int64_t kMiB = 1 << 20;
inline constexpr std::int64_t kSecond = 1'000'000'000;
inline constexpr std::int64_t kMinute = 60 * kSecond;
inline constexpr std::int64_t kNow = 1'790'000'000 * kSecond;   // the first kill of most stories

class Story {
 public:
  explicit Story(std::string name = "checkout") {
    facts.id = "INC-7";
    facts.uid = "01930000-0000-7000-8000-000000000007";
    facts.state = "open";
    facts.subject_id = kSubject;
    facts.onset_ns = facts.last_symptom_ns = kNow;
    facts.built_ns = kNow + kMinute;
    entity(kNode, "node", "node-a", "");
    entity(kSubject, "container", name, "/shop/" + name);
  }

  static constexpr std::int64_t kNode = 1, kSubject = 2, kOther = 3;
  IncidentFacts facts;

  EntityRow& entity(std::int64_t id, const std::string& kind, const std::string& name, const std::string& path) {
    EntityRow e;
    e.entity_id = id;
    e.key = "key-" + std::to_string(id);
    e.kind = kind;
    e.name = name;
    if (id != kNode) e.node_id = kNode;
    e.cgroup_path = path;
    e.cgroup_version = 1;
    facts.entities.push_back(e);
    if (id != kNode) facts.edges.push_back({id, "runs_on", kNode});
    return facts.entities.back();
  }

  Story& symptom(const std::string& kind, std::int64_t count, std::int64_t first = kNow, std::int64_t last = kNow + 40 * kSecond) {
    facts.symptoms.push_back({kSubject, kind, first, last, count});
    facts.last_symptom_ns = std::max(facts.last_symptom_ns, last);
    return *this;
  }

  // value(seconds before `until`) every step.
  Story& series(const std::string& metric, std::int64_t from, std::int64_t until, std::int64_t step,
                const std::function<std::int64_t(double)>& value, std::int64_t id = kSubject) {
    SeriesRow* row = nullptr;
    for (auto& r : facts.series)
      if (r.metric == metric && r.entity_id == id) row = &r;
    if (row == nullptr) {
      const bool counter = metric.ends_with("_us") || metric.ends_with("_total");
      facts.series.push_back({id, metric, metric.ends_with("_us") ? "us" : "bytes", counter ? "counter" : "gauge", {}});
      row = &facts.series.back();
    }
    for (std::int64_t t = from; t <= until; t += step)
      row->points.push_back({t, value(static_cast<double>(t - from) / 1e9)});
    return *this;
  }

  // Memory (current, anon and working set alike) and a level load.
  Story& memory(std::int64_t from, std::int64_t until, std::int64_t step, const std::function<double(double)>& mib) {
    const auto bytes = [&](double s) { return static_cast<std::int64_t>(mib(s) * static_cast<double>(kMiB)); };
    for (const char* metric : {"memory_current_bytes", "memory_working_set_bytes", "memory_anon_bytes"}) series(metric, from, until, step, bytes);
    return *this;
  }
  Story& limit(std::int64_t from, std::int64_t until, std::int64_t mib) {
    return series("memory_limit_bytes", from, until, 10 * kSecond, [=](double) { return mib < 0 ? -1 : mib * kMiB; });
  }
  Story& level_load(std::int64_t from, std::int64_t until) {
    return series("cpu_usage_us", from, until, 10 * kSecond, [](double s) { return static_cast<std::int64_t>(s * 200'000); });
  }

  EventRow& event(const std::string& kind, std::int64_t t) {
    EventRow e;
    e.entity_id = kSubject;
    e.kind = kind;
    e.time_ns = t;
    e.clock_error_ns = 1'000'000;
    facts.events.push_back(e);
    return facts.events.back();
  }
  EventRow& kill(std::int64_t t, std::int64_t limit_mib, std::int64_t pid = 4000) {
    EventRow& e = event("oom_kill", t);
    e.pid = pid, e.parent_pid = 1, e.comm = "worker", e.container_main = 1, e.age_ns = kMinute;
    e.rss_bytes = limit_mib * kMiB * 9 / 10, e.limit_bytes = limit_mib * kMiB, e.usage_bytes = limit_mib * kMiB;
    e.constraint_kind = "memcg", e.constraint_source = "bpf", e.kills = 1;
    return e;
  }
  EventRow& main_end(std::int64_t t, std::int64_t signal, std::int64_t code = 0, std::int64_t pid = 4000) {
    EventRow& e = event("process_exit", t);
    e.pid = pid, e.comm = "worker", e.container_main = 1, e.signal = signal, e.exit_code = code, e.oom_victim = 0;
    return e;
  }
  EventRow& signal(std::int64_t t, std::int64_t number, const std::string& sender, std::int64_t pid = 4000) {
    EventRow& e = event("process_signal", t);
    e.pid = pid, e.comm = "worker", e.container_main = 1, e.signal = number, e.from_kernel = 0;
    e.sender_pid = 999, e.sender_comm = sender, e.sender_uid = 0, e.sender_in_container = 0;
    return e;
  }

  ChangeRow& change(const std::string& id, std::int64_t started) {
    ChangeRow c;
    c.change_id = id;
    c.source = "cloudevents";
    c.actor = "alice";
    c.started_ns = c.received_ns = started;
    c.finished_ns = started + kSecond;
    c.outcome = "success";
    facts.changes.push_back(c);
    return facts.changes.back();
  }
  static ChangeFieldRow limit_field(std::int64_t before_mib, std::int64_t after_mib) {
    return {"resources.limits.memory", std::to_string(before_mib) + "Mi", std::to_string(after_mib) + "Mi", before_mib * kMiB, after_mib * kMiB,
            "memory_limit"};
  }
};

inline Findings explain(const IncidentFacts& facts) {
  auto file = CaseFile::build(facts);
  if (!file) throw std::runtime_error{file.error().message()};
  auto findings = investigate(*file, Cards::builtin());
  if (!findings) throw std::runtime_error{findings.error().message()};
  return std::move(*findings);
}
inline Findings explain(const Story& story) { return explain(story.facts); }

inline std::string cause(const Findings& f) { return f.cause() == nullptr ? "unknown" : f.cause()->card; }
inline std::string suspect(const Findings& f) { return f.cause() == nullptr ? "" : f.cause()->suspect_change_id.value_or(""); }

// Why a test's expectation about findings failed: the whole ranking.
std::string ranking(const Findings& findings);

// ---- the stories ----

Story limit_lowered(bool posted = true);   // 256 -> 64 MiB with 180 in use; CloudEvent, GitHub deployment and what the node saw
Story demand_grew();                       // load and memory rise together against an unchanged limit
Story leak();                              // steady growth at a level load, twice
Story node_exhausted();
Story runaway_child();
Story killed_by_person();
Story recycled();
Story prefork_pool();                      // demand grew; victims are children of a pool of equals
Story crash_loop_without_memory();         // exit code 1: no card fits

}  // namespace fw::agents
