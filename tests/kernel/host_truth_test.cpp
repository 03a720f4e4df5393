// The node's own numbers and changes: caused for real, or against what the kernel says by another way.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>
#include <vector>

#include "common/unique_fd.hpp"
#include "node-agent/collectors/host/host_collector.hpp"
#include "tests/kernel/recording_sink.hpp"
#include "tests/kernel/wait.hpp"

namespace fw::test {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kMinute = 60'000'000'000;

class HostTruthTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "fw-host-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~HostTruthTest() override {
    end_kubelet();
    std::error_code error;
    fs::remove_all(folder_, error);
  }
  void tick() {
    sink_.observed.clear();
    sink_.tick(*collector_, now_ += kMinute);
  }
  void open() {
    collector_ = collectors::make_host_collector({.proc = "/proc", .packages = folder_ + "/status"});
    tick();
  }
  std::int64_t value(const std::string& metric) { return sink_.value(RecordingSink::kNode, metric).value_or(-1); }
  const wire::Observed* told(const std::string& what, const std::string& object) const {
    for (const auto& [entity, seen] : sink_.observed) {
      if (seen.what == what && seen.object == object) return &seen;
    }
    return nullptr;
  }
  static std::int64_t number_in(const std::string& path) {
    std::int64_t number = -1;
    std::ifstream{path} >> number;
    return number;
  }
  // A program called kubelet that runs until it is ended.
  void start_kubelet(const std::vector<std::string>& flags) {
    const auto program = folder_ + "/kubelet";
    if (!fs::exists(program)) fs::copy_file("/bin/sh", program);
    std::vector<std::string> words{program, "-c", "read x", "kubelet"};
    words.insert(words.end(), flags.begin(), flags.end());
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    int pipe[2];
    ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
    input_ = UniqueFd{pipe[1]};
    kubelet_ = ::fork();
    if (kubelet_ == 0) {
      ::dup2(pipe[0], 0);
      ::execv(program.c_str(), arguments.data());
      ::_exit(127);
    }
    ::close(pipe[0]);
    ASSERT_TRUE(wait_until([&] {
      std::string name;
      std::ifstream{"/proc/" + std::to_string(kubelet_) + "/comm"} >> name;
      return name == "kubelet";
    }));
  }
  void end_kubelet() {
    if (kubelet_ <= 0) return;
    ::kill(kubelet_, SIGKILL);
    ::waitpid(kubelet_, nullptr, 0);
    kubelet_ = -1;
  }
  void write_packages(const std::vector<std::array<std::string, 3>>& packages) const {
    std::ofstream file{folder_ + "/status-new"};
    for (const auto& [name, version, status] : packages) {
      file << "Package: " << name << "\nStatus: " << status << "\nArchitecture: amd64\nVersion: " << version << "\nDescription: x\n Version: of a longer text\n\n";
    }
    file.close();
    fs::rename(folder_ + "/status-new", folder_ + "/status");   // as dpkg does
  }

  std::string folder_;
  std::unique_ptr<collectors::Collector> collector_;
  RecordingSink sink_;
  std::uint64_t now_ = kMinute;
  pid_t kubelet_ = -1;
  UniqueFd input_;
};

