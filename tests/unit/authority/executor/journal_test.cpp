// The journal on a disk that crashes, fails, fills up and is damaged.
#include "protocol/authority/journal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "common/disk/disk.hpp"
#include "tests/support/fake_disk.hpp"

namespace fw::authority {
namespace {

using fw::test::AfterCrash;
using fw::test::DiskFault;
using fw::test::FakeDisk;

Bytes bytes(const std::string& text) { return {text.begin(), text.end()}; }
std::vector<JournalRecord> state(const std::vector<std::string>& texts) {
  std::vector<JournalRecord> out;
  for (const auto& text : texts) out.push_back({0, 1, bytes(text), {}});
  return out;
}
std::vector<std::string> texts(const Journal& journal) {
  std::vector<std::string> out;
  for (const auto& record : journal.restored()) out.emplace_back(record.payload.begin(), record.payload.end());
  return out;
}
std::string only_file(FakeDisk& disk) {
  const auto files = disk.list().value();
  EXPECT_EQ(files.size(), 1);
  return files.front().name;
}

TEST(Journal, gives_back_what_was_written_with_the_same_places) {
  FakeDisk disk;
  auto journal = Journal::open(disk).value();
  EXPECT_TRUE(journal->restored().empty());
  EXPECT_TRUE(journal->needs_compaction());
  EXPECT_FALSE(journal->append(1, bytes("too early")));
  ASSERT_TRUE(journal->compact(state({"a"})));
  const auto b = journal->append(2, bytes("b")).value();
  EXPECT_EQ(b.seq, 3);   // after "a" and the end of the state
  EXPECT_EQ(journal->head(), b.hash);

  disk.restart(AfterCrash::drop_unsynced);
  journal = Journal::open(disk).value();
  EXPECT_EQ(texts(*journal), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(journal->restored()[1].type, 2);
  EXPECT_EQ(journal->restored()[1].hash, b.hash);
  EXPECT_EQ(journal->seq(), 3);
  EXPECT_EQ(journal->head(), b.hash);
  journal->forget_restored();
  EXPECT_TRUE(journal->restored().empty());
}

TEST(Journal, sequence_and_chain_go_on_over_compaction_and_old_files_go) {
  FakeDisk disk;
  auto journal = Journal::open(disk).value();
  ASSERT_TRUE(journal->compact(state({"a", "b"})));
  const auto head = journal->head();
  ASSERT_TRUE(journal->compact(state({"ab"})));
  EXPECT_EQ(journal->seq(), 5);
  EXPECT_NE(journal->head(), head);
  EXPECT_EQ(only_file(disk), "journal-0000000000000004");
  EXPECT_EQ(journal->bytes(), disk.total_bytes());
  EXPECT_EQ(texts(*Journal::open(disk).value()), (std::vector<std::string>{"ab"}));
}

TEST(Journal, leaves_a_torn_tail_behind) {
  FakeDisk disk;
  auto journal = Journal::open(disk).value();
  ASSERT_TRUE(journal->compact(state({"a"})));
  ASSERT_TRUE(journal->append(1, bytes("b")));
  const std::string name = only_file(disk);
  const Bytes whole = *disk.content(name);
  ASSERT_TRUE(journal->append(1, bytes("the torn one")));
  const Bytes longer = *disk.content(name);
  for (std::size_t size = whole.size(); size < longer.size(); ++size) {
    *disk.content(name) = Bytes(longer.begin(), longer.begin() + static_cast<std::ptrdiff_t>(size));
    auto again = Journal::open(disk);
    ASSERT_TRUE(again) << size;
    EXPECT_EQ(texts(**again), (std::vector<std::string>{"a", "b"}));
  }
  // Garbage of the right size is one too, and the next file is without it.
  *disk.content(name) = longer;
  disk.content(name)->back() ^= 1;
  journal = Journal::open(disk).value();
  EXPECT_EQ(texts(*journal), (std::vector<std::string>{"a", "b"}));
  ASSERT_TRUE(journal->compact(state({"a", "b"})));
  ASSERT_TRUE(journal->append(1, bytes("c")));
  EXPECT_EQ(texts(*Journal::open(disk).value()), (std::vector<std::string>{"a", "b", "c"}));
}

TEST(Journal, names_damage_before_the_tail) {
  FakeDisk disk;
  auto journal = Journal::open(disk).value();
  ASSERT_TRUE(journal->compact(state({"a", "b"})));
  ASSERT_TRUE(journal->append(1, bytes("c")));
  ASSERT_TRUE(journal->append(1, bytes("d")));
  const std::string name = only_file(disk);
  const Bytes good = *disk.content(name);
  const std::size_t last = good.size() - (4 + 4 + 8 + 1 + 32 + 1);
  for (std::size_t at = 0; at < last; ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      *disk.content(name) = good;
      (*disk.content(name))[at] ^= static_cast<std::uint8_t>(1U << bit);
      const auto opened = Journal::open(disk);
      ASSERT_FALSE(opened) << at << " " << bit;
      EXPECT_THAT(opened.error().message(), ::testing::HasSubstr(name));
    }
  }
  *disk.content(name) = Bytes(good.begin(), good.begin() + 60);   // not even the state is whole
  EXPECT_FALSE(Journal::open(disk));
  *disk.content(name) = {};
  EXPECT_FALSE(Journal::open(disk));
}

TEST(Journal, a_record_that_was_taken_out_or_put_in_breaks_the_chain) {
  FakeDisk disk;
  auto journal = Journal::open(disk).value();
  ASSERT_TRUE(journal->compact(state({"a"})));
  const std::string name = only_file(disk);
  std::vector<std::size_t> ends;
  for (const auto* text : {"b", "c", "d"}) {
    ends.push_back(disk.content(name)->size());
    ASSERT_TRUE(journal->append(1, bytes(text)));
  }
  Bytes& file = *disk.content(name);
  const Bytes good = file;
  const auto at = [](std::size_t n) { return static_cast<std::ptrdiff_t>(n); };
  file.erase(file.begin() + at(ends[0]), file.begin() + at(ends[1]));
  EXPECT_FALSE(Journal::open(disk));
  file = good;
  file.insert(file.begin() + at(ends[1]), good.begin() + at(ends[0]), good.begin() + at(ends[1]));
  EXPECT_FALSE(Journal::open(disk));
}

TEST(Journal, a_file_under_another_name_is_not_taken) {
  FakeDisk disk;
  auto journal = Journal::open(disk).value();
  ASSERT_TRUE(journal->compact(state({"a"})));
  ASSERT_TRUE(disk.rename(only_file(disk), "journal-0000000000000009"));
  EXPECT_FALSE(Journal::open(disk));
}

TEST(Journal, a_full_disk_is_healed_by_the_next_file_without_a_restart) {
  FakeDisk disk;
  auto journal = Journal::open(disk).value();
  ASSERT_TRUE(journal->compact(state({"a"})));
  ASSERT_TRUE(journal->append(1, bytes("b")));
  disk.capacity_bytes(disk.total_bytes() + 20);   // room for a part of a record
  EXPECT_FALSE(journal->append(1, bytes("c")));
  EXPECT_TRUE(journal->needs_compaction());
  EXPECT_FALSE(journal->broken());
  EXPECT_NE(journal->problem(), "");
  EXPECT_FALSE(journal->compact(state({"a", "b"})));
  EXPECT_FALSE(journal->broken());
  EXPECT_EQ(texts(*Journal::open(disk).value()), (std::vector<std::string>{"a", "b"}));
  disk.capacity_bytes(std::nullopt);
  ASSERT_TRUE(journal->compact(state({"a", "b"})));
  EXPECT_EQ(journal->problem(), "");
  ASSERT_TRUE(journal->append(1, bytes("c")));
  EXPECT_EQ(texts(*Journal::open(disk).value()), (std::vector<std::string>{"a", "b", "c"}));
}

TEST(Journal, a_failed_sync_is_final_until_the_program_starts_again) {
  FakeDisk disk;
  auto journal = Journal::open(disk).value();
  ASSERT_TRUE(journal->compact(state({"a"})));
  disk.fail_at(disk.operations() + 2, DiskFault::eio);
  EXPECT_FALSE(journal->append(1, bytes("b")));
  EXPECT_TRUE(journal->broken());
  EXPECT_FALSE(journal->append(1, bytes("b")));
  EXPECT_FALSE(journal->compact(state({"a"})));
  journal = Journal::open(disk).value();
  EXPECT_FALSE(journal->broken());
  // What is read back may be in the page cache only: it is not believed before it is in a file of its own.
  EXPECT_TRUE(journal->needs_compaction());
}

TEST(Journal, refuses_a_record_that_is_too_large_and_stays_good) {
  FakeDisk disk;
  auto journal = Journal::open(disk).value();
  ASSERT_TRUE(journal->compact({}));
  EXPECT_FALSE(journal->append(1, Bytes(kMaxRecordBytes + 1)));
  EXPECT_FALSE(journal->append(0xFF, {}));
  EXPECT_FALSE(journal->compact({{0, 1, Bytes(kMaxRecordBytes + 1), {}}}));
  EXPECT_FALSE(journal->needs_compaction());
  ASSERT_TRUE(journal->append(1, Bytes(kMaxRecordBytes)));
  EXPECT_EQ(Journal::open(disk).value()->restored().size(), 1);
}

// A life of a journal: what append() and compact() said is durable is there after any one crash or failure, and nothing that was not said.
struct Life {
  std::vector<std::string> durable;   // said to be
  bool died = false;

