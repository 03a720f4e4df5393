// Values of the cgroup collectors against the kernel's files, read here in another way, and against what the test did itself.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "common/units.hpp"
#include "tests/kernel/sandbox.hpp"

namespace fw::test {
namespace {

using collectors::Use;

constexpr std::size_t kAnon = 24_MiB, kShared = 4_MiB, kLimit = 64_MiB;

// The same folder in every hierarchy that has one: on v1 each controller has its own.
class EverywhereCgroup {
 public:
  EverywhereCgroup(const kernel::CgroupLayout& layout, const Cgroup& memory) {
    for (const auto& root : {layout.cpu, layout.cpuacct, layout.pids, layout.unified}) {
      if (root.empty() || root == layout.memory) continue;
      const std::string folder = root + memory.path();
      if (::mkdir(folder.c_str(), 0755) == 0) folders_.push_back(folder);
    }
  }
  ~EverywhereCgroup() {
    for (const auto& folder : folders_) {
      if (::rmdir(folder.c_str()) != 0) ADD_FAILURE() << folder << " is left behind: " << std::strerror(errno);
    }
  }
  EverywhereCgroup(const EverywhereCgroup&) = delete;
  EverywhereCgroup& operator=(const EverywhereCgroup&) = delete;

  void enter() const {
    for (const auto& folder : folders_) std::ofstream(folder + "/cgroup.procs") << "0" << std::flush;
  }
  const std::vector<std::string>& folders() const noexcept { return folders_; }

