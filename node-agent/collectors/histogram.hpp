// Histograms of durations, from the buckets of bpf/histogram.bpf.h to counters: how many took less than 16 us, 64 us, ... 67 s.
// With the number of all they tell a percentile within a factor of four, between any two moments.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "node-agent/bpf/histogram.bpf.h"
#include "node-agent/collectors/collector.hpp"

namespace fw::collectors {

inline constexpr std::size_t kHistogramCounters = 12;   // bounds 2^4, 2^6, ... 2^26 us

// Twelve rows of a metric table: NAME_us_le_16 and so on. name, help and proof are literals; the sum and the number of all have
// rows of their own.
#define FW_HISTOGRAM_ROW(name, bound, help, proof) \
  MetricDesc { name "_us_le_" bound, Unit::count, wire::MetricKind::counter, help ", in less than " bound " us", proof }
#define FW_HISTOGRAM_ROWS(name, help, proof)                                                                            \
  FW_HISTOGRAM_ROW(name, "16", help, proof), FW_HISTOGRAM_ROW(name, "64", help, proof),                                 \
      FW_HISTOGRAM_ROW(name, "256", help, proof), FW_HISTOGRAM_ROW(name, "1024", help, proof),                          \
      FW_HISTOGRAM_ROW(name, "4096", help, proof), FW_HISTOGRAM_ROW(name, "16384", help, proof),                        \
      FW_HISTOGRAM_ROW(name, "65536", help, proof), FW_HISTOGRAM_ROW(name, "262144", help, proof),                      \
      FW_HISTOGRAM_ROW(name, "1048576", help, proof), FW_HISTOGRAM_ROW(name, "4194304", help, proof),                   \
      FW_HISTOGRAM_ROW(name, "16777216", help, proof), FW_HISTOGRAM_ROW(name, "67108864", help, proof)

// Cumulative counts for the rows. Pure.
constexpr std::array<std::uint64_t, kHistogramCounters> cumulative(std::span<const unsigned long long, FW_LOG2_BUCKETS> log2_us) {
  std::array<std::uint64_t, kHistogramCounters> counts{};
  std::uint64_t sum = 0;
  for (std::size_t bucket = 0, i = 0; i < kHistogramCounters; ++i) {
    for (; bucket < 4 + 2 * i; ++bucket) sum += log2_us[bucket];
    counts[i] = sum;
  }
  return counts;
}

// Puts the twelve metrics from first_metric on.
inline void put_histogram(SampleSink& sink, std::size_t first_metric, std::uint32_t entity_id,
                          std::span<const unsigned long long, FW_LOG2_BUCKETS> log2_us) {
  const auto counts = cumulative(log2_us);
  for (std::size_t i = 0; i < counts.size(); ++i) sink.put(first_metric + i, entity_id, static_cast<std::int64_t>(counts[i]));
}

}  // namespace fw::collectors
