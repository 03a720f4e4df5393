#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "common/disk/disk.hpp"
#include "common/units.hpp"

namespace fw {

namespace {

constexpr std::uint64_t kMaxFileBytes = 16_MiB;  // larger is not ours: a segment is 1 MiB and one record more

std::string text(std::string_view name) { return std::string(name); }

}  // namespace

Result<std::unique_ptr<RealDisk>> RealDisk::open(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return errno_error(errno, folder);
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return errno_error(errno, folder);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return Error{Errc::conflict, folder + ": another process uses this folder"};
    return errno_error(errno, folder);
  }
  return std::unique_ptr<RealDisk>(new RealDisk(std::move(fd)));
}

Result<std::vector<FileInfo>> RealDisk::list() {
  // A descriptor of its own: the directory stream closes what it is given.
  const int fd = ::openat(folder_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno_error(errno, "spool folder");
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd), &::closedir);
  if (!stream) {
    ::close(fd);
    return errno_error(errno, "spool folder");
  }
  std::vector<FileInfo> files;
  errno = 0;
  while (const auto* entry = ::readdir(stream.get())) {
    struct stat info{};
    if (::fstatat(folder_.get(), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode)) {
      files.push_back({entry->d_name, static_cast<std::uint64_t>(info.st_size)});
    }
    errno = 0;
  }
  if (errno != 0) return errno_error(errno, "spool folder");
  return files;
}

Result<Bytes> RealDisk::read(std::string_view name) {
  const UniqueFd fd(::openat(folder_.get(), text(name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return errno_error(errno, name);
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return errno_error(errno, name);
  if (static_cast<std::uint64_t>(info.st_size) > kMaxFileBytes) return Error{Errc::too_large, text(name)};
  Bytes bytes(static_cast<std::size_t>(info.st_size));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto n = ::pread(fd.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, name);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  bytes.resize(done);
  return bytes;
}

Result<void> RealDisk::append(std::string_view name, ByteView bytes) {
  if (!open_file_.valid() || open_name_ != name) {
    open_file_.reset(::openat(folder_.get(), text(name).c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!open_file_.valid()) return errno_error(errno, name);
    open_name_ = name;
  }
  while (!bytes.empty()) {
    const auto n = ::write(open_file_.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, name);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<void> RealDisk::sync(std::string_view name) {
  UniqueFd other;
  int fd = open_file_.get();
  if (!open_file_.valid() || open_name_ != name) {
    other.reset(::openat(folder_.get(), text(name).c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!other.valid()) return errno_error(errno, name);
    fd = other.get();
  }
  if (::fdatasync(fd) != 0) return errno_error(errno, name);
  return {};
}

Result<void> RealDisk::sync_folder() {
  if (::fsync(folder_.get()) != 0) return errno_error(errno, "spool folder");
  return {};
}

Result<void> RealDisk::rename(std::string_view from, std::string_view to) {
  if (open_name_ == from || open_name_ == to) open_file_.reset();
  if (::renameat(folder_.get(), text(from).c_str(), folder_.get(), text(to).c_str()) != 0) return errno_error(errno, from);
  return {};
}

Result<void> RealDisk::unlink(std::string_view name) {
  if (open_name_ == name) open_file_.reset();
  if (::unlinkat(folder_.get(), text(name).c_str(), 0) != 0) return errno_error(errno, name);
  return {};
}

}  // namespace fw
