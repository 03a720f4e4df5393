#include "node-agent/probes/sight.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <memory>

#include "node-agent/kernel/text.hpp"

namespace fw::probes {
namespace {

constexpr int kMaxDepth = 8;            // of cgroups below the target
constexpr std::size_t kMaxProcsBytes = 256 * 1024;
constexpr std::size_t kMaxMountinfoBytes = 1024 * 1024;

struct CloseFolder {
  void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

void add_pids(const Sight& sight, const std::string& folder, int depth, std::vector<std::uint32_t>& out) {
  if (auto text = sight.read(folder + "/cgroup.procs", kMaxProcsBytes)) {
    for (std::string_view rest = *text; !rest.empty() && out.size() < kMaxPids;) {
      if (const auto pid = kernel::to_number<std::uint32_t>(kernel::take_line(rest)); pid && *pid != 0) out.push_back(*pid);
    }
  }
  if (depth == kMaxDepth || out.size() >= kMaxPids) return;
  const Folder opened(::opendir(folder.c_str()));
  while (const auto* entry = opened ? ::readdir(opened.get()) : nullptr) {
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') add_pids(sight, folder + "/" + entry->d_name, depth + 1, out);
  }
}

}  // namespace

Result<std::string> Sight::read(const std::string& path, std::size_t max_bytes) const {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return errno_error(errno, path);
  std::string text(max_bytes, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const auto got = ::read(fd.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && size == 0) return errno_error(errno, path);
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

std::string Sight::link(const std::string& path) const {
  char target[PATH_MAX];
  const auto size = ::readlink(path.c_str(), target, sizeof target);
  return size <= 0 ? std::string() : std::string(target, static_cast<std::size_t>(size));
}

Result<kernel::CgroupLayout> Sight::layout() const {
  const auto mounts = read(roots_.proc + "/self/mountinfo", kMaxMountinfoBytes);
  if (!mounts) return mounts.error();
  return kernel::parse_cgroup_mounts(*mounts);
}

Result<std::vector<std::uint32_t>> Sight::pids(const std::string& cgroup_path) const {
  std::vector<std::uint32_t> out;
  if (cgroup_path.empty()) {
    const Folder opened(::opendir(roots_.proc.c_str()));
    if (!opened) return errno_error(errno, roots_.proc);
    while (const auto* entry = ::readdir(opened.get())) {
      if (const auto pid = kernel::to_number<std::uint32_t>(entry->d_name); pid && out.size() < kMaxPids) out.push_back(*pid);
    }
  } else {
    const auto mounted = layout();
    if (!mounted) return mounted.error();
    const auto folder = roots_.prefix + mounted->memory + (cgroup_path == "/" ? "" : cgroup_path);
    if (::access(folder.c_str(), F_OK) != 0) return errno_error(errno, "cgroup " + cgroup_path);
    add_pids(*this, folder, 0, out);
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<std::uint32_t> Sight::any_pid(const std::string& cgroup_path) const {
  const auto all = pids(cgroup_path);
  if (!all) return all.error();
  if (all->empty()) return Error(Errc::gone, "no process is in " + cgroup_path);
  return all->front();
}

Result<void> enter_network(const Sight& sight, const Target& target) {
  if (target.cgroup_path.empty()) return {};
  const auto pid = sight.any_pid(target.cgroup_path);
  if (!pid) return pid.error();
  const auto path = sight.proc(*pid, "ns/net");
  if (sight.link(path) == sight.link(sight.roots().proc + "/self/ns/net")) return {};   // of the host's network: no right is needed
  const UniqueFd space(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!space.valid()) return errno_error(errno, path);
  if (::setns(space.get(), CLONE_NEWNET) != 0) return errno_error(errno, "enter the network of " + target.name);
  return {};
}

}  // namespace fw::probes
