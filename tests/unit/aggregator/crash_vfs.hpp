// A SQLite VFS over the real one that counts every durable step and can crash at one of them by number. After the crash nothing works any
// more; restore() leaves on disk what a power loss (unsynced writes gone) or a killed process (all writes there) leaves.
#pragma once
#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace fw::test {

class CrashVfs {
 public:
  enum class Left : std::uint8_t { synced_only, everything };
  static constexpr const char* kName = "fw-crash";

  static CrashVfs& instance() {
    static CrashVfs vfs;
    return vfs;
  }
  void arm(std::uint64_t crash_at_step) {
    const std::lock_guard lock(mutex_);
    crash_at_ = crash_at_step;
    steps_ = 0;
    crashed_ = false;
    durable_.clear();
  }
  bool crashed() {
    const std::lock_guard lock(mutex_);
    return crashed_;
  }
  std::uint64_t steps() {
    const std::lock_guard lock(mutex_);
    return steps_;
  }
  // After every handle is closed.
  void restore(Left left) {
    const std::lock_guard lock(mutex_);
    for (const auto& [path, content] : durable_) {
      std::filesystem::remove(path + "-shm");
      if (left == Left::everything) continue;
      if (content) {
        std::ofstream(path, std::ios::binary | std::ios::trunc) << *content;
      } else {
        std::filesystem::remove(path);
      }
    }
  }

 private:
  struct File {
    sqlite3_file base;
    CrashVfs* owner;
    const std::string* path;
    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };

  CrashVfs() {
    real_ = sqlite3_vfs_find(nullptr);
    vfs_ = *real_;
    vfs_.zName = kName;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.xOpen = [](sqlite3_vfs*, sqlite3_filename name, sqlite3_file* file, int flags, int* out) { return instance().open(name, file, flags, out); };
    vfs_.xDelete = [](sqlite3_vfs*, const char* name, int sync) { return instance().step() ? instance().remove(name, sync) : SQLITE_IOERR_DELETE; };
    sqlite3_vfs_register(&vfs_, 0);
  }

  // False from the crash on.
  bool step() {
    const std::lock_guard lock(mutex_);
    if (crashed_) return false;
    crashed_ = ++steps_ == crash_at_;
    return !crashed_;
  }
  int open(const char* name, sqlite3_file* base, int flags, int* out) {
    auto* file = reinterpret_cast<File*>(base);
    file->base.pMethods = nullptr;
    if (crashed()) return SQLITE_CANTOPEN;
    const int code = real_->xOpen(real_, name, file->real(), flags, out);
    if (code != SQLITE_OK) return code;
    file->owner = this;
    const std::lock_guard lock(mutex_);
    file->path = &durable_.try_emplace(name == nullptr ? "" : name).first->first;
    file->base.pMethods = methods();
    return SQLITE_OK;
  }
  int remove(const char* name, int sync) {
    const std::lock_guard lock(mutex_);
    if (const auto found = durable_.find(name); found != durable_.end()) found->second.reset();
    return real_->xDelete(real_, name, sync);
  }
  static const sqlite3_io_methods* methods() {
    static const sqlite3_io_methods kMethods{
        .iVersion = 2,
        .xClose = [](sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); },
        .xRead = [](sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
          return owner(f).crashed() ? SQLITE_IOERR_READ : real(f)->pMethods->xRead(real(f), to, n, at);
        },
        .xWrite = [](sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
          return owner(f).step() ? real(f)->pMethods->xWrite(real(f), from, n, at) : SQLITE_IOERR_WRITE;
        },
        .xTruncate = [](sqlite3_file* f, sqlite3_int64 n) {
          return owner(f).step() ? real(f)->pMethods->xTruncate(real(f), n) : SQLITE_IOERR_TRUNCATE;
        },
        .xSync = [](sqlite3_file* f, int) { return owner(f).step() ? owner(f).sync(f) : SQLITE_IOERR_FSYNC; },
        .xFileSize = [](sqlite3_file* f, sqlite3_int64* n) { return real(f)->pMethods->xFileSize(real(f), n); },
        .xLock = [](sqlite3_file* f, int l) { return real(f)->pMethods->xLock(real(f), l); },
        .xUnlock = [](sqlite3_file* f, int l) { return real(f)->pMethods->xUnlock(real(f), l); },
        .xCheckReservedLock = [](sqlite3_file* f, int* r) { return real(f)->pMethods->xCheckReservedLock(real(f), r); },
        .xFileControl = [](sqlite3_file* f, int op, void* arg) { return real(f)->pMethods->xFileControl(real(f), op, arg); },
        .xSectorSize = [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); },
        .xDeviceCharacteristics = [](sqlite3_file*) { return 0; },
        .xShmMap = [](sqlite3_file* f, int a, int b, int c, void volatile** d) { return real(f)->pMethods->xShmMap(real(f), a, b, c, d); },
        .xShmLock = [](sqlite3_file* f, int a, int b, int c) { return real(f)->pMethods->xShmLock(real(f), a, b, c); },
        .xShmBarrier = [](sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); },
        .xShmUnmap = [](sqlite3_file* f, int d) { return real(f)->pMethods->xShmUnmap(real(f), d); },
        .xFetch = nullptr,
        .xUnfetch = nullptr};
    return &kMethods;
  }
  static sqlite3_file* real(sqlite3_file* f) { return reinterpret_cast<File*>(f)->real(); }
  static CrashVfs& owner(sqlite3_file* f) { return *reinterpret_cast<File*>(f)->owner; }

  // What is in the file now survives a power loss from here on.
  int sync(sqlite3_file* f) {
    const std::string& path = *reinterpret_cast<File*>(f)->path;
    std::ifstream file(path, std::ios::binary);
    std::string content{std::istreambuf_iterator<char>(file), {}};
    const std::lock_guard lock(mutex_);
    durable_[path] = std::move(content);
    return SQLITE_OK;
  }

  sqlite3_vfs* real_ = nullptr;
  sqlite3_vfs vfs_{};
  std::mutex mutex_;
  std::uint64_t crash_at_ = 0, steps_ = 0;
  bool crashed_ = false;
  std::map<std::string, std::optional<std::string>> durable_;   // by path; nothing: never synced
};

}  // namespace fw::test
