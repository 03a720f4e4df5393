// Requests to a loop device, against what was asked for and what the kernel counts in /sys/block.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <memory>

#include "common/unique_fd.hpp"
#include "node-agent/bpf/io.h"
#include "node-agent/collectors/io/io_collector.hpp"
#include "node-agent/kernel/bpf_sensors.hpp"
#include "tests/kernel/loop_disk.hpp"
#include "tests/kernel/recording_sink.hpp"
#include "tests/kernel/sandbox.hpp"

namespace fw::test {
namespace {

constexpr std::int64_t kBlock = 64 << 10;

// So many blocks by O_DIRECT; how many were done before the first failure.
int transfer(const std::string& device, int blocks, bool writes) {
  const UniqueFd fd{::open(device.c_str(), (writes ? O_WRONLY : O_RDONLY) | O_DIRECT | O_CLOEXEC)};
  void* memory = nullptr;
  if (!fd.valid() || ::posix_memalign(&memory, 4096, kBlock) != 0) return -1;
  const std::unique_ptr<void, decltype(&std::free)> owner{memory, &std::free};
  std::fill_n(static_cast<char*>(memory), kBlock, 'x');
  for (int i = 0; i < blocks; ++i) {
    const auto done = writes ? ::pwrite(fd.get(), memory, kBlock, i * kBlock) : ::pread(fd.get(), memory, kBlock, i * kBlock);
    if (done != kBlock) return i;
  }
  return blocks;
}

class IoTruthTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    if (!has_bpf_rights()) GTEST_SKIP() << "needs CAP_BPF and CAP_PERFMON";
    opened_ = kernel::open_bpf({});
    if (!opened_.sensors || !opened_.sensors->map("io_devices")) GTEST_SKIP() << "block_rq_complete cannot be used here";
    sink_.bpf = opened_.sensors.get();
  }
  void use_disk(const std::string& size, const std::string& folder = "") {
    disk_ = LoopDisk::make(size, folder);
    if (!disk_) GTEST_SKIP() << "no loop device here";
  }
  void tick(std::vector<collectors::SampledEntity> due = {}) {
    collectors::SampleContext context{.due = due, .regular = true, .node_id = RecordingSink::kNode, .mono_ns = 1, .bpf = sink_.bpf};
    sink_.tick(*collector_, context);
  }
  std::int64_t disk(const std::string& metric) { return sink_.value(sink_.part_named(disk_->name()), metric).value_or(0); }
  // Field of /sys/block/NAME/stat, from 1.
  std::int64_t kernels(int field) {
    std::ifstream file{"/sys/block/" + disk_->name() + "/stat"};
    std::int64_t value = -1;
    for (int i = 0; i < field; ++i) file >> value;
    return value;
  }
  int in(const Cgroup& group, const std::function<int()>& job) {
    const int status = wait_for_exit(group.spawn(job));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  fw_io_counters of(const Cgroup& group) {
    fw_io_counters counters{};
    sink_.bpf->map("io_cgroups")->lookup<std::uint64_t>(group.id(), counters);
    return counters;
  }

  kernel::BpfOpened opened_;
  std::unique_ptr<LoopDisk> disk_;
  std::unique_ptr<collectors::Collector> collector_ = collectors::make_io_collector({});
  RecordingSink sink_;
};

TEST_F(IoTruthTest, a_disks_requests_and_bytes_are_those_that_were_made) {
  use_disk("16M");
  if (IsSkipped()) return;
  ASSERT_EQ(transfer(disk_->device(), 1, false), 1);
  tick();                        // a loop device keeps the counters of its last file
  const auto reads = disk("disk_reads_total"), bytes = disk("disk_read_bytes");
  const auto writes = disk("disk_writes_total"), written = disk("disk_written_bytes");
  ASSERT_EQ(transfer(disk_->device(), 100, true), 100);
  ASSERT_EQ(transfer(disk_->device(), 40, false), 40);
  tick();
  EXPECT_EQ(disk("disk_writes_total") - writes, 100);
  EXPECT_EQ(disk("disk_written_bytes") - written, 100 * kBlock);
  EXPECT_EQ(disk("disk_reads_total") - reads, 40);
  EXPECT_EQ(disk("disk_read_bytes") - bytes, 40 * kBlock);
}

TEST_F(IoTruthTest, times_are_those_of_the_kernel) {
  use_disk("16M");
  if (IsSkipped()) return;
  ASSERT_EQ(transfer(disk_->device(), 200, true), 200);
  ASSERT_EQ(transfer(disk_->device(), 200, false), 200);
  tick();
  EXPECT_EQ(disk("disk_read_us"), kernels(4) * 1000);
  EXPECT_EQ(disk("disk_write_us"), kernels(8) * 1000);
  EXPECT_EQ(disk("disk_requests_in_flight"), kernels(9));
  EXPECT_EQ(disk("disk_busy_us"), kernels(10) * 1000);
}

TEST_F(IoTruthTest, every_request_has_a_latency) {
  use_disk("16M");
  if (IsSkipped()) return;
  const Cgroup group{layout_, "io-latency"};
  tick();
  const auto ours = disk("disk_latency_us_le_67108864"), requests = kernels(1) + kernels(5), write_ms = kernels(8);
  ASSERT_EQ(in(group, [&] { return transfer(disk_->device(), 200, true) == 200 ? 0 : 1; }), 0);
  tick({{.id = 7, .cgroup_id = group.id()}});
  EXPECT_EQ(disk("disk_latency_us_le_67108864") - ours, kernels(1) + kernels(5) - requests) << "one in the histogram for each that the kernel counts";
  EXPECT_EQ(sink_.value(7, "io_latency_us_le_67108864"), 200);
  // The kernel's whole milliseconds are of the same requests, made and ended at the same moments.
  const auto kernel_ms = static_cast<double>(kernels(8) - write_ms);
  EXPECT_NEAR(static_cast<double>(sink_.value(7, "io_latency_us").value_or(0)) / 1000, kernel_ms, 2 + kernel_ms * 0.1);
}

TEST_F(IoTruthTest, direct_reads_and_writes_belong_to_their_cgroup) {
  use_disk("16M");
  if (IsSkipped()) return;
  const Cgroup one{layout_, "io-one"}, other{layout_, "io-other"};
  ASSERT_EQ(in(one, [&] { return transfer(disk_->device(), 30, true) == 30 && transfer(disk_->device(), 20, false) == 20 ? 0 : 1; }), 0);
  ASSERT_EQ(in(other, [&] { return transfer(disk_->device(), 5, false) == 5 ? 0 : 1; }), 0);
  tick({{.id = 7, .cgroup_id = one.id()}, {.id = 8, .cgroup_id = other.id()}});
  EXPECT_EQ(sink_.value(7, "io_writes_total"), 30);
  EXPECT_GE(sink_.value(7, "io_written_bytes"), 30 * kBlock);
  EXPECT_GE(sink_.value(7, "io_reads_total"), 20);
  EXPECT_GE(sink_.value(7, "io_read_bytes"), 20 * kBlock);
  EXPECT_EQ(sink_.value(8, "io_writes_total"), 0);
  EXPECT_GE(sink_.value(8, "io_reads_total"), 5);
  EXPECT_LT(sink_.value(8, "io_reads_total"), 20);
}

TEST_F(IoTruthTest, what_is_written_back_later_belongs_to_who_wrote_it) {
  use_disk("64M");
  if (IsSkipped()) return;
  if (!disk_->mount_ext4("-O ^has_journal -E lazy_itable_init=0")) GTEST_SKIP() << "ext4 cannot be made or mounted here";
  const Cgroup group{layout_, "io-back"};
  constexpr std::int64_t kBytes = 8 << 20;
  ASSERT_EQ(in(group, [&] {
    std::ofstream file{disk_->point() + "/file", std::ios::binary};
    const std::string block(1 << 20, 'x');
    for (std::int64_t at = 0; at < kBytes; at += 1 << 20) file << block;
    return file.flush() ? 0 : 1;
  }), 0);
  const auto before = of(group);
  ASSERT_TRUE(done("sync"));   // ours, of another cgroup; a kernel thread may be quicker
  EXPECT_LE(before.written_bytes, static_cast<std::uint64_t>(2 * kBytes));
  tick({{.id = 7, .cgroup_id = group.id()}});
  EXPECT_GE(sink_.value(7, "io_written_bytes"), kBytes);
  EXPECT_GE(sink_.value(7, "io_writes_total"), 1);
}

TEST_F(IoTruthTest, a_request_that_fails_names_its_disk) {
  // The disk's file is on a full filesystem: what it has no block for yet cannot be written.
  std::string folder = "/tmp/fw-full-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const auto tidy = [&] {
    disk_.reset();
    ::umount2(folder.c_str(), MNT_DETACH);
    ::rmdir(folder.c_str());
  };
  if (::mount("fw-test", folder.c_str(), "tmpfs", 0, "size=1m") != 0) {
    ::rmdir(folder.c_str());
    GTEST_SKIP() << "needs root to mount";
  }
  use_disk("8M", folder);
  if (!IsSkipped()) {
    const Cgroup group{layout_, "io-error"};
    const int made = in(group, [&] { return transfer(disk_->device(), 100, true); });
    tick({{.id = 7, .cgroup_id = group.id()}});
    tick({{.id = 7, .cgroup_id = group.id()}});
    EXPECT_LT(made, 20) << "no write failed";
    EXPECT_EQ(disk("disk_errors_total"), 1);
    EXPECT_EQ(sink_.value(7, "io_errors_total"), 1);
    EXPECT_EQ(sink_.told("io_error", disk_->name(), "ENOSPC") + sink_.told("io_error", disk_->name(), "EIO"), 1U);
  }
  tidy();
}

}  // namespace
}  // namespace fw::test
