// Where this machine's cgroup controllers are mounted: v1, hybrid or v2.
#pragma once
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace fw::kernel {

enum class CgroupMode { v1, hybrid, v2 };

std::string_view mode_text(CgroupMode mode) noexcept;   // "v1", "hybrid", "v2"

// Folders of the hierarchies, "" where there is none. In pure v2 all that exist are the same folder. The memory controller's
// hierarchy is the one that names entities.
struct CgroupLayout {
  CgroupMode mode = CgroupMode::v2;
  std::string memory;
  std::string cpu;
  std::string cpuacct;   // v1 only
  std::string pids;
  std::string unified;   // the v2 hierarchy, with or without controllers; pressure files live here

  bool memory_v2() const noexcept { return mode == CgroupMode::v2; }
};

// Pure. text is /proc/self/mountinfo. A controller counts as v2 when no v1 hierarchy holds it. Errc::unsupported when no
// hierarchy has the memory controller (nor a v2 hierarchy that could).
Result<CgroupLayout> parse_cgroup_mounts(std::string_view text);

}  // namespace fw::kernel
