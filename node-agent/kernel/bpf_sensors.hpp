// Our BPF programs: loads those that this kernel takes, hands over their events and counters. No libbpf type leaves this door.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <variant>
#include <vector>

#include "common/result.hpp"
#include "node-agent/bpf/events.h"
#include "node-agent/kernel/bpf_map.hpp"
#include "node-agent/kernel/kernel_probe.hpp"

namespace fw::kernel {

using BpfEvent = std::variant<fw_oom_event, fw_exit_event, fw_signal_event, fw_cgroup_event>;

// Checks type, size and NUL termination of one record; Errc::malformed and Errc::unsupported (unknown type).
Result<BpfEvent> decode_bpf_event(const void* data, std::size_t size);

struct BpfOptions {
  std::uint64_t root_cgroup_id = 0;         // inode of the memory hierarchy's root folder
  std::uint32_t events_per_second = 50;     // exits and signals of one cgroup
  std::string unified_folder = "/sys/fs/cgroup";   // of the cgroup v2 hierarchy: what hangs on its root sees every process
  std::uint32_t max_http_cgroups = 20'000;  // entries of the map "http": tests make it small
  std::unordered_set<std::string> without;  // programs not to load, by name: tests of the fallbacks
};

// A program that runs when processes call a function; taken off when destroyed. Must not outlive its BpfSensors.
class UserProbe {
 public:
  virtual ~UserProbe() = default;
};

// Threading: one thread. Lifetime: fd() is borrowed, it belongs to this object.
class BpfSensors {
 public:
  virtual ~BpfSensors() = default;

  virtual int fd() const noexcept = 0;      // readable when there are events
  // Calls use for at most budget events, oldest first; returns how many.
  virtual std::size_t drain(std::size_t budget, const std::function<void(const BpfEvent&)>& use) = 0;

  // A map of ours by its name in node-agent/bpf; what no program that works uses is not there.
  virtual std::optional<BpfMap> map(const char* name) const = 0;
  // Puts a program of section "uprobe" on an instruction (offset in the file) for all processes that run the file; they pay about
  // 1 us for each call. The program can read the cookie. Errc::unsupported: it is not loaded.
  virtual Result<std::unique_ptr<UserProbe>> attach_user(const char* program, const std::string& path, std::uint64_t offset,
                                                         std::uint64_t cookie) = 0;
  virtual std::optional<fw_cgroup_counters> counters(std::uint64_t cgroup_id) const = 0;
  // Deletes the counters of cgroups for which keep is false.
  virtual void sweep(const std::function<bool(std::uint64_t cgroup_id)>& keep) = 0;

  virtual std::array<std::uint64_t, FW_DROP_KINDS> drops() const = 0;   // totals
  virtual std::uint64_t malformed_total() const noexcept = 0;
};

struct BpfOpened {
  std::unique_ptr<BpfSensors> sensors;      // nullptr when no program is attached
  std::vector<ProbeStatus> probes;          // one per purpose, also then
};

// Never fails: what cannot be loaded or attached has its reason in probes.
BpfOpened open_bpf(const BpfOptions& options);

}  // namespace fw::kernel
