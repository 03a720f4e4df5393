#include "node-agent/collectors/process/process_collector.hpp"

#include <array>

#include "node-agent/kernel/bpf_sensors.hpp"

namespace fw::collectors {
namespace {

constexpr std::array<MetricDesc, 1> kMetrics{{
    {"process_execs_total", Unit::count, wire::MetricKind::counter, "programs started since the agent saw the first one (BPF)", "ProcessTest.program_starts_are_counted"},
}};

constexpr CollectorInfo kInfo{"process", kMetrics};

class ProcessCollector final : public Collector {
 public:
  const CollectorInfo& info() const noexcept override { return kInfo; }
  void forget(std::uint32_t) override {}

  void collect(SampleContext& context, SampleSink& sink) override {
    if (context.bpf == nullptr) return;
    for (const auto& entity : context.due) {
      if (entity.gone) continue;
      if (const auto counters = context.bpf->counters(entity.cgroup_id)) {
        sink.put(0, entity.id, static_cast<std::int64_t>(counters->execs));
      }
    }
  }
};

}  // namespace

std::unique_ptr<Collector> make_process_collector() { return std::make_unique<ProcessCollector>(); }
const CollectorInfo& process_collector_info() noexcept { return kInfo; }

}  // namespace fw::collectors
