// Real cgroups and real processes for tests on a real kernel, v1 or v2.
#pragma once
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "node-agent/collectors/node_sensors.hpp"
#include "node-agent/kernel/cgroup_layout.hpp"

namespace fw::test {

// The layout of this machine, or nullopt with a printed reason: no root, no memory controller.
std::optional<kernel::CgroupLayout> usable_layout(std::string& why_not);

bool has_bpf_rights();
bool in_small_vm();   // set by the ctest tests that run in a machine of their own

// A cgroup of the memory controller with a unique name, removed at the end with what is in it.
class Cgroup {
 public:
  // parent: another Cgroup's path, or "".
  explicit Cgroup(const kernel::CgroupLayout& layout, const std::string& name, const std::string& parent = "");
  ~Cgroup();
  Cgroup(const Cgroup&) = delete;
  Cgroup& operator=(const Cgroup&) = delete;

  void set_limit(std::int64_t bytes) const;
  void let_children_have_limits() const;   // v2: subtree_control
  void write(const std::string& file, const std::string& text) const;
  void remove() const;                     // now; it must be empty

  // Forks a process that enters the cgroup, which spawn waits for, and runs body; its result is the exit code. Its parent
  // is outside.
  pid_t spawn(const std::function<int()>& body) const;

  const std::string& path() const noexcept { return path_; }       // as in /proc/PID/cgroup
  std::uint64_t id() const noexcept { return id_; }

 private:
  const kernel::CgroupLayout& layout_;
  std::string path_, folder_;
  std::uint64_t id_ = 0;
};

int wait_for_exit(pid_t pid);              // wait status

// Touches so much memory and returns 0 when it is still alive.
int use_memory(std::size_t bytes);
[[noreturn]] void live_until_killed();

struct Seen {
  wire::EntityEntry entity;
  wire::Event event;
};

// Runs NodeSensors as the agent does and collects what it says.
class Watcher {
 public:
  explicit Watcher(collectors::SensorsConfig config = {});

  // The next event with a Body of this cgroup for which match is true; fails the test after the deadline.
  template <class Body>
  std::optional<Body> wait(const std::string& cgroup_path, const std::function<bool(const Body&)>& match,
                           std::chrono::milliseconds deadline = std::chrono::seconds{20}) {
    std::optional<Body> found;
    wait_until([&] {
      for (const auto& seen : seen_) {
        const auto* const body = std::get_if<Body>(&seen.event.body);
        if (body == nullptr || seen.entity.cgroup_path != cgroup_path || !match(*body)) continue;
        found = *body;
        return true;
      }
      return false;
    }, deadline);
    return found;
  }
  // All events so far with a Body of this cgroup.
  template <class Body>
  std::vector<Body> all(const std::string& cgroup_path) {
    take();
    std::vector<Body> bodies;
    for (const auto& seen : seen_) {
      const auto* const body = std::get_if<Body>(&seen.event.body);
      if (body != nullptr && seen.entity.cgroup_path == cgroup_path) bodies.push_back(*body);
    }
    return bodies;
  }
  bool wait_until(const std::function<bool()>& done, std::chrono::milliseconds deadline);

  void take();                             // drains without waiting
  std::optional<std::int64_t> value(const wire::Samples& samples, const std::string& cgroup_path, const std::string& metric);
  wire::Samples tick();                    // also remembers the entities

  collectors::NodeSensors& sensors() { return *sensors_; }
  const std::vector<Seen>& seen() const noexcept { return seen_; }

 private:
  SystemClock clock_;
  std::unique_ptr<collectors::NodeSensors> sensors_;
  std::vector<Seen> seen_;
};

// Skips with the reason where the kernel or a privilege is missing.
class KernelTest : public ::testing::Test {
 protected:
  void SetUp() override;
  kernel::CgroupLayout layout_;
};

}  // namespace fw::test
