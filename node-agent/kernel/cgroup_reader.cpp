#include "node-agent/kernel/cgroup_reader.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace fw::kernel {
namespace {

enum class Hierarchy : std::uint8_t { none, memory, cpu, cpuacct, pids, unified };

struct FileName {
  Hierarchy hierarchy;
  const char* name;
};

struct FileNames {
  FileName v1;
  FileName v2;
};

constexpr FileName kNone{Hierarchy::none, ""};

// By CgroupFile.
constexpr std::array<FileNames, static_cast<std::size_t>(CgroupFile::count_)> kNames{{
    {{Hierarchy::memory, "memory.usage_in_bytes"}, {Hierarchy::unified, "memory.current"}},
    {{Hierarchy::memory, "memory.limit_in_bytes"}, {Hierarchy::unified, "memory.max"}},
    {kNone, {Hierarchy::unified, "memory.high"}},
    {{Hierarchy::memory, "memory.stat"}, {Hierarchy::unified, "memory.stat"}},
    {{Hierarchy::memory, "memory.oom_control"}, {Hierarchy::unified, "memory.events.local"}},
    {kNone, {Hierarchy::unified, "memory.swap.current"}},
    {{Hierarchy::memory, "memory.failcnt"}, kNone},
    {{Hierarchy::cpu, "cpu.stat"}, {Hierarchy::unified, "cpu.stat"}},
    {{Hierarchy::cpuacct, "cpuacct.usage"}, kNone},
    {{Hierarchy::cpu, "cpu.cfs_quota_us"}, {Hierarchy::unified, "cpu.max"}},
    {{Hierarchy::cpu, "cpu.cfs_period_us"}, kNone},
    {{Hierarchy::pids, "pids.current"}, {Hierarchy::unified, "pids.current"}},
    {{Hierarchy::unified, "memory.pressure"}, {Hierarchy::unified, "memory.pressure"}},
    {{Hierarchy::unified, "cpu.pressure"}, {Hierarchy::unified, "cpu.pressure"}},
    {{Hierarchy::unified, "io.pressure"}, {Hierarchy::unified, "io.pressure"}},
}};

const std::string& root_of(const CgroupLayout& layout, Hierarchy hierarchy) {
  static const std::string none;
  switch (hierarchy) {
    case Hierarchy::memory: return layout.memory;
    case Hierarchy::cpu: return layout.cpu;
    case Hierarchy::cpuacct: return layout.cpuacct;
    case Hierarchy::pids: return layout.pids;
    case Hierarchy::unified: return layout.unified;
    case Hierarchy::none: break;
  }
  return none;
}

constexpr int kMissesUntilAbsent = 3;

constexpr std::size_t index_of(CgroupFile file) noexcept { return static_cast<std::size_t>(file); }

}  // namespace

Result<CgroupReader> CgroupReader::open(const CgroupLayout& layout, std::string_view path, FdBudget& budget) {
  const auto folder_path = layout.memory + std::string{path};
  UniqueFd folder{::open(folder_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)};
  if (!folder.valid()) return errno_error(errno, folder_path);
  struct stat status {};
  if (::fstat(folder.get(), &status) != 0) return errno_error(errno, folder_path);
  return CgroupReader{layout, std::string{path}, budget, std::move(folder), status.st_ino};
}

CgroupReader::CgroupReader(const CgroupLayout& layout, std::string path, FdBudget& budget, UniqueFd folder, std::uint64_t id)
    : layout_(&layout), budget_(&budget), path_(std::move(path)), id_(id), folder_(std::move(folder)) {
  ++budget_->used;
}

CgroupReader::CgroupReader(CgroupReader&& other) noexcept
    : layout_(other.layout_), budget_(std::exchange(other.budget_, nullptr)), path_(std::move(other.path_)), id_(other.id_),
      folder_(std::move(other.folder_)), files_(std::move(other.files_)), states_(other.states_),
      misses_(other.misses_) {}

CgroupReader::~CgroupReader() {
  if (budget_ == nullptr) return;
  for (const auto state : states_) budget_->used -= state == State::kept ? 1 : 0;
  --budget_->used;
}

Result<UniqueFd> CgroupReader::open_file(CgroupFile file) const {
  const auto& names = kNames[index_of(file)];
  const auto& name = layout_->memory_v2() ? names.v2 : names.v1;
  const auto& root = root_of(*layout_, name.hierarchy);
  if (root.empty()) return Error{Errc::unsupported, "no such hierarchy"};
  // Files beside the memory controller's are opened through the kept folder, which cannot become another cgroup.
  const bool same_folder = &root == &layout_->memory || root == layout_->memory;
  const auto file_path = same_folder ? std::string{name.name} : root + path_ + "/" + name.name;
  UniqueFd fd{::openat(same_folder ? folder_.get() : AT_FDCWD, file_path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd.valid()) return errno_error(errno, file_path);
  return fd;
}

bool CgroupReader::removed() const {
  // Every live cgroup has this file; a removed folder has none.
  return ::faccessat(folder_.get(), "cgroup.procs", F_OK, 0) != 0;
}

Result<std::string_view> CgroupReader::read(CgroupFile file, std::span<char> buffer) {
  auto& state = states_[index_of(file)];
  if (state == State::absent) return Error{Errc::unsupported, {}};
  UniqueFd once;
  int fd = files_[index_of(file)].get();
  if (state != State::kept) {
    auto opened = open_file(file);
    if (!opened) {
      if (opened.error().code == Errc::gone && removed()) return Error{Errc::gone, path_};
      if (opened.error().code == Errc::permission) return opened.error();
      // A runtime makes the folders of one container in several hierarchies one after the other.
      if (++misses_[index_of(file)] >= kMissesUntilAbsent) state = State::absent;
      return Error{Errc::unsupported, opened.error().context};
    }
    fd = opened->get();
    if (budget_->used < budget_->limit) {
      ++budget_->used;
      state = State::kept;
      files_[index_of(file)] = std::move(*opened);
    } else {
      state = State::per_read;
      once = std::move(*opened);
    }
  }
  std::size_t size = 0;
  while (size < buffer.size()) {
    const auto got = ::pread(fd, buffer.data() + size, buffer.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      if (errno == EOPNOTSUPP) {   // pressure files of a kernel with PSI switched off
        state = State::absent;
        return Error{Errc::unsupported, path_};
      }
      return errno_error(errno, path_);
    }
    size += static_cast<std::size_t>(got);
    // seq_file gives everything in one call unless it is longer than a page.
    if (got == 0 || size < 4096) break;
  }
  return std::string_view{buffer.data(), size};
}

Result<std::string> CgroupReader::processes(std::size_t max_bytes) const {
  const UniqueFd fd{::openat(folder_.get(), "cgroup.procs", O_RDONLY | O_CLOEXEC)};
  if (!fd.valid()) return errno_error(errno, path_);
  std::string text(max_bytes, '\0');
  std::size_t size = 0;
  while (size < max_bytes) {
    const auto got = ::read(fd.get(), text.data() + size, max_bytes - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, path_);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

}  // namespace fw::kernel
