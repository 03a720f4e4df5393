#include "aggregator/api/metrics.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

namespace fw {
namespace {

std::string_view word_of(MetricKind kind) {
  switch (kind) {
    case MetricKind::counter: return "counter";
    case MetricKind::gauge: return "gauge";
    case MetricKind::histogram: return "histogram";
  }
  return "";
}

std::string markdown() {
  std::ostringstream out;
  out << "# Metrics of the aggregator\n\n"
         "`GET /metrics` on the plain listener, Prometheus text format. This page is generated from the table in\n"
         "`aggregator/api/metrics.cpp`; a test holds the two together (`FW_UPDATE_DOCS=1` writes it anew). Labels never carry ids, users or paths;\n"
         "beyond "
      << Metrics::kMaxSeriesPerMetric << " series of one metric, further label values count as `other`.\n\n| name | kind | labels | meaning |\n|---|---|---|---|\n";
  for (const auto& metric : metric_table()) {
    out << "| `" << metric.name << "` | " << word_of(metric.kind) << " | " << (metric.labels.empty() ? "" : "`" + std::string(metric.labels) + "`") << " | "
        << metric.help << " |\n";
  }
  return out.str();
}

TEST(Metrics, docs_are_the_table) {
  const char* path = FW_SOURCE_DIR "/docs/aggregator-metrics.md";
  if (std::getenv("FW_UPDATE_DOCS") != nullptr) std::ofstream(path) << markdown();
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), markdown());
}

TEST(Metrics, names_follow_the_conventions) {
  std::set<std::string_view> names;
  for (const auto& metric : metric_table()) {
    EXPECT_TRUE(metric.name.starts_with("fleetwright_")) << metric.name;
    EXPECT_TRUE(names.insert(metric.name).second) << metric.name;
    EXPECT_EQ(metric.name.ends_with("_total"), metric.kind == MetricKind::counter) << metric.name;
    EXPECT_EQ(metric.name.ends_with("_seconds"), metric.kind == MetricKind::histogram) << metric.name;
    EXPECT_FALSE(metric.help.empty());
  }
}

TEST(Metrics, values_of_each_kind) {
  Metrics metrics;
  metrics.add(Metric::ingest_samples, 5);
  metrics.add(Metric::ingest_samples);
  EXPECT_EQ(metrics.value(Metric::ingest_samples), 6);
  metrics.set(Metric::ingest_sessions, 3);
  metrics.change(Metric::ingest_sessions, -1);
  EXPECT_EQ(metrics.value(Metric::ingest_sessions), 2);
  metrics.observe(Metric::store_commit_duration, 0.002);
  EXPECT_EQ(metrics.value(Metric::store_commit_duration), 1);
  metrics.add(Metric::changes_received, 1, {"github", "created"});
  EXPECT_EQ(metrics.value(Metric::changes_received, {"github", "created"}), 1);
  EXPECT_EQ(metrics.value(Metric::changes_received, {"github", "failed"}), 0);
}

TEST(Metrics, text_has_every_metric_without_labels_from_the_start) {
  const std::string text = Metrics().text();
  for (const auto& metric : metric_table()) {
    const bool there = text.find("# TYPE " + std::string(metric.name) + " ") != std::string::npos;
    EXPECT_TRUE(there || !metric.labels.empty()) << metric.name;
  }
}

TEST(Metrics, label_values_are_bounded) {
  Metrics metrics;
  for (std::size_t i = 0; i < 2 * Metrics::kMaxSeriesPerMetric; ++i) metrics.add(Metric::ingest_errors, 1, {"reason " + std::to_string(i)});
  EXPECT_EQ(metrics.value(Metric::ingest_errors, {"other"}), Metrics::kMaxSeriesPerMetric);
  EXPECT_EQ(metrics.value(Metric::ingest_errors, {"reason 0"}), 1);
}

}  // namespace
}  // namespace fw
