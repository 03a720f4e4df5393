#include "node-agent/collectors/io/io_collector.hpp"

#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>

#include "common/units.hpp"
#include "node-agent/bpf/io.h"
#include "node-agent/collectors/failures.hpp"
#include "node-agent/collectors/histogram.hpp"
#include "node-agent/collectors/io/disk_files.hpp"
#include "node-agent/kernel/bpf_sensors.hpp"
#include "node-agent/kernel/proc_files.hpp"

namespace fw::collectors {
namespace {

using wire::MetricKind;

enum Metric : std::size_t {
  kDiskReads, kDiskReadBytes, kDiskReadUs, kDiskWrites, kDiskWrittenBytes, kDiskWriteUs, kDiskInFlight, kDiskBusyUs, kDiskErrors,
  kDiskHistogram, kReads = kDiskHistogram + kHistogramCounters, kReadBytes, kWrites, kWrittenBytes, kErrors, kLatencyUs, kHistogram,
  kMetricCount = kHistogram + kHistogramCounters
};

constexpr std::array<MetricDesc, kMetricCount> kMetrics{{
    {"disk_reads_total", Unit::count, MetricKind::counter, "requests that read", "IoTruthTest.a_disks_requests_and_bytes_are_those_that_were_made"},
    {"disk_read_bytes", Unit::bytes, MetricKind::counter, "bytes read", "IoTruthTest.a_disks_requests_and_bytes_are_those_that_were_made"},
    {"disk_read_us", Unit::microseconds, MetricKind::counter, "time of all reading requests together, queues included; in whole ms", "IoTruthTest.times_are_those_of_the_kernel"},
    {"disk_writes_total", Unit::count, MetricKind::counter, "requests that wrote", "IoTruthTest.a_disks_requests_and_bytes_are_those_that_were_made"},
    {"disk_written_bytes", Unit::bytes, MetricKind::counter, "bytes written", "IoTruthTest.a_disks_requests_and_bytes_are_those_that_were_made"},
    {"disk_write_us", Unit::microseconds, MetricKind::counter, "time of all writing requests together, queues included; in whole ms", "IoTruthTest.times_are_those_of_the_kernel"},
    {"disk_requests_in_flight", Unit::count, MetricKind::gauge, "requests that wait or are being done", "IoTruthTest.times_are_those_of_the_kernel"},
    {"disk_busy_us", Unit::microseconds, MetricKind::counter, "time in which there was any request; in whole ms", "IoTruthTest.times_are_those_of_the_kernel"},
    {"disk_errors_total", Unit::count, MetricKind::counter, "requests that failed (BPF)", "IoTruthTest.a_request_that_fails_names_its_disk"},
    FW_HISTOGRAM_ROWS("disk_latency", "requests to the disk (BPF)", "IoTruthTest.every_request_has_a_latency"),
    {"io_reads_total", Unit::count, MetricKind::counter, "requests that read into this cgroup's memory (BPF)", "IoTruthTest.direct_reads_and_writes_belong_to_their_cgroup"},
    {"io_read_bytes", Unit::bytes, MetricKind::counter, "bytes read into it (BPF)", "IoTruthTest.direct_reads_and_writes_belong_to_their_cgroup"},
    {"io_writes_total", Unit::count, MetricKind::counter, "requests that wrote from this cgroup's memory, also later and by a kernel thread (BPF)", "IoTruthTest.what_is_written_back_later_belongs_to_who_wrote_it"},
    {"io_written_bytes", Unit::bytes, MetricKind::counter, "bytes written from it (BPF)", "IoTruthTest.what_is_written_back_later_belongs_to_who_wrote_it"},
    {"io_errors_total", Unit::count, MetricKind::counter, "requests of this cgroup's memory that failed (BPF)", "IoTruthTest.a_request_that_fails_names_its_disk"},
    {"io_latency_us", Unit::microseconds, MetricKind::counter, "time of its requests together, queues included (BPF)", "IoTruthTest.every_request_has_a_latency"},
    FW_HISTOGRAM_ROWS("io_latency", "requests of this cgroup's memory (BPF)", "IoTruthTest.every_request_has_a_latency"),
}};

constexpr std::array<ObservedDesc, 1> kObserved{{
    {"io_error", "the disk", "errno name",
     "requests of the disk failed; `count` of them",
     "IoTruthTest.a_request_that_fails_names_its_disk"},
}};

constexpr CollectorInfo kInfo{"io", kMetrics, kObserved};
constexpr std::uint64_t kSectorBytes = 512, kUsPerMs = 1000;

class IoCollector final : public Collector {
 public:
  explicit IoCollector(IoPaths paths) : paths_(std::move(paths)) {}

  const CollectorInfo& info() const noexcept override { return kInfo; }
  void forget(std::uint32_t) override {}

  void collect(SampleContext& context, SampleSink& sink) override {
    if (context.bpf != nullptr) collect_cgroups(context, sink);
    if (context.regular) collect_disks(context, sink);
    if (context.bpf != nullptr) tell_errors(context, sink);
  }

