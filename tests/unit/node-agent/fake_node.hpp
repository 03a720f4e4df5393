// A machine's cgroup folders as files on disk, and a clock that the test moves, for NodeSensors.
#pragma once
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>

#include "common/units.hpp"
#include "node-agent/collectors/node_sensors.hpp"
#include "tests/support/manual_clock.hpp"

namespace fw::collectors {

namespace fs = std::filesystem;

inline const std::string kId = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

// A machine's cgroup folders, as files on disk.
class FakeNode {
 public:
  explicit FakeNode(const std::string& mountinfo) {
    // Memory, where there is one: a tree has a hundred files.
    std::string name = (fs::exists("/dev/shm") ? fs::path{"/dev/shm"} : fs::temp_directory_path()) / "fw-node-XXXXXX";
    root_ = ::mkdtemp(name.data());
    put("/proc/self/mountinfo", mountinfo);
    put("/log", "");
  }
  ~FakeNode() { fs::remove_all(root_); }
  FakeNode(const FakeNode&) = delete;
  FakeNode& operator=(const FakeNode&) = delete;

  void put(const std::string& path, const std::string& text) const {
    fs::create_directories(fs::path{root_ + path}.parent_path());
    std::ofstream{root_ + path} << text;
  }
  void append(const std::string& path, const std::string& text) const { std::ofstream{root_ + path, std::ios::app} << text; }
  // Another file in its place: nobody wrote into the one that is watched.
  void replace(const std::string& path, const std::string& text) const {
    put("/new", text);
    fs::rename(root_ + "/new", root_ + path);
  }
  void put_empty_v2(const std::string& path) const {
    put_v2(path, 0);
    put("/sys/fs/cgroup" + path + "/cgroup.procs", "");
  }
  void remove(const std::string& path) const { fs::remove_all(root_ + path); }

  // A cgroup of a pure v2 machine with one process.
  void put_v2(const std::string& path, std::int64_t current, const std::string& max = "max") const {
    const auto folder = "/sys/fs/cgroup" + path + "/";
    put(folder + "cgroup.procs", "100\n");
    put(folder + "memory.current", std::to_string(current) + "\n");
    put(folder + "memory.max", max + "\n");
    put(folder + "memory.high", "max\n");
    put(folder + "memory.stat", "anon 1000\nfile 500\ninactive_file 300\npgfault 9\npgmajfault 1\n");
    put(folder + "memory.events.local", "low 0\nhigh 0\nmax 4\noom 0\noom_kill 0\n");
    put(folder + "memory.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=11\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n");
    put(folder + "cpu.stat", "usage_usec 5000\nnr_periods 2\nnr_throttled 1\nthrottled_usec 70\n");
    put(folder + "cpu.max", "20000 100000\n");
    put(folder + "pids.current", "3\n");
  }

  SensorsConfig config() const {
    SensorsConfig config;
    config.root_prefix = root_;
    config.proc_root = root_ + "/proc";
    config.kernel_log = root_ + "/log";
    config.node_name = "node-a";
    config.bpf = Use::never;
    config.kernel_log_use = Use::never;
    return config;
  }

 private:
  std::string root_;
};

inline const std::string kV2Mounts = "29 23 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
inline const std::string kHybridMounts =
    "31 23 0:28 / /c/memory rw - cgroup cgroup rw,memory\n32 23 0:29 / /c/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
    "33 23 0:30 / /c/unified rw - cgroup2 cgroup2 rw\n";

class CollectorsTest : public ::testing::Test {
 protected:
  std::unique_ptr<NodeSensors> open(const SensorsConfig& config) {
    auto sensors = NodeSensors::open(config, clock_);
    EXPECT_TRUE(sensors) << sensors.error().message();
    return std::move(*sensors);
  }

  static std::optional<std::int64_t> value(const NodeSensors& sensors, const wire::Samples& samples, const std::string& path,
                                           const std::string& metric) {
    std::uint32_t entity_id = 0, metric_id = 0;
    for (const auto& entity : sensors.entities()) entity_id = entity.cgroup_path == path ? entity.id : entity_id;
    for (const auto& entry : sensors.metrics()) metric_id = entry.name == metric ? entry.id : metric_id;
    for (const auto& column : samples.columns) {
      for (std::size_t i = 0; i < column.values.size(); ++i) {
        if (column.metric_id == metric_id && column.entity_ids[i] == entity_id) return column.values[i];
      }
    }
    return std::nullopt;
  }

  void advance_to_tick(const NodeSensors& sensors) {
    clock_.advance(std::chrono::nanoseconds{sensors.next_tick_mono_ns() - clock_.mono_ns()});
  }

  test::ManualClock clock_;
};

}  // namespace fw::collectors
