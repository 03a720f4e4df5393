#include "tests/kernel/executor_sandbox.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>

#include "common/units.hpp"
#include "node-agent/executor/actions/texts.hpp"
#include "node-agent/executor/app/confine.hpp"
#include "node-agent/kernel/text.hpp"

namespace fw::executor::test {
namespace {

struct Mounts {
  bool v2 = false;
  std::map<std::string, std::string> folders;   // by controller
};

const Mounts& mounts() {
  static const Mounts found = [] {
    Mounts out;
    const auto text = kernel::read_small_file("/proc/self/mountinfo", 4_MiB);
    const auto layout = text ? kernel::parse_cgroup_mounts(*text) : Error(Errc::unsupported, "no mounts");
    if (!layout) return out;
    out.v2 = layout->mode == kernel::CgroupMode::v2;
    out.folders = {{"memory", layout->memory}, {"cpu", layout->cpu}, {"pids", layout->pids}, {"freezer", out.v2 ? layout->unified : "/sys/fs/cgroup/freezer"}};
    return out;
  }();
  return found;
}

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  return std::string(kernel::trimmed(text));
}

bool put(const std::string& path, const std::string& text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return fd.valid() && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

constexpr uid_t kNobody = 65534;

}  // namespace

bool v2() { return mounts().v2; }

Group::Group(const std::string& name, const std::string& parent, bool unique) {
  static std::atomic<int> number{0};
  path_ = parent + "/" + name + (unique ? "-fw" + std::to_string(::getpid()) + "-" + std::to_string(++number) : "");
  for (const auto& [controller, root] : mounts().folders) {
    if (v2()) (void)put(root + parent + "/cgroup.subtree_control", "+memory +cpu +pids");
    const auto folder = root + path_;
    if (::mkdir(folder.c_str(), 0755) == 0) {
      folders_.push_back(folder);
    } else if (errno != EEXIST) {
      ADD_FAILURE() << folder << ": " << std::strerror(errno);
    }
  }
}

Group::~Group() {
  if (!v2()) (void)put(folder("freezer") + "/freezer.state", "THAWED");
  else (void)put(folder("freezer") + "/cgroup.freeze", "0");
  for (const auto& folder : folders_) {
    const bool removed = fw::test::wait_until([&] {
      if (::rmdir(folder.c_str()) == 0 || errno == ENOENT) return true;
      for (const auto pid : kernel::parse_pids(slurp(folder + "/cgroup.procs"), 1000)) ::kill(static_cast<pid_t>(pid), SIGKILL);
      while (::waitpid(-1, nullptr, WNOHANG) > 0) {}
      return false;
    });
    if (!removed) ADD_FAILURE() << folder << " is left behind: " << std::strerror(errno);
  }
}

void Group::make_again() const {
  for (const auto& folder : folders_) {
    EXPECT_TRUE(wait_until([&] { return ::rmdir(folder.c_str()) == 0 || errno == ENOENT; })) << folder;
    EXPECT_EQ(::mkdir(folder.c_str(), 0755), 0) << folder;
  }
}

std::string Group::folder(const std::string& controller) const { return mounts().folders.at(controller) + path_; }

std::uint64_t Group::inode() const {
  struct stat info{};
  return ::stat(folder("memory").c_str(), &info) == 0 ? info.st_ino : 0;
}

void Group::write(const std::string& controller, const std::string& file, const std::string& text) const {
  EXPECT_TRUE(put(folder(controller) + "/" + file, text)) << folder(controller) << "/" << file << ": " << std::strerror(errno);
}

std::string Group::read(const std::string& controller, const std::string& file) const { return slurp(folder(controller) + "/" + file); }
void Group::set_memory_limit(std::int64_t bytes) const { write("memory", v2() ? "memory.max" : "memory.limit_in_bytes", std::to_string(bytes)); }
std::int64_t Group::memory_limit() const { return parse_value(read("memory", v2() ? "memory.max" : "memory.limit_in_bytes")).value(); }

void Group::enter() const {
  for (const auto& folder : folders_) {
    if (!put(folder + "/cgroup.procs", "0")) ::_exit(99);
  }
  if (::setresgid(kNobody, kNobody, kNobody) != 0 || ::setresuid(kNobody, kNobody, kNobody) != 0) ::_exit(98);
}

pid_t Group::spawn(const std::function<void()>& body, const std::function<bool()>& prepare) const {
  int ready[2];
  if (::pipe2(ready, O_CLOEXEC) != 0) return -1;
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (!prepare()) ::_exit(97);
    enter();
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(ready[1]);
    body();
    ::_exit(0);
  }
  ::close(ready[1]);
  char byte;
  while (::read(ready[0], &byte, 1) < 0 && errno == EINTR) {}
  ::close(ready[0]);
  return pid;
}

