#include "node-agent/collectors/memory/memory_collector.hpp"

#include <unordered_map>

#include "node-agent/collectors/reading.hpp"
#include "node-agent/kernel/bpf_sensors.hpp"
#include "node-agent/kernel/cgroup_files.hpp"

namespace fw::collectors {
namespace {

using kernel::CgroupFile;
using wire::MetricKind;

enum Metric : std::size_t {
  current, working_set, limit, high, swap, anon, file, inactive_file, shmem, pgfaults, pgmajfaults, refaults, oom_kills,
  limit_hits, reclaim_stalls, reclaim_stall_us, count_
};

constexpr std::array<MetricDesc, Metric::count_> kMetrics{{
    {"memory_current_bytes", Unit::bytes, MetricKind::gauge, "memory charged to the cgroup, page cache included", "CgroupTruthTest.every_value_is_the_kernels"},
    {"memory_working_set_bytes", Unit::bytes, MetricKind::gauge, "current less inactive page cache, which the kernel can take back", "CgroupTruthTest.every_value_is_the_kernels"},
    {"memory_limit_bytes", Unit::bytes, MetricKind::gauge, "hard limit; -1: none", "CgroupTruthTest.every_value_is_the_kernels"},
    {"memory_high_bytes", Unit::bytes, MetricKind::gauge, "limit at which the kernel slows the cgroup down (v2); -1: none", "CgroupTruthTest.every_value_is_the_kernels"},
    {"memory_swap_bytes", Unit::bytes, MetricKind::gauge, "swap used", "CgroupTruthTest.every_value_is_the_kernels"},
    {"memory_anon_bytes", Unit::bytes, MetricKind::gauge, "anonymous memory", "FilesTest.values_of_a_cgroup_are_those_of_its_processes"},
    {"memory_file_bytes", Unit::bytes, MetricKind::gauge, "page cache", "CgroupTruthTest.every_value_is_the_kernels"},
    {"memory_inactive_file_bytes", Unit::bytes, MetricKind::gauge, "page cache not used lately", "CgroupTruthTest.every_value_is_the_kernels"},
    {"memory_shmem_bytes", Unit::bytes, MetricKind::gauge, "shared memory and tmpfs", "CgroupTruthTest.every_value_is_the_kernels"},
    {"memory_pgfaults_total", Unit::count, MetricKind::counter, "page faults", "CgroupTruthTest.every_value_is_the_kernels"},
    {"memory_pgmajfaults_total", Unit::count, MetricKind::counter, "page faults that had to read from disk", "CgroupTruthTest.every_value_is_the_kernels"},
    {"memory_refaults_total", Unit::count, MetricKind::counter, "pages that were taken back and needed again", "CgroupTruthTest.every_value_is_the_kernels"},
    {"memory_oom_kills_total", Unit::count, MetricKind::counter, "processes of the cgroup that the OOM killer killed", "FilesTest.counters_alone_tell_an_oom_kill"},
    {"memory_limit_hits_total", Unit::count, MetricKind::counter, "allocations that met the hard limit", "CgroupTruthTest.every_value_is_the_kernels"},
    {"memory_reclaim_stalls_total", Unit::count, MetricKind::counter, "times a task had to free memory because of a limit (BPF)", "OomTest.reclaim_before_the_kill_is_counted_as_stall"},
    {"memory_reclaim_stall_us", Unit::microseconds, MetricKind::counter, "time tasks spent so (BPF)", "OomTest.reclaim_before_the_kill_is_counted_as_stall"},
}};

constexpr CollectorInfo kInfo{"memory", kMetrics};

// memory.stat costs as much as all other files together and hardly changes while the use stands still; it is read again at
// the latest after so many ticks.
constexpr int kMaxTicksWithoutStat = 6;

class MemoryCollector final : public Collector {
 public:
  const CollectorInfo& info() const noexcept override { return kInfo; }
  void forget(std::uint32_t entity_id) override { last_.erase(entity_id); }

  void collect(SampleContext& context, SampleSink& sink) override {
    for (auto& entity : context.due) {
      if (entity.gone || entity.reader == nullptr) continue;
      collect_one(context, entity, sink);
    }
  }

 private:
  struct Last {
    std::uint64_t current_bytes = 0;
    kernel::MemoryStat stat;
    int ticks_without_stat = kMaxTicksWithoutStat;   // the first tick reads it
  };

