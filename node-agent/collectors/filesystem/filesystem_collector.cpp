#include "node-agent/collectors/filesystem/filesystem_collector.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include <array>
#include <map>

#include "common/units.hpp"
#include "common/unique_fd.hpp"
#include "node-agent/collectors/filesystem/mounts.hpp"
#include "node-agent/kernel/proc_files.hpp"

namespace fw::collectors {
namespace {

using wire::MetricKind;

enum Metric : std::size_t { kSize, kFree, kAvailable, kInodes, kInodesFree, kMetricCount };

constexpr std::array<MetricDesc, kMetricCount> kMetrics{{
    {"filesystem_size_bytes", Unit::bytes, MetricKind::gauge, "size of the filesystem", "FilesystemTruthTest.space_equals_what_df_says"},
    {"filesystem_free_bytes", Unit::bytes, MetricKind::gauge, "free space, what is kept for root included", "FilesystemTruthTest.space_equals_what_df_says"},
    {"filesystem_available_bytes", Unit::bytes, MetricKind::gauge, "space that others than root can still use", "FilesystemTruthTest.space_equals_what_df_says"},
    {"filesystem_inodes", Unit::count, MetricKind::gauge, "files and folders that it can hold; absent when it makes them as needed", "FilesystemTruthTest.inodes_run_out"},
    {"filesystem_inodes_free", Unit::count, MetricKind::gauge, "files and folders that it can still take", "FilesystemTruthTest.inodes_run_out"},
}};

constexpr std::array<ObservedDesc, 1> kObserved{{
    {"filesystem_read_only", "mount point", "",
     "a filesystem that could be written can only be read; `before` rw, `after` ro",
     "FilesystemTruthTest.a_filesystem_that_becomes_read_only_is_told_once"},
}};

constexpr CollectorInfo kInfo{"filesystem", kMetrics, kObserved};
constexpr std::uint64_t kTablePeriodNs = 60'000'000'000;   // a filesystem that an error made read-only does not change the table's version

class FilesystemCollector final : public Collector {
 public:
  explicit FilesystemCollector(FilesystemPaths paths)
      : paths_(std::move(paths)), table_path_(paths_.proc + "/self/mountinfo"), table_(::open(table_path_.c_str(), O_RDONLY | O_CLOEXEC)) {}

  const CollectorInfo& info() const noexcept override { return kInfo; }
  void forget(std::uint32_t) override {}

  void collect(SampleContext& context, SampleSink& sink) override {
    if (!context.regular) return;
    bool turned = false;
    if (table_changed() || table_at_ns_ == 0 || context.mono_ns - table_at_ns_ >= kTablePeriodNs) read_table(context, sink);
    for (auto& [device, known] : filesystems_) turned = measure(known, sink) || turned;
    if (turned) read_table(context, sink);
  }

 private:
  struct Filesystem {
    Mount mount;
    std::uint32_t entity_id = 0;
    unsigned long flags = 0;     // of the last statfs; 0: none yet
    bool seen = true;
  };

  bool table_changed() const {
    pollfd waiting{table_.get(), POLLPRI, 0};
    return table_.valid() && ::poll(&waiting, 1, 0) > 0 && (waiting.revents & (POLLPRI | POLLERR)) != 0;
  }

  void read_table(SampleContext& context, SampleSink& sink) {
    const auto text = kernel::read_small_file(table_path_, 4_MiB);
    if (!text) {
      ++context.unreadable;
      return;
    }
    table_at_ns_ = context.mono_ns;
    for (auto& [device, known] : filesystems_) known.seen = false;
    for (auto& mount : local_filesystems(*text)) {
      auto [at, is_new] = filesystems_.try_emplace(mount.device);
      auto& known = at->second;
      known.seen = true;
      known.entity_id = sink.part(wire::EntityKind::filesystem, mount.device, mount.point);
      if (!is_new && !known.mount.read_only && mount.read_only && known.entity_id != 0) {
        sink.observe(known.entity_id, {.what = "filesystem_read_only", .object = mount.point, .before = "rw", .after = "ro"});
      }
      known.mount = std::move(mount);
    }
    std::erase_if(filesystems_, [&](const auto& entry) {
      if (entry.second.seen) return false;
      if (entry.second.entity_id != 0) sink.part_gone(entry.second.entity_id);
      return true;
    });
  }

  // true: it became writable or read-only.
  bool measure(Filesystem& known, SampleSink& sink) const {
    struct statfs now{};
    if (known.entity_id == 0 || ::statfs((paths_.root + known.mount.point).c_str(), &now) != 0) return false;
    const auto unit = static_cast<std::int64_t>(now.f_frsize != 0 ? now.f_frsize : now.f_bsize);
    sink.put(kSize, known.entity_id, static_cast<std::int64_t>(now.f_blocks) * unit);
    sink.put(kFree, known.entity_id, static_cast<std::int64_t>(now.f_bfree) * unit);
    sink.put(kAvailable, known.entity_id, static_cast<std::int64_t>(now.f_bavail) * unit);
    if (now.f_files != 0) {
      sink.put(kInodes, known.entity_id, static_cast<std::int64_t>(now.f_files));
      sink.put(kInodesFree, known.entity_id, static_cast<std::int64_t>(now.f_ffree));
    }
    const auto flags = static_cast<unsigned long>(now.f_flags);
    const bool turned = known.flags != 0 && ((flags ^ known.flags) & ST_RDONLY) != 0;
    known.flags = flags;
    return turned;
  }

  FilesystemPaths paths_;
  std::string table_path_;
  UniqueFd table_;
  std::uint64_t table_at_ns_ = 0;
  std::map<std::uint64_t, Filesystem> filesystems_;   // by device
};

}  // namespace

std::unique_ptr<Collector> make_filesystem_collector(FilesystemPaths paths) { return std::make_unique<FilesystemCollector>(std::move(paths)); }
const CollectorInfo& filesystem_collector_info() noexcept { return kInfo; }

}  // namespace fw::collectors