 private:
  std::vector<std::string> folders_;
};

std::optional<std::string> text_of(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return file ? std::optional(text.str()) : std::nullopt;
}

// "key value" lines.
std::map<std::string, std::int64_t> pairs_of(const std::string& path) {
  std::map<std::string, std::int64_t> out;
  std::istringstream text(text_of(path).value_or(""));
  for (std::string key, value; text >> key >> value;) out[key] = std::strtoll(value.c_str(), nullptr, 10);
  return out;
}

// "total=N" of the line that begins with the word.
std::optional<std::int64_t> pressure_of(const std::string& path, const std::string& word) {
  std::istringstream text(text_of(path).value_or(""));
  for (std::string line; std::getline(text, line);) {
    const auto at = line.find("total=");
    if (line.starts_with(word) && at != std::string::npos) return std::strtoll(line.c_str() + at + 6, nullptr, 10);
  }
  return std::nullopt;
}

// Metric name -> the kernel's own number.
std::map<std::string, std::int64_t> kernels_values(const kernel::CgroupLayout& layout, const std::string& path) {
  std::map<std::string, std::int64_t> out;
  const auto number = [&](const std::string& name, const std::string& file, std::int64_t divisor = 1) {
    if (const auto text = text_of(file)) out[name] = text->starts_with("max") ? -1 : std::strtoll(text->c_str(), nullptr, 10) / divisor;
  };
  const auto take = [&](const std::map<std::string, std::int64_t>& from, const std::vector<std::pair<std::string, std::string>>& names) {
    for (const auto& [metric, key] : names) {
      if (const auto found = from.find(key); found != from.end()) out[metric] = found->second;
    }
  };
  const std::string memory = layout.memory + path, cpu = layout.cpu + path;
  const bool v2 = layout.memory_v2();
  number("memory_current_bytes", memory + (v2 ? "/memory.current" : "/memory.usage_in_bytes"));
  number("memory_limit_bytes", memory + (v2 ? "/memory.max" : "/memory.limit_in_bytes"));
  const auto stat = pairs_of(memory + "/memory.stat");
  take(stat, v2 ? std::vector<std::pair<std::string, std::string>>{{"memory_anon_bytes", "anon"}, {"memory_file_bytes", "file"}, {"memory_inactive_file_bytes", "inactive_file"},
                                                                    {"memory_shmem_bytes", "shmem"}, {"memory_pgfaults_total", "pgfault"}, {"memory_pgmajfaults_total", "pgmajfault"}}
                : std::vector<std::pair<std::string, std::string>>{{"memory_anon_bytes", "rss"}, {"memory_file_bytes", "cache"},
                                                                   {"memory_inactive_file_bytes", "inactive_file"}, {"memory_shmem_bytes", "shmem"},
                                                                   {"memory_pgfaults_total", "pgfault"}, {"memory_pgmajfaults_total", "pgmajfault"}});
  out["memory_working_set_bytes"] = std::max<std::int64_t>(0, out["memory_current_bytes"] - out["memory_inactive_file_bytes"]);
  if (stat.contains("workingset_refault_anon")) out["memory_refaults_total"] = stat.at("workingset_refault_anon") + stat.at("workingset_refault_file");
  if (v2) {
    number("memory_high_bytes", memory + "/memory.high");
    number("memory_swap_bytes", memory + "/memory.swap.current");
    take(pairs_of(memory + "/memory.events"), {{"memory_limit_hits_total", "max"}, {"memory_oom_kills_total", "oom_kill"}});
    take(pairs_of(memory + "/cpu.stat"), {{"cpu_usage_us", "usage_usec"}, {"cpu_throttled_us", "throttled_usec"}, {"cpu_throttled_periods_total", "nr_throttled"}, {"cpu_periods_total", "nr_periods"}});
  } else {
    number("memory_limit_hits_total", memory + "/memory.failcnt");
    take(stat, {{"memory_swap_bytes", "swap"}});
    number("cpu_usage_us", layout.cpuacct + path + "/cpuacct.usage", 1000);
    take(pairs_of(cpu + "/cpu.stat"), {{"cpu_throttled_periods_total", "nr_throttled"}, {"cpu_periods_total", "nr_periods"}});
    const auto throttled = pairs_of(cpu + "/cpu.stat");
    if (throttled.contains("throttled_time")) out["cpu_throttled_us"] = throttled.at("throttled_time") / 1000;
  }
  number("pids_current", layout.pids + path + "/pids.current");
  for (const std::string what : {"memory", "cpu", "io"}) {
    for (const std::string how : {"some", "full"}) {
      if (const auto total = pressure_of(layout.unified + path + "/" + what + ".pressure", how)) out["psi_" + what + "_" + how + "_us"] = *total;
    }
  }
  return out;
}

class CgroupTruthTest : public KernelTest {};

struct Done {
  std::atomic<std::int64_t> cpu_us{0};
  std::atomic<bool> met_limit{false};   // a small virtual machine has no disk whose pages could be taken back
  std::atomic<bool> resting{false};
};

// Memory, page cache, faults, allocations at the limit, threads, CPU time under a quota: then it rests, and the kernel's numbers with it.
int act(Done& done) {
  use_memory(kAnon);
  auto* const shared = static_cast<char*>(::mmap(nullptr, kShared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  if (shared == MAP_FAILED) return 1;
  std::memset(shared, 1, kShared);
  // More page cache than the limit leaves room for: allocations meet it, and the kernel takes pages back.
  const int file = ::open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  for (std::size_t written = 0; file >= 0 && written < kLimit; written += kShared) {
    if (::write(file, shared, kShared) < 0) break;
  }
  done.met_limit = file >= 0;
  rusage usage{};
  volatile std::uint64_t sink = 0;
  do {   // a quarter of a second of CPU time, however long it takes
    for (int i = 0; i < 100'000; ++i) sink = sink + static_cast<std::uint64_t>(i);
    ::getrusage(RUSAGE_SELF, &usage);
    done.cpu_us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
  } while (done.cpu_us < 250'000);
  std::thread first(live_until_killed), second(live_until_killed);
  done.resting = true;
  live_until_killed();
}

TEST_F(CgroupTruthTest, every_value_is_the_kernels) {
  auto* const done = new (::mmap(nullptr, sizeof(Done), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Done;
  const Cgroup group{layout_, "truth"};
  const EverywhereCgroup everywhere{layout_, group};
  group.set_limit(kLimit);
  bool quota = false;
  if (layout_.memory_v2()) {
    std::ofstream file(layout_.memory + group.path() + "/cpu.max");
    quota = static_cast<bool>(file << "20000 100000" << std::flush);
  } else {
    std::ofstream file(layout_.cpu + group.path() + "/cpu.cfs_quota_us");
    quota = static_cast<bool>(file << "20000" << std::flush);
  }
  const pid_t pid = group.spawn([&] {
    everywhere.enter();
    return act(*done);
  });
  collectors::SensorsConfig config;
  config.bpf = Use::never;
  config.kernel_log_use = Use::never;
  config.sample_period = std::chrono::milliseconds{100};
  config.hot_period = std::chrono::milliseconds{100};
  Watcher watcher{config};
  ASSERT_TRUE(watcher.wait_until([&] { return done->resting.load(); }, std::chrono::seconds{60}));

  std::map<std::string, std::int64_t> kernels;
  std::string differing;
  wire::Samples samples;
  const bool equal = watcher.wait_until([&] {
    samples = watcher.tick();
    kernels = kernels_values(layout_, group.path());
    differing.clear();
    for (const auto& [metric, value] : kernels) {
      const auto seen = watcher.value(samples, group.path(), metric);
      if (seen != value) differing += metric + ": " + (seen ? std::to_string(*seen) : "absent") + ", kernel " + std::to_string(value) + "\n";
    }
    return differing.empty();
  }, std::chrono::seconds{40});
  EXPECT_TRUE(equal) << differing;

  // And these are the things that were done.
  EXPECT_GE(kernels["memory_anon_bytes"], static_cast<std::int64_t>(kAnon));
  EXPECT_GE(kernels["memory_shmem_bytes"], static_cast<std::int64_t>(kShared));
  EXPECT_EQ(kernels["memory_limit_bytes"], static_cast<std::int64_t>(kLimit));
  EXPECT_GE(kernels["memory_pgfaults_total"], static_cast<std::int64_t>((kAnon + kShared) / 4096 / 2));
  if (done->met_limit) {
    EXPECT_GT(kernels["memory_limit_hits_total"], 0);
    EXPECT_GT(kernels["memory_file_bytes"], static_cast<std::int64_t>(kShared));
  }
  if (kernels.contains("pids_current")) {
    EXPECT_EQ(kernels["pids_current"], 3);
  }
  if (kernels.contains("cpu_usage_us")) {
    EXPECT_GE(kernels["cpu_usage_us"], 200'000);   // the first milliseconds were outside
    EXPECT_LE(kernels["cpu_usage_us"], done->cpu_us.load() + 500'000);
  }
  if (quota && kernels.contains("cpu_throttled_periods_total")) {
    EXPECT_GT(kernels["cpu_throttled_periods_total"], 0);
    EXPECT_GT(kernels["cpu_throttled_us"], 0);
    EXPECT_EQ(watcher.value(samples, group.path(), "cpu_quota_millicores"), 200);
  }
  ::kill(pid, SIGKILL);
  wait_for_exit(pid);
}

}  // namespace
}  // namespace fw::test
