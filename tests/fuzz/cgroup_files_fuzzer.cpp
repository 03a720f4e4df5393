// Text of cgroupfs and procfs: first byte chooses the parser, the rest is its input.
#include <cstdint>
#include <string_view>

#include "node-agent/kernel/bpf_sensors.hpp"
#include "node-agent/kernel/capabilities.hpp"
#include "node-agent/kernel/cgroup_files.hpp"
#include "node-agent/kernel/cgroup_layout.hpp"
#include "node-agent/kernel/proc_files.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fw::kernel;
  if (size == 0) return 0;
  const std::string_view text{reinterpret_cast<const char*>(data) + 1, size - 1};
  switch (data[0] % 14) {
    case 0: (void)parse_counter(text); break;
    case 1: (void)parse_limit(text); break;
    case 2: (void)parse_memory_stat_v1(text); break;
    case 3: (void)parse_memory_stat_v2(text); break;
    case 4: (void)parse_memory_events(text); break;
    case 5: (void)parse_oom_control(text); break;
    case 6: (void)parse_cpu_stat(text); break;
    case 7: (void)parse_cpu_max_millicores(text); break;
    case 8: (void)parse_pressure(text); break;
    case 9: (void)parse_cgroup_mounts(text); break;
    case 10: (void)parse_proc_stat(text); break;
    case 11: (void)parse_proc_cgroup(text, (size & 1U) != 0); break;
    case 12:
      (void)parse_pids(text, 100);
      (void)parse_capabilities(text);
      break;
    default: (void)decode_bpf_event(text.data(), text.size()); break;
  }
  return 0;
}
