#include "node-agent/collectors/psi/psi_collector.hpp"

#include "node-agent/collectors/reading.hpp"
#include "node-agent/kernel/cgroup_files.hpp"

namespace fw::collectors {
namespace {

using kernel::CgroupFile;
using wire::MetricKind;

constexpr std::array<MetricDesc, 6> kMetrics{{
    {"psi_memory_some_us", Unit::microseconds, MetricKind::counter, "time with at least one task waiting for memory", "CgroupTruthTest.every_value_is_the_kernels"},
    {"psi_memory_full_us", Unit::microseconds, MetricKind::counter, "time with all tasks waiting for memory", "CgroupTruthTest.every_value_is_the_kernels"},
    {"psi_cpu_some_us", Unit::microseconds, MetricKind::counter, "time with at least one task waiting for a CPU", "CgroupTruthTest.every_value_is_the_kernels"},
    {"psi_cpu_full_us", Unit::microseconds, MetricKind::counter, "time with all tasks waiting for a CPU", "CgroupTruthTest.every_value_is_the_kernels"},
    {"psi_io_some_us", Unit::microseconds, MetricKind::counter, "time with at least one task waiting for I/O", "CgroupTruthTest.every_value_is_the_kernels"},
    {"psi_io_full_us", Unit::microseconds, MetricKind::counter, "time with all tasks waiting for I/O", "CgroupTruthTest.every_value_is_the_kernels"},
}};

constexpr CollectorInfo kInfo{"psi", kMetrics};

// In the order of kMetrics, two metrics each.
constexpr std::array kFiles{CgroupFile::psi_memory, CgroupFile::psi_cpu, CgroupFile::psi_io};

class PsiCollector final : public Collector {
 public:
  const CollectorInfo& info() const noexcept override { return kInfo; }
  void forget(std::uint32_t) override {}

  void collect(SampleContext& context, SampleSink& sink) override {
    for (auto& entity : context.due) {
      for (std::size_t i = 0; i < kFiles.size(); ++i) {
        const auto pressure = read_value(context, entity, kFiles[i], buffer_, kernel::parse_pressure);
        if (!pressure) continue;
        put_if(sink, 2 * i, entity.id, pressure->some_us);
        put_if(sink, 2 * i + 1, entity.id, pressure->full_us);
      }
    }
  }

 private:
  ReadBuffer buffer_;
};

}  // namespace

std::unique_ptr<Collector> make_psi_collector() { return std::make_unique<PsiCollector>(); }
const CollectorInfo& psi_collector_info() noexcept { return kInfo; }

}  // namespace fw::collectors
