// The exact commands that would mend it, for the runtime and the cgroup version at hand.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agents/scoring/changes.hpp"

namespace fw::agents {

struct LimitTarget {              // whose memory limit was hit
  std::string cgroup_path;
  std::optional<std::int64_t> cgroup_version;
  std::string runtime, pod_uid, name;
};

// Empty when the names hold bytes that nobody should paste into a shell, or when nothing names the target.
std::vector<std::string> set_memory_limit(const LimitTarget& target, std::int64_t bytes, const Candidate* suspect);

}  // namespace fw::agents
