#include "node-agent/collectors/cpu/cpu_collector.hpp"

#include "node-agent/collectors/reading.hpp"
#include "node-agent/kernel/cgroup_files.hpp"

namespace fw::collectors {
namespace {

using kernel::CgroupFile;
using wire::MetricKind;

enum Metric : std::size_t { usage, throttled, throttled_periods, periods, quota, count_ };

constexpr std::array<MetricDesc, Metric::count_> kMetrics{{
    {"cpu_usage_us", Unit::microseconds, MetricKind::counter, "CPU time used", "CgroupTruthTest.every_value_is_the_kernels"},
    {"cpu_throttled_us", Unit::microseconds, MetricKind::counter, "time that runnable tasks were held back by the quota", "CgroupTruthTest.every_value_is_the_kernels"},
    {"cpu_throttled_periods_total", Unit::count, MetricKind::counter, "periods in which that happened", "CgroupTruthTest.every_value_is_the_kernels"},
    {"cpu_periods_total", Unit::count, MetricKind::counter, "periods in which tasks ran under a quota", "CgroupTruthTest.every_value_is_the_kernels"},
    {"cpu_quota_millicores", Unit::count, MetricKind::gauge, "quota, 1000 = one CPU; -1: none", "CgroupTruthTest.every_value_is_the_kernels"},
}};

constexpr CollectorInfo kInfo{"cpu", kMetrics};

class CpuCollector final : public Collector {
 public:
  const CollectorInfo& info() const noexcept override { return kInfo; }
  void forget(std::uint32_t) override {}

  void collect(SampleContext& context, SampleSink& sink) override {
    for (auto& entity : context.due) {
      if (entity.gone || entity.reader == nullptr) continue;
      if (const auto stat = read_value(context, entity, CgroupFile::cpu_stat, buffer_, kernel::parse_cpu_stat)) {
        put_if(sink, Metric::usage, entity.id, stat->usage_us);
        put_if(sink, Metric::throttled, entity.id, stat->throttled_us);
        put_if(sink, Metric::throttled_periods, entity.id, stat->throttled_periods_total);
        put_if(sink, Metric::periods, entity.id, stat->periods_total);
      }
      if (!entity.reader->memory_v2()) {
        if (const auto ns = read_value(context, entity, CgroupFile::cpu_usage, buffer_, kernel::parse_counter)) {
          sink.put(Metric::usage, entity.id, static_cast<std::int64_t>(*ns / 1000));
        }
      }
      if (const auto millicores = read_quota(context, entity)) {
        sink.put(Metric::quota, entity.id, *millicores);
        sink.limit(entity.id, "cpu.max", *millicores);
      }
    }
  }

 private:
  std::optional<std::int64_t> read_quota(SampleContext& context, SampledEntity& entity) {
    if (entity.reader->memory_v2()) {
      return read_value(context, entity, CgroupFile::cpu_quota, buffer_, kernel::parse_cpu_max_millicores);
    }
    // v1's quota is -1 for most cgroups; the period is only read when there is one.
    return read_value(context, entity, CgroupFile::cpu_quota, buffer_, [&](std::string_view quota) -> Result<std::int64_t> {
      if (quota.starts_with('-')) return kernel::kNoLimit;
      ReadBuffer period_buffer;
      const auto period = entity.reader->read(CgroupFile::cpu_period, period_buffer);
      if (!period) return period.error();
      return kernel::cfs_millicores(quota, *period);
    });
  }

  ReadBuffer buffer_;
};

}  // namespace

std::unique_ptr<Collector> make_cpu_collector() { return std::make_unique<CpuCollector>(); }
const CollectorInfo& cpu_collector_info() noexcept { return kInfo; }

}  // namespace fw::collectors
