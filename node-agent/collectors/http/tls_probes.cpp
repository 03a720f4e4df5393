#include "node-agent/collectors/http/tls_probes.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "common/clock.hpp"
#include "common/unique_fd.hpp"
#include "common/units.hpp"
#include "node-agent/bpf/http.h"
#include "node-agent/collectors/http/elf_functions.hpp"
#include "node-agent/kernel/cgroup_reader.hpp"
#include "node-agent/kernel/proc_files.hpp"

namespace fw::collectors {
namespace {

constexpr std::size_t kProcessesPerTick = 32;
constexpr std::size_t kProcessesPerCgroup = 16;   // a server's processes run the same libraries
constexpr std::size_t kMaxMapsBytes = 2_MiB;
constexpr std::uint64_t kRoundNs = 60 * std::uint64_t{kNsPerSecond};
constexpr std::array<std::string_view, 2> kFunctions{"SSL_write", "SSL_write_ex"};

ReadAt reader_of(const UniqueFd& file) {
  return [&file](std::uint64_t offset, std::span<std::byte> out) {
    while (!out.empty()) {
      const auto size = ::pread(file.get(), out.data(), out.size(), static_cast<off_t>(offset));
      if (size <= 0) return false;
      offset += static_cast<std::uint64_t>(size);
      out = out.subspan(static_cast<std::size_t>(size));
    }
    return true;
  };
}

// Symbolic links of the container lead nowhere else than into its own root. O_NONBLOCK: in place of the library there may be a pipe by now.
UniqueFd open_inside(const std::string& root, const std::string& path) {
  const UniqueFd folder{::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return UniqueFd{static_cast<int>(::syscall(SYS_openat2, folder.get(), path.c_str(), &how, sizeof(how)))};
}

}  // namespace

void TlsProbes::update(kernel::BpfSensors& bpf, const std::vector<SampledEntity*>& serving, bool regular, std::uint64_t mono_ns) {
  budget_ = kProcessesPerTick;
  for (const auto* entity : serving) {
    if (budget_ == 0) return;
    if (looked_at_.insert(entity->id).second) look_at(bpf, *entity);
  }
  if (!regular || mono_ns - round_began_ns_ < kRoundNs) return;
  let_go(bpf);
  looked_at_.clear();
  ++round_;
  round_began_ns_ = mono_ns;
}

void TlsProbes::look_at(kernel::BpfSensors& bpf, const SampledEntity& entity) {
  const auto text = entity.reader->processes(64_KiB);
  if (!text) return;
  for (const auto pid : kernel::parse_pids(*text, kProcessesPerCgroup)) {
    if (budget_ == 0) return;
    --budget_;
    const auto maps = kernel::read_small_file(proc_root_ + "/" + std::to_string(pid) + "/maps", kMaxMapsBytes);
    if (!maps) continue;
    for (const auto path : tls_libraries(*maps)) use_library(bpf, pid, std::string{path});
  }
}

void TlsProbes::use_library(kernel::BpfSensors& bpf, std::uint32_t pid, const std::string& path) {
  const auto file = open_inside(proc_root_ + "/" + std::to_string(pid) + "/root", path);
  struct stat status {};
  struct statfs system {};
  if (!file.valid() || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) || ::fstatfs(file.get(), &system) != 0) return;
  const FileKey key{system.f_type == OVERLAYFS_SUPER_MAGIC ? 0 : status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size),
                    static_cast<std::uint64_t>(status.st_mtim.tv_sec) * std::uint64_t{kNsPerSecond} + static_cast<std::uint64_t>(status.st_mtim.tv_nsec)};
  if (const auto known = files_.find(key); known != files_.end()) {
    known->second.round = round_;
    return;
  }
  if (files_.size() >= kMaxFiles) {
    ++refused_total_;
    return;
  }
  const auto offsets = find_functions(reader_of(file), kFunctions);
  if (!offsets || offsets->empty()) {
    ++refused_total_;
    return;
  }
  // By the descriptor: what is probed is what was read, whatever the path means by now.
  const auto opened = "/proc/self/fd/" + std::to_string(file.get());
  File probed{next_cookie_++, round_, {}};
  for (const auto offset : *offsets) {
    auto probe = bpf.attach_user("http_tls_write", opened, offset, probed.cookie);
    if (probe) {
      probed.probes.push_back(std::move(*probe));
    } else {
      ++refused_total_;
    }
  }
  if (!probed.probes.empty()) files_.emplace(key, std::move(probed));
}

void TlsProbes::let_go(kernel::BpfSensors& bpf) {
  std::unordered_set<std::uint64_t> cookies;
  std::erase_if(files_, [&](const auto& entry) {
    if (entry.second.round + 1 >= round_) return false;
    cookies.insert(entry.second.cookie);
    return true;
  });
  const auto owners = bpf.map("http_tls_owners");
  if (cookies.empty() || !owners) return;
  std::vector<fw_http_function> gone;
  owners->each<fw_http_function, std::uint64_t>([&](const fw_http_function& function, std::span<const std::uint64_t> cookie) {
    if (cookies.contains(cookie[0])) gone.push_back(function);
  });
  for (const auto& function : gone) owners->erase(function);
}

}  // namespace fw::collectors
