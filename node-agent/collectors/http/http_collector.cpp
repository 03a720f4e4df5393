#include "node-agent/collectors/http/http_collector.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>
#include <vector>

#include "node-agent/bpf/http.h"
#include "node-agent/collectors/failures.hpp"
#include "node-agent/collectors/histogram.hpp"
#include "node-agent/collectors/http/tls_probes.hpp"
#include "node-agent/kernel/bpf_sensors.hpp"

namespace fw::collectors {
namespace {

using wire::MetricKind;

// Rows of the metric table.
enum Metric : std::size_t {
  kRequests, k1xx, k2xx, k3xx, k4xx, k5xx, kLatencyUs, kLatencyCount, kLatencyHistogram,
  kDropped = kLatencyHistogram + kHistogramCounters, kUnpaired, kTlsRefused,
  kMetricCount
};

#define FW_HTTP_EQUAL "HttpTruthTest.counts_equal_the_access_log_of_nginx"
#define FW_HTTP_CLASSES "HttpTruthTest.each_status_class_is_counted"
#define FW_HTTP_SLOW "HttpTruthTest.latency_is_the_servers_delay"

constexpr std::array<MetricDesc, kMetricCount> kMetrics{{
    {"http_requests_total", Unit::count, MetricKind::counter, "HTTP/1.x requests that a server of the cgroup answered (BPF)", FW_HTTP_EQUAL},
    {"http_responses_1xx_total", Unit::count, MetricKind::counter, "of servers: informational responses; all but 101 are followed by another one (BPF)", FW_HTTP_CLASSES},
    {"http_responses_2xx_total", Unit::count, MetricKind::counter, "of servers: success (BPF)", FW_HTTP_CLASSES},
    {"http_responses_3xx_total", Unit::count, MetricKind::counter, "of servers: redirection (BPF)", FW_HTTP_CLASSES},
    {"http_responses_4xx_total", Unit::count, MetricKind::counter, "of servers: errors of clients (BPF)", FW_HTTP_CLASSES},
    {"http_responses_5xx_total", Unit::count, MetricKind::counter, "of servers: errors of the server (BPF)", "HttpTruthTest.errors_of_one_cgroup_among_fifty_are_its_alone"},
    {"http_latency_us", Unit::microseconds, MetricKind::counter, "time from a request's first byte to its response's first byte, sum (BPF)", FW_HTTP_SLOW},
    {"http_latency_count", Unit::count, MetricKind::counter, "requests whose time is in http_latency_us (BPF)", FW_HTTP_SLOW},
    FW_HISTOGRAM_ROWS("http_latency", "HTTP requests answered", FW_HTTP_SLOW),
    {"http_dropped_total", Unit::count, MetricKind::counter, "responses of this node's servers that are not counted, because a table is full (BPF)", "HttpTruthTest.beyond_a_full_table_drops_are_exact"},
    {"http_unpaired_total", Unit::count, MetricKind::counter, "status lines with no request before them: a pipeline's second response, or text of a body; not counted (BPF)", "HttpTruthTest.a_pipelined_response_is_unpaired"},
    {"http_tls_files_refused_total", Unit::count, MetricKind::counter, "OpenSSL libraries of TLS servers that could not be probed", "HttpTruthTest.a_library_without_ssl_write_is_refused"},
}};

#undef FW_HTTP_EQUAL
#undef FW_HTTP_CLASSES
#undef FW_HTTP_SLOW

constexpr CollectorInfo kInfo{"http", kMetrics};
constexpr std::size_t kFewDue = 16;   // up to here single lookups are cheaper than reading the map

class HttpCollector final : public Collector {
 public:
  explicit HttpCollector(std::string proc_root) : tls_(std::move(proc_root)) {}

  const CollectorInfo& info() const noexcept override { return kInfo; }
  void forget(std::uint32_t) override {}   // the sweep finds what has no entity

  void collect(SampleContext& context, SampleSink& sink) override {
    if (context.bpf == nullptr) return;
    const auto map = context.bpf->map("http");
    if (!map) return;
    serving_tls_.clear();
    if (context.due.size() <= kFewDue) {
      for (auto& entity : context.due) {
        fw_http_counters counters{};
        if (!entity.gone && map->lookup(entity.cgroup_id, counters)) take(entity, counters, sink);
      }
    } else {
      map->each<std::uint64_t, fw_http_counters>([&](std::uint64_t cgroup_id, std::span<const fw_http_counters> counters) {
        const auto id = sink.entity_of(cgroup_id);
        if (!id) return;
        const auto entity = std::lower_bound(context.due.begin(), context.due.end(), *id, [](const auto& one, std::uint32_t other) { return one.id < other; });
        if (entity != context.due.end() && entity->id == *id && !entity->gone) take(*entity, counters[0], sink);
      });
    }
    tls_.update(*context.bpf, serving_tls_, context.regular, context.mono_ns);
    if (!context.regular) return;
    put_losses(context, sink);
    sweep_.run(*map, sink, context.mono_ns);
  }

 private:
  void take(SampledEntity& entity, const fw_http_counters& counters, SampleSink& sink) {
    if (counters.tls_server != 0) serving_tls_.push_back(&entity);
    const auto& responses = counters.responses;
    if (std::all_of(std::begin(responses), std::end(responses), [](auto count) { return count == 0; })) return;
    const auto put = [&](std::size_t metric, std::uint64_t value) { sink.put(metric, entity.id, static_cast<std::int64_t>(value)); };
    put(kRequests, responses[0] + responses[2] + responses[3] + responses[4] + responses[5]);
    for (std::size_t status = 1; status <= 5; ++status) put(k1xx + status - 1, responses[status]);
    put(kLatencyUs, counters.latency_ns / 1000);
    put(kLatencyCount, std::accumulate(std::begin(counters.latency_log2_us), std::end(counters.latency_log2_us), std::uint64_t{0}));
    put_histogram(sink, kLatencyHistogram, entity.id, counters.latency_log2_us);
  }

  void put_losses(const SampleContext& context, SampleSink& sink) const {
    std::array<std::uint64_t, FW_HTTP_LOSSES> losses{};
    if (const auto map = context.bpf->map("http_losses")) {
      map->each<std::uint32_t, std::uint64_t>([&](std::uint32_t kind, std::span<const std::uint64_t> cpus) {
        if (kind < losses.size()) losses[kind] = std::accumulate(cpus.begin(), cpus.end(), std::uint64_t{0});
      });
    }
    const auto put = [&](std::size_t metric, std::uint64_t value) { sink.put(metric, context.node_id, static_cast<std::int64_t>(value)); };
    put(kDropped, losses[FW_HTTP_TABLE_FULL] + losses[FW_HTTP_NO_SOCKET] + losses[FW_HTTP_NO_OWNER]);
    put(kUnpaired, losses[FW_HTTP_UNPAIRED]);
    put(kTlsRefused, tls_.refused_total());
  }

  TlsProbes tls_;
  CounterSweep<fw_http_counters> sweep_;
  std::vector<SampledEntity*> serving_tls_;   // of this tick
};

}  // namespace

std::unique_ptr<Collector> make_http_collector(std::string proc_root) { return std::make_unique<HttpCollector>(std::move(proc_root)); }
const CollectorInfo& http_collector_info() noexcept { return kInfo; }

}  // namespace fw::collectors
