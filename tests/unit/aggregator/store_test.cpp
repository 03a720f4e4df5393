#include "aggregator/store/store.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <set>

#include "aggregator/store/migrations.hpp"
#include "common/clock.hpp"
#include "tests/unit/aggregator/crash_vfs.hpp"
#include "tests/unit/aggregator/support.hpp"

namespace fw::store {
namespace {

using test::CrashVfs;
using test::uuid_of;

class StoreTest : public testing::Test {
 protected:
  StoreTest() { std::filesystem::create_directories(folder_); }
  ~StoreTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Store> open(const std::string& vfs = "", std::size_t queue = 8'192) {
    auto store = open_store({.url = "sqlite://" + path_, .max_queued_writes = queue, .vfs = vfs});
    if (!store) error_ = store.error().message();
    return store ? std::move(*store) : nullptr;
  }
  static Result<Written> write(Store& store, Write write) {
    std::promise<Result<Written>> promise;
    store.submit(std::move(write), [&](Result<Written> result) { promise.set_value(std::move(result)); });
    return promise.get_future().get();
  }
  static WriteFrames frame(std::uint64_t seq, std::uint8_t node = 1) {
    EventRow row;
    row.received_ns = static_cast<std::int64_t>(seq) * 1'000;
    row.kind = "oom_kill";
    row.entity = "{}";
    row.body = "{}";
    return {.node = uuid_of(node), .stream = uuid_of(9), .received_ns = row.received_ns, .frames = {{.seq = seq, .events = {row}}}};
  }
  static WriteIncident incident(std::uint8_t id, std::int64_t number = 0) {
    return {.row = {.uid = uuid_of(id), .number = number, .lineage = "path:x", .state = "open", .opened_ns = 1, .updated_ns = 1},
            .events = {{.seq = 1, .time_ns = 1, .kind = "opened", .ref = "", .body = "{}"}}, .case_file = std::nullopt, .outcomes = {}};
  }
  static changes::Change change(const std::string& key) {
    changes::Change c;
    c.id = make_uuid_v4();
    c.source = "github";
    c.source_key = key;
    c.started_ns = 5;
    c.fields = {{.path = "image", .before = std::nullopt, .after = "v2"}};
    return c;
  }

  // In memory where there is such a place: thousands of fsyncs of a disk that others use would only make the test slow.
  static std::filesystem::path place() {
    return ::access("/dev/shm", W_OK) == 0 ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path();
  }
  std::string folder_ = (place() / ("fw-store-" + std::to_string(::getpid()) + "-" + make_uuid_v4().str())).string();
  std::string path_ = folder_ + "/store.db";
  std::string error_;
};

TEST_F(StoreTest, a_frame_is_stored_once_and_its_watermark_moves_with_it) {
  const auto store = open();
  EXPECT_EQ(*store->acknowledged_seq(uuid_of(1), uuid_of(9)), 0U);
  EXPECT_EQ(write(*store, frame(3))->fresh, std::vector<bool>{true});
  EXPECT_EQ(write(*store, frame(3))->fresh, std::vector<bool>{false});
  EXPECT_EQ(write(*store, frame(2))->fresh, std::vector<bool>{false});
  EXPECT_EQ(*store->acknowledged_seq(uuid_of(1), uuid_of(9)), 3U);
  EXPECT_EQ(store->events_since(0, 10)->size(), 1U);
}

TEST_F(StoreTest, a_node_does_not_move_the_watermark_of_another_nodes_stream) {
  const auto store = open();
  write(*store, frame(10, 1));
  EXPECT_EQ(write(*store, frame(1, 2))->fresh, std::vector<bool>{true});
}

TEST_F(StoreTest, a_change_is_one_row_and_a_redelivery_is_a_duplicate) {
  const auto store = open();
  EXPECT_EQ(write(*store, WriteChange{.change = change("deploy-1"), .delivery_id = "d1"})->effect, Effect::created);
  EXPECT_EQ(write(*store, WriteChange{.change = change("deploy-1"), .delivery_id = "d1"})->effect, Effect::duplicate);
  auto later = change("deploy-1");
  later.outcome = changes::Outcome::success;
  later.actor = "alice";
  EXPECT_EQ(write(*store, WriteChange{.change = later, .delivery_id = "d2"})->effect, Effect::updated);
  auto stale = change("deploy-1");
  stale.outcome = changes::Outcome::in_progress;
  const auto merged = write(*store, WriteChange{.change = stale, .delivery_id = "d3"});
  EXPECT_EQ(merged->change->outcome, changes::Outcome::success);
  EXPECT_EQ(merged->change->actor, "alice");
  const auto rows = *store->changes(0, 10);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].fields.at(0).after, "v2");
  EXPECT_EQ(rows[0].fields.at(0).before, std::nullopt);
}

