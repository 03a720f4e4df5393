// Mount tables, disk counters and the node's own files, as kernels print them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/sysmacros.h>

#include "node-agent/collectors/filesystem/mounts.hpp"
#include "node-agent/collectors/host/host_files.hpp"
#include "node-agent/collectors/io/disk_files.hpp"

namespace fw::collectors {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> points(std::string_view mountinfo) {
  std::vector<std::string> points;
  for (const auto& mount : local_filesystems(mountinfo)) points.push_back(mount.point);
  return points;
}

TEST(Mounts, only_local_filesystems_are_looked_at) {
  const auto mounts = local_filesystems(
      "22 27 0:21 / /proc rw - proc proc rw\n"
      "27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 ro,errors=remount-ro\n"
      "30 27 0:25 / /run rw - tmpfs tmpfs rw\n"
      "31 27 8:16 / /mnt/a\\040b rw - xfs /dev/sdb rw\n"
      "32 27 0:40 / /home rw - nfs4 server:/home rw\n"
      "33 27 0:41 / /sshfs rw - fuse.sshfs x rw\n"
      "34 27 0:42 / /var/lib/containers/x/merged rw - overlay overlay rw\n"
      "35 27 0:43 / /var/lib/kubelet/pods/1/volumes/kubernetes.io~secret/s rw - tmpfs tmpfs rw\n");
  ASSERT_EQ(mounts.size(), 3U);
  EXPECT_EQ(mounts[0].point, "/");
  EXPECT_EQ(mounts[0].device, makedev(254, 1));
  EXPECT_TRUE(mounts[0].read_only);
  EXPECT_EQ(mounts[1].point, "/mnt/a b");
  EXPECT_FALSE(mounts[1].read_only);
  EXPECT_EQ(mounts[2].type, "tmpfs");
}

TEST(Mounts, a_read_only_mount_is_not_a_read_only_filesystem) {
  EXPECT_FALSE(local_filesystems("1 0 8:1 / / ro,relatime - ext4 /dev/sda1 rw\n")[0].read_only);
  EXPECT_TRUE(local_filesystems("1 0 8:1 / / rw,relatime - ext4 /dev/sda1 rw,emergency_ro\n")[0].read_only);
}

TEST(Mounts, nothing_below_a_servers_filesystem_is_touched) {
  EXPECT_THAT(points("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:9 / /nfs rw - nfs s:/ rw\n3 2 8:2 / /nfs/disk rw - ext4 /dev/sda2 rw\n4 1 8:3 / /nfs2 rw - ext4 /dev/sda3 rw\n"),
              ElementsAre("/", "/nfs2"));
}

TEST(Mounts, a_filesystem_is_named_once_by_its_root_and_shortest_point) {
  EXPECT_THAT(points("1 0 8:1 /sub /a rw - ext4 /dev/sda1 rw\n2 1 8:1 / /longer/path rw - ext4 /dev/sda1 rw\n3 1 8:1 / /longest/path/x rw - ext4 /dev/sda1 rw\n"),
              ElementsAre("/longer/path"));
}

TEST(Mounts, a_later_mount_hides_an_earlier_one) {
  EXPECT_THAT(points("1 0 8:1 / /data rw - ext4 /dev/sda1 rw\n2 1 0:7 / /data rw - nfs s:/ rw\n"), ElementsAre());
}

TEST(Mounts, they_are_bounded_and_disks_come_first) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "1 0 0:" + std::to_string(i) + " / /t" + std::to_string(i) + " rw - tmpfs t rw\n";
  text += "1 0 8:1 / /disk rw - ext4 /dev/sda1 rw\nnot a line\n1 2 x:y / /z rw - ext4 z rw\n";
  const auto mounts = local_filesystems(text);
  EXPECT_EQ(mounts.size(), kMaxFilesystems);
  EXPECT_EQ(mounts.front().point, "/disk");
}

TEST(DiskFiles, counters_are_the_documented_columns) {
  const auto disks = parse_diskstats(
      "   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
      "   8       0 sda 100 1 2048 30 200 2 4096 40 5 60 70 0 0 0 0 0 0\n"
      "bad line\n   8 16 sdb 1 2 3\n", 10);
  ASSERT_EQ(disks.size(), 1U);
  EXPECT_EQ(disks[0].name, "sda");
  EXPECT_EQ(disks[0].major, 8U);
  EXPECT_EQ(disks[0].reads, 100U);
  EXPECT_EQ(disks[0].read_sectors, 2048U);
  EXPECT_EQ(disks[0].read_ms, 30U);
  EXPECT_EQ(disks[0].writes, 200U);
  EXPECT_EQ(disks[0].written_sectors, 4096U);
  EXPECT_EQ(disks[0].write_ms, 40U);
  EXPECT_EQ(disks[0].in_flight, 5U);
  EXPECT_EQ(disks[0].busy_ms, 60U);
  EXPECT_EQ(block_status_text(10), "EIO");
  EXPECT_EQ(block_status_text(3), "ENOSPC");
  EXPECT_EQ(block_status_text(200), "status 200");
}

TEST(HostFiles, numbers_are_read_and_bad_ones_are_not) {
  EXPECT_EQ(parse_file_nr("9344\t0\t9223372036854775807\n")->open, 9344U);
  EXPECT_FALSE(parse_file_nr("1 2"));
  EXPECT_EQ(parse_loadavg("12.05 0.58 0.59 3/602 12345\n")->load_1m_percent, 1205U);
  EXPECT_EQ(parse_loadavg("0.52 0.58 0.59 3/602 12345\n")->threads, 602U);
  EXPECT_FALSE(parse_loadavg("x"));
  const auto memory = parse_meminfo("MemTotal:       100 kB\nMemFree: 1 kB\nMemAvailable:   50 kB\nSwapTotal: 0 kB\n");
  EXPECT_EQ(memory.total_bytes, 102'400U);
  EXPECT_EQ(memory.available_bytes, 51'200U);
  EXPECT_EQ(memory.swap_total_bytes, 0U);
  EXPECT_FALSE(memory.swap_free_bytes);
}

TEST(HostFiles, flags_have_their_value_behind_an_equals_sign_or_in_the_next_argument) {
  using namespace std::string_view_literals;
  const auto flags = parse_flags("/usr/bin/kubelet\0--max-pods=110\0--node-ip\00010.0.0.1\0--fail-swap-on\0--v=2\0--v=4\0plain\0"sv);
  EXPECT_EQ(flags, (Settings{{"--fail-swap-on", ""}, {"--max-pods", "110"}, {"--node-ip", "10.0.0.1"}, {"--v", "4"}}));
  EXPECT_TRUE(parse_flags("").empty());
}

TEST(HostFiles, differences_are_additions_removals_and_changes) {
  EXPECT_THAT(differences({{"a", "1"}, {"b", "1"}, {"d", "1"}}, {{"b", "2"}, {"c", "3"}, {"d", "1"}}),
              ElementsAre(Difference{"a", "1", ""}, Difference{"b", "1", "2"}, Difference{"c", "", "3"}));
}

TEST(HostFiles, a_package_of_two_architectures_has_two_versions) {
  PackageList list;
  for (const auto* line : {"Package: libc6", "Status: install ok installed", "Architecture: amd64", "Version: 2.36", "", "Package: libc6", "Architecture: i386",
                           "Status: install ok installed", "Version: 2.35"}) {
    list.take_line(line);
  }
  EXPECT_EQ(list.finish(), (Settings{{"libc6", "2.36"}, {"libc6:i386", "2.35"}}));
}

}  // namespace
}  // namespace fw::collectors
