#include "node-agent/collectors/event_builder.hpp"

#include <utility>

#include "common/clock.hpp"

namespace fw::collectors {
namespace {

// An OOM kill follows the last try to free memory at once; an older note belongs to another allocation of the same thread.
constexpr std::uint64_t kReclaimIsFreshNs = 60 * std::uint64_t{kNsPerSecond};

std::optional<std::int64_t> bytes_of(std::int64_t pages, std::uint64_t page_bytes) {
  if (pages < 0) return std::nullopt;
  return pages * static_cast<std::int64_t>(page_bytes);
}

wire::OomConstraint constraint_of(const fw_oom_event& event) {
  const auto now = event.hdr.mono_ns;
  if (event.reclaim_ns == 0 || now < event.reclaim_ns || now - event.reclaim_ns > kReclaimIsFreshNs) {
    return wire::OomConstraint::unknown;
  }
  if (event.reclaim_kind == FW_RECLAIM_MEMCG) return wire::OomConstraint::memcg;
  if (event.reclaim_kind == FW_RECLAIM_NODE) return wire::OomConstraint::node;
  return wire::OomConstraint::unknown;
}

}  // namespace

wire::ProcessInfo to_process(const fw_process& process, std::uint64_t at_mono_ns) {
  wire::ProcessInfo info;
  info.pid = process.pid;
  info.parent_pid = process.parent_pid;
  info.comm = process.comm;
  if (process.start_ns != 0 && at_mono_ns >= process.start_ns) info.age_ns = at_mono_ns - process.start_ns;
  if (process.container_main != FW_ABSENT) info.container_main = process.container_main == 1;
  return info;
}

wire::OomKill to_oom_kill(const fw_oom_event& event, std::uint64_t page_bytes, const std::optional<kernel::OomLine>& line,
                          std::string limit_path) {
  wire::OomKill kill;
  kill.victim = to_process(event.victim, event.hdr.mono_ns);
  kill.victim.rss_bytes = bytes_of(event.rss_pages, page_bytes);
  if (event.oom_score_adj != FW_S32_ABSENT) kill.oom_score_adj = event.oom_score_adj;
  kill.limit_bytes = bytes_of(event.limit_pages, page_bytes);
  kill.usage_bytes = bytes_of(event.usage_pages, page_bytes);
  kill.invoker_pid = event.invoker_pid;
  kill.invoker_comm = event.invoker_comm;
  kill.constraint = constraint_of(event);
  if (kill.constraint != wire::OomConstraint::unknown) kill.constraint_source = wire::FactSource::bpf;
  if (line && line->constraint != wire::OomConstraint::unknown) {
    kill.constraint = line->constraint;
    kill.constraint_source = wire::FactSource::kernel_log;
  }
  if (kill.constraint == wire::OomConstraint::memcg) kill.limit_cgroup_path = std::move(limit_path);
  if (line && !line->oom_memcg.empty() && line->oom_memcg != kill.limit_cgroup_path) {
    // The kernel names another cgroup than the one nearest to its limit: its limit and usage were not read.
    if (!kill.limit_cgroup_path.empty()) kill.limit_bytes = kill.usage_bytes = std::nullopt;
    kill.limit_cgroup_path = line->oom_memcg;
  }
  if (kill.victim.comm.empty() && line) kill.victim.comm = line->comm;
  return kill;
}

wire::OomKill to_oom_kill(const kernel::OomLine& line) {
  wire::OomKill kill;
  kill.victim.pid = line.pid;
  kill.victim.comm = line.comm;
  kill.constraint = line.constraint;
  kill.constraint_source = wire::FactSource::kernel_log;
  kill.limit_cgroup_path = line.oom_memcg;
  return kill;
}

wire::ProcessExit to_process_exit(const fw_exit_event& event) {
  wire::ProcessExit exit;
  exit.process = to_process(event.process, event.hdr.mono_ns);
  exit.exit_code = event.exit_code;
  exit.signal = event.signal;
  exit.oom_victim = event.oom_victim != 0;
  return exit;
}

wire::ProcessSignal to_process_signal(const fw_signal_event& event) {
  wire::ProcessSignal signal;
  signal.target = to_process(event.target, event.hdr.mono_ns);
  signal.signal = event.signal;
  signal.from_kernel = event.from_kernel != 0;
  signal.sender.pid = event.sender.pid;
  signal.sender.parent_pid = event.sender.parent_pid;
  signal.sender.comm = event.sender.comm;
  signal.sender_uid = event.sender_uid;
  signal.sender_cgroup_id = event.sender_cgroup_id;
  return signal;
}

}  // namespace fw::collectors