  void collect_one(SampleContext& context, SampledEntity& entity, SampleSink& sink) {
    const auto id = entity.id;
    const bool v2 = entity.reader->memory_v2();
    const auto current_bytes = read_value(context, entity, CgroupFile::memory_current, buffer_, kernel::parse_counter);
    if (entity.gone) return;
    put_if(sink, Metric::current, id, current_bytes);
    if (current_bytes) put_stat(context, entity, *current_bytes, v2, sink);

    if (const auto bytes = read_value(context, entity, CgroupFile::memory_max, buffer_, kernel::parse_limit)) {
      sink.put(Metric::limit, id, *bytes);
      sink.limit(id, "memory.max", *bytes);
    }
    if (const auto bytes = read_value(context, entity, CgroupFile::memory_high, buffer_, kernel::parse_limit)) {
      sink.put(Metric::high, id, *bytes);
      sink.limit(id, "memory.high", *bytes);
    }
    put_oom(context, entity, v2, sink);
    if (context.bpf == nullptr) return;
    if (const auto counters = context.bpf->counters(entity.cgroup_id)) {
      sink.put(Metric::reclaim_stalls, id, static_cast<std::int64_t>(counters->reclaim_stalls));
      sink.put(Metric::reclaim_stall_us, id, static_cast<std::int64_t>(counters->reclaim_stall_ns / 1000));
    }
  }

  void put_stat(SampleContext& context, SampledEntity& entity, std::uint64_t current_bytes, bool v2, SampleSink& sink) {
    auto& last = last_[entity.id];
    if (current_bytes != last.current_bytes || last.ticks_without_stat >= kMaxTicksWithoutStat) {
      const auto stat = read_value(context, entity, CgroupFile::memory_stat, buffer_,
                                   v2 ? &kernel::parse_memory_stat_v2 : &kernel::parse_memory_stat_v1);
      if (!stat) return;
      last = {current_bytes, *stat, 0};
    } else {
      ++last.ticks_without_stat;
    }
    const auto id = entity.id;
    const auto& stat = last.stat;
    if (stat.inactive_file_bytes) {
      const auto inactive = *stat.inactive_file_bytes;
      sink.put(Metric::working_set, id, current_bytes > inactive ? static_cast<std::int64_t>(current_bytes - inactive) : 0);
    }
    put_if(sink, Metric::anon, id, stat.anon_bytes);
    put_if(sink, Metric::file, id, stat.file_bytes);
    put_if(sink, Metric::inactive_file, id, stat.inactive_file_bytes);
    put_if(sink, Metric::shmem, id, stat.shmem_bytes);
    put_if(sink, Metric::pgfaults, id, stat.pgfault_total);
    put_if(sink, Metric::pgmajfaults, id, stat.pgmajfault_total);
    put_if(sink, Metric::refaults, id, stat.refaults_total);
    if (stat.swap_bytes) {
      put_if(sink, Metric::swap, id, stat.swap_bytes);
    } else {
      put_if(sink, Metric::swap, id, read_value(context, entity, CgroupFile::memory_swap, buffer_, kernel::parse_counter));
    }
  }

  void put_oom(SampleContext& context, SampledEntity& entity, bool v2, SampleSink& sink) {
    std::optional<std::uint64_t> kills, hits, ooms;
    if (v2) {
      if (const auto events = read_value(context, entity, CgroupFile::memory_events, buffer_, kernel::parse_memory_events)) {
        kills = events->oom_kill;
        hits = events->max;
        ooms = events->oom;
      }
    } else {
      if (const auto value = read_value(context, entity, CgroupFile::memory_events, buffer_, kernel::parse_oom_control)) {
        kills = *value;
      }
      hits = read_value(context, entity, CgroupFile::memory_failcnt, buffer_, kernel::parse_counter);
    }
    put_if(sink, Metric::oom_kills, entity.id, kills);
    put_if(sink, Metric::limit_hits, entity.id, hits);
    if (kills) sink.oom_kills(entity.id, *kills, ooms);
  }

  ReadBuffer buffer_;
  std::unordered_map<std::uint32_t, Last> last_;
};

}  // namespace

std::unique_ptr<Collector> make_memory_collector() { return std::make_unique<MemoryCollector>(); }
const CollectorInfo& memory_collector_info() noexcept { return kInfo; }

}  // namespace fw::collectors
