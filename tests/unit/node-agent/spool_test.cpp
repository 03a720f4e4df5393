#include "node-agent/uplink/spool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/support/fake_disk.hpp"

namespace fw::uplink {
namespace {

using test::AfterCrash;
using test::DiskFault;
using test::FakeDisk;

constexpr SpoolLimits kSmall{.max_bytes = 16_KiB, .segment_bytes = 1_KiB, .max_memory_bytes = 2_KiB, .reserve_seqs = 8, .keep_every = 10};
constexpr SpoolLimits kRoomy{.max_bytes = 1_MiB, .segment_bytes = 1_KiB, .max_memory_bytes = 16_KiB, .reserve_seqs = 8, .keep_every = 10};

// The content of the event `id`, in a frame that also names its seq, as the real one does.
wire::Bytes frame_of(std::uint64_t seq, std::uint64_t id, std::size_t padding = 40) {
  const auto text = std::to_string(seq) + " " + std::to_string(id) + " " + std::string(padding, 'x');
  return {text.begin(), text.end()};
}
std::pair<std::uint64_t, std::uint64_t> seq_and_id(wire::ByteView frame) {
  const std::string text(frame.begin(), frame.end());
  std::size_t used = 0;
  const auto seq = std::stoull(text, &used);
  return {seq, std::stoull(text.substr(used))};
}

std::uint64_t put(Spool& spool, std::uint64_t id, std::size_t padding = 40) {
  const auto seq = spool.next_seq();
  if (!seq) {
    spool.lost(1);
    return 0;
  }
  spool.append_events(*seq, 1, frame_of(*seq, id, padding));
  return *seq;
}

void put_samples(Spool& spool, std::uint64_t tick) { spool.append_samples(tick, frame_of(tick, tick)); }

// What an aggregator keeps: one watermark per stream, and every frame ever seen under a seq.
struct Aggregator {
  std::map<Uuid, std::uint64_t> watermark;
  std::map<std::pair<Uuid, std::uint64_t>, std::uint64_t> seen;   // (stream, seq) -> event id
  std::multiset<std::uint64_t> stored;                            // event ids

  void receive(const Uuid& stream, std::uint64_t key, wire::ByteView frame) {
    const auto [seq, id] = seq_and_id(frame);
    ASSERT_EQ(seq, key);
    const auto [it, fresh] = seen.emplace(std::pair{stream, seq}, id);
    ASSERT_EQ(it->second, id) << "seq " << seq << " was used for two events";
    if (seq <= watermark[stream]) return;
    watermark[stream] = seq;
    stored.insert(id);
  }
};

void send_all(Spool& spool, Aggregator& aggregator) {
  while (const auto next = spool.next_event()) {
    aggregator.receive(spool.stream_id(), next->key, next->frame);
    spool.advance();
  }
}

std::vector<std::uint64_t> drain_ids(Spool& spool) {
  std::vector<std::uint64_t> ids;
  while (const auto next = spool.next_event()) {
    ids.push_back(seq_and_id(next->frame).second);
    spool.advance();
  }
  return ids;
}

void expect_samples_add_up(const SpoolCounters& c) {
  EXPECT_EQ(c.samples_stored_total, c.samples_taken_total + c.samples_thinned_total + c.samples_dropped_total + c.samples_held);
}

TEST(Spool, sends_frames_in_order_and_again_after_a_new_connection) {
  FakeDisk disk;
  auto spool = Spool::open(disk, kRoomy);
  for (std::uint64_t id = 1; id <= 100; ++id) put(spool, id);
  spool.rewind(0);
  const auto first = drain_ids(spool);
  ASSERT_EQ(first.size(), 100U);
  EXPECT_TRUE(std::is_sorted(first.begin(), first.end()));
  spool.rewind(60);
  const auto second = drain_ids(spool);
  EXPECT_EQ(second.front(), 61U);
  EXPECT_EQ(second.size(), 40U);
}

TEST(Spool, sends_a_live_frame_without_reading_the_disk) {
  FakeDisk disk;
  auto spool = Spool::open(disk, kRoomy);
  put(spool, 1);
  const auto operations = disk.operations();
  EXPECT_EQ(drain_ids(spool), std::vector<std::uint64_t>{1});
  EXPECT_EQ(disk.operations(), operations);
}

TEST(Spool, frees_closed_files_when_acknowledged) {
  FakeDisk disk;
  auto spool = Spool::open(disk, kRoomy);
  std::uint64_t last = 0;
  for (std::uint64_t id = 1; id <= 200; ++id) last = put(spool, id);
  const auto before = spool.counters().bytes;
  EXPECT_TRUE(spool.has_unacknowledged());
  spool.acknowledged(last);
  EXPECT_FALSE(spool.has_unacknowledged());
  EXPECT_LT(spool.counters().bytes, before / 8);
  EXPECT_LE(disk.total_bytes(), spool.counters().bytes + 64);
}

TEST(Spool, keeps_its_stream_and_starts_behind_the_reserved_range) {
  FakeDisk disk;
  Uuid stream;
  std::uint64_t last = 0;
  {
    auto spool = Spool::open(disk, kRoomy);
    stream = spool.stream_id();
    last = put(spool, 1);
  }
  disk.restart(AfterCrash::drop_unsynced);
  auto spool = Spool::open(disk, kRoomy);
  EXPECT_EQ(spool.stream_id(), stream);
  EXPECT_GT(put(spool, 2), last);
}

TEST(Spool, an_empty_folder_is_a_new_stream) {
  FakeDisk one;
  FakeDisk two;
  EXPECT_NE(Spool::open(one).stream_id(), Spool::open(two).stream_id());
}

TEST(Spool, continues_above_an_aggregator_that_knows_higher_numbers) {
  FakeDisk disk;
  auto spool = Spool::open(disk, kRoomy);
  put(spool, 1);
  spool.rewind(5000);
  EXPECT_GT(put(spool, 2), 5000U);
  EXPECT_EQ(spool.take_lost(), 1U);
  EXPECT_EQ(drain_ids(spool), std::vector<std::uint64_t>{2});
}

TEST(Spool, thins_the_oldest_samples_then_drops_them_and_events_last) {
  FakeDisk disk;
  auto spool = Spool::open(disk, kSmall);
  put(spool, 1);
  std::uint64_t tick = 0;
  while (spool.counters().samples_thinned_total == 0) put_samples(spool, ++tick);
  EXPECT_EQ(spool.counters().samples_dropped_total, 0U);
  const auto kept = spool.take_samples();
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->key, 1U);                       // the first of ten stays
  EXPECT_EQ(spool.take_samples()->key, 11U);
  while (spool.counters().samples_dropped_total == 0) put_samples(spool, ++tick);
  EXPECT_EQ(spool.counters().events_lost_total, 0U);
  expect_samples_add_up(spool.counters());

