// A machine of plain files below a folder: /proc and the cgroup hierarchies of v1, v2 or both, which answer writes as the kernel does.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>

#include "node-agent/executor/actions/host_actuator.hpp"
#include "tests/unit/executor/calls.hpp"

namespace fw::executor::test {

namespace fs = std::filesystem;
enum class Hierarchy { v1, v1_without_freezer, hybrid, v2 };
inline constexpr std::int64_t kMiB = 1 << 20;

class HostTree {
 public:
  explicit HostTree(Hierarchy hierarchy) : hierarchy_(hierarchy) {
    char name[] = "/dev/shm/fw-tree-XXXXXX";   // in memory, as the kernel's own
    EXPECT_NE(::mkdtemp(name), nullptr);
    top_ = name;
    const auto mount = [&](const std::string& folder, const std::string& type, const std::string& options) {
      put("/proc/self/mountinfo", text("/proc/self/mountinfo") + "30 1 0:1 / " + folder + " rw - " + type + " " + type + " rw," + options + "\n");
      fs::create_directories(top_ + folder);
    };
    put("/proc/self/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda rw\n");
    put("/proc/meminfo", "MemTotal: 2000 kB\nMemAvailable: 1000 kB\nSwapFree: 0 kB\n");
    put("/proc/loadavg", "0.1 0.2 0.3 1/100 4242\n");
    put("/proc/pressure/memory", "some avg10=0.00\nfull avg10=0.00\n");
    put("/proc/sys/fs/inotify/max_user_instances", "128\n");
    if (v2()) {
      mount("/sys/fs/cgroup", "cgroup2", "nsdelegate");
    } else {
      for (const auto* controller : {"memory", "cpu", "pids", "freezer"}) {
        if (hierarchy_ == Hierarchy::v1_without_freezer && std::string_view(controller) == "freezer") continue;
        mount("/sys/fs/cgroup/" + std::string(controller), "cgroup", controller);
      }
      if (hierarchy_ != Hierarchy::v1) mount("/sys/fs/cgroup/unified", "cgroup2", "nsdelegate");
    }
    cgroup(kGroup);
  }
  ~HostTree() { fs::remove_all(top_); }
  HostTree(const HostTree&) = delete;
  HostTree& operator=(const HostTree&) = delete;

  static constexpr const char* kGroup = "/shop/checkout";

