// Texts of /proc and logs.
#include <gtest/gtest.h>

#include "node-agent/probes/parsers.hpp"

namespace fw::probes {
namespace {

TEST(ProbeParsers, read_times_behind_any_name) {
  const auto times = parse_task_times("42 (a) b) c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 1234 5678 90 18446744073709551615");
  ASSERT_TRUE(times) << times.error().message();
  EXPECT_EQ(times->cpu_ticks, 300U);
  EXPECT_EQ(times->threads, 3U);
  for (const char* bad : {"", "42 (a S 1", "42 (a) S 1 2 3", "42 (a) S 1 42 42 0 -1 4194560 100 0 0 0 x 50 0 0 20 0 3 0"}) EXPECT_FALSE(parse_task_times(bad)) << bad;
}

TEST(ProbeParsers, join_arguments_and_stacks) {
  using namespace std::string_view_literals;
  EXPECT_EQ(join_argv("nginx\0-g\0daemon off;\0"sv), "nginx -g daemon off;");
  EXPECT_EQ(join_argv(""), "");
  EXPECT_EQ(join_stack("[<0>] io_schedule+0x46/0x70\n[<0>] folio_wait_bit+0x1/0x2\n"), "io_schedule+0x46/0x70;folio_wait_bit+0x1/0x2");
}

TEST(ProbeParsers, take_names_of_variables_and_never_a_value) {
  using namespace std::string_view_literals;
  EXPECT_EQ(environment_names_of("PATH=/bin\0DB_PASSWORD=a=b\0second line of a value\0=x\0a b=c\0PATH=/usr\0"sv), (std::vector<std::string>{"DB_PASSWORD", "PATH"}));
  EXPECT_TRUE(environment_names_of(std::string(200, 'k') + "=v").empty());
}

TEST(ProbeParsers, read_socket_tables) {
  const std::string text =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
      "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000     0        0 12345 1 ffff 100 0 0 10 0\n"
      "   1: broken\n"
      "   2: 0100007F:1F90 0100007F:C350 01 00000010:00000000 00:00000000 00000000     0        0 777 1 ffff\n";
  const auto sockets = parse_sockets(text, 100);
  ASSERT_EQ(sockets.size(), 2U);
  EXPECT_EQ(sockets[0].local, "127.0.0.1:8080");
  EXPECT_EQ(state_name(sockets[0].state), "LISTEN");
  EXPECT_EQ(sockets[0].receive_queue_bytes, 3U);
  EXPECT_EQ(sockets[1].remote, "127.0.0.1:50000");
  EXPECT_EQ(sockets[1].send_queue_bytes, 16U);
  EXPECT_EQ(sockets[1].inode, 777U);
  EXPECT_EQ(parse_sockets(text, 1).size(), 1U);
  const auto v6 = parse_sockets("titles\n 0: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 07 0:0 0:0 0 0 0 9\n", 9);
  ASSERT_EQ(v6.size(), 1U);
  EXPECT_EQ(v6[0].local, "[::1]:53");
  EXPECT_EQ(socket_inode("socket:[777]"), 777U);
  EXPECT_EQ(socket_inode("pipe:[777]"), std::nullopt);
  EXPECT_EQ(state_name(200), "?");
}

TEST(ProbeParsers, cut_the_last_whole_lines) {
  EXPECT_EQ(last_lines("a\nb\nc\n", 1, true), "c\n");
  EXPECT_EQ(last_lines("a\nb\nc", 2, true), "b\nc");
  EXPECT_EQ(last_lines("a\nb\n", 9, true), "a\nb\n");
  EXPECT_EQ(last_lines("rest of a secret\nb\n", 9, false), "b\n");
  EXPECT_EQ(last_lines("no line end", 9, false), "");
  EXPECT_EQ(last_lines("", 9, true), "");
}

TEST(ProbeParsers, find_the_resolvers) {
  EXPECT_EQ(parse_nameservers("# x\nsearch a b\nnameserver 10.0.0.10\nnameserver\t::1\nnameserver 1\nnameserver 2\n"), (std::vector<std::string>{"10.0.0.10", "::1", "1"}));
}

}  // namespace
}  // namespace fw::probes
