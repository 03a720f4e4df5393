// The log on a disk that crashes at each operation, or fails at each operation: nothing that a returned note covers is lost, no head is
// signed that does not continue the ones before, and it starts again without a person (I20, I24, I31).
#include <gtest/gtest.h>

#include "tests/unit/audit/audit_fixture.hpp"

namespace fw::audit {
namespace {

using test::AfterCrash;
using test::DiskFault;
using test::FakeDisk;
using test::ManualClock;

constexpr std::uint64_t kBatches = 5, kBatch = 3;
constexpr std::uint64_t kSegmentBytes = 1500;   // a new file within every batch

// The store's half: what is not known to be in the log comes again, and every note that somebody saw is kept.
struct World {
  FakeDisk disk;
  ManualClock clock;
  std::uint64_t sequenced = 0;               // drafts that the log has confirmed
  std::vector<std::uint64_t> places;         // and where
  std::vector<std::string> notes;

  // Opens the log and appends what is left; false: the log broke or did not open.
  bool run() {
    auto opened = open_log(disk, clock, kSegmentBytes);
    if (!opened) {
      EXPECT_EQ(opened.error().code, Errc::io) << opened.error().message();
      return false;
    }
    auto& log = **opened;
    notes.push_back(log.note());
    while (sequenced < kBatches * kBatch) {
      const auto seqs = log.append(sample_drafts(sequenced, sequenced + kBatch));
      if (!seqs) return stays_broken(log);
      const auto note = log.sign();
      if (!note) return stays_broken(log);
      notes.push_back(*note);
      sequenced += kBatch;
      places.insert(places.end(), seqs->begin(), seqs->end());
    }
    return true;
  }

  // After an error nothing is reported any more, though the disk works again.
  static bool stays_broken(Log& log) {
    EXPECT_FALSE(log.problem().empty());
    EXPECT_EQ(log.append(sample_drafts(90, 91)).error().code, Errc::io);
    EXPECT_EQ(log.sign().error().code, Errc::io);
    return false;
  }

  void check() {
    const auto opened = open_log(disk, clock, kSegmentBytes);
    ASSERT_TRUE(opened) << opened.error().message();
    auto& log = **opened;
    EXPECT_EQ(log.size(), kBatches * kBatch) << "each draft has one place";
    ASSERT_EQ(places.size(), kBatches * kBatch);
    for (std::uint64_t i = 0; i < places.size(); ++i) EXPECT_EQ(parse_line(*log.entry(places[i]))->id, i);
    for (const auto& text : notes) {
      const auto seen = authority::parse_note(text)->checkpoint;
      EXPECT_EQ(*log.root_at(seen.size), seen.root) << "a note of " << seen.size << " entries was shown and is not of this log";
    }
  }
};

std::uint64_t operations_of_a_run() {
  World world;
  EXPECT_TRUE(world.run());
  world.check();
  return world.disk.operations();
}

class EveryCrash : public testing::TestWithParam<AfterCrash> {};

TEST_P(EveryCrash, loses_nothing_that_was_shown) {
  const auto operations = operations_of_a_run();
  ASSERT_GT(operations, 40U);
  for (std::uint64_t at = 1; at <= operations; ++at) {
    World world;
    world.disk.fail_at(at, DiskFault::crash);
    bool crashed = false;
    try {
      world.run();
    } catch (const FakeDisk::Crash&) {
      crashed = true;
    }
    if (!crashed) continue;   // the list of a later check, not part of a run
    world.disk.restart(GetParam());
    ASSERT_TRUE(world.run()) << "crash at operation " << at;
    world.check();
    if (HasFailure()) FAIL() << "crash at operation " << at;
  }
}

// A second crash while the first one is being mended.
TEST_P(EveryCrash, twice_loses_nothing_that_was_shown) {
  const auto operations = operations_of_a_run();
  for (std::uint64_t first = 5; first <= operations; first += 7) {
    for (std::uint64_t second = 1; second <= 12; ++second) {
      World world;
      world.disk.fail_at(first, DiskFault::crash);
      try {
        world.run();
        continue;
      } catch (const FakeDisk::Crash&) {
      }
      world.disk.restart(GetParam());
      world.disk.fail_at(world.disk.operations() + second, DiskFault::crash);
      try {
        world.run();
      } catch (const FakeDisk::Crash&) {
        world.disk.restart(GetParam());
      }
      ASSERT_TRUE(world.run()) << "crashes at " << first << " and " << second;
      world.check();
      if (HasFailure()) FAIL() << "crashes at operations " << first << " and " << second;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AuditLog, EveryCrash, testing::Values(AfterCrash::keep, AfterCrash::drop_unsynced, AfterCrash::torn),
                         [](const auto& of) { return std::string(of.param == AfterCrash::keep ? "keep" : of.param == AfterCrash::torn ? "torn" : "drop_unsynced"); });

class EveryFault : public testing::TestWithParam<DiskFault> {};

TEST_P(EveryFault, breaks_the_log_until_it_is_opened_anew_and_loses_nothing) {
  const auto operations = operations_of_a_run();
  for (const auto after : {AfterCrash::keep, AfterCrash::drop_unsynced}) {
    for (std::uint64_t at = 1; at <= operations; ++at) {
      World world;
      world.disk.fail_at(at, GetParam());
      const bool first = world.run();
      if (!first) {
        // Whatever failed was never on the disk: a power loss later takes it away.
        if (after == AfterCrash::drop_unsynced) world.disk.restart(after);
        ASSERT_TRUE(world.run()) << "fault at operation " << at;
      }
      world.disk.restart(AfterCrash::drop_unsynced);
      world.check();
      if (HasFailure()) FAIL() << "fault at operation " << at;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AuditLog, EveryFault, testing::Values(DiskFault::eio, DiskFault::enospc, DiskFault::short_write),
                         [](const auto& of) { return std::string(of.param == DiskFault::eio ? "eio" : of.param == DiskFault::enospc ? "enospc" : "short_write"); });

TEST(AuditLogDisk, a_full_disk_that_is_freed_is_used_again) {
  World world;
  world.disk.capacity_bytes(3000);
  EXPECT_FALSE(world.run());
  EXPECT_FALSE(world.run()) << "still full";
  world.disk.capacity_bytes(std::nullopt);
  ASSERT_TRUE(world.run());
  world.check();
}

}  // namespace
}  // namespace fw::audit
