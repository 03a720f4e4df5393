// Files below kept folders, and the folders themselves.
#include "node-agent/executor/actions/handles.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/unit/executor/host_tree.hpp"

namespace fw::executor::test {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

struct Handles : testing::Test {
  HostTree tree{Hierarchy::v2};
  UniqueFd root = open_root(tree.top()).value();
  void SetUp() override { tree.put("/a/b", "text"); }
};

TEST_F(Handles, a_path_has_one_spelling) {
  for (const std::string good : {"a", "/a", "a/b", "..a", "a..", ".a"}) EXPECT_TRUE(is_clean_path(good)) << good;
  for (const std::string& bad : {std::string(), std::string("/"), std::string("//a"), std::string("a//b"), std::string("a/"), std::string("."), std::string("a/.."),
                                 std::string("./a"), std::string("a\0b", 3), std::string(4001, 'a')}) {
    EXPECT_FALSE(is_clean_path(bad)) << bad;
    EXPECT_EQ(open_beneath(root, bad, O_RDONLY).error().code, Errc::invalid_argument);
  }
}

TEST_F(Handles, nothing_leads_out_of_the_folder) {
  fs::create_symlink("/etc/passwd", tree.top() + "/link");
  fs::create_directory_symlink("/etc", tree.top() + "/etc");
  EXPECT_EQ(open_beneath(root, "link", O_RDONLY).error().code, Errc::permission);
  EXPECT_EQ(open_beneath(root, "etc/passwd", O_RDONLY).error().code, Errc::permission);
  EXPECT_EQ(open_beneath(root, "a/b/c", O_RDONLY).error().code, Errc::gone);
  EXPECT_EQ(open_beneath(root, "nothing", O_RDONLY).error().code, Errc::gone);
  EXPECT_EQ(open_folder(root, "a/b").error().code, Errc::gone);
  EXPECT_TRUE(open_folder(root, "/a"));
  EXPECT_EQ(open_root(tree.top() + "/nothing").error().code, Errc::gone);
  const FailingCall out_of_root("openat2", {EXDEV});
  EXPECT_EQ(open_beneath(root, "a/b", O_RDONLY).error().code, Errc::permission);
}

TEST_F(Handles, an_open_that_was_disturbed_is_made_again) {
  for (const int error_number : {EINTR, EAGAIN}) {
    const FailingCall disturbed("openat2", {.error_number = error_number, .times = 3});
    EXPECT_EQ(read_file(root, "a/b").value(), "text");
    EXPECT_TRUE(disturbed.happened());
  }
}

TEST_F(Handles, a_file_is_read_to_its_end_or_its_limit) {
  EXPECT_EQ(read_file(root, "a/b", 2).value(), "te");
  tree.put("/long", std::string(10'000, 'x'));
  EXPECT_EQ(read_file(root, "long").value().size(), 10'000U);
  EXPECT_EQ(read_file(root, "a").error().code, make_error_code(Errc::io)) << "a folder is no file";
  {
    const FailingCall interrupted("read", {EINTR});
    EXPECT_EQ(read_file(root, "a/b").value(), "text");
    EXPECT_TRUE(interrupted.happened());
  }
  const FailingCall failing("read", {EIO});
  EXPECT_EQ(read_file(root, "a/b").error().code, Errc::io);
}

TEST_F(Handles, a_write_is_whole_or_says_what_it_was) {
  EXPECT_TRUE(write_file(root, "a/b", "next"));
  EXPECT_EQ(tree.text("/a/b"), "next");
  EXPECT_EQ(write_file(root, "nothing", "x").error().code, Errc::gone);
  for (const auto& [error_number, errc] : std::map<int, Errc>{{EBUSY, Errc::conflict}, {EINVAL, Errc::invalid_argument}, {ERANGE, Errc::invalid_argument},
                                                               {EACCES, Errc::permission}, {ENODEV, Errc::gone}, {EIO, Errc::io}}) {
    const FailingCall failing("write", {error_number});
    EXPECT_EQ(write_file(root, "a/b", "more").error().code, errc) << error_number;
  }
  {
    const FailingCall partial("write", {.result = 2});
    EXPECT_EQ(write_file(root, "a/b", "more").error().code, Errc::io);
  }
  const FailingCall interrupted("write", {EINTR});
  EXPECT_TRUE(write_file(root, "a/b", "more"));
  EXPECT_EQ(tree.text("/a/b"), "more");
}

TEST_F(Handles, folders_are_listed_up_to_a_limit) {
  tree.make_folder("/a/x");
  tree.make_folder("/a/y");
  const auto folder = open_folder(root, "a").value();
  EXPECT_THAT(subfolders(folder, 10).value(), UnorderedElementsAre("x", "y"));
  EXPECT_EQ(subfolders(folder, 1).value().size(), 1U);
  {
    const FailingCall failing("openat", {EMFILE});
    EXPECT_EQ(subfolders(folder, 10).error().code, errno_error(EMFILE, "").code);
  }
  const FailingCall failing("fdopendir", {ENOMEM});
  EXPECT_FALSE(subfolders(folder, 10));
}

TEST_F(Handles, files_are_told_by_their_inode) {
  EXPECT_TRUE(has_file(root, "a"));
  EXPECT_FALSE(has_file(root, "nothing"));
  EXPECT_FALSE(has_file(UniqueFd(), "a"));
  struct stat info{};
  ASSERT_EQ(::stat(tree.top().c_str(), &info), 0);
  EXPECT_EQ(inode_of(root).value(), info.st_ino);
  EXPECT_FALSE(inode_of(UniqueFd()));
  pause_ms(1);
}

// ---- the host --------------------------------------------------------------------------------------------------------

TEST(HostOpen, needs_mounts_and_their_folders) {
  HostTree tree(Hierarchy::hybrid);
  EXPECT_TRUE(Host::open({tree.top(), {}})->freezer.valid());
  EXPECT_TRUE(HostTree(Hierarchy::v1_without_freezer).open().unified.valid());
  EXPECT_FALSE(HostTree(Hierarchy::v1_without_freezer).open().freezer.valid());
  const auto mounts = tree.text("/proc/self/mountinfo");
  tree.put("/proc/self/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda rw\n");
  EXPECT_EQ(Host::open({tree.top(), {}}).error().code, Errc::unsupported);
  tree.remove("/proc/self/mountinfo");
  EXPECT_EQ(Host::open({tree.top(), {}}).error().code, Errc::gone);
  tree.put("/proc/self/mountinfo", mounts);
  for (const std::string folder : {"/sys/fs/cgroup/freezer", "/proc/sys"}) {
    fs::rename(tree.top() + folder, tree.top() + "/away");
    EXPECT_EQ(Host::open({tree.top(), {}}).error().code, Errc::gone) << folder;
    fs::rename(tree.top() + "/away", tree.top() + folder);
  }
  const auto host = Host::open({tree.top(), {tree.top() + "/nothing", tree.top() + "/proc"}}).value();
  ASSERT_EQ(host.logs.size(), 1U) << "log folders that are not there now are left out";
  EXPECT_EQ(host.logs[0].path, tree.top() + "/proc");
}

TEST(HostMembers, are_of_all_cgroups_below_and_bounded) {
  HostTree tree(Hierarchy::v2);
  const auto procs = [&](const std::string& path) { return tree.file("memory", "cgroup.procs", path); };
  tree.put(procs("/top"), "1001\n1002\nx\n");
  tree.put(procs("/top/a"), "1003\n0\n");
  tree.put(procs("/top/a/b"), "1004\n");
  tree.make_folder(tree.folder("memory", "/top/gone"));     // its file went
  const auto top = open_folder(tree.open().memory, "top").value();
  auto members = members_of(top, 10).value();
  EXPECT_THAT(members.pids, UnorderedElementsAre(1001U, 1002U, 1003U, 1004U));
  EXPECT_TRUE(members.invisible);
  EXPECT_FALSE(members.cut);
  members = members_of(top, 2).value();
  EXPECT_EQ(members.pids.size(), 2U);
  EXPECT_TRUE(members.cut);
  // What cannot be listed is left out; what cannot be read is an error.
  {
    const FailingCall failing("openat", {EMFILE});
    EXPECT_THAT(members_of(top, 10).value().pids, ElementsAre(1001U, 1002U));
  }
  tree.make_folder(procs("/top/a/b"));
  EXPECT_EQ(members_of(top, 10).error().code, Errc::io);
  tree.remove(procs("/top"));
  EXPECT_EQ(members_of(top, 10).error().code, Errc::gone);
  std::string deep = "/deep";
  for (std::uint32_t depth = 0; depth < 20; ++depth, deep += "/x") tree.put(procs(deep), std::to_string(2000 + depth));
  EXPECT_EQ(members_of(open_folder(tree.open().memory, "deep").value(), 100)->pids.size(), 17U);
}

TEST(HostMembers, a_child_that_goes_meanwhile_is_left_out) {
  HostTree tree(Hierarchy::v2);
  tree.put(tree.file("memory", "cgroup.procs", "/top"), "1001\n");
  tree.put(tree.file("memory", "cgroup.procs", "/top/a"), "1002\n");
  const auto top = open_folder(tree.open().memory, "top").value();
  const FailingCall failing("openat2", {.error_number = ENOENT, .skip = 1});   // the child's folder
  EXPECT_THAT(members_of(top, 10).value().pids, ElementsAre(1001U));
}

TEST(HostProcess, is_gone_when_it_ended) {
  const HostTree tree(Hierarchy::v1);
  const auto host = tree.open();
  EXPECT_EQ(Process::open(host, 4001).error().code, Errc::gone);
  tree.process(4001, {});
  const auto process = Process::open(host, 4001).value();
  EXPECT_TRUE(process.alive());
  EXPECT_EQ(process.cgroup(false).value(), HostTree::kGroup);
  EXPECT_FALSE(process.signal(0));
  tree.put("/proc/4001/stat", "what");
  EXPECT_FALSE(process.alive());
  tree.ends(4001);
  EXPECT_EQ(process.stat().error().code, Errc::gone);
  EXPECT_EQ(process.cgroup(false).error().code, Errc::gone);
}

TEST(HostCgroup, is_named_by_its_inode) {
  const HostTree tree(Hierarchy::hybrid);
  const auto host = tree.open();
  const auto folders = CgroupFolders::open(host, HostTree::kGroup).value();
  EXPECT_NE(folders.inode, 0U);
  EXPECT_TRUE(folders.freezer.valid() && folders.unified.valid());
  EXPECT_EQ(CgroupFolders::open(host, "/nothing").error().code, Errc::gone);
  const FailingCall failing("fstat", {EIO});
  EXPECT_EQ(CgroupFolders::open(host, HostTree::kGroup).error().code, Errc::io);
}

}  // namespace
}  // namespace fw::executor::test
