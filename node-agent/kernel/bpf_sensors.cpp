#include "node-agent/kernel/bpf_sensors.hpp"

#include <cstring>

namespace fw::kernel {
namespace {

void terminate(fw_process& process) { process.comm[FW_COMM_BYTES - 1] = '\0'; }

template <class Record>
Result<BpfEvent> copied(const void* data, std::size_t size) {
  // A longer record is a newer program's with fields at the end that we do not know.
  if (size < sizeof(Record)) return Error{Errc::malformed, "BPF record: too short"};
  Record record;
  std::memcpy(&record, data, sizeof(Record));
  if constexpr (requires { record.victim; }) {
    terminate(record.victim);
    record.invoker_comm[FW_COMM_BYTES - 1] = '\0';
  }
  if constexpr (requires { record.process; }) terminate(record.process);
  if constexpr (requires { record.target; }) {
    terminate(record.target);
    terminate(record.sender);
  }
  if constexpr (requires { record.path; }) record.path[FW_PATH_BYTES - 1] = '\0';
  return BpfEvent{record};
}

}  // namespace

Result<BpfEvent> decode_bpf_event(const void* data, std::size_t size) {
  fw_event_header header;
  if (size < sizeof(header)) return Error{Errc::malformed, "BPF record: no header"};
  std::memcpy(&header, data, sizeof(header));
  switch (header.type) {
    case FW_EVENT_OOM: return copied<fw_oom_event>(data, size);
    case FW_EVENT_EXIT: return copied<fw_exit_event>(data, size);
    case FW_EVENT_SIGNAL: return copied<fw_signal_event>(data, size);
    case FW_EVENT_CGROUP: return copied<fw_cgroup_event>(data, size);
    default: return Error{Errc::unsupported, "BPF record: unknown type " + std::to_string(header.type)};
  }
}

}  // namespace fw::kernel
