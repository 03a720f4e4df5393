#include "protocol/wire/sample_codec.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <random>

#include "protocol/wire/codec.hpp"

namespace fw::wire {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

EntityEntry entity(std::uint32_t id) { return EntityEntry{id, EntityKind::container, 0, id, "/c" + std::to_string(id), "c", "", "", "", ""}; }
MetricEntry metric(std::uint32_t id) { return MetricEntry{id, "m" + std::to_string(id), "bytes", MetricKind::gauge}; }

Samples first_tick() {
  Samples s;
  s.tick = 1;
  s.entities = {entity(1), entity(2), entity(5)};
  s.metrics = {metric(1), metric(2)};
  s.columns = {{1, {1, 2, 5}, {10, 20, 50}}, {2, {1, 5}, {0, -7}}};
  return s;
}

Samples next_tick(std::uint64_t tick, std::vector<SampleColumn> columns) {
  Samples s;
  s.tick = tick;
  s.columns = std::move(columns);
  return s;
}

class SampleEncoding : public testing::Test {
 protected:
  DeltaSamples commit(const Samples& samples) {
    auto delta = encoder_.encode(samples).value();
    encoder_.commit(samples);
    return delta;
  }
  SampleEncoder encoder_;
};

TEST_F(SampleEncoding, the_first_tick_is_absolute_and_shares_entity_sets) {
  auto tick = first_tick();
  tick.columns[1] = {2, {1, 2, 5}, {1, 2, 3}};
  const auto delta = commit(tick);
  EXPECT_EQ(delta.form, SampleForm::absolute);
  EXPECT_THAT(delta.entity_sets, ElementsAre(std::vector<std::uint32_t>{1, 2, 5}));
  EXPECT_EQ(delta.columns[0].entity_set, 1);
  EXPECT_EQ(delta.columns[1].entity_set, 1);
  EXPECT_THAT(delta.columns[0].differences, ElementsAre(10, 20, 50));
}

TEST_F(SampleEncoding, only_what_changed_travels) {
  commit(first_tick());
  const auto delta = commit(next_tick(2, {{1, {1, 2, 5}, {10, 19, 50}}, {2, {1, 5}, {0, -7}}}));
  EXPECT_EQ(delta.form, SampleForm::difference);
  EXPECT_EQ(delta.base_tick, 1U);
  EXPECT_THAT(delta.entity_sets, IsEmpty());
  EXPECT_THAT(delta.columns[0].changed, ElementsAre(0b010));
  EXPECT_THAT(delta.columns[0].differences, ElementsAre(-1));
  EXPECT_THAT(delta.columns[1].changed, IsEmpty());
}

TEST_F(SampleEncoding, a_removed_entity_costs_no_new_set) {
  commit(first_tick());
  auto tick = next_tick(2, {{1, {1, 5}, {10, 51}}});
  tick.removed_entity_ids = {2};
  const auto delta = commit(tick);
  EXPECT_THAT(delta.entity_sets, IsEmpty());
  EXPECT_EQ(delta.columns[0].entity_set, 0);
  EXPECT_THAT(delta.columns[0].differences, ElementsAre(1));
}

TEST_F(SampleEncoding, a_metric_that_was_silent_for_a_tick_goes_on_from_its_last_value) {
  commit(first_tick());
  commit(next_tick(2, {{1, {1, 2, 5}, {10, 20, 50}}}));
  EXPECT_THAT(commit(next_tick(3, {{2, {1, 5}, {0, -6}}})).columns[0].differences, ElementsAre(1));
}

TEST_F(SampleEncoding, columns_without_entities_are_left_out) {
  EXPECT_THAT(commit(next_tick(1, {{1, {}, {}}})).columns, IsEmpty());
}

TEST_F(SampleEncoding, differences_wrap_around_the_whole_range) {
  const auto min = std::numeric_limits<std::int64_t>::min(), max = std::numeric_limits<std::int64_t>::max();
  auto tick = first_tick();
  tick.columns = {{1, {1}, {min}}};
  SampleDecoder decoder;
  ASSERT_TRUE(decoder.decode(commit(tick)));
  const auto back = decoder.decode(commit(next_tick(2, {{1, {1}, {max}}})));
  EXPECT_THAT(back->columns[0].values, ElementsAre(max));
}

struct Refusal {
  const char* text;
  Samples tick;   // after first_tick()
};

TEST_F(SampleEncoding, refuses_what_the_other_side_would) {
  const auto with = [](Samples s, const std::function<void(Samples&)>& change) {
    change(s);
    return s;
  };
  const std::vector<Refusal> refusals = {
      {"tick 1 does not grow", next_tick(1, {})},
      {"metric ids do not ascend", next_tick(2, {{2, {1}, {1}}, {1, {1}, {1}}})},
      {"column of metric 3: not announced", next_tick(2, {{3, {1}, {1}}})},
      {"entity 3 was not announced", next_tick(2, {{1, {1, 3}, {1, 1}}})},
      {"entity ids do not ascend", next_tick(2, {{1, {2, 1}, {1, 1}}})},
      {"as many entities as values", next_tick(2, {{1, {1, 2}, {1}}})},
      {"removed entity 9 is not known", with(next_tick(2, {}), [](Samples& s) { s.removed_entity_ids = {9}; })},
      {"is removed and sent", with(next_tick(2, {}), [](Samples& s) { s.removed_entity_ids = {1}; s.entities = {entity(1)}; })},
      {"entity 1 was not announced", with(next_tick(2, {{1, {1, 2}, {1, 2}}}), [](Samples& s) { s.removed_entity_ids = {1}; })},
      {"kMaxEntitiesPerNode", with(next_tick(2, {}), [](Samples& s) {
         for (std::uint32_t i = 0; i + 2 < limits::kMaxEntitiesPerNode; ++i) s.entities.push_back(EntityEntry{100 + i, {}, 0, 0, "", "", "", "", "", ""});
       })},
      {"kMaxMetricsPerNode", with(next_tick(2, {}), [](Samples& s) {
         for (std::uint32_t i = 0; i + 1 < limits::kMaxMetricsPerNode; ++i) s.metrics.push_back(metric(100 + i));
       })},
  };
  commit(first_tick());
  for (const auto& refusal : refusals) {
    const auto delta = encoder_.encode(refusal.tick);
    ASSERT_FALSE(delta) << refusal.text;
    EXPECT_THAT(delta.error().message(), HasSubstr(refusal.text));
  }
  EXPECT_TRUE(encoder_.encode(next_tick(2, {{1, {1, 2, 5}, {1, 2, 3}}})));  // the state is as it was
}

struct Lie {
  const char* text;
  std::function<void(DeltaSamples&)> change;   // of a valid second tick: column 1 with {1,2,5}, bit 1 set
};

TEST_F(SampleEncoding, the_decoder_refuses_lies) {
  const std::vector<Lie> lies = {
      {"form is not set", [](auto& d) { d.form = SampleForm::unknown; }},
      {"not the first of the connection", [](auto& d) { d.form = SampleForm::absolute; }},
      {"which was not the last one", [](auto& d) { d.base_tick = 7; }},
      {"does not grow", [](auto& d) { d.tick = 1; }},
      {"bitmap of another length", [](auto& d) { d.columns[0].changed.push_back(0); }},
      {"as many differences as set bits", [](auto& d) { d.columns[0].differences.push_back(1); }},
      {"as many differences as set bits", [](auto& d) { d.columns[0].differences.clear(); }},
      {"as many differences as set bits", [](auto& d) { d.columns[0].changed.clear(); }},
      {"bits after the last entity", [](auto& d) { d.columns[0].changed = {0b1000}; }},
      {"no such entity set", [](auto& d) { d.columns[0].entity_set = 1; }},
      {"an entity set is empty", [](auto& d) { d.entity_sets = {{}}; }},
      {"does not ascend", [](auto& d) { d.entity_sets = {{2, 2}}; }},
      {"entity 77 was not announced", [](auto& d) { d.entity_sets = {{77}}; }},
      {"not announced", [](auto& d) { d.columns[0].metric_id = 9; }},
      {"metric ids do not ascend", [](auto& d) { d.columns.push_back(d.columns[0]); }},
      {"no entities", [](auto& d) { d.removed_entity_ids = {1, 2, 5}; }},
      {"removed entity 3 is not known", [](auto& d) { d.removed_entity_ids = {3}; }},
      {"removed entity ids do not ascend", [](auto& d) { d.removed_entity_ids = {2, 1}; }},
  };
  const auto first = commit(first_tick());
  const auto second = commit(next_tick(2, {{1, {1, 2, 5}, {10, 19, 50}}}));
  for (const auto& lie : lies) {
    SampleDecoder decoder;
    ASSERT_TRUE(decoder.decode(first));
    auto delta = second;
    lie.change(delta);
    const auto samples = decoder.decode(delta);
    ASSERT_FALSE(samples) << lie.text;
    EXPECT_EQ(samples.error().code, Errc::malformed);
    EXPECT_THAT(samples.error().message(), HasSubstr(lie.text));
  }
}

TEST(SampleDecoding, the_state_of_a_connection_is_bounded_whatever_is_announced) {
  constexpr std::size_t kPerColumn = limits::kMaxEntitiesPerNode;
  Samples tick;
  tick.tick = 1;
  std::vector<std::uint32_t> ids;
  for (std::uint32_t id = 1; id <= kPerColumn; ++id) {
    ids.push_back(id);
    tick.entities.push_back(EntityEntry{id, {}, 0, 0, "", "", "", "", "", ""});
  }
  for (std::uint32_t id = 1; id <= limits::kMaxMetricsPerNode; ++id) tick.metrics.push_back(metric(id));
  DeltaSamples delta;
  delta.tick = 1;
  delta.form = SampleForm::absolute;
  delta.entities = tick.entities;
  delta.metrics = tick.metrics;
  delta.entity_sets = {ids};
  const auto most = static_cast<std::uint32_t>(limits::kMaxValuesPerSamples / kPerColumn);
  for (std::uint32_t id = 1; id <= most; ++id) delta.columns.push_back(DeltaColumn{id, 1, {}, {}});
  SampleDecoder decoder;
  ASSERT_TRUE(decoder.decode(delta));
  DeltaSamples more;                       // one more metric in a later tick does not slip through
  more.tick = 2;
  more.base_tick = 1;
  more.form = SampleForm::difference;
  more.entity_sets = {ids};
  more.columns = {DeltaColumn{most + 1, 1, {}, {}}};
  const auto result = decoder.decode(more);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::too_large);
}