pid_t Group::spawn_orphan() const {
  int told[2];
  if (::pipe2(told, O_CLOEXEC) != 0) return -1;
  const pid_t middle = ::fork();
  if (middle == 0) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      enter();
      const auto self = ::getpid();
      (void)!::write(told[1], &self, sizeof self);
      for (;;) ::pause();
    }
    ::_exit(0);
  }
  pid_t pid = -1;
  while (::read(told[0], &pid, sizeof pid) < 0 && errno == EINTR) {}
  ::waitpid(middle, nullptr, 0);
  ::close(told[0]);
  ::close(told[1]);
  return pid;
}

std::uint64_t start_ticks(pid_t pid) {
  const auto stat = kernel::parse_proc_stat(slurp("/proc/" + std::to_string(pid) + "/stat"));
  return stat ? stat->start_ticks : 0;
}

bool alive(pid_t pid) {
  const auto stat = kernel::parse_proc_stat(slurp("/proc/" + std::to_string(pid) + "/stat"));
  return stat && stat->state != 'Z' && stat->state != 'X';
}

void end(pid_t pid) {
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

authority::Plan plan_for(const Group& group, authority::Action action) {
  authority::Plan plan;
  plan.target.cgroup_path = group.path();
  plan.target.cgroup_inode = group.inode();
  plan.action = std::move(action);
  return plan;
}

authority::Plan plan_for(const Group& group, pid_t pid, authority::KillProcess action) {
  auto plan = plan_for(group, authority::Action(action));
  plan.target.pid = static_cast<std::uint32_t>(pid);
  plan.target.start_ticks = start_ticks(pid);
  return plan;
}

std::string confined(const std::function<std::string(authority::Actuator&)>& body, const HostConfig& config) {
  int answer[2];
  if (::pipe2(answer, O_CLOEXEC) != 0) return "no pipe";
  const pid_t pid = ::fork();
  if (pid == 0) {
    const auto say = [&](const std::string& text) {
      (void)!::write(answer[1], text.data(), text.size());
      ::_exit(0);
    };
    auto host = Host::open(config);
    if (!host) say("host: " + host.error().message());
    HostActuator actuator(std::move(*host));
    if (auto ok = drop_capabilities(Rights::act); !ok) say("capabilities: " + ok.error().message());
    if (auto ok = kFilterUsable ? forbid_system_calls() : Result<void>(); !ok) say("filter: " + ok.error().message());
    say(body(actuator));
  }
  ::close(answer[1]);
  std::string text;
  char buffer[4096];
  for (;;) {
    const auto bytes = ::read(answer[0], buffer, sizeof buffer);
    if (bytes > 0) text.append(buffer, static_cast<std::size_t>(bytes));
    if (bytes == 0 || (bytes < 0 && errno != EINTR)) break;
  }
  ::close(answer[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? text + "killed by signal " + std::to_string(WTERMSIG(status)) : text;
}

std::string round_trip(authority::Actuator& actuator, const authority::Plan& plan, authority::Probe probe) {
  auto target = actuator.open(plan);
  if (!target) return "open: " + target.error().message();
  std::string text;
  const auto add_read = [&] {
    const auto value = (*target)->read(probe);
    text += value ? std::to_string(*value) : value.error().message();
  };
  add_read();
  const auto snapshot = (*target)->snapshot();
  if (!snapshot) return "snapshot: " + snapshot.error().message();
  const auto applied = (*target)->apply();
  if (!applied) return "apply: " + applied.error().message();
  text += " | " + *applied + " | ";
  add_read();
  const auto happened = (*target)->happened(*snapshot);
  text += std::string(" | ") + (happened ? *happened ? "yes" : "no" : happened.error().message());
  for (int time = 0; time < 2; ++time) {   // the second one changes nothing
    const auto restored = (*target)->restore(*snapshot);
    if (!restored) return text + " | restore: " + restored.error().message();
    if (time == 0) text += " | " + *restored + " | ";
  }
  add_read();
  return text;
}

std::string apply_only(authority::Actuator& actuator, const authority::Plan& plan) {
  auto target = actuator.open(plan);
  if (!target) return "open: " + target.error().message();
  const auto snapshot = (*target)->snapshot();
  if (!snapshot) return "snapshot: " + snapshot.error().message();
  const auto applied = (*target)->apply();
  return applied ? *applied : "apply: " + applied.error().message();
}

void ExecutorKernelTest::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to make cgroups";
  for (const auto* controller : {"memory", "cpu", "pids", "freezer"}) {
    const auto at = mounts().folders.find(controller);
    if (at == mounts().folders.end() || ::access(at->second.c_str(), W_OK) != 0) GTEST_SKIP() << "no writable hierarchy of the controller " << controller;
  }
}

}  // namespace fw::executor::test