TEST_F(StoreTest, incidents_are_numbered_in_order_and_a_repeated_write_changes_nothing) {
  const auto store = open();
  EXPECT_EQ(write(*store, incident(1))->incident_number, 1);
  EXPECT_EQ(write(*store, incident(1))->incident_number, 1);
  EXPECT_EQ(write(*store, incident(2))->incident_number, 2);
  EXPECT_EQ(store->incident(1)->events.size(), 1U);
  EXPECT_EQ(store->incident(3).error().code, Errc::not_found);
}

TEST_F(StoreTest, case_files_keep_every_byte) {
  const auto store = open();
  auto w = incident(1);
  w.case_file = CaseFileRow{.built_ns = 4, .bytes = std::string("a\0b\xff", 4), .findings = "{}"};
  write(*store, w);
  EXPECT_EQ(store->case_file(uuid_of(1))->bytes, w.case_file->bytes);
  EXPECT_EQ(store->case_file(uuid_of(2)).error().code, Errc::not_found);
}

TEST_F(StoreTest, many_writes_share_a_commit) {
  const auto store = open();
  std::promise<void> all;
  std::atomic<int> left{500};
  for (std::uint64_t i = 1; i <= 500; ++i) {
    store->submit(frame(i, static_cast<std::uint8_t>(i % 200)), [&](const Result<Written>& result) {
      EXPECT_TRUE(result);
      if (--left == 0) all.set_value();
    });
  }
  all.get_future().get();
  EXPECT_LT(store->stats().commits_total, 400U);
}

TEST_F(StoreTest, a_full_queue_refuses_at_once_and_writes_nothing) {
  const auto store = open("", 1);
  std::promise<void> release;
  const auto released = release.get_future().share();
  store->submit(frame(1), [released](const Result<Written>&) { released.wait(); });   // holds the writer
  Result<Written> refused = Written{};
  std::uint64_t accepted = 1;
  while (refused) {
    std::promise<Result<Written>> answer;
    auto future = answer.get_future();
    store->submit(frame(++accepted), [answer = std::make_shared<std::promise<Result<Written>>>(std::move(answer))](Result<Written> r) {
      answer->set_value(std::move(r));
    });
    if (future.wait_for(std::chrono::seconds(0)) == std::future_status::ready) refused = future.get();
    ASSERT_LT(accepted, 5U);
  }
  EXPECT_EQ(refused.error().code, Errc::overloaded);
  EXPECT_EQ(store->stats().refused_writes_total, 1U);
  release.set_value();
}

