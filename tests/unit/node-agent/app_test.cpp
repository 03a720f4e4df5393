// The program as people run it, and its documentation.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "common/clock.hpp"
#include "common/unique_fd.hpp"
#include "common/version.hpp"
#include "node-agent/app/agent_config.hpp"
#include "common/disk/disk.hpp"
#include "protocol/transport/pki.hpp"

namespace fw::agent {
namespace {

using namespace std::chrono_literals;
const std::string kProgram = FW_BINARY_DIR "/bin/fleetwright-agent";

struct Ran {
  int code = -1;
  std::string out;   // stdout and stderr
};

Ran run(const std::string& arguments) {
  Ran ran;
  FILE* pipe = ::popen((kProgram + " " + arguments + " 2>&1").c_str(), "r");
  std::array<char, 4096> buffer{};
  while (const auto n = std::fread(buffer.data(), 1, buffer.size(), pipe)) ran.out.append(buffer.data(), n);
  const int status = ::pclose(pipe);
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ran;
}

std::string read_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return std::move(text).str();
}

class AgentProgram : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/fw-agent-test-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }
  // A configuration with real certificates; the aggregator is whatever listens at `port`.
  std::string write_config(std::uint16_t port) {
    const auto validity = transport::Validity::from(SystemClock{}.wall_ns(), std::chrono::hours{1});
    const auto ca = transport::make_ca("test", validity).value();
    const auto node = transport::issue_certificate(ca, {.role = transport::PeerIdentity::Kind::node, .name = "node-a", .node_uid = make_uuid_v4(),
                                                        .server_names = {}, .validity = validity}).value();
    transport::write_pem_pair(node, folder_ + "/node.crt", folder_ + "/node.key").value();
    transport::write_pem_pair(ca, folder_ + "/ca.crt", folder_ + "/ca.key").value();
    return write("agent.yaml", "aggregator.address: 127.0.0.1:" + std::to_string(port) +
                                   "\ntls: {certificate: node.crt, key: node.key, ca: ca.crt}\nspool.folder: spool\nbpf.enabled: false\n");
  }
  // Starts the agent, reads its log until it has `mark`, sends the signal; the exit code and how long the end took.
  std::pair<int, std::chrono::milliseconds> stop_after(const std::string& config, const std::string& mark, int signal) {
    int log[2];
    EXPECT_EQ(::pipe2(log, O_CLOEXEC), 0);
    const auto pid = ::fork();
    if (pid == 0) {
      ::dup2(log[1], STDERR_FILENO);
      ::execl(kProgram.c_str(), kProgram.c_str(), "--config", config.c_str(), nullptr);
      ::_exit(98);
    }
    ::close(log[1]);
    const UniqueFd reader(log[0]);
    const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    EXPECT_THAT(read_until(reader.get(), mark), ::testing::HasSubstr(mark));
    const auto begin = std::chrono::steady_clock::now();
    ::kill(pid, signal);
    const bool ended = is_ready(process.get(), begin + 10s);
    const auto took = std::chrono::steady_clock::now() - begin;
    if (!ended) ::kill(pid, SIGKILL);
    int status = 0;
    ::waitpid(pid, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, std::chrono::duration_cast<std::chrono::milliseconds>(took)};
  }

 private:
  static bool is_ready(int fd, std::chrono::steady_clock::time_point deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd one{fd, POLLIN, 0};
    return left.count() > 0 && ::poll(&one, 1, static_cast<int>(left.count())) == 1;
  }
  static std::string read_until(int fd, const std::string& mark) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    std::string text;
    std::array<char, 4096> buffer{};
    while (text.find(mark) == std::string::npos && is_ready(fd, deadline)) {
      const auto n = ::read(fd, buffer.data(), buffer.size());
      if (n <= 0) break;
      text.append(buffer.data(), static_cast<std::size_t>(n));
    }
    return text;
  }

 protected:
  std::string folder_;
};

TEST_F(AgentProgram, prints_its_version) {
  const auto ran = run("--version");
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.out, std::string("fleetwright-agent ") + kVersion + "\n");
}

TEST_F(AgentProgram, wrong_usage_is_exit_code_2) {
  EXPECT_EQ(run("--nonsense").code, 2);
  EXPECT_EQ(run("--once --version").code, 2);
}