// The figures of docs/adr/0003: 26 values x 500 containers. With FW_WIRE_SIZE_DIR set, writes the same tick as Prometheus text there, for
// a comparison with `gzip -6`.
class WireSize : public testing::Test {
 protected:
  static constexpr std::uint32_t kContainers = 500, kMetrics = 26;

  WireSize() {
    for (std::uint32_t c = 1; c <= kContainers; ++c) {
      auto e = entity(c);
      char hex[65];
      for (int i = 0; i < 4; ++i) std::snprintf(hex + 16 * i, 17, "%016llx", static_cast<unsigned long long>(random_()));
      e.container_id = hex;
      e.pod_uid = std::string(hex, 8) + "-0000-4000-8000-" + std::string(hex, 12);
      e.name = "app-" + std::to_string(c % 60);
      e.cgroup_path = "/kubepods/burstable/pod" + e.pod_uid + "/" + e.container_id;
      tick_.entities.push_back(e);
    }
    for (std::uint32_t m = 1; m <= kMetrics; ++m) {
      tick_.metrics.push_back(metric(m));
      SampleColumn column{m, {}, {}};
      for (std::uint32_t c = 1; c <= kContainers; ++c) {
        column.entity_ids.push_back(c);
        column.values.push_back(static_cast<std::int64_t>(random_() >> (24 + random_() % 30)));
      }
      tick_.columns.push_back(column);
    }
  }

