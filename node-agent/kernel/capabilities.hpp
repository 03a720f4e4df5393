// The effective capabilities of this process, as far as we ask for them.
#pragma once
#include <cstdint>
#include <string_view>

#include "common/result.hpp"

namespace fw::kernel {

struct Capabilities {
  std::uint64_t effective = 0;   // bit set, numbers of <linux/capability.h>

  bool has(int number) const noexcept { return ((effective >> static_cast<unsigned>(number)) & 1U) != 0; }
  bool can_load_bpf() const noexcept;   // CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN
};

Result<Capabilities> parse_capabilities(std::string_view proc_status);   // "CapEff:" of /proc/self/status
Result<Capabilities> read_capabilities();

}  // namespace fw::kernel
