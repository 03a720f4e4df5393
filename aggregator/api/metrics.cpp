#include "aggregator/api/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <map>
#include <mutex>
#include <vector>

#include "common/result.hpp"
#include "common/version.hpp"

namespace fw {
namespace {

constexpr std::size_t kCount = static_cast<std::size_t>(Metric::count_);
constexpr auto counter = MetricKind::counter;
constexpr auto gauge = MetricKind::gauge;
constexpr auto histogram = MetricKind::histogram;

constexpr std::array<MetricDesc, kCount> kTable{{
    {Metric::build_info, "fleetwright_build_info", gauge, "version", "Always 1; the label names the running version"},
    {Metric::ingest_sessions, "fleetwright_ingest_sessions", gauge, "", "Connected agents"},
    {Metric::ingest_sessions_total, "fleetwright_ingest_sessions_total", counter, "", "Sessions that completed their handshake"},
    {Metric::ingest_frames, "fleetwright_ingest_frames_total", counter, "kind", "Frames received from agents"},
    {Metric::ingest_bytes, "fleetwright_ingest_bytes_total", counter, "", "Bytes received from agents, inside TLS"},
    {Metric::ingest_errors, "fleetwright_ingest_errors_total", counter, "reason", "Sessions that ended with an error"},
    {Metric::ingest_samples, "fleetwright_ingest_samples_total", counter, "", "Sample values taken in"},
    {Metric::ingest_lost_samples, "fleetwright_ingest_lost_samples_total", counter, "",
     "Sample values lost on the way, as agents counted them and by gaps in tick numbers"},
    {Metric::ingest_events, "fleetwright_ingest_events_total", counter, "", "Events made durable"},
    {Metric::ingest_duplicate_events, "fleetwright_ingest_duplicate_events_total", counter, "",
     "Events received again after they were durable, and dropped"},
    {Metric::ingest_lost_events, "fleetwright_ingest_lost_events_total", counter, "", "Events that agents report as lost"},
    {Metric::ingest_rate_limited_events, "fleetwright_ingest_rate_limited_events_total", counter, "",
     "Events that waited because their node was over its rate"},
    {Metric::fleet_nodes, "fleetwright_fleet_nodes", gauge, "", "Nodes known"},
    {Metric::fleet_entities, "fleetwright_fleet_entities", gauge, "", "Entities in memory"},
    {Metric::store_commit_duration, "fleetwright_store_commit_duration_seconds", histogram, "", "Time of one group commit"},
    {Metric::store_queue_length, "fleetwright_store_queue_length", gauge, "", "Writes that wait for the store"},
    {Metric::store_rejected, "fleetwright_store_rejected_total", counter, "", "Writes refused because the queue was full"},
    {Metric::store_errors, "fleetwright_store_errors_total", counter, "", "Commits that failed"},
    {Metric::changes_received, "fleetwright_changes_received_total", counter, "source result",
     "Changes by source; result is created, updated, duplicate, ignored, invalid or failed"},
    {Metric::webhook_signature_failures, "fleetwright_webhook_signature_failures_total", counter, "source reason",
     "Webhook deliveries refused by their signature; reason is missing, malformed or mismatch"},
    {Metric::http_requests, "fleetwright_http_requests_total", counter, "code route", "HTTP requests answered"},
    {Metric::http_request_duration, "fleetwright_http_request_duration_seconds", histogram, "route",
     "Time from the end of a request's headers to the start of its answer"},
    {Metric::http_connections, "fleetwright_http_connections", gauge, "listener", "Open HTTP connections"},
    {Metric::http_connection_errors, "fleetwright_http_connection_errors_total", counter, "reason",
     "HTTP connections that ended with an error; reason is timeout, tls, malformed, full or reset"},
    {Metric::incidents_backlog, "fleetwright_incidents_backlog", gauge, "", "Facts from agents that wait for the incident engine"},
    {Metric::incidents_open, "fleetwright_incidents_open", gauge, "", "Incidents that are neither resolved nor closed"},
    {Metric::incidents_opened, "fleetwright_incidents_opened_total", counter, "kind", "Incidents opened, by first symptom"},
    {Metric::incident_detection_duration, "fleetwright_incident_detection_duration_seconds", histogram, "",
     "Time from the first symptom on the node to the incident being visible"},
    {Metric::incident_explanation_duration, "fleetwright_incident_explanation_duration_seconds", histogram, "",
     "Time of one explanation, from facts to ranked causes"},
    {Metric::governance_plans, "fleetwright_governance_plans_total", counter, "", "Plans proposed"},
    {Metric::governance_votes, "fleetwright_governance_votes_total", counter, "", "Approvals and denials taken"},
    {Metric::governance_refusals, "fleetwright_governance_refusals_total", counter, "", "Signed documents that were not taken"},
    {Metric::governance_deliveries, "fleetwright_governance_deliveries_total", counter, "", "Packets sent to executors"},
    {Metric::governance_outcomes, "fleetwright_governance_outcomes_total", counter, "", "Outcomes of plans received from executors"},
    {Metric::governance_alarms, "fleetwright_governance_alarms_total", counter, "",
     "Signs of a log or a journal that was changed: split view, older head, shorter journal"},
    {Metric::audit_log_open, "fleetwright_audit_log_open", gauge, "", "1: the audit log can be written; 0: nothing of class 1 and above is approved or released"},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kCount; ++i) {
    if (static_cast<std::size_t>(kTable[i].id) != i) return false;
  }
  return true;
}
static_assert(in_order(), "kTable has one row per Metric, in the order of the enum");

const prometheus::Histogram::BucketBoundaries kSecondsBuckets{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                              0.1,    0.25,  0.5,    1,     2.5,  5,     10};

std::vector<std::string> split(std::string_view names) {
  std::vector<std::string> out;
  while (!names.empty()) {
    const auto space = names.find(' ');
    out.emplace_back(names.substr(0, space));
    names = space == std::string_view::npos ? std::string_view{} : names.substr(space + 1);
  }
  return out;
}

// All series of one metric; T is the prometheus type, so exactly one of the three maps of a Row is in use.
template <class T>
struct Series {
  prometheus::Family<T>* family = nullptr;
  T* only = nullptr;                            // without labels
  std::map<std::vector<std::string>, T*> by_labels;
};

struct Row {
  std::vector<std::string> label_names;
  Series<prometheus::Counter> counter;
  Series<prometheus::Gauge> gauge;
  Series<prometheus::Histogram> histogram;
};

double read(const prometheus::Counter& c) { return c.Value(); }
double read(const prometheus::Gauge& g) { return g.Value(); }
double read(const prometheus::Histogram& h) { return static_cast<double>(h.Collect().histogram.sample_count); }

}  // namespace

std::span<const MetricDesc> metric_table() noexcept { return kTable; }

struct Metrics::Impl {
  prometheus::Registry registry;
  mutable std::mutex mutex;   // guards by_labels of all rows
  std::array<Row, kCount> rows;

