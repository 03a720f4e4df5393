// Lines that are written into the real log of the kernel, and what is told of them.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "common/unique_fd.hpp"
#include "node-agent/collectors/kernel_log/kernel_log_collector.hpp"
#include "tests/kernel/recording_sink.hpp"

namespace fw::test {
namespace {

class KernelLogTruthTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::access("/dev/kmsg", R_OK | W_OK) != 0) GTEST_SKIP() << "/dev/kmsg cannot be read and written here";
    open({});
  }
  void open(collectors::KernelLogPaths paths) {
    auto made = collectors::make_kernel_log_collector(paths);
    ASSERT_TRUE(made) << made.error().message();
    collector_ = std::move(*made);
    sink_.tick(*collector_, ++now_);
    sink_.observed.clear();
  }
  void say(int level, const std::string& text) {
    const auto record = "<" + std::to_string(level) + ">" + text + "\n";   // without its end the kernel keeps it for what may follow
    const UniqueFd log{::open("/dev/kmsg", O_WRONLY | O_CLOEXEC)};   // a new one each time: the kernel takes ten lines in 5 s of each
    ASSERT_EQ(::write(log.get(), record.data(), record.size()), static_cast<ssize_t>(record.size()));
  }
  void tick() {
    sink_.observed.clear();
    sink_.tick(*collector_, ++now_);
  }
  std::int64_t value(const std::string& metric) { return sink_.value(RecordingSink::kNode, metric).value_or(-1); }

  const std::string disk_ = "fw" + std::to_string(::getpid());   // other lines of the machine's log are not ours
  std::unique_ptr<collectors::Collector> collector_;
  RecordingSink sink_;
  std::uint64_t now_ = 0;
};

TEST_F(KernelLogTruthTest, an_error_names_its_device_and_counts_repetitions) {
  for (int i = 0; i < 3; ++i) say(3, "I/O error, dev " + disk_ + ", sector " + std::to_string(8 * i) + " op 0x0:(READ)");
  say(2, "EXT4-fs error (device " + disk_ + "): ext4_lookup:1787: inode #2: comm ls: deleted inode referenced: 12");
  say(6, "nothing of meaning about " + disk_);
  tick();
  EXPECT_EQ(sink_.told("kernel_message", disk_, "io_error"), 3U);
  EXPECT_EQ(sink_.told("kernel_message", disk_, "filesystem_error"), 1U);
  EXPECT_EQ(std::count_if(sink_.observed.begin(), sink_.observed.end(), [&](const auto& entry) { return entry.second.object == disk_; }), 2);
  for (const auto& [entity, told] : sink_.observed) {
    if (told.object != disk_ || told.reason != "io_error") continue;
    EXPECT_NE(told.text.find("sector 16"), std::string::npos) << told.text;
  }
  tick();
  EXPECT_EQ(sink_.told("kernel_message", disk_, "io_error"), 0U);
}

TEST_F(KernelLogTruthTest, a_line_is_redacted) {
  say(3, "INFO: task " + disk_ + ":77 blocked for more than 120 seconds. password=hunter2secretvalue");
  tick();
  bool seen = false;
  for (const auto& [entity, told] : sink_.observed) {
    if (told.text.find(disk_) == std::string::npos) continue;
    seen = true;
    EXPECT_EQ(told.object, disk_);
    EXPECT_EQ(told.reason, "hung_task");
    EXPECT_EQ(told.text.find("hunter2secretvalue"), std::string::npos) << told.text;
  }
  EXPECT_TRUE(seen);
}

TEST_F(KernelLogTruthTest, a_line_of_a_milder_level_than_its_rule_is_none) {
  say(6, "I/O error, dev " + disk_ + ", sector 1");
  tick();
  EXPECT_EQ(sink_.told("kernel_message", disk_, "io_error"), 0U);
}

TEST_F(KernelLogTruthTest, rules_of_the_operator_come_first) {
  const auto path = std::filesystem::temp_directory_path() / (disk_ + ".rules");
  std::ofstream{path} << "# ours\nhis_disk\terr\tI/O error, dev (fw\\w+)\n";
  open({.log = "/dev/kmsg", .rules = path});
  std::filesystem::remove(path);
  say(3, "I/O error, dev " + disk_ + ", sector 1");
  tick();
  EXPECT_EQ(sink_.told("kernel_message", disk_, "his_disk"), 1U);
  EXPECT_EQ(sink_.told("kernel_message", disk_, "io_error"), 0U);
}

TEST_F(KernelLogTruthTest, lines_are_counted) {
  const auto before = value("kernel_log_lines_total");
  for (int i = 0; i < 20; ++i) say(6, disk_);
  tick();
  EXPECT_GE(value("kernel_log_lines_total"), before + 20);
}

TEST_F(KernelLogTruthTest, messages_beyond_the_limit_are_counted) {
  const auto before = value("kernel_messages_lost_total");
  for (int i = 0; i < 130; ++i) say(3, "I/O error, dev " + disk_ + "x" + std::to_string(i) + ", sector 1");
  tick();
  EXPECT_EQ(sink_.observed.size(), collectors::kMaxMessagesPerTick);
  EXPECT_GE(value("kernel_messages_lost_total"), before + 30);
}

}  // namespace
}  // namespace fw::test