TEST_F(StoreTest, pruning_deletes_the_oldest_in_steps) {
  const auto store = open();
  for (std::uint64_t i = 1; i <= 10; ++i) write(*store, frame(i));
  EXPECT_EQ(write(*store, WritePrune{.events_before_ns = 8'000, .max_rows = 5})->pruned_rows, 5);
  EXPECT_EQ(write(*store, WritePrune{.events_before_ns = 8'000, .max_rows = 5})->pruned_rows, 2);
  EXPECT_EQ(store->events_since(0, 100)->size(), 3U);
  EXPECT_EQ(write(*store, WritePrune{.max_bytes = 1, .max_rows = 5})->pruned_rows, 3) << "above the size limit age does not matter";
  EXPECT_EQ(*store->acknowledged_seq(uuid_of(1), uuid_of(9)), 10U) << "the watermark stays";
}

TEST_F(StoreTest, what_a_restart_reads_again_stays_whatever_the_size) {
  const auto store = open();
  for (std::uint64_t i = 1; i <= 10; ++i) write(*store, frame(i));
  EXPECT_EQ(write(*store, WritePrune{.max_bytes = 1, .needed_events_since_ns = 7'000})->pruned_rows, 6);
  EXPECT_EQ(store->events_since(0, 100)->size(), 4U);
}

TEST_F(StoreTest, old_incidents_go_also_when_nobody_closed_them_and_never_while_they_are_open) {
  const auto store = open();
  std::uint8_t id = 0;
  for (const char* state : {"open", "explained", "resolved", "closed"}) {
    auto one = incident(++id);
    one.row.state = state;
    write(*store, one);
  }
  EXPECT_EQ(write(*store, WritePrune{.closed_incidents_before_ns = 10})->pruned_rows, 2);
  EXPECT_TRUE(store->incident(1)) << "open";
  EXPECT_TRUE(store->incident(2)) << "explained";
  EXPECT_EQ(store->incidents(true, 10)->size(), 2U);
}

TEST_F(StoreTest, migrates_from_every_older_version) {
  const int newest = migrations().back().version;
  for (int from = 0; from < newest; ++from) {
    std::filesystem::remove(path_);
    {
      auto database = sqlite::Database::open(path_, "", sqlite::Mode::read_write);
      ASSERT_TRUE(database);
      ASSERT_TRUE(migrate(*database, from, 1));
    }
    const auto store = open();
    ASSERT_NE(store, nullptr) << "from " << from << ": " << error_;
    EXPECT_TRUE(write(*store, incident(1)));
    EXPECT_TRUE(store->outcomes());
  }
}

TEST_F(StoreTest, refuses_a_file_of_a_newer_build_with_words) {
  {
    auto database = sqlite::Database::open(path_, "", sqlite::Mode::read_write);
    migrate(*database, migrations().back().version, 1);
    database->exec("insert into schema_version (version, applied_ns) values (99, 1)");
  }
  EXPECT_EQ(open(), nullptr);
  EXPECT_NE(error_.find("schema version 99"), std::string::npos) << error_;
}

// What was acknowledged before a crash at any durable step is there after it, once; what was not can be sent again without doubling.
class StoreCrashTest : public StoreTest, public testing::WithParamInterface<CrashVfs::Left> {
 protected:
  static constexpr std::uint64_t kFrames = 4;

  void run_until_crash(std::uint64_t step) {
    acked_.clear();
    changes_acked_ = 0;
    CrashVfs::instance().arm(step);
    const auto store = open(CrashVfs::kName);
    if (!store) return;
    for (std::uint64_t seq = 1; seq <= kFrames; ++seq) {
      if (write(*store, frame(seq))) acked_.insert(seq);
      if (write(*store, WriteChange{.change = change("deploy-" + std::to_string(seq)), .delivery_id = ""})) ++changes_acked_;
    }
  }
  std::set<std::uint64_t> acked_;
  std::size_t changes_acked_ = 0;
};

TEST_P(StoreCrashTest, loses_nothing_acknowledged_and_doubles_nothing) {
  std::uint64_t step = 0;
  for (bool crashed = true; crashed;) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    run_until_crash(++step);
    crashed = CrashVfs::instance().crashed();
    CrashVfs::instance().restore(GetParam());
    const auto store = open();
    ASSERT_NE(store, nullptr) << "step " << step << ": " << error_;
    std::multiset<std::uint64_t> found;
    const auto events = store->events_since(0, 100);
    for (const StoredEvent& event : *events) found.insert(event.seq);
    for (const std::uint64_t seq : acked_) ASSERT_EQ(found.count(seq), 1U) << "step " << step << " seq " << seq;
    ASSERT_GE(store->changes(0, 100)->size(), changes_acked_) << "step " << step;
    WriteFrames again = frame(1);
    for (std::uint64_t seq = 2; seq <= kFrames; ++seq) again.frames.push_back(frame(seq).frames.front());
    ASSERT_TRUE(write(*store, again));
    ASSERT_EQ(store->events_since(0, 100)->size(), kFrames) << "step " << step;
    ASSERT_LT(step, 2'000U);
  }
  EXPECT_GT(step, 50U) << "the walk saw every step";
  EXPECT_EQ(acked_.size(), kFrames);
}

INSTANTIATE_TEST_SUITE_P(AfterwardsOnDisk, StoreCrashTest, testing::Values(CrashVfs::Left::synced_only, CrashVfs::Left::everything));

TEST_F(StoreTest, after_a_failed_fsync_nothing_is_called_durable_any_more) {
  CrashVfs::instance().arm(0);
  std::uint64_t opened_at = 0;
  {
    const auto store = open(CrashVfs::kName);
    opened_at = CrashVfs::instance().steps();
  }
  std::filesystem::remove_all(folder_);
  std::filesystem::create_directories(folder_);
  CrashVfs::instance().arm(opened_at + 3);
  const auto store = open(CrashVfs::kName);
  ASSERT_NE(store, nullptr);
  std::uint64_t seq = 0;
  while (write(*store, frame(++seq))) ASSERT_LT(seq, 10U);
  EXPECT_EQ(write(*store, frame(100)).error().code, Errc::io);
  EXPECT_TRUE(store->failure().has_value());
}

}  // namespace
}  // namespace fw::store