  void live(Disk& disk) {
    auto opened = Journal::open(disk);
    if (!opened) {
      died = true;
      return;
    }
    auto journal = std::move(*opened);
    std::vector<std::string> known = texts(*journal);
    const auto compact = [&] {
      const auto compacted = journal->compact(state(known));
      if (compacted) durable = known;
      return compacted.has_value();
    };
    for (int i = 0; i < 6; ++i) {
      if (journal->broken()) return;
      if ((journal->needs_compaction() || i == 4) && !compact()) continue;
      const std::string text = "record " + std::to_string(known.size());
      if (!journal->append(1, bytes(text))) continue;
      known.push_back(text);
      durable = known;
    }
  }
};

TEST(Journal, loses_nothing_and_starts_again_whatever_one_operation_does) {
  std::uint64_t operations = 0;
  {
    FakeDisk disk;
    Life().live(disk);
    operations = disk.operations();
  }
  ASSERT_GT(operations, 15U);
  for (const auto fault : {DiskFault::crash, DiskFault::eio, DiskFault::enospc, DiskFault::short_write}) {
    for (const auto mode : {AfterCrash::keep, AfterCrash::drop_unsynced, AfterCrash::torn}) {
      for (std::uint64_t at = 1; at <= operations; ++at) {
        FakeDisk disk;
        disk.fail_at(at, fault);
        Life life;
        try {
          life.live(disk);
        } catch (const FakeDisk::Crash&) {
        }
        disk.restart(mode);
        auto journal = Journal::open(disk);
        ASSERT_TRUE(journal) << journal.error().message() << " at " << at;
        const auto found = texts(**journal);
        // One more than was said may be there: it was being written.
        ASSERT_LE(life.durable.size(), found.size()) << at;
        ASSERT_LE(found.size(), life.durable.size() + 1) << at;
        EXPECT_TRUE(std::equal(life.durable.begin(), life.durable.end(), found.begin())) << at;
        Life next;
        next.live(disk);
        EXPECT_FALSE(next.died);
        EXPECT_GE(next.durable.size(), found.size() + 5);
        EXPECT_LE(disk.list().value().size(), 2U);   // at most one that could not be removed
      }
    }
  }
}

TEST(Journal, works_on_a_real_folder) {
  const std::string folder = ::testing::TempDir() + "/journal-" + std::to_string(::getpid());
  {
    auto disk = RealDisk::open(folder).value();
    auto journal = Journal::open(*disk).value();
    ASSERT_TRUE(journal->compact(state({"a"})));
    ASSERT_TRUE(journal->append(1, bytes("b")));
    ASSERT_TRUE(journal->compact(state({"a", "b"})));
    ASSERT_TRUE(journal->append(1, bytes("c")));
  }
  auto disk = RealDisk::open(folder).value();
  EXPECT_EQ(texts(*Journal::open(*disk).value()), (std::vector<std::string>{"a", "b", "c"}));
  for (const auto& file : disk->list().value()) (void)disk->unlink(file.name);
  ::rmdir(folder.c_str());
}

}  // namespace
}  // namespace fw::authority
