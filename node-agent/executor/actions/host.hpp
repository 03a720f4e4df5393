// The folders of this machine that actions may touch, opened once at start.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "common/unique_fd.hpp"
#include "node-agent/kernel/cgroup_layout.hpp"
#include "node-agent/kernel/proc_files.hpp"

namespace fw::executor {

struct HostConfig {
  std::string prefix;                     // put before every path of /proc and cgroups; "" on the host itself
  std::vector<std::string> log_folders;   // where logs may be rotated
};

// Immutable after open(). Folders of hierarchies that are not mounted are not valid; in pure v2 all of them are the same.
struct Host {
  kernel::CgroupMode mode = kernel::CgroupMode::v2;
  UniqueFd memory, cpu, pids, freezer, unified;
  UniqueFd proc, sysctl;
  struct LogFolder { std::string path; UniqueFd folder; };
  std::vector<LogFolder> logs;

  // Log folders that are not there now are left out.
  static Result<Host> open(const HostConfig& config);
  bool v2() const noexcept { return mode == kernel::CgroupMode::v2; }
};

// The folders of one cgroup, opened by path; what this hierarchy does not have is not valid.
struct CgroupFolders {
  std::string path;
  std::uint64_t inode = 0;                // of the memory controller's folder, which names cgroups
  UniqueFd memory, cpu, pids, freezer, unified;
  // Errc::gone, Errc::permission, Errc::invalid_argument (also for the root cgroup).
  static Result<CgroupFolders> open(const Host& host, std::string_view path);
};

// A process as its folder in /proc: the kernel ties it to that one process and takes it as a pidfd, so what was read through it and what is
// signalled is the same process.
class Process {
 public:
  static Result<Process> open(const Host& host, std::uint32_t pid);   // Errc::gone
  Result<kernel::ProcStat> stat() const;                              // Errc::gone when it ended, also as a zombie
  Result<std::string> cgroup(bool memory_v2) const;
  Result<std::string> file(std::string_view name, std::size_t max_bytes) const;
  Result<void> signal(int number) const;                              // Errc::gone, Errc::permission
  bool alive() const { return stat().has_value(); }

 private:
  explicit Process(UniqueFd folder) : folder_(std::move(folder)) {}
  UniqueFd folder_;
};

// Pids of a cgroup and the cgroups below it, at most max. `invisible`: processes of another pid namespace are in it.
struct Members { std::vector<std::uint32_t> pids; bool invisible = false; bool cut = false; };
Result<Members> members_of(const UniqueFd& cgroup, std::size_t max);

// The cgroup path of the container that runs under this name in this pod now: by the pod's cgroup, then by what the kubelet mounted into its
// containers. Errc::gone when there is none, Errc::conflict when there are several.
Result<std::string> find_container(const Host& host, std::string_view pod_uid, std::string_view container_name);

// Programs that no action may stop: they are the node, its containers, or us. comm as the kernel keeps it.
bool is_protected_program(std::string_view comm) noexcept;

}  // namespace fw::executor
