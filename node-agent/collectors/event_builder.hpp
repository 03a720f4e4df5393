// From BPF records to the events of the wire. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "node-agent/bpf/events.h"
#include "node-agent/kernel/kernel_log.hpp"
#include "protocol/wire/messages.hpp"

namespace fw::collectors {

wire::ProcessInfo to_process(const fw_process& process, std::uint64_t at_mono_ns);

// line: what the kernel log says about this victim; it overrides what was concluded from reclaim. limit_path: of
// event.limit_cgroup_id, "" when it is not known.
wire::OomKill to_oom_kill(const fw_oom_event& event, std::uint64_t page_bytes, const std::optional<kernel::OomLine>& line,
                          std::string limit_path);
// When the kernel log is the only source.
wire::OomKill to_oom_kill(const kernel::OomLine& line);

wire::ProcessExit to_process_exit(const fw_exit_event& event);
wire::ProcessSignal to_process_signal(const fw_signal_event& event);

}  // namespace fw::collectors
