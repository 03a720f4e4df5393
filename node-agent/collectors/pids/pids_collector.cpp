#include "node-agent/collectors/pids/pids_collector.hpp"

#include "node-agent/collectors/reading.hpp"
#include "node-agent/kernel/cgroup_files.hpp"

namespace fw::collectors {
namespace {

constexpr std::array<MetricDesc, 1> kMetrics{{
    {"pids_current", Unit::count, wire::MetricKind::gauge, "processes and threads", "CgroupTruthTest.every_value_is_the_kernels"},
}};

constexpr CollectorInfo kInfo{"pids", kMetrics};

class PidsCollector final : public Collector {
 public:
  const CollectorInfo& info() const noexcept override { return kInfo; }
  void forget(std::uint32_t) override {}

  void collect(SampleContext& context, SampleSink& sink) override {
    for (auto& entity : context.due) {
      put_if(sink, 0, entity.id,
             read_value(context, entity, kernel::CgroupFile::pids_current, buffer_, kernel::parse_counter));
    }
  }

 private:
  ReadBuffer buffer_;
};

}  // namespace

std::unique_ptr<Collector> make_pids_collector() { return std::make_unique<PidsCollector>(); }
const CollectorInfo& pids_collector_info() noexcept { return kInfo; }

}  // namespace fw::collectors