 private:
  struct Disk {
    bool whole = false;
    std::uint32_t entity_id = 0;
    std::uint64_t number = 0;
    bool seen = true;
  };

  void collect_cgroups(const SampleContext& context, SampleSink& sink) {
    const auto map = context.bpf->map("io_cgroups");
    if (!map) return;
    for (const auto& entity : context.due) {
      fw_io_counters counters{};
      if (entity.gone || !map->lookup<std::uint64_t>(entity.cgroup_id, counters)) continue;
      const auto put = [&](std::size_t metric, std::uint64_t value) { sink.put(metric, entity.id, static_cast<std::int64_t>(value)); };
      put(kReads, counters.reads);
      put(kReadBytes, counters.read_bytes);
      put(kWrites, counters.writes);
      put(kWrittenBytes, counters.written_bytes);
      put(kErrors, counters.errors);
      put(kLatencyUs, counters.latency_ns / 1000);
      put_histogram(sink, kHistogram, entity.id, counters.latency_log2_us);
    }
    if (context.regular) sweep_.run(*map, sink, context.mono_ns);
  }

  void collect_disks(SampleContext& context, SampleSink& sink) {
    const auto text = kernel::read_small_file(paths_.proc + "/diskstats", 1_MiB);
    if (!text) return;
    const auto ends = context.bpf != nullptr ? context.bpf->map("io_devices") : std::nullopt;
    for (auto& [name, known] : disks_) known.seen = false;
    for (const auto& counters : parse_diskstats(*text, 4096)) {
      auto [at, is_new] = disks_.try_emplace(std::string{counters.name});
      auto& known = at->second;
      known.seen = true;
      if (is_new) known.whole = whole_disk(at->first);
      if (!known.whole) continue;
      known.number = std::uint64_t{counters.major} << 32 | counters.minor;
      known.entity_id = sink.part(wire::EntityKind::device, makedev(counters.major, counters.minor), counters.name);
      if (known.entity_id != 0) put_disk(known, counters, ends, sink);
    }
    std::erase_if(disks_, [&](const auto& entry) {
      if (entry.second.seen) return false;
      if (entry.second.entity_id != 0) sink.part_gone(entry.second.entity_id);
      if (ends) ends->erase(entry.second.number);
      return true;
    });
  }

  static void put_disk(const Disk& disk, const DiskCounters& counters, const std::optional<kernel::BpfMap>& ends, SampleSink& sink) {
    const auto put = [&](std::size_t metric, std::uint64_t value) { sink.put(metric, disk.entity_id, static_cast<std::int64_t>(value)); };
    put(kDiskReads, counters.reads);
    put(kDiskReadBytes, counters.read_sectors * kSectorBytes);
    put(kDiskReadUs, counters.read_ms * kUsPerMs);
    put(kDiskWrites, counters.writes);
    put(kDiskWrittenBytes, counters.written_sectors * kSectorBytes);
    put(kDiskWriteUs, counters.write_ms * kUsPerMs);
    put(kDiskInFlight, counters.in_flight);
    put(kDiskBusyUs, counters.busy_ms * kUsPerMs);
    fw_io_counters ended{};
    if (!ends || !ends->lookup(disk.number, ended)) return;
    put(kDiskErrors, ended.errors);
    put_histogram(sink, kDiskHistogram, disk.entity_id, ended.latency_log2_us);
  }

  // A partition has no folder of its own there.
  bool whole_disk(std::string name) const {
    const auto known = static_cast<std::size_t>(std::count_if(disks_.begin(), disks_.end(), [](const auto& entry) { return entry.second.whole; }));
    std::replace(name.begin(), name.end(), '/', '!');
    return known < kMaxDisks && !name.starts_with("ram") && ::access((paths_.sys + "/block/" + name).c_str(), F_OK) == 0;
  }

  void tell_errors(const SampleContext& context, SampleSink& sink) {
    const auto map = context.bpf->map("io_errors");
    if (!map) return;
    errors_.take(*map, [&](const fw_io_error& key, std::uint64_t count) {
      const auto number = std::uint64_t{key.major} << 32 | key.minor;
      const auto disk = std::find_if(disks_.begin(), disks_.end(), [&](const auto& entry) { return entry.second.number == number && entry.second.entity_id != 0; });
      if (disk == disks_.end()) return false;   // it is looked for at the next regular tick
      tally_.add(disk->second.entity_id, disk->first, block_status_text(key.status), count);
      return true;
    });
    tally_.tell(sink, "io_error");
  }

  IoPaths paths_;
  std::map<std::string, Disk> disks_;   // and partitions
  CounterSweep<fw_io_counters> sweep_;
  CountedKeys<fw_io_error> errors_;
  Tally tally_;
};

}  // namespace

std::unique_ptr<Collector> make_io_collector(IoPaths paths) { return std::make_unique<IoCollector>(std::move(paths)); }
const CollectorInfo& io_collector_info() noexcept { return kInfo; }

}  // namespace fw::collectors
