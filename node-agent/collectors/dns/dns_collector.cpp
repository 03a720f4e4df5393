#include "node-agent/collectors/dns/dns_collector.hpp"

#include <array>
#include <unordered_map>
#include <vector>

#include "node-agent/collectors/failures.hpp"
#include "node-agent/collectors/histogram.hpp"
#include "node-agent/kernel/bpf_sensors.hpp"

namespace fw::collectors {
namespace {

using wire::MetricKind;

// Rows of the metric table.
enum Metric : std::size_t {
  kQueries, kAnswers, kNxdomain, kServfail, kRefused, kOtherErrors, kTimeouts, kLatencyUs, kLatencyHistogram,
  kUnreadable = kLatencyHistogram + kHistogramCounters,
  kMetricCount
};

constexpr std::array<MetricDesc, kMetricCount> kMetrics{{
    {"dns_queries_total", Unit::count, MetricKind::counter, "DNS queries over UDP, repetitions included (BPF)", "DnsTruthTest.queries_and_answers_equal_the_servers_count"},
    {"dns_answers_total", Unit::count, MetricKind::counter, "queries that were answered, with whatever result (BPF)", "DnsTruthTest.queries_and_answers_equal_the_servers_count"},
    {"dns_nxdomain_total", Unit::count, MetricKind::counter, "answers: no such name (BPF)", "DnsTruthTest.each_rcode_is_told_with_its_name"},
    {"dns_servfail_total", Unit::count, MetricKind::counter, "answers: the server failed (BPF)", "DnsTruthTest.each_rcode_is_told_with_its_name"},
    {"dns_refused_total", Unit::count, MetricKind::counter, "answers: the server refuses (BPF)", "DnsTruthTest.each_rcode_is_told_with_its_name"},
    {"dns_other_errors_total", Unit::count, MetricKind::counter, "answers with another error (BPF)", "DnsTruthTest.each_rcode_is_told_with_its_name"},
    {"dns_timeouts_total", Unit::count, MetricKind::counter, "queries without an answer for 5 s (BPF)", "DnsTruthTest.a_silent_server_is_a_timeout"},
    {"dns_latency_us", Unit::microseconds, MetricKind::counter, "time from first query to answer, of all answers (BPF)", "DnsTruthTest.latency_is_the_servers_delay"},
    FW_HISTOGRAM_ROWS("dns_latency", "DNS answers", "DnsTruthTest.latency_is_the_servers_delay"),
    {"node_dns_unreadable_total", Unit::count, MetricKind::counter, "answers that the network driver left where BPF cannot look; while it grows no timeouts are told", "DnsTruthTest.an_answer_in_pages_is_no_timeout"},
}};

constexpr std::array<ObservedDesc, 1> kObserved{{
    {"dns_failed", "the name that was asked for", "rcode name, or TIMEOUT", "DNS queries of the cgroup for this name failed; `count` of them", "DnsTruthTest.each_rcode_is_told_with_its_name"},
}};

constexpr CollectorInfo kInfo{"dns", kMetrics, kObserved};

class DnsCollector final : public Collector {
 public:
  const CollectorInfo& info() const noexcept override { return kInfo; }
  void forget(std::uint32_t) override {}

  void collect(SampleContext& context, SampleSink& sink) override {
    if (context.bpf == nullptr) return;
    const auto counters = context.bpf->map("dns_counters");
    if (!counters) return;
    if (context.regular) sink.put(kUnreadable, context.node_id, static_cast<std::int64_t>(unreadable(*context.bpf)));
    take_timeouts(context, sink);
    if (const auto failures = context.bpf->map("dns_failures")) {
      failures_.take(*failures, [&](const fw_dns_failure& key, std::uint64_t count) {
        const auto entity = sink.entity_of(key.cgroup_id);
        if (entity) tally_.add(*entity, dns_name_text(key.name), dns_reason_text(key.rcode), count);
        return entity.has_value();
      });
    }
    tally_.tell(sink, "dns_failed");
    for (const auto& entity : context.due) {
      fw_dns_counters values{};
      if (!entity.gone && counters->lookup<std::uint64_t>(entity.cgroup_id, values)) put(entity, values, sink);
    }
    if (!context.regular) return;
    sweep_.run(*counters, sink, context.mono_ns);
    std::erase_if(timeouts_, [&](const auto& entry) { return !sink.entity_of(entry.first); });
  }

