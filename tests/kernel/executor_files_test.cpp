// Logs, kernel settings and diagnostics, with a hostile file system around them.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/kernel/executor_sandbox.hpp"

namespace fw::executor::test {
namespace {

namespace fs = std::filesystem;
using authority::Probe;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class ExecutorFiles : public ExecutorKernelTest {
 protected:
  void SetUp() override {
    ExecutorKernelTest::SetUp();
    char name[] = "/tmp/fw-logs-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    top_ = name;
    root_ = top_ + "/pods";
    outside_ = top_ + "/outside";
    fs::create_directories(root_ + "/shop/checkout");
    fs::create_directories(outside_);
    config_.log_folders = {root_};
    log_ = root_ + "/shop/checkout/0.log";
    fill(log_, 100'000);
    fill(outside_ + "/secret.log", 100'000);
  }
  void TearDown() override {
    if (!top_.empty()) fs::remove_all(top_);
  }

  static void fill(const std::string& path, std::size_t bytes) {
    std::ofstream out(path);
    for (std::size_t i = 0; i < bytes; ++i) out.put(static_cast<char>('a' + i % 26));
  }
  static std::size_t count_files(const std::string& folder) {
    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator(folder)) files += entry.is_regular_file() ? 1U : 0U;
    return files;
  }
  static struct stat stat_of(const std::string& path) {
    struct stat info{};
    ::lstat(path.c_str(), &info);
    return info;
  }
  authority::Plan plan(const std::string& path, std::uint64_t keep_bytes = 8192) const {
    authority::Plan out;
    out.action = authority::RotateLog{path, keep_bytes};
    return out;
  }
  std::string run(const authority::Plan& plan) const {
    return confined([&](authority::Actuator& actuator) { return apply_only(actuator, plan); }, config_);
  }

  std::string top_, root_, outside_, log_;
  HostConfig config_;
};

TEST_F(ExecutorFiles, a_log_is_renamed_its_writer_goes_on_and_its_tail_stays) {
  ::chmod(log_.c_str(), 0640);
  const UniqueFd writer(::open(log_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  const auto before = stat_of(log_);
  EXPECT_THAT(run(plan(log_)), AllOf(HasSubstr("renamed to 0.log."), HasSubstr("90112 bytes given back")));
  const auto fresh = stat_of(log_);
  EXPECT_EQ(fresh.st_size, 0);
  EXPECT_EQ(fresh.st_mode, before.st_mode);
  EXPECT_NE(fresh.st_ino, before.st_ino);
  const auto old = log_ + "." + std::to_string(before.st_ino) + ".rotated";
  ASSERT_EQ(::write(writer.get(), "end", 3), 3);
  EXPECT_EQ(stat_of(old).st_size, 100'003);
  EXPECT_LT(stat_of(old).st_blocks, before.st_blocks);
  std::ifstream in(old);
  in.seekg(100'000 - 8192);
  EXPECT_EQ(in.get(), 'a' + (100'000 - 8192) % 26);
}

TEST_F(ExecutorFiles, a_rotation_can_be_taken_back_until_the_new_log_is_used) {
  const auto before = stat_of(log_);
  EXPECT_THAT(confined([&](authority::Actuator& actuator) { return round_trip(actuator, plan(log_, 200'000), Probe::file_bytes); }, config_),
              testing::MatchesRegex("100000 \\| renamed to .*, 0 bytes given back \\| 0 \\| .*"));
  HostActuator actuator(Host::open(config_).value());
  const auto target = actuator.open(plan(log_, 200'000)).value();
  const auto snapshot = target->snapshot().value();
  ASSERT_TRUE(target->apply());
  const auto opened_later = actuator.open(plan(log_)).value();
  EXPECT_TRUE(opened_later->happened(snapshot).value());
  std::ofstream(log_) << "used";
  EXPECT_THAT(actuator.open(plan(log_)).value()->restore(snapshot).value(), HasSubstr("in use"));
  EXPECT_EQ(stat_of(log_).st_size, 4);
  std::ofstream(log_).close();   // empty again
  EXPECT_THAT(actuator.open(plan(log_)).value()->restore(snapshot).value(), HasSubstr("has its name again"));
  (void)before;
}

TEST_F(ExecutorFiles, links_in_the_way_lead_nowhere) {
  fs::create_directory_symlink(outside_, root_ + "/link");
  fs::create_symlink(outside_ + "/secret.log", root_ + "/shop/checkout/link.log");
  fs::create_hard_link(outside_ + "/secret.log", root_ + "/shop/checkout/hard.log");
  ::mkfifo((root_ + "/shop/checkout/pipe.log").c_str(), 0600);
  const auto before = stat_of(outside_ + "/secret.log");
  EXPECT_THAT(run(plan(root_ + "/link/secret.log")), HasSubstr("symbolic link"));
  EXPECT_THAT(run(plan(root_ + "/shop/checkout/link.log")), HasSubstr("symbolic link"));
  EXPECT_THAT(run(plan(root_ + "/shop/checkout/hard.log")), HasSubstr("other names"));
  EXPECT_THAT(run(plan(root_ + "/shop/checkout/pipe.log")), HasSubstr("not a plain file"));
  EXPECT_THAT(run(plan(root_ + "/../outside/secret.log")), HasSubstr("path"));
  EXPECT_THAT(run(plan(outside_ + "/secret.log")), HasSubstr("none of the folders"));
  EXPECT_THAT(run(plan(root_ + "/shop")), Not(HasSubstr("renamed")));
  const auto after = stat_of(outside_ + "/secret.log");
  EXPECT_EQ(after.st_ino, before.st_ino);
  EXPECT_EQ(after.st_blocks, before.st_blocks);
  EXPECT_EQ(count_files(outside_), 1U);
  EXPECT_EQ(count_files(root_ + "/shop/checkout"), 3U);   // the log, and both links to a plain file
}

TEST_F(ExecutorFiles, a_log_that_was_replaced_after_the_check_is_left_alone) {
  HostActuator actuator(Host::open(config_).value());
  const auto target = actuator.open(plan(log_)).value();
  ASSERT_TRUE(target->snapshot());
  fs::remove(log_);
  fs::create_symlink(outside_ + "/secret.log", log_);
  EXPECT_EQ(target->apply().error().code, Errc::gone);
  EXPECT_TRUE(fs::is_symlink(log_));
  EXPECT_EQ(stat_of(outside_ + "/secret.log").st_size, 100'000);
}

TEST_F(ExecutorFiles, a_kernel_setting_is_set_and_comes_back) {
  authority::Plan plan;
  std::ifstream in("/proc/sys/fs/inotify/max_user_instances");
  std::int64_t before = 0;
  in >> before;
  plan.action = authority::SetSysctl{"fs.inotify.max_user_instances", before + 1, 1000};
  const auto was = std::to_string(before);
  const auto now = std::to_string(before + 1);
  const std::string key = "fs.inotify.max_user_instances ";
  EXPECT_EQ(confined([&](authority::Actuator& actuator) { return round_trip(actuator, plan, Probe::sysctl_value); }),
            was + " | " + key + now + " | " + now + " | yes | " + key + was + " | " + was);
}

TEST_F(ExecutorFiles, a_setting_that_is_not_in_the_list_is_not_even_read) {
  authority::Plan plan;
  for (const auto* key : {"kernel.core_pattern", "fs.inotify.max_user_instances/../../../kernel/core_pattern", "", "kernel"}) {
    plan.action = authority::SetSysctl{key, 1000, 1000};
    EXPECT_THAT(run(plan), HasSubstr("no sysctl of the list")) << key;
  }
  plan.action = authority::SetSysctl{"fs.inotify.max_user_instances", 1'000'000'000, 1000};
  EXPECT_THAT(run(plan), HasSubstr("out of bounds"));
}

TEST_F(ExecutorFiles, diagnostics_are_bounded_and_say_what_runs_but_not_how_it_was_called) {
  const Group group("look");
  group.spawn([] {
    ::execl("/bin/sh", "sh", "-c", "secret=hunter2; while :; do sleep 1000; done", nullptr);
  });
  auto plan = plan_for(group, authority::Diagnose{1 << 16});
  const auto text = run(plan);
  EXPECT_THAT(text, AllOf(HasSubstr(v2() ? "memory.current: " : "memory.usage_in_bytes: "), HasSubstr("process "), HasSubstr("MemAvailable"), HasSubstr("largest ")));
  EXPECT_THAT(text, AllOf(Not(HasSubstr("hunter2")), Not(HasSubstr("\n"))));
  plan.action = authority::Diagnose{300};
  EXPECT_EQ(run(plan).size(), 300U);
  plan.target.cgroup_path.clear();
  plan.target.cgroup_inode = 0;
  plan.action = authority::Diagnose{1 << 16};
  EXPECT_THAT(run(plan), HasSubstr("MemTotal"));
}

}  // namespace
}  // namespace fw::executor::test
