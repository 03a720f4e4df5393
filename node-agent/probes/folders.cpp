// directory_sizes: who fills a folder. A walk by descriptors that never leaves the folder, follows no link and no mount.
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "node-agent/probes/sight.hpp"

namespace fw::probes {
namespace {

constexpr std::size_t kMaxEntries = 500'000;
constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxShown = 50;
constexpr std::size_t kMaxFoldersKept = 20'000;
constexpr std::uint64_t kBlockBytes = 512;

struct Size {
  std::string path;
  std::uint64_t bytes = 0, files = 0;
};

struct Walk {
  const Sight& sight;
  dev_t device = 0;
  std::size_t entries = 0;
  bool truncated = false;
  std::set<ino_t> linked;            // files of several names count once
  std::vector<Size> folders, files;

  void keep(std::vector<Size>& where, Size size) {
    where.push_back(std::move(size));
    if (where.size() < kMaxFoldersKept) return;
    std::nth_element(where.begin(), where.begin() + kMaxShown, where.end(), [](const Size& a, const Size& b) { return a.bytes > b.bytes; });
    where.resize(kMaxShown);
  }

  // Takes the descriptor. The sum of the folder and all below it.
  Size add(int fd, const std::string& path, int depth) {
    Size sum{path, 0, 0};
    DIR* folder = ::fdopendir(fd);
    if (folder == nullptr) {
      ::close(fd);
      return sum;
    }
    while (const auto* entry = ::readdir(folder)) {
      const std::string_view name(entry->d_name);
      if (name == "." || name == "..") continue;
      if (++entries > kMaxEntries || sight.late()) {
        truncated = true;
        break;
      }
      struct stat info {};
      if (::fstatat(::dirfd(folder), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 || info.st_dev != device) continue;
      const auto bytes = static_cast<std::uint64_t>(info.st_blocks) * kBlockBytes;
      const auto child_path = (path == "/" ? "" : path) + "/" + std::string(name);
      if (S_ISDIR(info.st_mode)) {
        sum.bytes += bytes;
        if (depth == kMaxDepth) {
          truncated = true;
          continue;
        }
        const int child = ::openat(::dirfd(folder), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
        if (child < 0) continue;
        auto below = add(child, child_path, depth + 1);
        sum.bytes += below.bytes;
        sum.files += below.files;
        keep(folders, std::move(below));
      } else if (info.st_nlink < 2 || linked.insert(info.st_ino).second) {
        sum.bytes += bytes;
        ++sum.files;
        if (bytes >= 1024 * 1024) keep(files, {child_path, bytes, 1});
      }
    }
    ::closedir(folder);
    return sum;
  }
};

void add_rows(std::vector<Size>& sizes, const char* kind, Answer& answer) {
  std::sort(sizes.begin(), sizes.end(), [](const Size& a, const Size& b) { return a.bytes > b.bytes; });
  for (std::size_t i = 0; i < std::min(sizes.size(), kMaxShown); ++i)
    answer.rows.push_back(boost::json::object{{"path", sizes[i].path}, {"is", kind}, {"bytes", sizes[i].bytes}, {"files", sizes[i].files}});
}

}  // namespace

Result<Answer> directory_sizes(const Sight& sight, const Request& request) {
  std::string root = sight.roots().prefix.empty() ? "/" : sight.roots().prefix;
  if (!request.target.cgroup_path.empty()) {
    const auto pid = sight.any_pid(request.target.cgroup_path);
    if (!pid) return pid.error();
    root = sight.proc(*pid, "root");
  }
  const UniqueFd base(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!base.valid()) return errno_error(errno, root);
  // Links of the container are resolved inside it.
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const auto& path = request.text("path");
  const auto fd = static_cast<int>(::syscall(SYS_openat2, base.get(), path.c_str(), &how, sizeof how));
  if (fd < 0) return errno_error(errno, path);
  struct stat info {};
  if (::fstat(fd, &info) != 0) {
    ::close(fd);
    return errno_error(errno, path);
  }
  Walk walk{.sight = sight, .device = info.st_dev, .linked = {}, .folders = {}, .files = {}};
  auto total = walk.add(fd, path, 0);
  Answer answer;
  answer.truncated = walk.truncated;
  answer.facts["bytes"] = total.bytes;
  answer.facts["files"] = total.files;
  answer.facts["entries_looked_at"] = walk.entries;
  add_rows(walk.folders, "folder", answer);
  add_rows(walk.files, "file", answer);
  return answer;
}

}  // namespace fw::probes