  template <class T, class... Extra>
  T& find(Series<T>& series, const std::vector<std::string>& names, Labels labels, const Extra&... extra) {
    FW_ASSERT(series.family != nullptr, "metric used as another kind than its row says");
    FW_ASSERT(labels.size() == names.size(), "label values do not match the metric's row");
    if (series.only != nullptr) return *series.only;
    std::vector<std::string> values(labels.begin(), labels.end());
    const std::lock_guard lock(mutex);
    auto it = series.by_labels.find(values);
    if (it == series.by_labels.end()) {
      if (series.by_labels.size() >= kMaxSeriesPerMetric) values.assign(values.size(), "other");
      std::map<std::string, std::string> pairs;
      for (std::size_t i = 0; i < names.size(); ++i) pairs.emplace(names[i], values[i]);
      it = series.by_labels.emplace(std::move(values), &series.family->Add(pairs, extra...)).first;
    }
    return *it->second;
  }

  template <class T>
  double value_of(const Series<T>& series, Labels labels) const {
    if (series.only != nullptr) return read(*series.only);
    const std::lock_guard lock(mutex);
    const auto it = series.by_labels.find(std::vector<std::string>(labels.begin(), labels.end()));
    return it == series.by_labels.end() ? 0 : read(*it->second);
  }

  Row& row(Metric metric) { return rows.at(static_cast<std::size_t>(metric)); }
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {
  for (const auto& desc : kTable) {
    Row& row = impl_->row(desc.id);
    row.label_names = split(desc.labels);
    const std::string name(desc.name);
    const std::string help(desc.help);
    switch (desc.kind) {
      case MetricKind::counter:
        row.counter.family = &prometheus::BuildCounter().Name(name).Help(help).Register(impl_->registry);
        if (row.label_names.empty()) row.counter.only = &row.counter.family->Add({});
        break;
      case MetricKind::gauge:
        row.gauge.family = &prometheus::BuildGauge().Name(name).Help(help).Register(impl_->registry);
        if (row.label_names.empty()) row.gauge.only = &row.gauge.family->Add({});
        break;
      case MetricKind::histogram:
        row.histogram.family = &prometheus::BuildHistogram().Name(name).Help(help).Register(impl_->registry);
        if (row.label_names.empty()) row.histogram.only = &row.histogram.family->Add({}, kSecondsBuckets);
        break;
    }
  }
  set(Metric::build_info, 1, {kVersion});
}

Metrics::~Metrics() = default;

void Metrics::add(Metric metric, double by, Labels labels) {
  Row& row = impl_->row(metric);
  impl_->find(row.counter, row.label_names, labels).Increment(by);
}

void Metrics::set(Metric metric, double value, Labels labels) {
  Row& row = impl_->row(metric);
  impl_->find(row.gauge, row.label_names, labels).Set(value);
}

void Metrics::change(Metric metric, double by, Labels labels) {
  Row& row = impl_->row(metric);
  impl_->find(row.gauge, row.label_names, labels).Increment(by);
}

void Metrics::observe(Metric metric, double seconds, Labels labels) {
  Row& row = impl_->row(metric);
  impl_->find(row.histogram, row.label_names, labels, kSecondsBuckets).Observe(seconds);
}

double Metrics::value(Metric metric, Labels labels) const {
  const Row& row = impl_->row(metric);
  if (row.counter.family != nullptr) return impl_->value_of(row.counter, labels);
  if (row.gauge.family != nullptr) return impl_->value_of(row.gauge, labels);
  return impl_->value_of(row.histogram, labels);
}

std::string Metrics::text() const { return prometheus::TextSerializer().Serialize(impl_->registry.Collect()); }

}  // namespace fw
