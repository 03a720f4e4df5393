// Reads the control files of one cgroup through kept descriptors.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/result.hpp"
#include "common/unique_fd.hpp"
#include "node-agent/kernel/cgroup_layout.hpp"

namespace fw::kernel {

// Files that are read each tick; the names on both hierarchies are in the .cpp.
enum class CgroupFile : std::uint8_t {
  memory_current, memory_max, memory_high, memory_stat, memory_events, memory_swap, memory_failcnt,
  cpu_stat, cpu_usage, cpu_quota, cpu_period, pids_current, psi_memory, psi_cpu, psi_io,
  count_
};

// How many descriptors may be kept by all readers together. Beyond it a file is opened for each reading: slower, never
// wrong. (Not LRU: all entities are read in turn, so the least recently used one is always the next one needed.)
struct FdBudget {
  std::size_t limit = 0;
  std::size_t used = 0;
};

// The descriptor of the memory controller's folder is the identity, not the path: when the cgroup was removed and made again
// under the same name, this reader keeps saying Errc::gone.
//
// Threading: one thread. Blocking: reads cgroupfs (1 to 8 us a file). Lifetime: layout and budget must outlive it.
class CgroupReader {
 public:
  // path as in /proc/PID/cgroup. Errc::gone when the folder is not there.
  static Result<CgroupReader> open(const CgroupLayout& layout, std::string_view path, FdBudget& budget);
  CgroupReader(CgroupReader&& other) noexcept;
  CgroupReader& operator=(CgroupReader&&) = delete;
  ~CgroupReader();

  // The file's text in buffer. Errc::unsupported: this hierarchy, kernel or cgroup has no such file (remembered
  // after three tries); Errc::gone: the cgroup was removed.
  Result<std::string_view> read(CgroupFile file, std::span<char> buffer);

  // cgroup.procs, at most max_bytes of it.
  Result<std::string> processes(std::size_t max_bytes) const;

  std::uint64_t cgroup_id() const noexcept { return id_; }   // inode; equals the kernfs id in BPF programs
  const std::string& path() const noexcept { return path_; }
  bool memory_v2() const noexcept { return layout_->memory_v2(); }

 private:
  enum class State : std::uint8_t { untried, kept, per_read, absent };

  CgroupReader(const CgroupLayout& layout, std::string path, FdBudget& budget, UniqueFd folder, std::uint64_t id);
  Result<UniqueFd> open_file(CgroupFile file) const;
  bool removed() const;

  const CgroupLayout* layout_;
  FdBudget* budget_;
  std::string path_;
  std::uint64_t id_;
  UniqueFd folder_;
  std::array<UniqueFd, static_cast<std::size_t>(CgroupFile::count_)> files_;
  std::array<State, static_cast<std::size_t>(CgroupFile::count_)> states_{};
  std::array<std::uint8_t, static_cast<std::size_t>(CgroupFile::count_)> misses_{};
};

}  // namespace fw::kernel
