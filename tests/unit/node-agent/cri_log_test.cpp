#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "node-agent/cri/container_log.hpp"
#include "protocol/wire/text.hpp"

namespace fw::cri {
namespace {

const std::string kStamp = "2026-11-24T19:00:00.123456789Z ";

TEST(ContainerLog, output_is_what_the_container_wrote) {
  EXPECT_EQ(container_output(kStamp + "stdout F one\n" + kStamp + "stderr F two words\n", true), "one\ntwo words\n");
}

TEST(ContainerLog, partial_lines_are_joined) {
  EXPECT_EQ(container_output(kStamp + "stdout P half \n" + kStamp + "stdout F whole\n", true), "half whole\n");
}

TEST(ContainerLog, tags_behind_a_colon_are_allowed) { EXPECT_EQ(container_output(kStamp + "stdout F:x text\n", true), "text\n"); }

TEST(ContainerLog, file_of_another_kind_gives_nothing) {
  EXPECT_EQ(container_output("root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/bin/sh\n", true), "");
  EXPECT_EQ(container_output("2026-11-24 stdout F text\n", true), "");
  EXPECT_EQ(container_output(kStamp + "stdin F text\n" + kStamp + "stdout X text\n", true), "");
}

TEST(ContainerLog, first_line_of_a_tail_is_left_out) {
  EXPECT_EQ(container_output("rest of a line\n" + kStamp + "stdout F one\n", false), "one\n");
  EXPECT_EQ(container_output("no end of line", false), "");
  EXPECT_EQ(container_output("", false), "");
}

TEST(ContainerLog, last_lines_are_few_and_short) {
  EXPECT_EQ(last_lines("1\n2\n3\n4\n5\n6\n7\n"), "3\n4\n5\n6\n7");
  EXPECT_EQ(last_lines("1\n2\n"), "1\n2");
  EXPECT_EQ(last_lines("\n1\n"), "\n1");
  EXPECT_EQ(last_lines(""), "");
  EXPECT_EQ(last_lines("\n\n"), "");
  const auto longest = last_lines(std::string(5000, 'x') + "end");
  EXPECT_EQ(longest.size(), kLogTextBytes);
  EXPECT_TRUE(longest.ends_with("end"));
}

TEST(ContainerLog, any_bytes_become_text_for_the_wire) {
  std::string bytes(2000, '\xfe');
  bytes[1500] = '\0';
  EXPECT_TRUE(wire::is_wire_text(last_lines(bytes)));
}

class LogFile : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(folder.data()), nullptr); }
  void TearDown() override {
    for (const auto* const name : {"/log", "/link", "/pipe"}) ::unlink((folder + name).c_str());
    ::rmdir(folder.c_str());
  }
  std::string folder = "/tmp/fw-cri-log-XXXXXX";
};

TEST_F(LogFile, tail_of_a_long_file_is_bounded) {
  std::ofstream(folder + "/log") << std::string(100'000, 'a') << "end";
  const auto tail = read_log_tail(folder + "/log");
  ASSERT_TRUE(tail);
  EXPECT_FALSE(tail->whole_file);
  EXPECT_EQ(tail->text.size(), kLogTailBytes);
  EXPECT_TRUE(tail->text.ends_with("end"));
}

TEST_F(LogFile, short_file_is_read_whole) {
  std::ofstream(folder + "/log") << "abc";
  const auto tail = read_log_tail(folder + "/log");
  ASSERT_TRUE(tail);
  EXPECT_TRUE(tail->whole_file);
  EXPECT_EQ(tail->text, "abc");
}

TEST_F(LogFile, only_regular_files_are_read) {
  ASSERT_EQ(::mkfifo((folder + "/pipe").c_str(), 0600), 0);
  ASSERT_EQ(::symlink("/etc/passwd", (folder + "/link").c_str()), 0);
  EXPECT_FALSE(read_log_tail(folder + "/pipe"));
  EXPECT_FALSE(read_log_tail(folder + "/link"));
  EXPECT_FALSE(read_log_tail(folder));
  const auto none = read_log_tail(folder + "/none");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::gone);
}

}  // namespace
}  // namespace fw::cri