  // The next tick: each value changes with that probability, by an amount of its metric's kind.
  void advance(double changes) {
    tick_.tick += 1;
    tick_.time_ns += 1'000'000'000;
    std::uniform_real_distribution<double> chance(0, 1);
    for (auto& column : tick_.columns) {
      for (auto& value : column.values) {
        if (chance(random_) >= changes) continue;
        switch (column.metric_id % 4) {
          case 0: value += static_cast<std::int64_t>(1 + random_() % 20); break;                 // events, faults
          case 1: value += static_cast<std::int64_t>(random_() % 64 - 32) * 4096; break;         // bytes, whole pages
          case 2: value += static_cast<std::int64_t>(1 + random_() % 20'000); break;             // microseconds
          default: value += static_cast<std::int64_t>(random_() % 3); break;                     // rare counters
        }
      }
    }
  }

  double bytes_per_container_sample(double changes) {
    Codec codec;
    constexpr int kTicks = 20;
    std::size_t bytes = 0;
    EXPECT_TRUE(codec.encode(tick_));
    tick_.entities.clear();
    tick_.metrics.clear();
    for (int i = 0; i < kTicks; ++i) {
      advance(changes);
      bytes += codec.encode(tick_).value().size();
    }
    return static_cast<double>(bytes) / (kTicks * kContainers);
  }

  void write_prometheus_text(const std::string& path) const {
    std::ofstream out(path);
    for (const auto& column : tick_.columns) {
      out << "# TYPE container_metric_" << column.metric_id << " gauge\n";
      for (std::size_t i = 0; i < column.values.size(); ++i) {
        const auto& e = tick_.entities[i];
        out << "container_metric_" << column.metric_id << "{container=\"" << e.name << "\",id=\"" << e.cgroup_path << "\",image=\"registry.example/"
            << e.name << "@sha256:" << e.container_id << "\",name=\"" << e.container_id << "\",namespace=\"ns-" << i % 20 << "\",pod=\"" << e.name << "-"
            << e.pod_uid << "\"} " << column.values[i] << " 1700000000000\n";
      }
    }
  }

  std::mt19937_64 random_{42};
  Samples tick_;
};

TEST_F(WireSize, of_a_busy_node) {
  if (const char* dir = std::getenv("FW_WIRE_SIZE_DIR")) write_prometheus_text(std::string(dir) + "/prometheus.txt");
  tick_.tick = 1;
  const double bytes = bytes_per_container_sample(0.5);
  std::printf("busy node, 50 %% of 26 x 500 values change: %.1f bytes per container-sample\n", bytes);
  EXPECT_LT(bytes, 30);
}

TEST_F(WireSize, of_a_quiet_node) {
  tick_.tick = 1;
  const double bytes = bytes_per_container_sample(0.1);
  std::printf("quiet node, 10 %% of 26 x 500 values change: %.1f bytes per container-sample\n", bytes);
  EXPECT_LT(bytes, 8);
}

}  // namespace
}  // namespace fw::wire
