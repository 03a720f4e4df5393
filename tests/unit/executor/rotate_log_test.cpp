// Rotating a log: what is moved comes back, and no file is ever lost.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/unit/executor/host_tree.hpp"

namespace fw::executor::test {
namespace {

using namespace authority;
using testing::HasSubstr;
using testing::MatchesRegex;

struct RotatesLogs : testing::Test {
  HostTree tree{Hierarchy::v2};
  std::string logs = tree.top() + "/logs";
  std::string log = logs + "/shop/0.log";
  void SetUp() override {
    tree.put("/logs/shop/0.log", std::string(20'000, 'x'));
    tree.put("/logs/top.log", std::string(20'000, 'y'));
  }
  Plan plan(const std::string& path, std::uint64_t keep_bytes = 4096) const { return tree.plan(RotateLog{path, keep_bytes}, ""); }
  std::unique_ptr<OpenTarget> open(const std::string& path, std::uint64_t keep_bytes = 4096) const {
    static std::vector<std::unique_ptr<HostActuator>> kept;   // outlive their targets
    kept.push_back(std::make_unique<HostActuator>(tree.open({logs + "/not-there", logs})));
    return kept.back()->open(plan(path, keep_bytes)).value();
  }
  static ino_t inode(const std::string& path) {
    struct stat info{};
    return ::lstat(path.c_str(), &info) == 0 ? info.st_ino : 0;
  }
  std::set<ino_t> inodes() const {
    std::set<ino_t> out;
    for (const auto& entry : fs::recursive_directory_iterator(logs)) {
      if (entry.is_regular_file()) out.insert(inode(entry.path()));
    }
    return out;
  }
};

TEST_F(RotatesLogs, and_takes_it_back_while_the_new_one_is_empty) {
  for (const auto& path : {log, logs + "/top.log"}) {
    const auto before = inode(path);
    const auto target = open(path);
    EXPECT_EQ(target->read(Probe::file_bytes).value(), 20'000);
    EXPECT_EQ(target->read(Probe::node_available_bytes).value(), 1000 * 1024);
    const auto snapshot = target->snapshot().value();
    EXPECT_FALSE(target->happened(snapshot).value());
    EXPECT_THAT(target->apply().value(), MatchesRegex("renamed to .*\\.log\\.[0-9]+\\.rotated, 12288 bytes given back"));
    EXPECT_EQ(target->read(Probe::file_bytes).value(), 0);
    EXPECT_TRUE(open(path)->happened(snapshot).value());
    EXPECT_THAT(target->identity(), HasSubstr(path + " of node "));
    EXPECT_EQ(open(path)->restore(snapshot).value(), "the log has its name again");
    EXPECT_EQ(inode(path), before);
    EXPECT_EQ(open(path)->restore(snapshot).value(), "the log has its name");
  }
}

TEST_F(RotatesLogs, and_leaves_what_is_used_or_gone) {
  const auto snapshot = open(log)->snapshot().value();
  ASSERT_TRUE(open(log)->apply());
  std::ofstream(log) << "used";
  EXPECT_EQ(open(log)->restore(snapshot).value(), "the new log is in use: both files stay");
  for (const auto& entry : fs::directory_iterator(logs + "/shop")) {
    if (entry.path() != log) fs::remove(entry);
  }
  EXPECT_THAT(open(log)->restore(snapshot).value(), HasSubstr("not there any more"));
  const std::string other = "inode 1\n";
  EXPECT_THAT(open(log)->restore(Bytes(other.begin(), other.end())).value(), HasSubstr("not there any more"));
  fs::remove(log);
  EXPECT_EQ(open(log)->restore(snapshot).error().code, Errc::gone);
  EXPECT_EQ(open(log)->happened(snapshot).error().code, Errc::gone);
  EXPECT_EQ(open(log)->snapshot().error().code, Errc::gone);
  EXPECT_EQ(open(log)->apply().error().code, Errc::gone);
  EXPECT_EQ(open(log)->read(Probe::file_bytes).error().code, Errc::gone);
  const std::string bad = "x";
  for (const std::string text : {"x", "bytes 1\n"}) EXPECT_EQ(open(log)->restore(Bytes(text.begin(), text.end())).error().code, Errc::malformed);
  EXPECT_EQ(open(log)->happened(Bytes(bad.begin(), bad.end())).error().code, Errc::malformed);
}

TEST_F(RotatesLogs, and_keeps_a_small_log_whole) {
  EXPECT_THAT(open(log, 20'000)->apply().value(), HasSubstr(", 0 bytes given back"));
  const FailingCall no_holes("fallocate", {EOPNOTSUPP});
  EXPECT_THAT(open(logs + "/top.log")->apply().value(), HasSubstr(", 0 bytes given back"));
}

TEST_F(RotatesLogs, but_nothing_else) {
  fs::create_hard_link(log, logs + "/hard.log");
  fs::create_directory(logs + "/folder.log");
  ASSERT_EQ(::mkfifo((logs + "/pipe.log").c_str(), 0600), 0);
  const auto before = inodes();
  EXPECT_EQ(open(logs + "/hard.log")->apply().error().code, Errc::permission);
  EXPECT_EQ(open(logs + "/pipe.log")->apply().error().code, Errc::permission);
  EXPECT_FALSE(open(logs + "/folder.log")->apply());
  EXPECT_EQ(open(logs + "/nothing/0.log")->apply().error().code, Errc::gone);
  EXPECT_EQ(open(logs + "/../x.log")->apply().error().code, Errc::invalid_argument);
  EXPECT_EQ(open(tree.top() + "/logs2/x.log")->apply().error().code, Errc::permission);
  EXPECT_EQ(inodes(), before);
}

TEST_F(RotatesLogs, and_the_new_one_has_the_same_owner_and_mode) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give files away";
  for (const auto& [uid, gid] : std::vector<std::pair<uid_t, gid_t>>{{65534, 65534}, {0, 65534}}) {
    const auto path = logs + "/top.log";
    ASSERT_EQ(::chown(path.c_str(), uid, gid), 0);
    ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
    ASSERT_TRUE(open(path)->apply());
    struct stat info{};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, uid);
    EXPECT_EQ(info.st_gid, gid);
    EXPECT_EQ(info.st_mode & 07777, 0640U);
  }
}

TEST_F(RotatesLogs, unless_somebody_replaces_it_meanwhile) {
  const auto target = open(log);
  ASSERT_TRUE(target->snapshot());
  fs::rename(log, log + ".old");
  EXPECT_EQ(target->apply().error().code, Errc::gone) << "no file";
  std::ofstream(log) << "another";
  EXPECT_EQ(target->apply().error().code, Errc::gone) << "another file";
  const auto other = inode(log);

  // Between the last look and the rename: the other's file gets its name back.
  const auto second = open(log);
  ASSERT_TRUE(second->snapshot());
  bool done = false;
  const WatchedCalls racing([&](std::string_view call, int) {
    if (call != "fstatat" || std::exchange(done, true)) return;
    fs::rename(log, log + ".mine");
    std::ofstream(log) << "third";
  });
  const auto applied = second->apply();
  EXPECT_EQ(applied.error().code, Errc::gone);
  EXPECT_EQ(inode(log + ".mine"), other);
  EXPECT_EQ(fs::file_size(log), 5U);
}

TEST_F(RotatesLogs, unless_the_name_of_the_old_one_is_taken) {
  std::ofstream(log + "." + std::to_string(inode(log)) + ".rotated") << "x";
  EXPECT_EQ(open(log)->apply().error().code, Errc::conflict);
  const FailingCall failing("renameat2", {EIO});
  EXPECT_EQ(open(logs + "/top.log")->apply().error().code, Errc::io);
}

TEST_F(RotatesLogs, or_puts_it_back_when_the_new_one_cannot_be_made) {
  const auto before = inode(log);
  for (const auto& name : {"fchmod", "openat"}) {
    const auto target = open(log);
    ASSERT_TRUE(target->snapshot());
    const FailingCall failing(name, {EPERM});
    EXPECT_EQ(target->apply().error().code, Errc::permission) << name;
    EXPECT_EQ(inode(log), before) << name;
  }
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(log.c_str(), 65534, 65534), 0);
    const FailingCall failing("fchown", {EPERM});
    EXPECT_EQ(open(log)->apply().error().code, Errc::permission);
    EXPECT_EQ(inode(log), before);
    ASSERT_EQ(::chown(log.c_str(), 0, 0), 0);
  }
  // Somebody makes a file of that name just then: neither is overwritten, and what was done is said.
  const auto target = open(log);
  ASSERT_TRUE(target->snapshot());
  const WatchedCalls racing([&](std::string_view call, int) {
    if (call == "renameat2" && !fs::exists(log)) std::ofstream(log) << "theirs";
  });
  EXPECT_EQ(target->apply().error().code, Errc::io);
  EXPECT_EQ(fs::file_size(log), 6U);
  EXPECT_TRUE(inodes().contains(before));
}

TEST_F(RotatesLogs, and_whatever_fails_no_file_is_lost_and_no_refusal_has_an_effect) {
  for (int skip = 0;; ++skip) {
    ASSERT_LT(skip, 200);
    tree.put("/logs/shop/0.log", std::string(20'000, 'x'));
    const auto before = inode(log);
    bool more = false;
    {
      const auto target = open(log), later = open(log);
      Result<std::string> applied(std::string{});
      Result<Bytes> snapshot{Bytes()};
      {
        const FailingCall failing("", {.error_number = EACCES, .skip = skip});
        snapshot = target->snapshot();
        if (snapshot) (void)target->read(Probe::file_bytes);
        if (snapshot) applied = target->apply();
        if (applied && snapshot) (void)later->restore(*snapshot);
        more = failing.happened();
      }
      EXPECT_TRUE(inodes().contains(before)) << skip;
      EXPECT_TRUE(applied || applied.error().code == Errc::io || inode(log) == before) << skip;
      EXPECT_TRUE(!snapshot || open(log)->restore(*snapshot)) << skip;
      EXPECT_EQ(inode(log), before) << skip;
    }
    fs::remove_all(logs + "/shop");
    if (!more) break;
  }
}

}  // namespace
}  // namespace fw::executor::test
