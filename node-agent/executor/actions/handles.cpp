#include "node-agent/executor/actions/handles.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <ctime>
#include <memory>

namespace fw::executor {
namespace {

// What a write to a control file means when it fails: only Errc::io leaves it open whether something happened.
Error write_error(int error_number, std::string_view name) {
  auto error = errno_error(error_number, name);
  if (error_number == EBUSY) error.code = make_error_code(Errc::conflict);
  if (error_number == EINVAL || error_number == ERANGE) error.code = make_error_code(Errc::invalid_argument);
  return error;
}

}  // namespace

bool is_clean_path(std::string_view path) noexcept {
  if (path.starts_with('/')) path.remove_prefix(1);
  if (path.empty() || path.size() > 4000 || path.find('\0') != std::string_view::npos) return false;
  while (true) {
    const auto end = path.find('/');
    const auto component = path.substr(0, end);
    if (component.empty() || component == "." || component == "..") return false;
    if (end == std::string_view::npos) return true;
    path.remove_prefix(end + 1);
  }
}

Result<UniqueFd> open_beneath(const UniqueFd& root, std::string_view path, int flags) {
  if (!is_clean_path(path)) return Error(Errc::invalid_argument, "path '" + std::string(path) + "'");
  if (path.starts_with('/')) path.remove_prefix(1);
  open_how how{};
  how.flags = static_cast<unsigned>(flags) | static_cast<unsigned>(O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const std::string name(path);
  for (;;) {
    const auto fd = ::syscall(SYS_openat2, root.get(), name.c_str(), &how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if (errno == EINTR || errno == EAGAIN) continue;   // EAGAIN: something was renamed on the way
    if (errno == ELOOP) return Error(Errc::permission, name + ": a symbolic link is in the way");
    if (errno == EXDEV) return Error(Errc::permission, name + ": leads out of its root");
    if (errno == ENOTDIR) return Error(Errc::gone, name + ": a component is no folder");
    return errno_error(errno, name);
  }
}

Result<UniqueFd> open_folder(const UniqueFd& root, std::string_view path) { return open_beneath(root, path, O_PATH | O_DIRECTORY); }

Result<UniqueFd> open_root(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return errno_error(errno, path);
  return fd;
}

Result<std::string> read_file(const UniqueFd& folder, std::string_view name, std::size_t max_bytes) {
  auto file = open_beneath(folder, name, O_RDONLY | O_NONBLOCK);
  if (!file) return file.error();
  std::string text;
  while (text.size() < max_bytes) {
    const auto begin = text.size();
    text.resize(std::min(max_bytes, begin + 4096));
    const auto bytes = ::read(file->get(), text.data() + begin, text.size() - begin);
    text.resize(begin + (bytes > 0 ? static_cast<std::size_t>(bytes) : 0));
    if (bytes == 0) break;
    if (bytes < 0 && errno != EINTR) return errno_error(errno, name);
  }
  return text;
}

Result<void> write_file(const UniqueFd& folder, std::string_view name, std::string_view text) {
  auto file = open_beneath(folder, name, O_WRONLY);
  if (!file) return file.error();
  for (;;) {
    const auto bytes = ::write(file->get(), text.data(), text.size());
    if (bytes == static_cast<ssize_t>(text.size())) return {};
    if (bytes >= 0) return Error(Errc::io, std::string(name) + ": the kernel took a part only");
    if (errno != EINTR) return write_error(errno, name);
  }
}

bool has_file(const UniqueFd& folder, std::string_view name) {
  struct stat info{};
  return folder.valid() && ::fstatat(folder.get(), std::string(name).c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
}

Result<std::uint64_t> inode_of(const UniqueFd& file) {
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return errno_error(errno, "fstat");
  return static_cast<std::uint64_t>(info.st_ino);
}

Result<std::vector<std::string>> subfolders(const UniqueFd& folder, std::size_t max) {
  const int fd = ::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno_error(errno, "folder");
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd), &::closedir);
  if (!stream) {
    const int error_number = errno;
    ::close(fd);
    return errno_error(error_number, "folder");
  }
  std::vector<std::string> names;
  while (const auto* entry = ::readdir(stream.get())) {
    const std::string_view name(entry->d_name);
    if (entry->d_type == DT_DIR && name != "." && name != ".." && names.size() < max) names.emplace_back(name);
  }
  return names;
}

void pause_ms(int ms) {
  const timespec time{ms / 1000, (ms % 1000) * 1'000'000L};
  ::ppoll(nullptr, 0, &time, nullptr);
}

}  // namespace fw::executor
