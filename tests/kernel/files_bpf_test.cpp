// Readings of real cgroups, limits that change, cgroups that go, and life without BPF rights.
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>

#include "common/units.hpp"
#include "node-agent/kernel/cgroup_reader.hpp"
#include "tests/kernel/sandbox.hpp"

namespace fw::test {
namespace {

using collectors::SensorsConfig;
using collectors::Use;
using wire::LimitChanged;
using wire::OomKill;

class FilesTest : public KernelTest {};

// Sampling needs no BPF, and tests of files must not lean on it.
SensorsConfig files_only() {
  SensorsConfig config;
  config.bpf = Use::never;
  config.kernel_log_use = Use::never;
  config.sample_period = std::chrono::milliseconds{100};
  config.hot_period = std::chrono::milliseconds{100};
  return config;
}

class Resident {
 public:
  Resident(const Cgroup& group, std::size_t bytes) : pid_(group.spawn([bytes] {
    use_memory(bytes);
    live_until_killed();
    return 0;
  })) {}
  ~Resident() {
    ::kill(pid_, SIGKILL);
    wait_for_exit(pid_);
  }
  Resident(const Resident&) = delete;
  Resident& operator=(const Resident&) = delete;

 private:
  pid_t pid_;
};

TEST_F(FilesTest, values_of_a_cgroup_are_those_of_its_processes) {
  const Cgroup group{layout_, "values"};
  group.set_limit(256_MiB);
  const Resident resident{group, 32_MiB};
  Watcher watcher{files_only()};
  wire::Samples samples;
  std::int64_t anon = 0;
  watcher.wait_until([&] {
    samples = watcher.tick();
    anon = watcher.value(samples, group.path(), "memory_anon_bytes").value_or(0);
    return anon >= static_cast<std::int64_t>(32_MiB);
  }, std::chrono::seconds{20});
  EXPECT_GE(anon, static_cast<std::int64_t>(32_MiB));
  EXPECT_LT(anon, static_cast<std::int64_t>(48_MiB));
  EXPECT_EQ(watcher.value(samples, group.path(), "memory_limit_bytes"), static_cast<std::int64_t>(256_MiB));
  EXPECT_GE(watcher.value(samples, group.path(), "memory_current_bytes").value_or(0), anon);
  EXPECT_GE(watcher.value(samples, group.path(), "memory_working_set_bytes").value_or(0), anon);
  EXPECT_EQ(watcher.value(samples, group.path(), "memory_oom_kills_total"), 0);
  if (layout_.memory_v2()) {   // in a hybrid hierarchy a test process is in the memory controller's cgroup only
    EXPECT_GT(watcher.value(samples, group.path(), "cpu_usage_us").value_or(0), 0);
    EXPECT_EQ(watcher.value(samples, group.path(), "pids_current"), 1);
    EXPECT_TRUE(watcher.value(samples, group.path(), "psi_memory_some_us"));
    EXPECT_TRUE(watcher.value(samples, group.path(), "psi_memory_full_us"));
  }
}

// Made before the agent started, or while it had no BPF: no event tells of it, and the next scan is an hour away.
TEST_F(FilesTest, an_empty_cgroup_is_noticed_by_its_first_process_without_a_scan) {
  const Cgroup group{layout_, "empty"};
  auto config = files_only();
  config.sample_period = std::chrono::hours{1};
  Watcher watcher{config};
  watcher.tick();
  const auto known = [&] {
    watcher.take();
    for (const auto& entity : watcher.sensors().entities()) {
      if (entity.cgroup_path == group.path()) return true;
    }
    return false;
  };
  EXPECT_FALSE(known());
  const Resident resident{group, 1_MiB};
  EXPECT_TRUE(watcher.wait_until(known, std::chrono::seconds{5}));
  EXPECT_TRUE(watcher.value(watcher.tick(), group.path(), "memory_current_bytes"));
}

TEST_F(FilesTest, an_empty_cgroup_is_noticed_by_its_limit_and_the_next_one_is_a_change) {
  const Cgroup group{layout_, "empty-limit"};
  auto config = files_only();
  config.sample_period = std::chrono::hours{1};
  Watcher watcher{config};
  watcher.tick();
  group.set_limit(256_MiB);
  watcher.take();
  group.set_limit(64_MiB);
  const auto change = watcher.wait<LimitChanged>(group.path(), [](const LimitChanged& c) { return c.resource == "memory.max"; });
  ASSERT_TRUE(change);
  EXPECT_EQ(change->before, static_cast<std::int64_t>(256_MiB));
  EXPECT_EQ(change->after, static_cast<std::int64_t>(64_MiB));
}

TEST_F(FilesTest, a_changed_limit_is_an_event_at_once) {
  const Cgroup group{layout_, "limit"};
  group.set_limit(128_MiB);
  const Resident resident{group, 1_MiB};
  Watcher watcher{files_only()};
  ASSERT_TRUE(watcher.wait_until([&] {
    return watcher.value(watcher.tick(), group.path(), "memory_limit_bytes") == static_cast<std::int64_t>(128_MiB);
  }, std::chrono::seconds{20}));
  group.set_limit(64_MiB);
  // No tick from here on: inotify tells.
  const auto change = watcher.wait<LimitChanged>(group.path(), [](const auto&) { return true; });
  ASSERT_TRUE(change);
  EXPECT_EQ(change->resource, "memory.max");
  EXPECT_EQ(change->before, static_cast<std::int64_t>(128_MiB));
  EXPECT_EQ(change->after, static_cast<std::int64_t>(64_MiB));
  group.set_limit(-1);
  const auto opened = watcher.wait<LimitChanged>(group.path(), [](const auto& c) { return c.after == -1; });
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->before, static_cast<std::int64_t>(64_MiB));
  watcher.tick();
  EXPECT_EQ(watcher.all<LimitChanged>(group.path()).size(), 2U);
}

TEST_F(FilesTest, a_reader_says_gone_after_its_cgroup_is_removed_and_made_again) {
  kernel::FdBudget budget{100, 0};
  std::optional<kernel::CgroupReader> reader;
  std::string path;
  {
    const Cgroup group{layout_, "gone"};
    path = group.path();
    auto opened = kernel::CgroupReader::open(layout_, path, budget);
    ASSERT_TRUE(opened);
    reader.emplace(std::move(*opened));
    EXPECT_EQ(reader->cgroup_id(), group.id());
    char buffer[64];
    ASSERT_TRUE(reader->read(kernel::CgroupFile::memory_current, buffer));
  }
  ASSERT_EQ(::mkdir((layout_.memory + path).c_str(), 0755), 0);
  char buffer[64];
  const auto kept = reader->read(kernel::CgroupFile::memory_current, buffer);
  const auto fresh = reader->read(kernel::CgroupFile::memory_max, buffer);
  ::rmdir((layout_.memory + path).c_str());
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code, Errc::gone);
  ASSERT_FALSE(fresh);
  EXPECT_EQ(fresh.error().code, Errc::gone);
  reader.reset();
  EXPECT_EQ(budget.used, 0U);
}