TEST_F(HostTruthTest, files_and_threads_are_counted) {
  open();
  const auto files = value("node_files_open"), threads = value("node_threads");
  rlimit many{16'384, 16'384};
  if (::setrlimit(RLIMIT_NOFILE, &many) != 0) GTEST_SKIP() << "needs root to open many files";
  std::vector<UniqueFd> open_files;
  for (int i = 0; i < 10'000; ++i) open_files.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  std::mutex gate;
  std::vector<std::thread> waiting;
  {
    const std::lock_guard closed{gate};
    for (int i = 0; i < 300; ++i) waiting.emplace_back([&] { const std::lock_guard pass{gate}; });
    tick();
    // Others of the machine open and close meanwhile.
    EXPECT_NEAR(static_cast<double>(value("node_files_open") - files), 10'000, 2'000);
    EXPECT_NEAR(static_cast<double>(value("node_threads") - threads), 300, 100);
  }
  for (auto& thread : waiting) thread.join();
  EXPECT_EQ(value("node_files_max"), number_in("/proc/sys/fs/file-max"));
  EXPECT_EQ(value("node_threads_max"), number_in("/proc/sys/kernel/threads-max"));
  EXPECT_EQ(value("node_pids_max"), number_in("/proc/sys/kernel/pid_max"));
}

TEST_F(HostTruthTest, load_and_memory_are_those_of_the_system) {
  open();
  struct sysinfo system{};
  ASSERT_EQ(::sysinfo(&system), 0);
  EXPECT_EQ(value("node_memory_total_bytes"), static_cast<std::int64_t>(system.totalram * system.mem_unit));
  EXPECT_EQ(value("node_swap_total_bytes"), static_cast<std::int64_t>(system.totalswap * system.mem_unit));
  EXPECT_NEAR(static_cast<double>(value("node_swap_free_bytes")), static_cast<double>(system.freeswap * system.mem_unit), 64 << 20);
  EXPECT_NEAR(static_cast<double>(value("node_load_1m")), static_cast<double>(system.loads[0]) * 100 / (1 << SI_LOAD_SHIFT), 40);
}

TEST_F(HostTruthTest, memory_in_use_is_not_available) {
  open();
  const auto bytes = std::min<std::int64_t>(value("node_memory_available_bytes") / 4, 1 << 30);
  // The machine's other processes use and give back memory as well: half to spare, and a moment in which they are quieter.
  std::int64_t lacking = 0;
  for (int attempt = 0; attempt < 5 && lacking < bytes / 2; ++attempt) {
    tick();
    const auto before = value("node_memory_available_bytes");
    void* const memory = ::mmap(nullptr, static_cast<std::size_t>(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    tick();
    ::munmap(memory, static_cast<std::size_t>(bytes));
    lacking = before - value("node_memory_available_bytes");
  }
  EXPECT_GE(lacking, bytes / 2);
}

TEST_F(HostTruthTest, the_clocks_state_is_the_kernels) {
  open();
  ntptimeval time{};
  const int state = ::ntp_gettime(&time);
  EXPECT_EQ(value("node_clock_unsynchronised"), state == TIME_ERROR ? 1 : 0);
  EXPECT_NEAR(static_cast<double>(value("node_clock_error_us")), static_cast<double>(time.maxerror), 5'000);
  timex clock{};
  ::adjtimex(&clock);
  const auto offset = (clock.status & STA_NANO) != 0 ? clock.offset / 1000 : clock.offset;
  EXPECT_NEAR(static_cast<double>(value("node_clock_offset_us")), static_cast<double>(offset), 1'000);
}

TEST_F(HostTruthTest, uptime_is_that_of_the_kernel) {
  open();
  double uptime = 0;
  std::ifstream{"/proc/uptime"} >> uptime;
  EXPECT_NEAR(static_cast<double>(value("node_uptime_ms")), uptime * 1000, 1'000);
}

TEST_F(HostTruthTest, a_sysctl_that_is_set_is_told_with_both_values) {
  // In a network namespace of our own: the machine's stays as it is.
  std::thread([&] {
    if (::unshare(CLONE_NEWNET) != 0) return;
    open();
    const auto before = std::to_string(number_in("/proc/sys/net/ipv4/tcp_fin_timeout"));
    { std::ofstream{"/proc/sys/net/ipv4/tcp_fin_timeout"} << 17; }
    tick();
    const auto* const change = told("sysctl_changed", "net.ipv4.tcp_fin_timeout");
    ASSERT_NE(change, nullptr);
    EXPECT_EQ(change->before, before);
    EXPECT_EQ(change->after, "17");
    tick();
    EXPECT_EQ(told("sysctl_changed", "net.ipv4.tcp_fin_timeout"), nullptr);
  }).join();
  if (!collector_) GTEST_SKIP() << "needs CAP_SYS_ADMIN to make a network namespace";
}

TEST_F(HostTruthTest, packages_that_changed_are_told_when_dpkg_is_done) {
  write_packages({{"curl", "7.88", "install ok installed"}, {"kubelet", "1.31.0", "hold ok installed"}, {"old", "1", "install ok installed"}, {"gone", "1", "deinstall ok config-files"}});
  open();
  ASSERT_NE(told("version", "kubelet"), nullptr);
  EXPECT_EQ(told("version", "kubelet")->after, "1.31.0");
  EXPECT_EQ(told("package_changed", "curl"), nullptr);
  write_packages({{"curl", "7.89", "install ok installed"}, {"kubelet", "1.31.0", "hold ok installed"}, {"new", "2", "install ok installed"}, {"gone", "2", "deinstall ok config-files"}});
  tick();
  EXPECT_EQ(told("package_changed", "curl"), nullptr) << "it may still be at work";
  tick();
  ASSERT_NE(told("package_changed", "curl"), nullptr);
  EXPECT_EQ(told("package_changed", "curl")->before, "7.88");
  EXPECT_EQ(told("package_changed", "curl")->after, "7.89");
  ASSERT_NE(told("package_changed", "new"), nullptr);
  EXPECT_EQ(told("package_changed", "new")->before, "");
  ASSERT_NE(told("package_changed", "old"), nullptr);
  EXPECT_EQ(told("package_changed", "old")->after, "");
  EXPECT_EQ(told("package_changed", "gone"), nullptr);
  EXPECT_EQ(sink_.observed.size(), 3U);
}

TEST_F(HostTruthTest, an_upgrade_of_everything_is_bounded) {
  std::vector<std::array<std::string, 3>> packages;
  for (int i = 0; i < 200; ++i) packages.push_back({"p" + std::to_string(i), "1", "install ok installed"});
  write_packages(packages);
  open();
  for (auto& package : packages) package[1] = "2";
  write_packages(packages);
  tick();
  tick();
  EXPECT_EQ(sink_.observed.size(), collectors::kMaxChangesTold + 1);
  ASSERT_NE(told("package_changed", ""), nullptr);
  EXPECT_EQ(told("package_changed", "")->count, 200 - collectors::kMaxChangesTold);
}

TEST_F(HostTruthTest, the_real_package_list_is_dpkgs) {
  if (!fs::exists("/var/lib/dpkg/status") || std::system("command -v dpkg-query >/dev/null") != 0) GTEST_SKIP() << "no dpkg here";
  fs::copy_file("/var/lib/dpkg/status", folder_ + "/status");
  open();
  std::ofstream{folder_ + "/status", std::ios::trunc};   // all are gone
  tick();
  tick();
  std::uint64_t installed = 0;
  for (const auto& [entity, seen] : sink_.observed) installed += seen.what == "package_changed" ? seen.count : 0;
  FILE* const pipe = ::popen("dpkg-query -W -f='${db:Status-Status}\\n' | grep -c '^installed$'", "r");
  ASSERT_NE(pipe, nullptr);
  unsigned long expected = 0;
  ASSERT_EQ(std::fscanf(pipe, "%lu", &expected), 1);
  ::pclose(pipe);
  EXPECT_EQ(installed, expected);
}

TEST_F(HostTruthTest, a_kubelet_with_other_flags_is_told_and_its_secrets_are_not) {
  start_kubelet({"--max-pods=110", "--node-ip", "10.0.0.1", "--bootstrap-token=abcdef.0123456789abcdef"});
  open();
  EXPECT_EQ(told("kubelet_flag_changed", "--max-pods"), nullptr);
  end_kubelet();
  start_kubelet({"--max-pods=50", "--node-ip", "10.0.0.1", "--bootstrap-token=fedcba.fedcba9876543210", "--v=4"});
  tick();
  ASSERT_NE(told("kubelet_flag_changed", "--max-pods"), nullptr);
  EXPECT_EQ(told("kubelet_flag_changed", "--max-pods")->before, "110");
  EXPECT_EQ(told("kubelet_flag_changed", "--max-pods")->after, "50");
  ASSERT_NE(told("kubelet_flag_changed", "--v"), nullptr);
  EXPECT_EQ(told("kubelet_flag_changed", "--node-ip"), nullptr);
  for (const auto& [entity, seen] : sink_.observed) {
    EXPECT_EQ((seen.before + seen.after).find("0123456789abcdef"), std::string::npos) << seen.before;
    EXPECT_EQ((seen.before + seen.after).find("fedcba9876543210"), std::string::npos) << seen.after;
  }
}

}  // namespace
}  // namespace fw::test
