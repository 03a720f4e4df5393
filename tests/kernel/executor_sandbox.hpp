// Real cgroups for the executor's actions, v1 and v2, and the confinement that its program has.
#pragma once
#include <gtest/gtest.h>
#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "node-agent/executor/actions/host_actuator.hpp"
#include "protocol/authority/actuator.hpp"
#include "tests/kernel/wait.hpp"

namespace fw::executor::test {

// A cgroup of one path in every hierarchy that actions use; removed at the end with what is in it.
class Group {
 public:
  explicit Group(const std::string& name, const std::string& parent = "", bool unique = true);
  ~Group();
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  const std::string& path() const noexcept { return path_; }
  std::uint64_t inode() const;                                  // in the memory hierarchy
  std::string folder(const std::string& controller) const;      // "memory", "cpu", "pids", "freezer"
  void write(const std::string& controller, const std::string& file, const std::string& text) const;
  std::string read(const std::string& controller, const std::string& file) const;   // trimmed
  void set_memory_limit(std::int64_t bytes) const;
  std::int64_t memory_limit() const;
  void make_again() const;                                      // the same path, another cgroup; it must be empty

  // A process in it, of another user than root; spawn waits until it is there. Its parent is this process. prepare: before it gives up root.
  pid_t spawn(const std::function<void()>& body, const std::function<bool()>& prepare = [] { return true; }) const;
  // The same, but its parent has ended.
  pid_t spawn_orphan() const;

 private:
  void enter() const;
  std::vector<std::string> folders_;
  std::string path_;
};

bool v2();
std::uint64_t start_ticks(pid_t pid);
bool alive(pid_t pid);
void end(pid_t pid);                                            // kills and reaps a child
using fw::test::wait_until;

authority::Plan plan_for(const Group& group, authority::Action action);
authority::Plan plan_for(const Group& group, pid_t pid, authority::KillProcess action);

// Runs body in a child with the program's capabilities and under its filter. What it returns; "killed by signal N" when it was.
std::string confined(const std::function<std::string(authority::Actuator&)>& body, const HostConfig& config = {});
// The whole life of one plan: "read before | apply | read after | happened | restore | read at the end", or the first error.
std::string round_trip(authority::Actuator& actuator, const authority::Plan& plan, authority::Probe probe);
std::string apply_only(authority::Actuator& actuator, const authority::Plan& plan);

// Skips with the reason where root or a hierarchy is missing.
class ExecutorKernelTest : public ::testing::Test {
 protected:
  void SetUp() override;
};

// Sanitizers make system calls of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kFilterUsable = false;
#else
inline constexpr bool kFilterUsable = true;
#endif

}  // namespace fw::executor::test
