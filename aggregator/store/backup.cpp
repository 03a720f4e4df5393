#include "aggregator/store/backup.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include "common/disk/disk.hpp"

namespace fw::store {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStore = "fleetwright.db";
constexpr const char* kAudit = "audit";
constexpr const char* kManifest = "backup.json";
constexpr const char* kKept = ".before-restore";
constexpr int kPagesPerStep = 1024, kPauseMs = 20, kMostBusySteps = 500;

struct Close { void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); } };
using Handle = std::unique_ptr<sqlite3, Close>;

Result<Handle> open(const std::string& path, int flags) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Handle db(raw);
  if (code != SQLITE_OK) return Error(Errc::io, path + ": " + (raw == nullptr ? "out of memory" : sqlite3_errmsg(raw)));
  return db;
}

Error io(const std::string& path, const std::error_code& code) { return Error(Errc::io, path + ": " + code.message()); }

// SQLite's own way: a copy of one state, while the program writes.
Result<void> copy_store(const std::string& from, const std::string& to) {
  auto source = open(from, SQLITE_OPEN_READONLY);
  if (!source) return source.error();
  auto target = open(to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  if (!target) return target.error();
  sqlite3_backup* copy = sqlite3_backup_init(target->get(), "main", source->get(), "main");
  if (copy == nullptr) return Error(Errc::io, to + ": " + sqlite3_errmsg(target->get()));
  int code = SQLITE_OK;
  for (int busy = 0; busy < kMostBusySteps;) {
    code = sqlite3_backup_step(copy, kPagesPerStep);
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
      ++busy;
      sqlite3_sleep(kPauseMs);
    } else if (code != SQLITE_OK) {
      break;
    }
  }
  sqlite3_backup_finish(copy);
  if (code != SQLITE_DONE) return Error(Errc::io, from + ": " + sqlite3_errstr(code));
  return {};
}

// The head first, then the lines: lines that no head covers yet are cut when the log is opened.
Result<void> copy_audit(const std::string& from, const std::string& to) {
  std::error_code code;
  fs::create_directory(to, code);
  if (code) return io(to, code);
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(from, code)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  if (code) return io(from, code);
  std::sort(files.begin(), files.end(), [](const fs::path& a, const fs::path& b) {
    const bool head_a = a.filename() == "checkpoint", head_b = b.filename() == "checkpoint";
    return head_a != head_b ? head_a : a < b;
  });
  for (const fs::path& file : files) {
    fs::copy_file(file, fs::path(to) / file.filename(), code);
    if (code == std::errc::no_such_file_or_directory) continue;   // a temporary of the running program
    if (code) return io(file.string(), code);
  }
  return {};
}

// The files of the folder, and their names, are durable when this returns.
Result<void> sync_folder(const std::string& folder) {
  auto disk = RealDisk::open(folder);
  if (!disk) return disk.error();
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    if (auto synced = (*disk)->sync(entry.path().filename().string()); !synced) return synced.error();
  }
  return (*disk)->sync_folder();
}

Result<void> check_store(const std::string& path) {
  auto db = open(path, SQLITE_OPEN_READONLY);
  if (!db) return db.error();
  sqlite3_stmt* raw = nullptr;
  std::string said = "cannot be read";
  if (sqlite3_prepare_v2(db->get(), "pragma quick_check(1)", -1, &raw, nullptr) == SQLITE_OK && sqlite3_step(raw) == SQLITE_ROW) {
    said = reinterpret_cast<const char*>(sqlite3_column_text(raw, 0));
  }
  sqlite3_finalize(raw);
  if (said != "ok") return Error(Errc::malformed, path + ": " + said);
  return {};
}

// Whoever has the store open holds a lock that an exclusive one does not get past; the log's folder is locked as a whole.
Result<void> refuse_running(const Places& places) {
  if (!places.audit_folder.empty() && fs::exists(places.audit_folder)) {
    if (auto disk = RealDisk::open(places.audit_folder); !disk) return with_context(disk.error(), "is the aggregator running? stop it first");
  }
  if (!fs::exists(places.store_file)) return {};
  auto db = open(places.store_file, SQLITE_OPEN_READWRITE);
  if (!db) return db.error();
  if (sqlite3_exec(db->get(), "pragma locking_mode = exclusive; begin exclusive; rollback", nullptr, nullptr, nullptr) == SQLITE_BUSY) {
    return Error(Errc::conflict, places.store_file + ": the aggregator is running; stop it first");
  }
  return {};   // a damaged store is what a restore is for
}

Result<void> keep_aside(const std::string& path) {
  if (!fs::exists(path)) return {};
  const std::string kept = path + kKept;
  if (fs::exists(kept)) return Error(Errc::conflict, kept + " is there from an earlier restore: move it away");
  std::error_code code;
  fs::rename(path, kept, code);
  if (code) return io(path, code);
  return {};
}

}  // namespace

Result<void> back_up(const Places& from, const std::string& folder) {
  std::error_code code;
  if (!fs::exists(from.store_file)) return Error(Errc::not_found, from.store_file + ": there is no store");
  fs::create_directories(folder, code);
  if (code) return io(folder, code);
  if (!fs::is_empty(folder, code) || code) return Error(Errc::conflict, folder + ": must be an empty folder");
  fs::permissions(folder, fs::perms::owner_all, code);
  const std::string store = folder + "/" + kStore, audit = folder + "/" + kAudit;
  if (auto copied = copy_store(from.store_file, store); !copied) return copied.error();
  const bool with_audit = !from.audit_folder.empty() && fs::exists(from.audit_folder);
  if (with_audit) {
    if (auto copied = copy_audit(from.audit_folder, audit); !copied) return copied.error();
    if (auto synced = sync_folder(audit); !synced) return synced.error();
  }
  std::ofstream manifest(folder + "/" + kManifest);
  manifest << "{\"apiVersion\": \"fleetwright/v1alpha1\", \"kind\": \"Backup\", \"store\": \"" << kStore << "\", \"audit\": " << (with_audit ? "true" : "false")
           << "}\n";
  manifest.close();
  if (!manifest) return Error(Errc::io, folder + "/" + kManifest + ": cannot be written");
  return sync_folder(folder);
}

Result<void> restore_backup(const std::string& folder, const Places& to) {
  const std::string store = folder + "/" + kStore, audit = folder + "/" + kAudit;
  if (!fs::exists(folder + "/" + kManifest)) return Error(Errc::malformed, folder + ": no whole backup (backup.json is missing)");
  if (auto good = check_store(store); !good) return good.error();
  if (auto stopped = refuse_running(to); !stopped) return stopped.error();
  for (const char* rest : {"", "-wal", "-shm"}) {
    if (auto kept = keep_aside(to.store_file + rest); !kept) return kept.error();
  }
  if (!to.audit_folder.empty()) {
    if (auto kept = keep_aside(to.audit_folder); !kept) return kept.error();
  }
  std::error_code code;
  fs::create_directories(fs::path(to.store_file).parent_path(), code);
  if (auto copied = copy_store(store, to.store_file); !copied) return copied.error();
  if (!to.audit_folder.empty() && fs::exists(audit)) {
    if (auto copied = copy_audit(audit, to.audit_folder); !copied) return copied.error();
    fs::permissions(to.audit_folder, fs::perms::owner_all, code);
    return sync_folder(to.audit_folder);
  }
  return {};
}

}  // namespace fw::store
