// The kernel's words that mean something, by a table of rules (rules.hpp).
//
// Events: kernel_message about the node; object is the device, process or place that the line names, or ""; reason is the rule's name; text is
// the newest such line, redacted; count is how many there were since the last tick. OOM kills have events of their own, no rule is about them.
//
// Limits: kMaxMessagesPerTick different ones, further are lost and counted in kernel_messages_lost_total; 10,000 lines a tick. Cost: one
// read(2) and one match of about 2 us for each line of the log.
#pragma once
#include <memory>
#include <string>

#include "node-agent/collectors/collector.hpp"

namespace fw::collectors {

inline constexpr std::size_t kMaxMessagesPerTick = 100;

struct KernelLogPaths {
  std::string log = "/dev/kmsg";
  std::string rules;             // a file of rules that come before the built-in ones; "": none
};

// Errc::malformed, Errc::too_large, or why the file of rules could not be read. A log that cannot be read only has no messages.
Result<std::unique_ptr<Collector>> make_kernel_log_collector(const KernelLogPaths& paths);
const CollectorInfo& kernel_log_collector_info() noexcept;

}  // namespace fw::collectors
