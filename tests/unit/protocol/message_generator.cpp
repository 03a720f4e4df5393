#include "tests/unit/protocol/message_generator.hpp"

#include <algorithm>
#include <limits>

#include "protocol/limits.hpp"

namespace fw::test {
using namespace fw::wire;
namespace {

std::uint64_t below(Random& random, std::uint64_t limit) { return random() % limit; }
bool coin(Random& random) { return (random() & 1U) != 0; }

// Numbers of every size, with the edges of the type.
template <class Number>
Number number(Random& random) {
  switch (below(random, 7)) {
    case 0: return 0;
    case 1: return std::numeric_limits<Number>::max();
    case 2: return std::numeric_limits<Number>::min();
    default: return static_cast<Number>(random() >> below(random, 64));
  }
}

std::int64_t wall_time(Random& random) { return std::clamp<std::int64_t>(number<std::int64_t>(random), 0, limits::kMaxWallNs); }

std::string text(Random& random, std::size_t most = 40) {
  static const std::vector<std::string> kPieces = {"a", "Z", "/", "-", "é", "節", "🦆", " ", "\n", "0123456789"};
  std::string out;
  const std::size_t target = below(random, most + 1);
  while (out.size() < target) {
    const auto& piece = kPieces[below(random, kPieces.size())];
    if (out.size() + piece.size() > most) break;
    out += piece;
  }
  return out;
}

Uuid uuid(Random& random) {
  Uuid out;
  for (auto& byte : out.bytes) byte = static_cast<std::uint8_t>(random());
  out.bytes[0] |= 1U;  // not nil
  return out;
}

template <class Number>
std::optional<Number> maybe(Random& random, Number value) {
  return coin(random) ? std::optional<Number>(value) : std::nullopt;
}

ProcessInfo process(Random& random) {
  ProcessInfo p;
  p.pid = number<std::uint32_t>(random);
  p.parent_pid = number<std::uint32_t>(random);
  p.comm = text(random, 15);
  p.rss_bytes = maybe<std::int64_t>(random, std::max<std::int64_t>(number<std::int64_t>(random), -1));
  p.age_ns = maybe<std::uint64_t>(random, number<std::uint64_t>(random) / 2);
  p.container_main = maybe(random, coin(random));
  return p;
}

EntityEntry entity(Random& random, std::uint32_t id, std::uint32_t parent) {
  EntityEntry e;
  e.id = id;
  e.kind = static_cast<EntityKind>(below(random, 9));
  e.parent_id = parent;
  e.cgroup_id = number<std::uint64_t>(random);
  e.cgroup_path = text(random, 200);
  e.name = text(random);
  e.runtime = text(random);
  e.container_id = text(random, 64);
  e.pod_uid = text(random);
  e.qos_class = text(random);
  e.container_name = text(random);
  e.pod_name = text(random);
  e.pod_namespace = text(random);
  e.image = text(random);
  return e;
}

OomKill oom_kill(Random& random) {
  OomKill k;
  k.victim = process(random);
  k.constraint = static_cast<OomConstraint>(below(random, 4));
  k.constraint_source = static_cast<FactSource>(below(random, 4));
  k.oom_score_adj = maybe(random, static_cast<std::int32_t>(below(random, 2001)) - 1000);
  k.limit_bytes = maybe<std::int64_t>(random, std::max<std::int64_t>(number<std::int64_t>(random), -1));
  k.usage_bytes = maybe<std::int64_t>(random, std::max<std::int64_t>(number<std::int64_t>(random), -1));
  k.limit_cgroup_path = text(random, 100);
  k.invoker_pid = number<std::uint32_t>(random);
  k.invoker_comm = text(random, 15);
  k.kills_total = 1 + static_cast<std::uint32_t>(below(random, 1000));
  for (auto n = below(random, limits::kMaxTopProcesses + 1); n > 0; --n) k.top_processes.push_back(process(random));
  return k;
}

Event event(Random& random, std::uint32_t entity_id) {
  Event e;
  e.entity_id = entity_id;
  e.time_ns = wall_time(random);
  switch (below(random, 6)) {
    case 0: break;
    case 1: e.body = oom_kill(random); break;
    case 2: e.body = ProcessExit{process(random), static_cast<std::int32_t>(below(random, 256)), static_cast<std::int32_t>(below(random, 65)), coin(random)}; break;
    case 3:
      e.body = ProcessSignal{process(random), static_cast<std::int32_t>(1 + below(random, 64)), coin(random), process(random),
                             number<std::uint32_t>(random), number<std::uint64_t>(random)};
      break;
    case 4: e.body = LimitChanged{text(random), number<std::int64_t>(random), number<std::int64_t>(random)}; break;
    case 5:
      e.body = Observed{std::string(1 + below(random, 40), static_cast<char>('a' + below(random, 26))), text(random), text(random), text(random),
                        text(random), text(random), 1 + below(random, 1000)};
      break;
    default: e.body = Lost{text(random), number<std::uint64_t>(random)}; break;
  }
  return e;
}

Events events(Random& random) {
  Events out;
  out.seq = 1 + number<std::uint64_t>(random) / 4;
  const auto entities = 1 + below(random, 5);
  for (std::uint32_t id = 1; id <= entities; ++id) out.entities.push_back(entity(random, id * 7, id == 1 ? 0 : 7));
  for (auto n = below(random, 8); n > 0; --n) out.events.push_back(event(random, 7 * static_cast<std::uint32_t>(1 + below(random, entities))));
  return out;
}

Hello hello(Random& random) {
  Hello h{text(random), text(random), uuid(random), uuid(random), number<std::uint64_t>(random), number<std::uint64_t>(random),
          wall_time(random), number<std::uint64_t>(random), text(random), text(random), {}};
  for (auto n = below(random, 5); n > 0; --n) h.lacking.push_back(text(random, 100));
  return h;
}

std::int64_t sample_value(Random& random) { return number<std::int64_t>(random); }

}  // namespace

Message random_message(Random& random, std::size_t alternative) {
  switch (alternative) {
    case 0: return hello(random);
    case 1:
      return Welcome{uuid(random), number<std::uint64_t>(random), 1 + number<std::uint32_t>(random) / 2, 1 + number<std::uint32_t>(random) / 2,
                     number<std::int64_t>(random)};
    case 2: return Ack{number<std::uint64_t>(random)};
    case 3: return Ping{number<std::uint64_t>(random)};
    case 4: return Pong{number<std::uint64_t>(random), wall_time(random)};
    case 5: return Goodbye{text(random, 300)};
    case 6: return Slow{number<std::uint32_t>(random)};
    case 7: {
      Focus focus{{}, number<std::uint32_t>(random)};
      for (auto n = below(random, 20); n > 0; --n) focus.cgroup_ids.push_back(number<std::uint64_t>(random));
      return focus;
    }
    case 8: {
      auto samples = SampleWorld(random()).next_tick();
      samples.self_contained = true;
      return samples;
    }
    case 9: return events(random);
    case 10: {
      Probe probe{1 + number<std::uint64_t>(random) / 2, std::string(1 + below(random, 40), static_cast<char>('a' + below(random, 26))), text(random), {},
                  static_cast<std::uint32_t>(1 + below(random, 60'000))};
      for (auto n = below(random, 9); n > 0; --n) probe.arguments.push_back({text(random, 10), text(random, 100)});
      return probe;
    }
    case 11: return ProbeResult{number<std::uint64_t>(random), static_cast<ProbeStatus>(below(random, 6)), text(random)};
    default: {
      ExecutorPacket packet{Bytes(1 + below(random, 3000))};
      for (auto& byte : packet.bytes) byte = static_cast<std::uint8_t>(random());
      return packet;
    }
  }
}

Samples SampleWorld::next_tick() {
  Samples out;
  tick_ += 1 + below(random_, 3);
  out.tick = tick_;
  out.time_ns = wall_time(random_);
  if (!announced_metrics_) {
    announced_metrics_ = true;
    for (std::uint32_t id = 1; id <= 6; ++id)
      out.metrics.push_back(MetricEntry{id, text(random_), text(random_), static_cast<MetricKind>(below(random_, 3))});
  }
  for (auto n = below(random_, 3); n > 0 && entities_.size() > 1; --n) {
    const auto victim = entities_.begin() + static_cast<std::ptrdiff_t>(below(random_, entities_.size()));
    out.removed_entity_ids.push_back(*victim);
    entities_.erase(victim);
  }
  std::sort(out.removed_entity_ids.begin(), out.removed_entity_ids.end());
  for (auto n = below(random_, tick_ == 1 ? 40 : 4); n > 0; --n) {
    next_entity_ += 1 + static_cast<std::uint32_t>(below(random_, 5) == 0 ? below(random_, 100'000) : below(random_, 3));
    out.entities.push_back(entity(random_, next_entity_, 0));
    entities_.push_back(next_entity_);
  }
  for (std::uint32_t metric = 1; metric <= 6; ++metric) {
    if (below(random_, 5) == 0) continue;
    SampleColumn column{metric, {}, {}};
    for (const auto id : entities_) {
      if (below(random_, 10) == 0) continue;
      column.entity_ids.push_back(id);
      column.values.push_back(below(random_, 2) == 0 ? 7 : sample_value(random_));
    }
    if (!column.entity_ids.empty()) out.columns.push_back(std::move(column));
  }
  return out;
}

}  // namespace fw::test
