// Records of /dev/kmsg and the OOM lines in them.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "node-agent/kernel/kernel_log.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  if (const auto record = fw::kernel::parse_log_record(text)) {
    if (record->text.size() > size) std::abort();
  }
  for (const auto line : {fw::kernel::parse_oom_line(text), fw::kernel::parse_oom_line(std::string{"oom-kill:"}.append(text))}) {
    if (line && line->comm.size() + line->oom_memcg.size() + line->task_memcg.size() > 3 * size + 27) std::abort();
  }
  return 0;
}