TEST_F(FilesTest, a_removed_cgroup_leaves_the_dictionary_and_gives_back_its_files) {
  Watcher watcher{files_only()};
  watcher.tick();
  const auto open_before = watcher.sensors().counters().open_files;
  std::uint32_t id = 0;
  {
    const Cgroup group{layout_, "leaves"};
    const Resident resident{group, 1_MiB};
    ASSERT_TRUE(watcher.wait_until([&] {
      for (const auto& entity : watcher.tick().entities) {
        if (entity.cgroup_path == group.path()) id = entity.id;
      }
      return id != 0;
    }, std::chrono::seconds{20}));
    EXPECT_GT(watcher.sensors().counters().open_files, open_before);
  }
  EXPECT_TRUE(watcher.wait_until([&] {
    const auto samples = watcher.tick();
    return std::find(samples.removed_entity_ids.begin(), samples.removed_entity_ids.end(), id) != samples.removed_entity_ids.end();
  }, std::chrono::seconds{20}));
  for (const auto& entity : watcher.sensors().entities()) EXPECT_NE(entity.id, id);
}

TEST_F(FilesTest, focus_samples_one_cgroup_between_regular_ticks) {
  auto config = files_only();
  config.sample_period = std::chrono::hours{1};
  const Cgroup group{layout_, "focus"};
  const Resident resident{group, 1_MiB};
  Watcher watcher{config};
  watcher.tick();
  const auto regular = watcher.sensors().next_tick_mono_ns();
  const SystemClock clock;
  const std::uint64_t ids[] = {group.id()};
  watcher.sensors().focus(ids, clock.mono_ns() + 60'000'000'000U);
  EXPECT_LT(watcher.sensors().next_tick_mono_ns(), regular);
  const auto samples = watcher.tick();
  ASSERT_FALSE(samples.columns.empty());
  for (const auto& column : samples.columns) EXPECT_EQ(column.entity_ids.size(), 1U);
  EXPECT_TRUE(watcher.value(samples, group.path(), "memory_current_bytes"));
}

// Drops every capability that BPF and the kernel log need. Only in a process of its own.
bool drop_rights() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  constexpr unsigned kNeeded[] = {CAP_SYS_ADMIN, CAP_BPF, CAP_PERFMON, CAP_SYSLOG};
  for (const auto number : kNeeded) {
    data[number / 32].effective &= ~(1U << (number % 32));
    data[number / 32].permitted &= ~(1U << (number % 32));
    data[number / 32].inheritable &= ~(1U << (number % 32));
  }
  return ::syscall(SYS_capset, &header, data) == 0;
}

