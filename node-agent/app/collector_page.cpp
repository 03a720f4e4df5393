#include "node-agent/app/collector_page.hpp"

#include <algorithm>

#include "node-agent/collectors/node_sensors.hpp"
#include "node-agent/cri/words.hpp"

namespace fw::agent {
namespace {

using collectors::MetricDesc;

constexpr std::string_view kHead =
    "# What nodes measure\n\n"
    "Every value and every word of an event that an agent sends. This page is made of the tables in `node-agent/collectors`\n"
    "(`fleetwright-agent --list-collectors=markdown`; `FW_UPDATE_DOCS=1` and the test `metrics_page` write it anew). What stands here has a\n"
    "proof: a test of `tests/kernel` that causes the thing for real and compares with another source. The aggregator's own metrics:\n"
    "[aggregator-metrics.md](aggregator-metrics.md).\n\n"
    "Read one over time with `fleetwright series NODE/ENTITY METRIC`. Counters grow; `series` shows them per second. `(BPF)`: absent without\n"
    "BPF. A value that a kernel does not offer is absent, never 0. Metrics `NAME_us_le_BOUND` are histograms: how many took less than the bound\n"
    "in microseconds (`series --quantile 0.99 NAME`; exact to a bucket, whose bounds are a factor of four apart).\n";

// "http_latency_us_le_" of "http_latency_us_le_16"; "" for other metrics.
std::string_view histogram_of(std::string_view name) {
  const auto at = name.rfind("_le_");
  const bool is_bound = at != std::string_view::npos && name.find_first_not_of("0123456789", at + 4) == std::string_view::npos;
  return is_bound ? name.substr(0, at + 4) : std::string_view();
}

std::string code(std::string_view text) { return text.empty() ? "" : "`" + std::string(text) + "`"; }

std::string row_of(const std::string& name, const MetricDesc& metric, std::string_view help) {
  return "| " + name + " | " + std::string(collectors::unit_text(metric.unit)) + " | " + (metric.kind == wire::MetricKind::counter ? "counter" : "gauge") + " | " +
         std::string(help) + " | " + code(metric.proof) + " |\n";
}

std::string metrics_of(const collectors::CollectorInfo& collector) {
  std::string out = "\n## " + std::string(collector.name) + "\n\n| metric | unit | kind | meaning | proof |\n|---|---|---|---|---|\n";
  const auto& metrics = collector.metrics;
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    const auto histogram = histogram_of(metrics[i].name);
    std::size_t last = i;
    while (!histogram.empty() && last + 1 < metrics.size() && histogram_of(metrics[last + 1].name) == histogram) ++last;
    if (last == i) {
      out += row_of(code(metrics[i].name), metrics[i], metrics[i].help);
    } else {   // one row for all of its bounds
      out += row_of(code(metrics[i].name) + " ... " + code(metrics[last].name.substr(histogram.size())), metrics[i],
                    metrics[i].help.substr(0, metrics[i].help.rfind(", in less than")));
    }
    i = last;
  }
  return out;
}

}  // namespace

std::vector<collectors::CollectorInfo> all_collectors() {
  auto all = collectors::list_collectors();
  all.push_back({.name = "container runtime", .metrics = {}, .observed = cri::kObservedWords});
  return all;
}

std::string collector_page(const std::vector<collectors::CollectorInfo>& collectors) {
  std::string out(kHead);
  for (const auto& collector : collectors) {
    if (!collector.metrics.empty()) out += metrics_of(collector);
  }
  out += "\n## Events\n\nWords of `Observed` events: facts that counters would not tell. At most one for the same object and reason in a tick; `count` says of\n"
         "how many. Kills, exits, signals and changed limits have types of their own ([protocol.md](protocol.md)).\n\n"
         "| word | from | object | reason | meaning | proof |\n|---|---|---|---|---|---|\n";
  for (const auto& collector : collectors) {
    for (const auto& word : collector.observed) {
      out += "| " + code(word.word) + " | " + std::string(collector.name) + " | " + std::string(word.object) + " | " + std::string(word.reason) + " | " + std::string(word.help) +
             " | " + code(word.proof) + " |\n";
    }
  }
  return out;
}

}  // namespace fw::agent
