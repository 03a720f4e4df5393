// Any text as a cgroup path; what is found in it must come from it.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "node-agent/kernel/cgroup_path.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view path{reinterpret_cast<const char*>(data), size};
  const auto identity = fw::kernel::identify_cgroup(path);
  if (!identity.container_id.empty() && path.find(identity.container_id) == std::string_view::npos) std::abort();
  if (!path.starts_with(identity.pod_path)) std::abort();
  if (!identity.pod_uid.empty() && identity.pod_uid.size() != 36 && identity.pod_uid.size() != 32) std::abort();
  return 0;
}
