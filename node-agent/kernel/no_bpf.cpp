// Stands in for bpf_objects.cpp in builds without BPF.
#include "node-agent/kernel/bpf_sensors.hpp"

namespace fw::kernel {

BpfOpened open_bpf(const BpfOptions&) {
  ProbeStatus status;
  status.name = "bpf";
  status.reason = "this program was built without BPF (FW_WITH_BPF=OFF)";
  status.fallback = "files";
  return {nullptr, {status}};
}

}  // namespace fw::kernel
