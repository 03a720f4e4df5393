// What this kernel and these privileges offer, as facts first, then as words for people.
#pragma once
#include <string>
#include <vector>

namespace fw::kernel {

// One source of signals: in use, or not and why, and what stands in for it.
struct ProbeStatus {
  std::string name;       // "oom_kill"
  std::string attach;     // "tp_btf/mark_victim", "/dev/kmsg", "memory.events.local"; "" when nothing is used
  bool active = false;
  std::string reason;     // why it is not active, one sentence with what to do; "" when active
  std::string fallback;   // what is used instead; "" when nothing is
};

struct KernelFeatures {
  std::string release;        // uname -r
  std::string cgroup_mode;    // "v1", "hybrid", "v2"; "none" when no memory controller is mounted
  bool btf = false;           // /sys/kernel/btf/vmlinux is readable
  bool bpf_rights = false;    // CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN
  bool psi = false;           // cgroups have pressure files
  bool kernel_log = false;    // /dev/kmsg is readable
  std::vector<ProbeStatus> probes;

  // One sentence per thing that this agent cannot see; empty when it sees everything it knows of.
  std::vector<std::string> lacking() const;
  // The text of --probe-kernel: one line per fact and probe, plain ASCII, ends with a newline.
  std::string text() const;
};

}  // namespace fw::kernel
