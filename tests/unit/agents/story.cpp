#include "story.hpp"

#include <fmt/format.h>

namespace fw::agents {

std::string ranking(const Findings& findings) {
  std::string out = findings.verdict + fmt::format("\nunknown {:.3f}\n", findings.unknown_probability);
  for (const auto& h : findings.hypotheses) {
    out += fmt::format("{} p={:.3f} log_odds={:.2f} suspect={}\n", h.card, h.probability, h.log_odds, h.suspect_change_id.value_or("-"));
    for (const auto& e : h.evidence)
      out += fmt::format("   {} {:+.1f} {} {}\n", e.answer == Answer::yes ? "yes" : e.answer == Answer::no ? "no " : "?  ", e.llr, e.name, e.missing_reason);
    for (const auto& c : h.changes)
      out += fmt::format("   change {} llr={:.1f} time={:.1f} place={:.1f} mechanism={:.1f} share={:.2f}\n", c.change_id, c.llr, c.time, c.place, c.mechanism, c.share);
  }
  return out;
}

Story limit_lowered(bool posted) {
  Story s;
  const std::int64_t deployed = kNow - 5 * kSecond;
  s.memory(kNow - 10 * kMinute, deployed, 10 * kSecond, [](double t) { return 178 + 2 * (static_cast<int>(t / 10) % 2); });
  s.level_load(kNow - 10 * kMinute, deployed);
  s.limit(kNow - 10 * kMinute, deployed, 256).limit(kNow + 5 * kSecond, kNow + 50 * kSecond, 64);
  EventRow& changed = s.event("limit_changed", kNow + 5 * kSecond);   // noticed at the next reading, after the first kill
  changed.resource = "memory.max", changed.before_value = 256 * kMiB, changed.after_value = 64 * kMiB;
  for (int i = 0; i < 7; ++i) {
    s.kill(kNow + i * 6 * kSecond, 64, 4000 + i).age_ns = 5 * kSecond;
    s.main_end(kNow + i * 6 * kSecond + 20'000'000, 9, 0, 4000 + i).oom_victim = 1;
  }
  s.symptom("oom_kill", 7).symptom("crash_loop", 1, kNow + 12 * kSecond);
  ChangeRow& seen = s.change("node-saw", kNow + 5 * kSecond);
  seen.source = "node", seen.actor = "unknown", seen.entity_id = Story::kSubject, seen.match = "observed", seen.outcome = "success";
  seen.fields.push_back({"memory.max", "268435456", "67108864", 256 * kMiB, 64 * kMiB, "memory_limit"});
  if (posted) {
    ChangeRow& told = s.change("event", deployed);
    told.object_kind = "Deployment", told.object_name = "checkout", told.object_namespace = "shop", told.revision = "a1b2c3d4e5f6";
    told.change_group = "a1b2c3d4e5f6", told.entity_id = Story::kSubject, told.match = "name";
    told.fields.push_back(Story::limit_field(256, 64));
    ChangeRow& deployment = s.change("deployment", deployed - 2 * kSecond);
    deployment.source = "github", deployment.object_kind = "Repository", deployment.object_name = "checkout", deployment.revision = "a1b2c3d4e5f6";
    deployment.change_group = "a1b2c3d4e5f6", deployment.title = "deploy to production", deployment.entity_id = Story::kSubject, deployment.match = "name";
  }
  return s;
}

Story demand_grew() {
  Story s;
  const auto mib = [](double t) { return t < 300 ? 80 + static_cast<int>(t / 10) % 3 : 80 + (t - 300) * 0.16; };   // 128 at the end
  s.memory(kNow - 10 * kMinute, kNow - kSecond, 10 * kSecond, mib);
  s.limit(kNow - 10 * kMinute, kNow + 50 * kSecond, 128);
  double used = 0;
  s.series("cpu_usage_us", kNow - 10 * kMinute, kNow - kSecond, 10 * kSecond, [&](double t) {
    used += t < 300 ? 1e6 : 1e6 + (t - 300) * 2e4;
    return static_cast<std::int64_t>(used);
  });
  for (int i = 0; i < 4; ++i) {
    s.kill(kNow + i * 10 * kSecond, 128, 4000 + i).age_ns = i == 0 ? 10 * kMinute : 9 * kSecond;
    s.main_end(kNow + i * 10 * kSecond + 20'000'000, 9, 0, 4000 + i).oom_victim = 1;
  }
  return s.symptom("oom_kill", 4).symptom("crash_loop", 1, kNow + 20 * kSecond), s;
}

Story leak() {
  Story s;
  const auto mib = [](double t) { return 30 + t * 98 / 300; };
  s.memory(kNow - 5 * kMinute, kNow - kSecond, 10 * kSecond, mib).memory(kNow + 2 * kSecond, kNow + 5 * kMinute, 10 * kSecond, mib);
  s.level_load(kNow - 5 * kMinute, kNow - kSecond);
  s.limit(kNow - 5 * kMinute, kNow + 5 * kMinute, 128);
  for (int i = 0; i < 2; ++i) {
    s.kill(kNow + i * 301 * kSecond, 128, 4000 + i).age_ns = 5 * kMinute;
    s.main_end(kNow + i * 301 * kSecond + 20'000'000, 9, 0, 4000 + i).oom_victim = 1;
  }
  s.facts.built_ns = kNow + 6 * kMinute;
  return s.symptom("oom_kill", 2, kNow, kNow + 301 * kSecond), s;
}

Story node_exhausted() {
  Story s;
  s.entity(Story::kOther, "container", "batch", "/jobs/batch");
  s.memory(kNow - 10 * kMinute, kNow - kSecond, 10 * kSecond, [](double t) { return 100 + static_cast<int>(t / 10) % 2; });
  s.level_load(kNow - 10 * kMinute, kNow - kSecond);
  s.limit(kNow - 10 * kMinute, kNow + 50 * kSecond, 512);
  s.series("memory_current_bytes", kNow - 10 * kMinute, kNow, 10 * kSecond,
           [](double t) { return static_cast<std::int64_t>((200 + t * 5) * static_cast<double>(kMiB)); }, Story::kOther);
  EventRow& kill = s.kill(kNow, 512);
  kill.constraint_kind = "node", kill.constraint_source = "kernel_log", kill.usage_bytes = 100 * kMiB, kill.rss_bytes = 98 * kMiB;
  s.main_end(kNow + 20'000'000, 9).oom_victim = 1;
  return s.symptom("oom_kill", 1), s;
}

Story runaway_child() {
  Story s;
  s.memory(kNow - 10 * kMinute, kNow - kSecond, 10 * kSecond, [](double t) { return t < 580 ? 60 + static_cast<int>(t / 10) % 2 : 60 + (t - 580) * 9; });
  s.level_load(kNow - 10 * kMinute, kNow - kSecond);
  s.limit(kNow - 10 * kMinute, kNow + 50 * kSecond, 256);
  for (int i = 0; i < 2; ++i) {
    EventRow& kill = s.kill(kNow + i * 30 * kSecond, 256, 5000 + i);
    kill.comm = "convert", kill.container_main = 0, kill.age_ns = 20 * kSecond, kill.rss_bytes = 190 * kMiB;
    kill.top_processes = {{5000 + i, 4000, "convert", 190 * kMiB, 20 * kSecond, 0}, {4000, 1, "server", 50 * kMiB, 60 * kMinute, 1}};
  }
  return s.symptom("oom_kill", 2), s;
}

Story killed_by_person() {
  Story s;
  s.memory(kNow - 10 * kMinute, kNow - kSecond, 10 * kSecond, [](double t) { return 100 + static_cast<int>(t / 10) % 2; });
  s.level_load(kNow - 10 * kMinute, kNow - kSecond);
  s.limit(kNow - 10 * kMinute, kNow + 50 * kSecond, 256);
  s.signal(kNow, 9, "bash");
  s.main_end(kNow + 5'000'000, 9);
  return s.symptom("killed", 1), s;
}

Story recycled() {
  Story s;
  s.memory(kNow - 10 * kMinute, kNow + 50 * kSecond, 10 * kSecond, [](double t) { return 100 + static_cast<int>(t / 10) % 2; });
  s.limit(kNow - 10 * kMinute, kNow + 50 * kSecond, 256);
  for (int i = 0; i < 6; ++i) s.main_end(kNow + i * 15 * kSecond, 0, 0, 4000 + i);
  return s.symptom("restart_loop", 6), s;
}

Story prefork_pool() {
  Story s = demand_grew();
  for (auto& e : s.facts.events) {
    if (e.kind != "oom_kill") continue;
    e.container_main = 0, e.rss_bytes = 24 * kMiB, e.age_ns = 9 * kMinute, e.comm = "pool worker";
    for (int i = 0; i < 5; ++i) e.top_processes.push_back({6000 + i, 4000, "pool worker", (24 - i) * kMiB, 9 * kMinute, 0});
    e.top_processes.push_back({4000, 1, "master", 10 * kMiB, 60 * kMinute, 1});
  }
  std::erase_if(s.facts.events, [](const EventRow& e) { return e.kind == "process_exit"; });
  std::erase_if(s.facts.symptoms, [](const SymptomRow& r) { return r.kind == "crash_loop"; });
  return s;
}

Story crash_loop_without_memory() {
  Story s;
  s.memory(kNow - 10 * kMinute, kNow + 50 * kSecond, 10 * kSecond, [](double t) { return 100 + static_cast<int>(t / 10) % 2; });
  s.limit(kNow - 10 * kMinute, kNow + 50 * kSecond, 256);
  for (int i = 0; i < 4; ++i) s.main_end(kNow + i * 15 * kSecond, 0, 1, 4000 + i);
  return s.symptom("crash_loop", 2), s;
}

}  // namespace fw::agents
