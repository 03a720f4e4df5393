#include "aggregator/store/sqlite_store.hpp"

#include <chrono>
#include <span>

#include "aggregator/store/migrations.hpp"
#include "aggregator/store/sqlite_rows.hpp"

namespace fw::store {
namespace {

constexpr std::string_view kScheme = "sqlite://";

std::int64_t wall_ns() {   // only for schema_version.applied_ns, which nothing reads back
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

Result<std::unique_ptr<Store>> open_store(const Options& options) {
  const std::string_view url = options.url;
  if (url.substr(0, kScheme.size()) != kScheme || url.size() <= kScheme.size() || url[kScheme.size()] != '/') {
    return Error(Errc::invalid_argument, "store.url '" + options.url + "': expected sqlite:///absolute/path");
  }
  return SqliteStore::open(std::string(url.substr(kScheme.size())), options);
}

Result<std::unique_ptr<Store>> SqliteStore::open(const std::string& path, const Options& options) {
  auto writer = sqlite::Database::open(path, options.vfs, sqlite::Mode::read_write);
  if (!writer) return writer.error();
  writer->exec("pragma journal_mode = wal");
  writer->exec("pragma synchronous = full");
  writer->exec("pragma foreign_keys = on");
  writer->exec("pragma wal_autocheckpoint = 1000");
  if (auto error = writer->take_error()) return with_context(*error, path);
  if (auto done = migrate(*writer, migrations().back().version, wall_ns()); !done) return with_context(done.error(), path);
  auto reader = sqlite::Database::open(path, options.vfs, sqlite::Mode::read_only);
  if (!reader) return reader.error();
  return std::unique_ptr<Store>(new SqliteStore(std::move(*writer), std::move(*reader), options));
}

SqliteStore::SqliteStore(sqlite::Database writer, sqlite::Database reader, Options options)
    : options_(std::move(options)), writer_(std::move(writer)), reader_(std::move(reader)), thread_([this] { write_loop(); }) {}

SqliteStore::~SqliteStore() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void SqliteStore::submit(Write write, Done done) {
  Error refused;
  {
    const std::lock_guard lock(mutex_);
    if (!fatal_ && !stopping_ && queue_.size() < options_.max_queued_writes) {
      queue_.push_back({std::move(write), std::move(done)});
    } else if (fatal_) {
      refused = Error(Errc::io, "store: " + failure_);
    } else {
      refused = Error(Errc::overloaded, "store: write queue full");
    }
  }
  if (!refused.code) return wake_.notify_one();
  refused_total_.fetch_add(1);
  done(std::move(refused));
}

void SqliteStore::write_loop() {
  std::vector<Pending> group;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;   // what was accepted is written before the end
      while (!queue_.empty() && group.size() < options_.max_group) {
        group.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
    }
    commit_group(group);
    group.clear();
  }
}

// One transaction for the group; when it fails, each write by itself, so that a bad one harms only itself.
void SqliteStore::commit_group(std::vector<Pending>& group) {
  auto written = transact(group);
  if (written) {
    for (std::size_t i = 0; i < group.size(); ++i) group[i].done(std::move((*written)[i]));
    return;
  }
  for (Pending& pending : group) {
    auto single = group.size() == 1 ? std::move(written) : transact(std::span(&pending, 1));
    if (single) {
      pending.done(std::move(single->front()));
    } else {
      failed_total_.fetch_add(1);
      pending.done(single.error());
    }
  }
}

Result<std::vector<Written>> SqliteStore::transact(std::span<Pending> group) {
  {
    const std::lock_guard lock(mutex_);
    if (fatal_) return Error(Errc::io, "store: " + failure_);
  }
  const auto began = std::chrono::steady_clock::now();
  std::vector<Written> written;
  written.reserve(group.size());
  std::int64_t pruned = 0;
  writer_.exec("begin immediate");
  for (const Pending& pending : group) {
    written.push_back(apply(writer_, pending.write));
    pruned += written.back().pruned_rows;
  }
  writer_.exec("commit");
  if (auto error = writer_.take_error()) {
    const int code = writer_.last_code();
    writer_.exec("rollback");
    writer_.take_error();
    note_failure(*error, code);
    return with_context(*error, "store");
  }
  {
    const std::lock_guard lock(mutex_);
    failure_.clear();
  }
  commits_total_.fetch_add(1);
  if (options_.on_commit) options_.on_commit(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  writes_total_.fetch_add(group.size());
  pruned_total_.fetch_add(static_cast<std::uint64_t>(pruned));
  return written;
}

// A failed read, write or fsync of the file: the kernel may have dropped the dirty pages, so no later success proves anything.
// A full disk and a busy file are refused cleanly by SQLite and may pass.
void SqliteStore::note_failure(const Error& error, int sqlite_code) {
  const int primary = sqlite_code & 0xff;
  const std::lock_guard lock(mutex_);
  failure_ = error.context;
  fatal_ = primary == SQLITE_IOERR || primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB;
}

std::optional<std::string> SqliteStore::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_.empty() ? std::nullopt : std::optional(failure_);
}

Stats SqliteStore::stats() const {
  const std::lock_guard lock(mutex_);
  return {.commits_total = commits_total_, .writes_total = writes_total_, .failed_writes_total = failed_total_,
          .refused_writes_total = refused_total_, .pruned_rows_total = pruned_total_, .queue_length = queue_.size()};
}

}  // namespace fw::store