 private:
  void put(const SampledEntity& entity, const fw_dns_counters& values, SampleSink& sink) const {
    const auto put = [&](std::size_t metric, std::uint64_t value) { sink.put(metric, entity.id, static_cast<std::int64_t>(value)); };
    const auto timeouts = timeouts_.find(entity.cgroup_id);
    put(kQueries, values.queries);
    put(kAnswers, values.answers);
    put(kNxdomain, values.nxdomain);
    put(kServfail, values.servfail);
    put(kRefused, values.refused);
    put(kOtherErrors, values.other_errors);
    put(kTimeouts, values.timeouts + (timeouts == timeouts_.end() ? 0 : timeouts->second));
    put(kLatencyUs, values.latency_ns / 1000);
    put_histogram(sink, kLatencyHistogram, entity.id, values.latency_log2_us);
  }

  // Takes out the queries that have waited too long.
  void take_timeouts(const SampleContext& context, SampleSink& sink) {
    const auto pending = context.bpf->map("dns_pending"), names = context.bpf->map("dns_names");
    if (!pending || !names) return;
    expired_.clear();
    pending->each<fw_dns_query_key, fw_dns_query>([&](const fw_dns_query_key& key, std::span<const fw_dns_query> query) {
      if (context.mono_ns > query[0].first_ns + FW_DNS_TIMEOUT_NS) expired_.emplace_back(key, query[0].cgroup_id);
    });
    const auto unreadable_now = unreadable(*context.bpf);
    const bool no_answer_is_sure = unreadable_now == unreadable_seen_;
    for (const auto& [key, cgroup_id] : expired_) {
      fw_dns_name name{};
      names->lookup(key, name);
      pending->erase(key);
      names->erase(key);
      const auto entity = sink.entity_of(cgroup_id);
      if (!no_answer_is_sure || !entity) continue;
      ++timeouts_[cgroup_id];
      tally_.add(*entity, dns_name_text(name), dns_reason_text(FW_DNS_RCODE_TIMEOUT), 1);
    }
    // An answer of now belongs to a query that may expire only later.
    if (context.mono_ns > unreadable_at_ns_ + 2 * FW_DNS_TIMEOUT_NS) {
      unreadable_seen_ = unreadable_now;
      unreadable_at_ns_ = context.mono_ns;
    }
  }

  static std::uint64_t unreadable(const kernel::BpfSensors& bpf) {
    std::uint64_t total = 0;
    if (const auto map = bpf.map("dns_unreadable")) {
      map->each<std::uint32_t, std::uint64_t>([&](std::uint32_t, std::span<const std::uint64_t> cpus) {
        for (const auto count : cpus) total += count;
      });
    }
    return total;
  }

  CounterSweep<fw_dns_counters> sweep_;
  CountedKeys<fw_dns_failure> failures_;
  Tally tally_;
  std::vector<std::pair<fw_dns_query_key, std::uint64_t>> expired_;
  std::unordered_map<std::uint64_t, std::uint64_t> timeouts_;   // by cgroup id; those that user space noticed
  std::uint64_t unreadable_seen_ = 0, unreadable_at_ns_ = 0;
};

}  // namespace

std::string dns_name_text(const fw_dns_name& name) {
  std::string text;
  for (std::size_t at = 0; at < sizeof(name.wire) && name.wire[at] != 0;) {
    const std::size_t length = static_cast<unsigned char>(name.wire[at]), end = at + 1 + length;
    if (length > 63 || end > sizeof(name.wire)) break;
    if (!text.empty()) text += '.';
    for (++at; at < end; ++at) {
      const auto byte = name.wire[at];
      const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '*';
      text += plain ? byte : byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : '?';
    }
  }
  return text;
}

std::string dns_reason_text(std::uint64_t rcode) {
  constexpr std::array<const char*, 6> kNames{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};
  if (rcode == FW_DNS_RCODE_TIMEOUT) return "TIMEOUT";
  return rcode < kNames.size() ? kNames[rcode] : "rcode " + std::to_string(rcode);
}

std::unique_ptr<Collector> make_dns_collector() { return std::make_unique<DnsCollector>(); }
const CollectorInfo& dns_collector_info() noexcept { return kInfo; }

}  // namespace fw::collectors
