#include "tests/kernel/sandbox.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "common/units.hpp"
#include "common/unique_fd.hpp"
#include "node-agent/kernel/capabilities.hpp"
#include "node-agent/kernel/proc_files.hpp"
#include "tests/kernel/wait.hpp"

namespace fw::test {
namespace {

bool write_file(const std::string& path, const std::string& text) {
  const UniqueFd fd{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  return fd.valid() && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

}  // namespace

std::optional<kernel::CgroupLayout> usable_layout(std::string& why_not) {
  const auto mounts = kernel::read_small_file("/proc/self/mountinfo", 4_MiB);
  if (!mounts) {
    why_not = mounts.error().message();
    return std::nullopt;
  }
  auto layout = kernel::parse_cgroup_mounts(*mounts);
  if (!layout) {
    why_not = layout.error().message();
    return std::nullopt;
  }
  if (::geteuid() != 0) {
    why_not = "needs root to make cgroups";
    return std::nullopt;
  }
  return *layout;
}

bool has_bpf_rights() {
  const auto rights = kernel::read_capabilities();
  return rights && rights->can_load_bpf();
}

bool in_small_vm() { return std::getenv("FW_IN_SMALL_VM") != nullptr; }

Cgroup::Cgroup(const kernel::CgroupLayout& layout, const std::string& name, const std::string& parent) : layout_(layout) {
  static std::atomic<int> number{0};
  path_ = parent + "/fw-" + name + "-" + std::to_string(::getpid()) + "-" + std::to_string(++number);
  folder_ = layout_.memory + path_;
  if (::mkdir(folder_.c_str(), 0755) != 0) ADD_FAILURE() << folder_ << ": " << std::strerror(errno);
  struct stat status {};
  if (::stat(folder_.c_str(), &status) == 0) id_ = status.st_ino;
}

Cgroup::~Cgroup() {
  // Whatever is left in it is ours.
  const bool removed = wait_until([&] {
    if (::rmdir(folder_.c_str()) == 0 || errno == ENOENT) return true;
    if (const auto text = kernel::read_small_file(folder_ + "/cgroup.procs", 64_KiB)) {
      for (const auto pid : kernel::parse_pids(*text, 1000)) ::kill(static_cast<pid_t>(pid), SIGKILL);
    }
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {}
    return false;
  });
  if (!removed) ADD_FAILURE() << folder_ << " is left behind: " << std::strerror(errno);
}

void Cgroup::set_limit(std::int64_t bytes) const {
  const auto file = layout_.memory_v2() ? "memory.max" : "memory.limit_in_bytes";
  write(file, bytes < 0 ? (layout_.memory_v2() ? "max" : "-1") : std::to_string(bytes));
}

void Cgroup::let_children_have_limits() const {
  if (layout_.memory_v2()) write("cgroup.subtree_control", "+memory");
}

void Cgroup::write(const std::string& file, const std::string& text) const {
  if (!write_file(folder_ + "/" + file, text)) ADD_FAILURE() << folder_ << "/" << file << ": " << std::strerror(errno);
}

void Cgroup::remove() const {
  // The last process's exit may not be finished yet.
  if (!wait_until([&] { return ::rmdir(folder_.c_str()) == 0; })) ADD_FAILURE() << folder_ << ": " << std::strerror(errno);
}

pid_t Cgroup::spawn(const std::function<int()>& body) const {
  int ready[2];
  if (::pipe2(ready, O_CLOEXEC) != 0) return -1;
  const pid_t pid = ::fork();
  if (pid != 0) {
    ::close(ready[1]);
    char byte;
    while (::read(ready[0], &byte, 1) < 0 && errno == EINTR) {}   // it is in the cgroup, or it has ended
    ::close(ready[0]);
    return pid;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!write_file(folder_ + "/cgroup.procs", "0")) ::_exit(99);
  ::close(ready[1]);
  ::_exit(body());
}

int wait_for_exit(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  return status;
}

int use_memory(std::size_t bytes) {
  auto* const memory = static_cast<volatile char*>(
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (memory == MAP_FAILED) return 98;
  for (std::size_t at = 0; at < bytes; at += 4096) memory[at] = 1;
  return 0;
}

void live_until_killed() {
  for (;;) ::pause();
}

Watcher::Watcher(collectors::SensorsConfig config) {
  config.node_name = "test-node";
  auto sensors = collectors::NodeSensors::open(std::move(config), clock_);
  if (!sensors) {
    ADD_FAILURE() << sensors.error().message();
    std::abort();
  }
  sensors_ = std::move(*sensors);
}

void Watcher::take() {
  for (;;) {
    auto batch = sensors_->drain(1000);
    for (auto& event : batch.events) {
      Seen seen;
      for (const auto& entity : batch.entities) {
        if (entity.id == event.entity_id) seen.entity = entity;
      }
      EXPECT_NE(seen.entity.id, 0U) << "an event without its entity in the same batch";
      seen.event = std::move(event);
      seen_.push_back(std::move(seen));
    }
    if (!batch.more) return;
  }
}

bool Watcher::wait_until(const std::function<bool()>& done, std::chrono::milliseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  std::vector<pollfd> fds;
  for (const int fd : sensors_->poll_fds()) fds.push_back({fd, POLLIN, 0});
  for (;;) {
    take();
    if (done()) return true;
    if (std::chrono::steady_clock::now() > end) return false;
    ::poll(fds.data(), fds.size(), 50);
  }
}

wire::Samples Watcher::tick() { return sensors_->tick(); }

std::optional<std::int64_t> Watcher::value(const wire::Samples& samples, const std::string& cgroup_path,
                                           const std::string& metric) {
  std::uint32_t entity_id = 0, metric_id = 0;
  for (const auto& entity : sensors_->entities()) {
    if (entity.cgroup_path == cgroup_path) entity_id = entity.id;
  }
  for (const auto& entry : sensors_->metrics()) {
    if (entry.name == metric) metric_id = entry.id;
  }
  for (const auto& column : samples.columns) {
    if (column.metric_id != metric_id) continue;
    for (std::size_t i = 0; i < column.entity_ids.size(); ++i) {
      if (column.entity_ids[i] == entity_id) return column.values[i];
    }
  }
  return std::nullopt;
}

void KernelTest::SetUp() {
  std::string why_not;
  auto layout = usable_layout(why_not);
  if (!layout) GTEST_SKIP() << why_not;
  layout_ = *layout;
}

}  // namespace fw::test