  bool v2() const { return hierarchy_ == Hierarchy::v2; }
  const std::string& top() const { return top_; }
  std::string folder(const std::string& controller, const std::string& path = kGroup) const {
    return "/sys/fs/cgroup" + (v2() ? "" : "/" + controller) + path;
  }
  // Of controller "memory", "cpu", "pids", "freezer" or "unified".
  std::string file(const std::string& controller, const std::string& name, const std::string& path = kGroup) const { return folder(controller, path) + "/" + name; }
  void put(const std::string& path, const std::string& text) const {
    fs::create_directories(fs::path(top_ + path).parent_path());
    std::ofstream(top_ + path, std::ios::binary) << text;
  }
  std::string text(const std::string& path) const {
    std::ifstream in(top_ + path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void remove(const std::string& path) const { fs::remove_all(top_ + path); }
  void make_folder(const std::string& path) const {
    remove(path);
    fs::create_directories(top_ + path);
  }

  void cgroup(const std::string& path) const {
    const std::string none;
    put(file("memory", "cgroup.procs", path), none);
    if (v2()) {
      for (const auto& [name, value] : std::map<std::string, std::string>{
               {"memory.max", "67108864"}, {"memory.high", "max"}, {"memory.current", "1048576"}, {"memory.reclaim", ""}, {"cpu.max", "max 100000"},
               {"cpu.weight", "77"}, {"pids.max", "max"}, {"pids.current", "1"}, {"cgroup.events", "populated 0\nfrozen 0\n"}, {"cgroup.freeze", "0"},
               {"cgroup.kill", ""}, {"memory.stat", "anon 1\nfile 2\n"}})
        put(file("memory", name, path), value);
      return;
    }
    for (const auto& [name, value] : std::map<std::string, std::string>{
             {"limit_in_bytes", "67108864"}, {"memsw.limit_in_bytes", "67108864"}, {"usage_in_bytes", "1048576"}, {"stat", "cache 1\nrss 2\n"}})
      put(file("memory", "memory." + name, path), value);
    put(file("cpu", "cpu.cfs_quota_us", path), "-1");
    put(file("cpu", "cpu.cfs_period_us", path), "100000");
    put(file("cpu", "cpu.shares", path), "777");
    put(file("pids", "pids.max", path), "max");
    put(file("pids", "pids.current", path), "1");
    if (hierarchy_ != Hierarchy::v1_without_freezer) {
      put(file("freezer", "freezer.state", path), "THAWED");
      put(file("freezer", "freezer.self_freezing", path), "0");
    }
    if (hierarchy_ != Hierarchy::v1) {
      put(file("unified", "cgroup.freeze", path), "0");
      put(file("unified", "cgroup.events", path), "populated 0\nfrozen 0\n");
    }
  }
  struct Process { std::string comm = "app"; std::uint32_t parent = 1; char state = 'S'; std::uint64_t start_ticks = 100, rss_pages = 10; };
  // Also a member of the cgroup.
  void process(std::uint32_t pid, const Process& process, const std::string& path = kGroup) const {
    const auto number = std::to_string(pid);
    std::string stat = number + " (" + process.comm + ") " + process.state + " " + std::to_string(process.parent);
    for (int field = 5; field < 22; ++field) stat += " 0";
    put("/proc/" + number + "/stat", stat + " " + std::to_string(process.start_ticks) + " 0 " + std::to_string(process.rss_pages) + " 0\n");
    put("/proc/" + number + "/cgroup", v2() ? "0::" + path + "\n" : "5:cpu:/\n4:memory:" + path + "\n0::/\n");
    put("/proc/" + number + "/status", "Name: x\nVmRSS:\t40 kB\n");
    const auto members = file("memory", "cgroup.procs", path);
    put(members, text(members) + number + "\n");
  }
  void ends(std::uint32_t pid) const {
    remove("/proc/" + std::to_string(pid));
  }

  Host open(std::vector<std::string> log_folders = {}) const { return Host::open({top_, std::move(log_folders)}).value(); }
  authority::Plan plan(authority::Action action, const std::string& path = kGroup) const {
    authority::Plan out;
    out.target.cgroup_path = path;
    out.action = std::move(action);
    return out;
  }

  // Every control file as it is now: two of these tell whether anything was done.
  std::map<std::string, std::string> everything() const {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(top_)) {
      const auto path = entry.path().string().substr(top_.size());
      if (entry.is_regular_file() && path.find("memory.reclaim") == path.npos) out[path] = text(path);
    }
    return out;
  }

  // For WatchedCalls: what the kernel does after a write to a control file. `slow`: only at the next pause.
  bool slow = false;
  std::function<void(std::string_view call, int fd)> kernel() {
    return [this](std::string_view call, int fd) {
      if (call == "pause") {
        for (const auto& written : std::set<std::string>(std::exchange(later_, {}))) answer(written);
        ++pauses;
        if (on_pause) on_pause();
      }
      if (call != "write") return;
      std::error_code none;
      const auto path = fs::read_symlink("/proc/self/fd/" + std::to_string(fd), none).string();
      if (none || !path.starts_with(top_)) return;
      if (slow) later_.insert(path.substr(top_.size()));
      else answer(path.substr(top_.size()));
    };
  }
  int pauses = 0;
  std::function<void()> on_pause;

 private:
  void answer(const std::string& path) const {
    const auto folder = path.substr(0, path.rfind('/') + 1);
    const auto name = path.substr(folder.size());
    if (name == "freezer.state") put(folder + "freezer.self_freezing", text(path) == "FROZEN" ? "1" : "0");
    if (name == "cgroup.freeze") put(folder + "cgroup.events", "populated 1\nfrozen " + text(path) + "\n");
    if (name == "cgroup.kill") put(folder + "cgroup.procs", "");
    if (name == "memory.reclaim") put(folder + "memory.current", std::to_string(std::stoll(text(folder + "memory.current")) - std::stoll(text(path))));
  }

  Hierarchy hierarchy_;
  std::string top_;
  std::set<std::string> later_;
};

}  // namespace fw::executor::test