  std::uint64_t id = 1;
  while (spool.counters().events_lost_total == 0) put(spool, ++id);
  EXPECT_EQ(spool.counters().samples_held, 0U);
  expect_samples_add_up(spool.counters());
  const auto lost = spool.take_lost();
  EXPECT_EQ(lost, spool.counters().events_lost_total);
  spool.rewind(0);
  EXPECT_EQ(drain_ids(spool).size() + lost, id);  // every event is sent or counted
  EXPECT_LE(disk.most_bytes(), kSmall.max_bytes);
}

TEST(Spool, gives_back_samples_oldest_first_also_after_a_restart) {
  FakeDisk disk;
  {
    auto spool = Spool::open(disk, kRoomy);
    for (std::uint64_t tick = 1; tick <= 50; ++tick) put_samples(spool, tick);
  }
  auto spool = Spool::open(disk, kRoomy);
  for (std::uint64_t tick = 1; tick <= 50; ++tick) EXPECT_EQ(spool.take_samples()->key, tick);
  EXPECT_FALSE(spool.take_samples());
  expect_samples_add_up(spool.counters());
}

TEST(Spool, holds_events_in_memory_while_the_disk_is_full) {
  FakeDisk disk;
  auto spool = Spool::open(disk, kRoomy);
  put(spool, 1);
  disk.capacity_bytes(disk.total_bytes());
  put(spool, 2);
  put(spool, 3);
  EXPECT_GT(spool.counters().memory_bytes, 0U);
  disk.capacity_bytes(std::nullopt);
  put(spool, 4);
  EXPECT_EQ(drain_ids(spool), (std::vector<std::uint64_t>{1, 2, 3, 4}));
  spool.acknowledged(4);
  EXPECT_EQ(spool.counters().memory_bytes, 0U);
}

TEST(Spool, a_full_disk_takes_the_place_of_samples_for_events) {
  FakeDisk disk;
  auto spool = Spool::open(disk, kRoomy);
  for (std::uint64_t tick = 1; tick <= 50; ++tick) put_samples(spool, tick);
  disk.capacity_bytes(disk.total_bytes());
  put(spool, 1);
  EXPECT_EQ(spool.counters().memory_bytes, 0U);
  EXPECT_GT(spool.counters().samples_dropped_total, 0U);
  expect_samples_add_up(spool.counters());
}

TEST(Spool, bounds_the_memory_that_stands_in_for_the_disk) {
  FakeDisk disk;
  auto spool = Spool::open(disk, kSmall);
  disk.capacity_bytes(disk.total_bytes() + 400);
  std::uint64_t id = 0;
  for (; id < 500; ++id) {
    put(spool, id);
    ASSERT_LE(spool.counters().memory_bytes, kSmall.max_memory_bytes);
  }
  spool.rewind(0);
  EXPECT_EQ(drain_ids(spool).size() + spool.take_lost(), id);
}

TEST(Spool, works_in_memory_under_its_own_stream_when_the_folder_refuses_writes) {
  FakeDisk disk;
  Uuid stream;
  {
    auto spool = Spool::open(disk, kRoomy);
    stream = spool.stream_id();
    put(spool, 1);
    spool.sync();
  }
  disk.capacity_bytes(0);
  {
    auto spool = Spool::open(disk, kRoomy);
    EXPECT_NE(spool.in_memory(), "");
    EXPECT_NE(spool.stream_id(), stream);
    put(spool, 2);
    EXPECT_EQ(drain_ids(spool), std::vector<std::uint64_t>{2});
  }
  disk.capacity_bytes(std::nullopt);
  auto spool = Spool::open(disk, kRoomy);
  EXPECT_EQ(spool.stream_id(), stream);
  EXPECT_EQ(drain_ids(spool), std::vector<std::uint64_t>{1});
}

TEST(Spool, delivers_records_behind_damage_and_counts_the_damaged_one) {
  FakeDisk disk;
  {
    auto spool = Spool::open(disk, kRoomy);
    for (std::uint64_t id = 1; id <= 5; ++id) put(spool, id);
  }
  auto* bytes = disk.content("events-0000000000000001.log");
  ASSERT_NE(bytes, nullptr);
  (*bytes)[bytes->size() / 2] ^= 1;
  auto spool = Spool::open(disk, kRoomy);
  const auto ids = drain_ids(spool);
  EXPECT_EQ(ids.size(), 4U);
  EXPECT_EQ(spool.take_lost(), 1U);
}

TEST(Spool, a_lost_state_makes_a_new_stream_and_counts_what_cannot_be_sent) {
  FakeDisk disk;
  {
    auto spool = Spool::open(disk, kRoomy);
    for (std::uint64_t id = 1; id <= 3; ++id) put(spool, id);
  }
  disk.content("state")->at(30) ^= 1;
  auto spool = Spool::open(disk, kRoomy);
  EXPECT_TRUE(drain_ids(spool).empty());
  EXPECT_EQ(spool.take_lost(), 3U);
}

// ---- every operation, by number -----------------------------------------------------------------------------------

struct World {
  FakeDisk disk;
  Aggregator aggregator;
  std::uint64_t next_id = 1;
  std::uint64_t synced_id = 0;        // every event up to here was appended and synced before a crash
  std::set<std::uint64_t> appended;   // append_events() returned
  std::uint64_t lost_reported = 0;
  bool may_drop = false;              // the bound is small: events may be dropped, counted
};

// A life of the spool: connected and not, samples in between, acknowledgements that lag.
void live(World& world, const SpoolLimits& limits, std::uint64_t until_id) {
  auto spool = Spool::open(world.disk, limits);
  spool.rewind(world.aggregator.watermark[spool.stream_id()]);
  std::uint64_t tick = 0;
  while (world.next_id <= until_id) {
    const auto id = world.next_id++;
    if (put(spool, id) != 0) world.appended.insert(id);
    const auto phase = id % 12;
    if (phase < 5) {  // connected
      send_all(spool, world.aggregator);
      if (phase == 2) spool.acknowledged(world.aggregator.watermark[spool.stream_id()]);
    } else {          // away
      for (int i = 0; i < 4; ++i) put_samples(spool, ++tick);
    }
    if (phase == 11) {
      spool.rewind(world.aggregator.watermark[spool.stream_id()]);
      send_all(spool, world.aggregator);
      for (int i = 0; i < 6; ++i) spool.take_samples();
    }
    if (phase % 4 == 3) {
      spool.sync();
      if (spool.counters().disk_errors_total == 0) world.synced_id = id;
    }
    expect_samples_add_up(spool.counters());
    ASSERT_LE(world.disk.most_bytes(), limits.max_bytes);
  }
  spool.rewind(world.aggregator.watermark[spool.stream_id()]);
  send_all(spool, world.aggregator);
  spool.acknowledged(world.aggregator.watermark[spool.stream_id()]);
  EXPECT_FALSE(spool.has_unacknowledged());
  world.lost_reported += spool.take_lost();
}

void check_promises(const World& world, AfterCrash mode) {
  for (const auto id : world.aggregator.stored) ASSERT_EQ(world.aggregator.stored.count(id), 1U) << "event " << id << " is doubled";
  if (world.may_drop) return;
  for (const auto id : world.appended) {
    // kill -9 loses nothing that was appended; a power loss nothing that was synced.
    if (mode != AfterCrash::keep && id > world.synced_id) continue;
    ASSERT_EQ(world.aggregator.stored.count(id), 1U) << "event " << id << " is lost";
  }
}

std::uint64_t operations_of_a_life(const SpoolLimits& limits) {
  World world;
  live(world, limits, 36);
  return world.disk.operations();
}

void crash_everywhere(const SpoolLimits& limits, AfterCrash mode, bool may_drop) {
  const auto operations = operations_of_a_life(limits);
  ASSERT_GT(operations, 100U);
  for (std::uint64_t at = 1; at <= operations; ++at) {
    World world;
    world.may_drop = may_drop;
    world.disk.fail_at(at, DiskFault::crash);
    bool crashed = false;
    try {
      live(world, limits, 36);
    } catch (const FakeDisk::Crash&) {
      crashed = true;
    }
    const auto synced = world.synced_id;
    world.disk.restart(mode);
    live(world, limits, 48);
    world.synced_id = crashed ? synced : world.synced_id;
    ASSERT_NO_FATAL_FAILURE(check_promises(world, mode)) << "crash at operation " << at;
    ASSERT_FALSE(::testing::Test::HasFailure()) << "crash at operation " << at;
  }
}

TEST(SpoolCrash, kill_at_every_operation_loses_and_doubles_nothing) { crash_everywhere(kRoomy, AfterCrash::keep, false); }
TEST(SpoolCrash, power_loss_at_every_operation_keeps_what_was_synced) { crash_everywhere(kRoomy, AfterCrash::drop_unsynced, false); }
TEST(SpoolCrash, torn_writes_at_every_operation_keep_what_was_synced) { crash_everywhere(kRoomy, AfterCrash::torn, false); }
TEST(SpoolCrash, the_bound_holds_through_every_crash) {
  for (const auto mode : {AfterCrash::keep, AfterCrash::drop_unsynced, AfterCrash::torn}) crash_everywhere(kSmall, mode, true);
}

TEST(SpoolFault, an_error_of_any_operation_loses_and_doubles_nothing) {
  const auto operations = operations_of_a_life(kRoomy);
  for (const auto fault : {DiskFault::eio, DiskFault::enospc, DiskFault::short_write}) {
    for (std::uint64_t at = 1; at <= operations; ++at) {
      World world;
      world.disk.fail_at(at, fault);
      live(world, kRoomy, 36);
      const auto counted = world.lost_reported;
      std::uint64_t missing = 0;
      for (const auto id : world.appended) missing += world.aggregator.stored.count(id) == 0 ? 1U : 0U;
      ASSERT_LE(missing, counted) << "error " << static_cast<int>(fault) << " at operation " << at;
      world.may_drop = true;
      ASSERT_NO_FATAL_FAILURE(check_promises(world, AfterCrash::keep));
      ASSERT_FALSE(::testing::Test::HasFailure()) << "error " << static_cast<int>(fault) << " at operation " << at;
    }
  }
}

// ---- the real disk ------------------------------------------------------------------------------------------------

class RealDiskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/fw-spool-test-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    if (auto disk = RealDisk::open(folder_)) {
      const auto files = (*disk)->list();
      for (const auto& file : *files) (void)(*disk)->unlink(file.name);
    }
    ::rmdir(folder_.c_str());
  }
  std::string folder_;
};

TEST_F(RealDiskTest, keeps_a_stream_over_restarts) {
  Uuid stream;
  {
    auto disk = RealDisk::open(folder_).value();
    auto spool = Spool::open(*disk, kRoomy);
    EXPECT_EQ(spool.in_memory(), "");
    stream = spool.stream_id();
    for (std::uint64_t id = 1; id <= 30; ++id) put(spool, id);
    spool.sync();
  }
  auto disk = RealDisk::open(folder_).value();
  auto spool = Spool::open(*disk, kRoomy);
  EXPECT_EQ(spool.stream_id(), stream);
  EXPECT_EQ(drain_ids(spool).size(), 30U);
}

TEST_F(RealDiskTest, refuses_a_folder_that_another_agent_uses) {
  const auto first = RealDisk::open(folder_);
  ASSERT_TRUE(first);
  const auto second = RealDisk::open(folder_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::conflict);
}

}  // namespace
}  // namespace fw::uplink
