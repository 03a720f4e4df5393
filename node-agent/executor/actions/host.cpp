#include "node-agent/executor/actions/host.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "common/units.hpp"
#include "node-agent/executor/actions/handles.hpp"
#include "node-agent/kernel/text.hpp"

namespace fw::executor {
namespace {

constexpr std::size_t kMaxSubfolders = 4096;
constexpr int kMaxDepth = 16;

// The v1 freezer's mount point; the layout of the sensors does not need it.
std::string freezer_mount(std::string_view mounts) {
  while (!mounts.empty()) {
    const auto line = kernel::take_line(mounts);
    const auto dash = line.find(" - cgroup ");
    if (dash == std::string_view::npos) continue;
    const auto options = line.substr(line.rfind(' ') + 1);
    if (options.find("freezer") == std::string_view::npos) continue;
    auto left = line.substr(0, dash);
    for (int skipped = 0; skipped < 4; ++skipped) kernel::take_until(left, ' ');
    return std::string(kernel::take_until(left, ' '));
  }
  return {};
}

Result<void> open_into(UniqueFd& target, const std::string& prefix, const std::string& mount) {
  if (mount.empty()) return {};
  auto fd = open_root(prefix + mount);
  if (!fd) return fd.error();
  target = std::move(*fd);
  return {};
}

Result<void> add_members(const UniqueFd& cgroup, std::size_t max, int depth, Members& out) {
  const auto text = read_file(cgroup, "cgroup.procs", 1_MiB);
  if (!text) {
    if (text.error().code == Errc::gone && depth > 0) return {};   // a child that went meanwhile
    return text.error();
  }
  std::string_view rest(*text);
  while (!rest.empty()) {
    const auto pid = kernel::to_number<std::uint32_t>(kernel::trimmed(kernel::take_line(rest)));
    if (!pid) continue;
    if (*pid == 0) {
      out.invisible = true;
    } else if (out.pids.size() == max) {
      out.cut = true;
      return {};
    } else {
      out.pids.push_back(*pid);
    }
  }
  if (depth == kMaxDepth) return {};
  const auto children = subfolders(cgroup, kMaxSubfolders);
  if (!children) return {};
  for (const auto& name : *children) {
    auto child = open_folder(cgroup, name);
    if (!child) continue;
    if (auto ok = add_members(*child, max, depth + 1, out); !ok) return ok;
  }
  return {};
}

}  // namespace

Result<Host> Host::open(const HostConfig& config) {
  Host host;
  const auto mounts = kernel::read_small_file(config.prefix + "/proc/self/mountinfo", 4_MiB);
  if (!mounts) return mounts.error();
  auto layout = kernel::parse_cgroup_mounts(*mounts);
  if (!layout) return layout.error();
  host.mode = layout->mode;
  for (const auto& [target, mount] : {std::pair{&host.memory, layout->memory}, {&host.cpu, layout->cpu}, {&host.pids, layout->pids},
                                      {&host.unified, layout->unified}, {&host.freezer, host.v2() ? layout->unified : freezer_mount(*mounts)},
                                      {&host.proc, std::string("/proc")}, {&host.sysctl, std::string("/proc/sys")}}) {
    if (auto ok = open_into(*target, config.prefix, mount); !ok) return ok.error();
  }
  for (const auto& path : config.log_folders) {
    if (auto folder = open_root(path)) host.logs.push_back({path, std::move(*folder)});
  }
  return host;
}

Result<CgroupFolders> CgroupFolders::open(const Host& host, std::string_view path) {
  CgroupFolders out;
  out.path = path;
  auto memory = open_folder(host.memory, path);
  if (!memory) return with_context(memory.error(), "cgroup");
  const auto inode = inode_of(*memory);
  if (!inode) return inode.error();
  out.memory = std::move(*memory);
  out.inode = *inode;
  for (const auto& [target, root] : {std::pair{&out.cpu, &host.cpu}, {&out.pids, &host.pids}, {&out.freezer, &host.freezer}, {&out.unified, &host.unified}}) {
    if (!root->valid()) continue;
    if (auto folder = open_folder(*root, path)) *target = std::move(*folder);
  }
  if (host.v2()) {
    // One hierarchy, one folder: it must not have been replaced between two of these opens.
    for (const auto* folder : {&out.cpu, &out.pids, &out.freezer, &out.unified}) {
      const auto other = folder->valid() ? inode_of(*folder) : Result<std::uint64_t>(Error(Errc::gone, "cgroup"));
      if (!other || *other != out.inode) return Error(Errc::gone, "cgroup: it was replaced just now");
    }
  }
  return out;
}

Result<Process> Process::open(const Host& host, std::uint32_t pid) {
  auto folder = open_beneath(host.proc, std::to_string(pid), O_RDONLY | O_DIRECTORY);
  if (!folder) return with_context(folder.error(), "process " + std::to_string(pid));
  return Process(std::move(*folder));
}

Result<std::string> Process::file(std::string_view name, std::size_t max_bytes) const { return read_file(folder_, name, max_bytes); }

Result<kernel::ProcStat> Process::stat() const {
  const auto text = file("stat", 4096);
  if (!text) return text.error();
  auto stat = kernel::parse_proc_stat(*text);
  if (stat && (stat->state == 'Z' || stat->state == 'X')) return Error(Errc::gone, "the process has ended");
  return stat;
}

Result<std::string> Process::cgroup(bool memory_v2) const {
  const auto text = file("cgroup", 16 * 1024);
  if (!text) return text.error();
  return kernel::parse_proc_cgroup(*text, memory_v2);
}

Result<void> Process::signal(int number) const {
  if (::syscall(SYS_pidfd_send_signal, folder_.get(), number, nullptr, 0U) == 0) return {};
  return errno_error(errno, "signal");
}

Result<Members> members_of(const UniqueFd& cgroup, std::size_t max) {
  Members out;
  if (auto ok = add_members(cgroup, max, 0, out); !ok) return ok.error();
  return out;
}

bool is_protected_program(std::string_view comm) noexcept {
  // comm is 15 bytes at most: "fleetwright-exe", "containerd-shim".
  constexpr std::array<std::string_view, 5> kPrefixes{"fleetwright-", "containerd", "kube", "systemd", "dockerd"};
  constexpr std::array<std::string_view, 7> kNames{"init", "crio", "conmon", "runc", "crun", "etcd", "k3s-server"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(), [&](auto prefix) { return comm.starts_with(prefix); }) ||
         std::find(kNames.begin(), kNames.end(), comm) != kNames.end();
}

}  // namespace fw::executor
