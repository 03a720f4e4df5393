// Takes a log that is too large out of its writer's way: renamed, an empty file of the same mode and owner put in its place. A writer that
// keeps the old file open goes on writing into it; its old part gives its blocks back (a hole), the newest keep_bytes stay.
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "node-agent/executor/actions/target.hpp"

namespace fw::executor {
namespace {

using authority::Probe;

constexpr std::uint64_t kBlockBytes = 4096;

struct Place {
  UniqueFd folder;      // of the log, readable: it is synced
  std::string name;
};

class RotateLog final : public Target {
 public:
  using Target::Target;

  std::string identity() const override { return path() + " of node " + plan_.target.node.str(); }

  Result<std::int64_t> read(Probe probe) override {
    if (probe != Probe::file_bytes) return Target::read(probe);
    if (auto ok = open(); !ok) return ok.error();
    // Of the file that has the name now: after a rotation that is the new one.
    struct stat info{};
    if (::fstatat(place_.folder.get(), place_.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return errno_error(errno, path());
    return static_cast<std::int64_t>(info.st_size);
  }

  Result<Bytes> snapshot() override {
    if (auto ok = open(); !ok) return ok.error();
    Snapshot snapshot;
    snapshot.set("inode", static_cast<std::int64_t>(info_.st_ino));
    snapshot.set("bytes", static_cast<std::int64_t>(info_.st_size));
    return snapshot.bytes();
  }

  Result<std::string> apply() override {
    if (auto ok = open(); !ok) return ok.error();
    if (!still_there(place_.name)) return Error(Errc::gone, path() + ": it was replaced just now");
    const auto old_name = name_of_old();
    if (::syscall(SYS_renameat2, place_.folder.get(), place_.name.c_str(), place_.folder.get(), old_name.c_str(), RENAME_NOREPLACE) != 0) {
      if (errno == EEXIST) return Error(Errc::conflict, old_name + ": there is such a file already");
      return errno_error(errno, path());
    }
    if (auto ok = make_new(); !ok) {
      // The name goes back to its file, so that the refusal has no effect.
      const auto undone = ::syscall(SYS_renameat2, place_.folder.get(), old_name.c_str(), place_.folder.get(), place_.name.c_str(), RENAME_NOREPLACE);
      return undone == 0 ? ok.error() : Error(Errc::io, "half done: " + ok.error().message());
    }
    ::fsync(place_.folder.get());
    const auto freed = give_back();
    return "renamed to " + old_name + ", " + std::to_string(freed) + " bytes given back";
  }

  Result<bool> happened(ByteView bytes) override {
    const auto snapshot = Snapshot::parse(bytes);
    if (!snapshot) return snapshot.error();
    if (auto ok = open(); !ok) return ok.error();
    return static_cast<std::int64_t>(info_.st_ino) != snapshot->get("inode").value_or(0);
  }

  // Only while the new file is empty: what was written meanwhile stays where its readers look for it. The names are exchanged, so that no
  // file goes.
  Result<std::string> restore(ByteView bytes) override {
    const auto snapshot = Snapshot::parse(bytes);
    if (!snapshot) return snapshot.error();
    const auto inode = snapshot->need("inode");
    if (!inode) return inode.error();
    if (auto ok = open(); !ok) return ok.error();
    if (static_cast<std::int64_t>(info_.st_ino) == *inode) return std::string("the log has its name");
    const auto old_name = name_of(*inode);
    struct stat old{};
    if (::fstatat(place_.folder.get(), old_name.c_str(), &old, AT_SYMLINK_NOFOLLOW) != 0 || static_cast<std::int64_t>(old.st_ino) != *inode)
      return std::string("the old log is not there any more: nothing to restore");
    if (info_.st_size != 0) return std::string("the new log is in use: both files stay");
    if (::syscall(SYS_renameat2, place_.folder.get(), old_name.c_str(), place_.folder.get(), place_.name.c_str(), RENAME_EXCHANGE) != 0)
      return errno_error(errno, path());
    return std::string("the log has its name again");
  }

 private:
  const std::string& path() const { return action<authority::RotateLog>().path; }
  // The inode in the name tells after a crash whose file it is.
  std::string name_of(std::int64_t inode) const { return place_.name + "." + std::to_string(inode) + ".rotated"; }
  std::string name_of_old() const { return name_of(static_cast<std::int64_t>(info_.st_ino)); }

  // Folder and file, opened once: below an allowed folder, no link on the way, a plain file with one name.
  Result<void> open() {
    if (file_.valid()) return {};
    if (!is_clean_path(path())) return Error(Errc::invalid_argument, "path '" + path() + "'");
    for (const auto& root : host_.logs) {
      if (!path().starts_with(root.path + "/")) continue;
      const std::string_view below = std::string_view(path()).substr(root.path.size() + 1);
      const auto slash = below.rfind('/');
      place_.name = below.substr(slash == std::string_view::npos ? 0 : slash + 1);
      auto folder = slash == std::string_view::npos ? open_root(root.path) : open_beneath(root.folder, below.substr(0, slash), O_RDONLY | O_DIRECTORY);
      if (!folder) return folder.error();
      if (slash == std::string_view::npos) folder = UniqueFd(::openat(root.folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!folder->valid()) return errno_error(errno, root.path);
      auto file = open_beneath(*folder, place_.name, O_RDWR | O_NONBLOCK);
      if (!file) return file.error();
      if (::fstat(file->get(), &info_) != 0) return errno_error(errno, path());
      if (!S_ISREG(info_.st_mode)) return Error(Errc::permission, path() + ": not a plain file");
      if (info_.st_nlink != 1) return Error(Errc::permission, path() + ": it has other names as well");
      place_.folder = std::move(*folder);
      file_ = std::move(*file);
      return {};
    }
    return Error(Errc::permission, path() + ": below none of the folders whose logs may be rotated (actions.log_folders)");
  }

  bool still_there(const std::string& name) const {
    struct stat info{};
    return ::fstatat(place_.folder.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && info.st_ino == info_.st_ino && info.st_dev == info_.st_dev;
  }

  Result<void> make_new() const {
    if (!still_there(name_of_old())) return Error(Errc::gone, path() + ": it was replaced just now");
    const UniqueFd made(::openat(place_.folder.get(), place_.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!made.valid()) return errno_error(errno, path());
    const bool same_owner = info_.st_uid == ::geteuid() && info_.st_gid == ::getegid();
    if ((!same_owner && ::fchown(made.get(), info_.st_uid, info_.st_gid) != 0) || ::fchmod(made.get(), info_.st_mode & 07777) != 0) {
      const int error_number = errno;
      ::unlinkat(place_.folder.get(), place_.name.c_str(), 0);   // ours, empty, a moment old
      return errno_error(error_number, path() + ": mode and owner");
    }
    return {};
  }

  // Holes are whole blocks; the writer's offset and the file's length stay as they are.
  std::uint64_t give_back() const {
    const auto size = static_cast<std::uint64_t>(info_.st_size);
    const auto keep = action<authority::RotateLog>().keep_bytes;
    const auto bytes = size > keep ? (size - keep) / kBlockBytes * kBlockBytes : 0;
    if (bytes == 0) return 0;
    return ::fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes)) == 0 ? bytes : 0;
  }

  Place place_;
  UniqueFd file_;
  struct stat info_{};
};

}  // namespace

std::unique_ptr<Target> make_rotate_log(const Host& host, const authority::Plan& plan) { return std::make_unique<RotateLog>(host, plan); }

}  // namespace fw::executor
