// The embedded engine: one SQLite file in WAL mode with synchronous=FULL. Inside aggregator/store only.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "aggregator/store/sqlite.hpp"
#include "aggregator/store/store.hpp"

namespace fw::store {

class SqliteStore final : public Store {
 public:
  static Result<std::unique_ptr<Store>> open(const std::string& path, const Options& options);
  ~SqliteStore() override;

  void submit(Write write, Done done) override;
  Result<std::uint64_t> acknowledged_seq(const Uuid& node, const Uuid& stream) override;
  Result<std::vector<StoredEvent>> events_since(std::int64_t received_ns, std::size_t limit) override;
  Result<std::vector<NodeRow>> nodes() override;
  Result<std::vector<changes::Change>> changes(std::int64_t since_ns, std::size_t limit) override;
  Result<std::vector<StoredIncident>> incidents(bool include_closed, std::size_t limit) override;
  Result<StoredIncident> incident(std::int64_t number) override;
  Result<CaseFileRow> case_file(const Uuid& incident) override;
  Result<std::vector<Outcome>> outcomes() override;
  Result<std::vector<std::string>> symptom_refs_since(std::int64_t time_ns) override;
  Result<GovernanceRows> governance(std::size_t most_plans) override;
  std::optional<std::string> failure() const override;
  Stats stats() const override;

 private:
  struct Pending { Write write; Done done; };
  SqliteStore(sqlite::Database writer, sqlite::Database reader, Options options);
  void write_loop();
  void commit_group(std::vector<Pending>& group);
  Result<std::vector<Written>> transact(std::span<Pending> group);
  void note_failure(const Error& error, int sqlite_code);

  const Options options_;
  sqlite::Database writer_;                 // writer thread only
  std::mutex reader_mutex_;
  sqlite::Database reader_;                 // under reader_mutex_

  mutable std::mutex mutex_;                // queue_, failure_, stopping_
  std::condition_variable wake_;
  std::deque<Pending> queue_;
  std::string failure_;
  bool fatal_ = false;
  bool stopping_ = false;

  std::atomic<std::uint64_t> commits_total_{0}, writes_total_{0}, failed_total_{0}, refused_total_{0}, pruned_total_{0};
  std::thread thread_;                      // last: it uses everything above
};

}  // namespace fw::store
