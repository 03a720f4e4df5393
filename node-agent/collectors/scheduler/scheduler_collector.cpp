#include "node-agent/collectors/scheduler/scheduler_collector.hpp"

#include <array>

#include "node-agent/bpf/scheduler.h"
#include "node-agent/collectors/failures.hpp"
#include "node-agent/collectors/histogram.hpp"
#include "node-agent/kernel/bpf_sensors.hpp"

namespace fw::collectors {
namespace {

using wire::MetricKind;

enum Metric : std::size_t { kWaits, kWaitUs, kWaitHistogram, kMetricCount = kWaitHistogram + kHistogramCounters };

constexpr std::array<MetricDesc, kMetricCount> kMetrics{{
    {"run_queue_waits_total", Unit::count, MetricKind::counter, "times that a thread got a CPU after it had waited in a run queue (BPF)", "SchedulerTruthTest.waits_equal_schedstat"},
    {"run_queue_wait_us", Unit::microseconds, MetricKind::counter, "time that threads waited for a CPU (BPF)", "SchedulerTruthTest.waits_equal_schedstat"},
    FW_HISTOGRAM_ROWS("run_queue_wait", "waits for a CPU", "SchedulerTruthTest.threads_that_share_a_cpu_wait_for_each_other"),
}};

constexpr CollectorInfo kInfo{"scheduler", kMetrics};

class SchedulerCollector final : public Collector {
 public:
  const CollectorInfo& info() const noexcept override { return kInfo; }
  void forget(std::uint32_t) override {}

  void collect(SampleContext& context, SampleSink& sink) override {
    if (context.bpf == nullptr) return;
    const auto map = context.bpf->map("run_queue_counters");
    if (!map) return;
    for (const auto& entity : context.due) {
      fw_run_queue_counters counters{};
      if (entity.gone || !map->lookup<std::uint64_t>(entity.cgroup_id, counters)) continue;
      sink.put(kWaits, entity.id, static_cast<std::int64_t>(counters.waits));
      sink.put(kWaitUs, entity.id, static_cast<std::int64_t>(counters.wait_ns / 1000));
      put_histogram(sink, kWaitHistogram, entity.id, counters.wait_log2_us);
    }
    if (context.regular) sweep_.run(*map, sink, context.mono_ns);
  }

 private:
  CounterSweep<fw_run_queue_counters> sweep_;
};

}  // namespace

std::unique_ptr<Collector> make_scheduler_collector() { return std::make_unique<SchedulerCollector>(); }
const CollectorInfo& scheduler_collector_info() noexcept { return kInfo; }

}  // namespace fw::collectors
