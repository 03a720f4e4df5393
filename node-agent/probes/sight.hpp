// What a probe sees: reads of one node below given roots. Inside node-agent/probes only. Blocking; every read is bounded.
#pragma once
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "common/unique_fd.hpp"
#include "node-agent/kernel/cgroup_layout.hpp"
#include "node-agent/probes/request.hpp"

namespace fw::probes {

inline constexpr std::size_t kMaxPids = 4096;
inline constexpr std::size_t kMaxRows = 1000;

struct Roots {
  std::string proc = "/proc";
  std::string prefix;               // before cgroup folders, log folders and /dev: made trees of tests, a host below a folder
};

// What a kind found, before redaction. Either rows or text.
struct Answer {
  boost::json::array rows;
  std::string text;
  bool truncated = false;
  boost::json::object facts;        // beside the rows: sums, what was not seen
};

class Sight {
 public:
  Sight(Roots roots, std::chrono::steady_clock::time_point deadline) : roots_(std::move(roots)), deadline_(deadline) {}

  const Roots& roots() const noexcept { return roots_; }
  bool late() const { return std::chrono::steady_clock::now() >= deadline_; }
  std::chrono::steady_clock::time_point deadline() const noexcept { return deadline_; }

  Result<kernel::CgroupLayout> layout() const;
  // Processes of a cgroup and of those below it; of all processes when the path is "". At most kMaxPids, ascending.
  Result<std::vector<std::uint32_t>> pids(const std::string& cgroup_path) const;
  // One process of the target. Errc::gone when it has none.
  Result<std::uint32_t> any_pid(const std::string& cgroup_path) const;

  std::string proc(std::uint32_t pid, std::string_view file) const { return roots_.proc + "/" + std::to_string(pid) + "/" + std::string(file); }
  Result<std::string> read(const std::string& path, std::size_t max_bytes) const;   // the first max_bytes
  std::string link(const std::string& path) const;                                  // "" when it cannot be read

 private:
  Roots roots_;
  std::chrono::steady_clock::time_point deadline_;
};

// One per kind; Errc as in Result.
Result<Answer> log_tail(const Sight& sight, const Request& request);
Result<Answer> process_table(const Sight& sight, const Request& request);
Result<Answer> connections(const Sight& sight, const Request& request);
Result<Answer> d_state_stacks(const Sight& sight, const Request& request);
Result<Answer> directory_sizes(const Sight& sight, const Request& request);
Result<Answer> listening_ports(const Sight& sight, const Request& request);
Result<Answer> environment_names(const Sight& sight, const Request& request);
Result<Answer> effective_limits(const Sight& sight, const Request& request);
Result<Answer> dns_lookup(const Sight& sight, const Request& request);
Result<Answer> tcp_connect(const Sight& sight, const Request& request);
Result<Answer> kernel_log(const Sight& sight, const Request& request);
Result<Answer> cpu_profile(const Sight& sight, const Request& request);

// The network namespace of the target, for this process; nothing when it is the node itself. Errc::permission without CAP_SYS_ADMIN.
Result<void> enter_network(const Sight& sight, const Target& target);

}  // namespace fw::probes
