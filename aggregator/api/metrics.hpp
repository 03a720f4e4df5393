// Every metric of the aggregator: one table (name, kind, labels, help) that registers them, documents them (docs/aggregator-metrics.md) and
// is what callers name. prometheus-cpp stays in metrics.cpp.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace fw {

enum class Metric : std::uint8_t {
  build_info,
  ingest_sessions,
  ingest_sessions_total,
  ingest_frames,
  ingest_bytes,
  ingest_errors,
  ingest_samples,
  ingest_lost_samples,
  ingest_events,
  ingest_duplicate_events,
  ingest_lost_events,
  ingest_rate_limited_events,
  fleet_nodes,
  fleet_entities,
  store_commit_duration,
  store_queue_length,
  store_rejected,
  store_errors,
  changes_received,
  webhook_signature_failures,
  http_requests,
  http_request_duration,
  http_connections,
  http_connection_errors,
  incidents_backlog,
  incidents_open,
  incidents_opened,
  incident_detection_duration,
  incident_explanation_duration,
  governance_plans,
  governance_votes,
  governance_refusals,
  governance_deliveries,
  governance_outcomes,
  governance_alarms,
  audit_log_open,
  count_,
};

enum class MetricKind : std::uint8_t { counter, gauge, histogram };

struct MetricDesc {
  Metric id;
  std::string_view name;
  MetricKind kind;
  std::string_view labels;   // names, separated by one space; "" for none
  std::string_view help;
};

// In the order of the enum.
std::span<const MetricDesc> metric_table() noexcept;

// The values. Label values are given in the order of MetricDesc::labels and must come from a closed set of the code (never an id,
// a user or a path); beyond kMaxSeriesPerMetric all further label values count as "other", so that memory stays bounded.
//
// Thread-safe. A metric without labels costs one atomic operation, one with labels a short lock.
class Metrics {
 public:
  static constexpr std::size_t kMaxSeriesPerMetric = 128;

  using Labels = std::initializer_list<std::string_view>;

  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void add(Metric counter, double by = 1, Labels labels = {});
  void set(Metric gauge, double value, Labels labels = {});
  void change(Metric gauge, double by, Labels labels = {});
  void observe(Metric histogram, double seconds, Labels labels = {});

  // Of a counter or gauge; 0 for a series that was never touched; the number of observations for a histogram.
  double value(Metric metric, Labels labels = {}) const;

  // The Prometheus text format, version 0.0.4.
  std::string text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fw