// Throws what is not as it should be.
void live_without_rights(const kernel::CgroupLayout& layout) {
  const auto check = [](bool good, const char* what) {
    if (!good) throw std::runtime_error{what};
  };
  check(drop_rights(), "rights can be dropped");
  SensorsConfig config;
  config.sample_period = std::chrono::milliseconds{100};
  config.hot_period = std::chrono::milliseconds{100};
  Watcher watcher{config};
  const auto& features = watcher.sensors().features();
  check(!features.bpf_rights, "features say that BPF rights are missing");
  bool said = false;
  for (const auto& line : features.lacking()) said = said || line.find("oom_kill: the capabilities CAP_BPF") != std::string::npos;
  check(said, "lacking() names the capabilities");
  check(features.text().find("ulimit") == std::string::npos, "no misleading advice of libbpf");

  const Cgroup group{layout, "rights"};
  group.set_limit(24_MiB);
  const auto idle = group.spawn([] {
    live_until_killed();
    return 0;
  });
  check(watcher.wait_until([&] {
    return watcher.value(watcher.tick(), group.path(), "memory_oom_kills_total") == 0;
  }, std::chrono::seconds{20}), "samples come from files");
  wait_for_exit(group.spawn([] { return use_memory(80_MiB); }));
  std::optional<OomKill> kill;
  watcher.wait_until([&] {
    watcher.tick();
    watcher.tick();
    const auto kills = watcher.all<OomKill>(group.path());
    if (!kills.empty()) kill = kills.front();
    return kill.has_value();
  }, std::chrono::seconds{20});
  ::kill(idle, SIGKILL);
  wait_for_exit(idle);
  check(kill.has_value(), "the OOM kill is seen");
  check(kill->constraint_source == (features.kernel_log ? wire::FactSource::kernel_log : wire::FactSource::counters),
        "by the next-best source");
  check(kill->kills_total == 1, "once");
  check(watcher.all<OomKill>(group.path()).size() == 1, "one event");
}

TEST_F(FilesTest, without_rights_it_works_from_files_and_says_what_it_lacks) {
  const auto pid = ::fork();
  if (pid == 0) {
    try {
      live_without_rights(layout_);
    } catch (const std::exception& what) {
      std::fprintf(stderr, "not so: %s\n", what.what());
      ::_exit(1);
    }
    ::_exit(0);
  }
  const auto status = wait_for_exit(pid);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(FilesTest, counters_alone_tell_an_oom_kill) {
  Watcher watcher{files_only()};
  const Cgroup group{layout_, "counters"};
  group.set_limit(24_MiB);
  const Resident resident{group, 1_MiB};
  ASSERT_TRUE(watcher.wait_until([&] {
    return watcher.value(watcher.tick(), group.path(), "memory_oom_kills_total") == 0;
  }, std::chrono::seconds{20}));
  wait_for_exit(group.spawn([] { return use_memory(80_MiB); }));
  const auto seen = watcher.wait_until([&] {
    watcher.tick();
    return !watcher.all<OomKill>(group.path()).empty();
  }, std::chrono::seconds{20});
  ASSERT_TRUE(seen);
  const auto kill = watcher.all<OomKill>(group.path()).front();
  EXPECT_EQ(kill.kills_total, 1U);
  EXPECT_EQ(kill.victim.pid, 0U);
  EXPECT_EQ(kill.constraint_source, wire::FactSource::counters);
  if (layout_.memory_v2()) {
    EXPECT_EQ(kill.constraint, wire::OomConstraint::memcg);
    EXPECT_EQ(kill.limit_bytes, static_cast<std::int64_t>(24_MiB));
  }
}

}  // namespace
}  // namespace fw::test
