// Space and inodes of a real filesystem, against df.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "node-agent/collectors/filesystem/filesystem_collector.hpp"
#include "tests/kernel/loop_disk.hpp"
#include "tests/kernel/recording_sink.hpp"

namespace fw::test {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

class FilesystemTruthTest : public ::testing::Test {
 protected:
  void open(const std::string& mkfs = "") {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to mount";
    disk_ = LoopDisk::make("32M");
    if (!disk_) GTEST_SKIP() << "no loop device here";
    if (!disk_->mount_ext4(mkfs)) GTEST_SKIP() << "ext4 cannot be made or mounted here";
    tick();
  }
  void tick() { sink_.tick(*collector_, now_ += 10 * kSecond); }
  std::int64_t value(const std::string& metric) { return sink_.value(sink_.part_named(disk_->point()), metric).value_or(-1); }
  std::int64_t df(const std::string& field) {
    return std::stoll("0" + output_of("df -B1 --output=" + field + " " + disk_->quoted_point() + " | tail -1 | tr -d ' '"));
  }

  std::unique_ptr<LoopDisk> disk_;
  std::unique_ptr<collectors::Collector> collector_ = collectors::make_filesystem_collector({});
  RecordingSink sink_;
  std::uint64_t now_ = kSecond;
};

TEST_F(FilesystemTruthTest, space_equals_what_df_says) {
  open();
  if (IsSkipped()) return;
  ASSERT_NE(sink_.part_named(disk_->point()), 0U);
  EXPECT_EQ(value("filesystem_size_bytes"), df("size"));
  const auto before = value("filesystem_available_bytes");
  ASSERT_TRUE(done("dd if=/dev/zero of=" + disk_->quoted_point() + "/eight bs=1M count=8 conv=fsync"));
  tick();
  EXPECT_EQ(value("filesystem_available_bytes"), df("avail"));
  EXPECT_EQ(before - value("filesystem_available_bytes"), 8 << 20);
  EXPECT_EQ(value("filesystem_size_bytes") - value("filesystem_free_bytes"), df("used"));
  ASSERT_FALSE(done("dd if=/dev/zero of=" + disk_->quoted_point() + "/rest bs=1M conv=fsync")) << "it did not become full";
  tick();
  EXPECT_EQ(value("filesystem_available_bytes"), 0);
  EXPECT_EQ(value("filesystem_size_bytes") - value("filesystem_free_bytes"), df("used"));
}

TEST_F(FilesystemTruthTest, inodes_run_out) {
  open("-N 64");
  if (IsSkipped()) return;
  EXPECT_EQ(value("filesystem_inodes"), df("itotal"));
  EXPECT_EQ(value("filesystem_inodes_free"), df("iavail"));
  const auto before = value("filesystem_inodes_free");
  std::int64_t made = 0;
  while (made < 10'000 && std::ofstream{disk_->point() + "/" + std::to_string(made)}) ++made;
  tick();
  EXPECT_EQ(made, before);
  EXPECT_EQ(value("filesystem_inodes_free"), 0);
  EXPECT_GT(value("filesystem_available_bytes"), 1 << 20) << "space was not what ran out";
}

TEST_F(FilesystemTruthTest, a_filesystem_that_becomes_read_only_is_told_once) {
  open();
  if (IsSkipped()) return;
  ASSERT_TRUE(done("mount -o remount,ro " + disk_->quoted_point()));
  tick();
  tick();
  ASSERT_EQ(sink_.observed.size(), 1U);
  const auto& told = sink_.observed.front().second;
  EXPECT_EQ(sink_.observed.front().first, sink_.part_named(disk_->point()));
  EXPECT_EQ(told.what, "filesystem_read_only");
  EXPECT_EQ(told.object, disk_->point());
  EXPECT_EQ(told.before, "rw");
  EXPECT_EQ(told.after, "ro");
}

TEST_F(FilesystemTruthTest, a_read_only_mount_of_a_writable_filesystem_is_none) {
  open();
  if (IsSkipped()) return;
  ASSERT_TRUE(done("mount -o remount,bind,ro " + disk_->quoted_point()));
  tick();
  EXPECT_TRUE(sink_.observed.empty());
}

// errors=remount-ro: the kernel turns it without a word to whoever polls the mount table.
TEST_F(FilesystemTruthTest, a_filesystem_that_an_error_made_read_only_is_told) {
  open("-e remount-ro");
  if (IsSkipped()) return;
  const auto trigger = "/sys/fs/ext4/" + disk_->name() + "/trigger_fs_error";
  if (::access(trigger.c_str(), W_OK) != 0) GTEST_SKIP() << "no trigger_fs_error of ext4 here";
  std::ofstream{trigger} << "fw test" << std::flush;
  ASSERT_FALSE(std::ofstream{disk_->point() + "/file"} << "x" << std::flush) << "it can still be written";
  for (int i = 0; i < 6; ++i) tick();   // a minute
  EXPECT_EQ(sink_.told("filesystem_read_only", disk_->point(), ""), 1U);
}

TEST_F(FilesystemTruthTest, an_unmounted_filesystem_is_gone) {
  open();
  if (IsSkipped()) return;
  disk_->unmount();
  tick();
  EXPECT_EQ(sink_.part_named(disk_->point()), 0U);
}

}  // namespace
}  // namespace fw::test