TEST_F(AgentProgram, check_config_prints_every_error_with_file_and_line) {
  const auto file = write("bad.yaml", "aggregator.address: nowhere\ntls.certificat: x\nspool:\n  max_bytes: 1KiB\n");
  const auto ran = run("--check-config --config " + file + " --set log.level=loud");
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.out, ::testing::HasSubstr(file + ":1: aggregator.address: 'nowhere' is not host:port\n"));
  EXPECT_THAT(ran.out, ::testing::HasSubstr(file + ":2: tls.certificat: unknown key; did you mean tls.certificate?\n"));
  EXPECT_THAT(ran.out, ::testing::HasSubstr(file + ":4: spool.max_bytes: 1KiB is outside of 4MiB to 64GiB\n"));
  EXPECT_THAT(ran.out, ::testing::HasSubstr("--set: log.level: 'loud' is not one of error, warn, info, debug, trace\n"));
  EXPECT_THAT(ran.out, ::testing::HasSubstr(file + ": tls.key: required but not set."));
}

TEST_F(AgentProgram, a_bad_configuration_does_not_start) {
  EXPECT_EQ(run("--config " + folder_ + "/none.yaml").code, 2);
}

TEST_F(AgentProgram, check_config_accepts_a_good_file) {
  const auto ran = run("--check-config --config " + write_config(1));
  EXPECT_EQ(ran.code, 0) << ran.out;
}

TEST_F(AgentProgram, print_config_shows_origins) {
  const auto ran = run("--print-config --set sample.period=20s");
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.out, ::testing::HasSubstr("sample.period: 20s  # --set\n"));
}

TEST_F(AgentProgram, lists_collectors_with_their_metrics) {
  const auto ran = run("--list-collectors");
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.out, ::testing::HasSubstr("memory_current_bytes (bytes)"));
}

TEST_F(AgentProgram, once_prints_one_reading_as_json) {
  const auto ran = run("--once --set bpf.enabled=false --set node.name=node-a");
  if (ran.code == 3) GTEST_SKIP() << "no memory controller is mounted: " << ran.out;
  ASSERT_EQ(ran.code, 0) << ran.out;
  const auto parsed = boost::json::parse(ran.out).as_object();
  EXPECT_EQ(parsed.at("kind"), "AgentSample");
  EXPECT_EQ(parsed.at("node").at("name"), "node-a");
  EXPECT_FALSE(parsed.at("entities").as_array().empty());
  EXPECT_FALSE(parsed.at("lacking").as_array().empty());  // BPF is off, and it says so
}

TEST_F(AgentProgram, stops_orderly_on_sigterm_when_nobody_listens) {
  const auto [code, took] = stop_after(write_config(1), "uplink not connected", SIGTERM);
  EXPECT_EQ(code, 0);
  EXPECT_LT(took, 5s);
}

TEST_F(AgentProgram, stops_in_time_when_the_aggregator_takes_the_connection_and_is_dead) {
  boost::asio::io_context io;
  boost::asio::ip::tcp::acceptor silent(io, {boost::asio::ip::make_address("127.0.0.1"), 0});  // the backlog accepts, nobody answers
  const auto [code, took] = stop_after(write_config(silent.local_endpoint().port()), "agent started", SIGINT);
  EXPECT_EQ(code, 130);
  EXPECT_LT(took, 5s);
}

TEST_F(AgentProgram, runs_without_a_folder_for_its_spool_and_says_so) {
  const auto config = write_config(1);
  std::ofstream(config, std::ios::app) << "spool.max_bytes: 8MiB\n";
  write("spool", "a file where the folder should be");
  const auto [code, took] = stop_after(config, "spool: only in memory", SIGTERM);
  EXPECT_EQ(code, 0);
  EXPECT_LT(took, 5s);
}

TEST_F(AgentProgram, a_second_agent_on_the_same_spool_is_refused) {
  const auto config = write_config(1);
  const auto holder = RealDisk::open(folder_ + "/spool");
  ASSERT_TRUE(holder);
  const auto ran = run("--config " + config);
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, ::testing::HasSubstr("another process uses this folder"));
}

TEST(AgentDocs, configuration_page_has_the_table_of_every_key) {
  AgentConfig config;
  const auto table = schema_of(config).docs_table();
  EXPECT_THAT(read_file(FW_SOURCE_DIR "/docs/configuration.md"), ::testing::HasSubstr(table)) << "put this table into docs/configuration.md:\n" << table;
}

TEST(AgentDocs, example_file_is_a_complete_configuration) {
  AgentConfig config;
  const auto problems = schema_of(config).load_text("agent.example.yaml", read_file(FW_SOURCE_DIR "/docs/agent.example.yaml"), false);
  for (const auto& problem : problems) ADD_FAILURE() << problem.message();
  EXPECT_FALSE(config.aggregator_address.empty());
}

}  // namespace
}  // namespace fw::agent
