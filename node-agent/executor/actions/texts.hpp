// Pure parsers of the kernel texts that only the executor reads, and of its own snapshots.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/bytes.hpp"
#include "common/result.hpp"

namespace fw::executor {

// "key value" or "key: value unit" lines, as in cgroup.events, /proc/meminfo, smaps_rollup and /proc/PID/status: the number of that key.
std::optional<std::int64_t> parse_keyed(std::string_view text, std::string_view key);

// One number, "max" or v1's "no limit" (a number near 2^63) = -1. Errc::malformed
Result<std::int64_t> parse_value(std::string_view text);

// v2 cpu.max: "max 100000", "50000 100000".
struct CpuMax { std::int64_t quota_us = -1, period_us = 100'000; friend bool operator==(const CpuMax&, const CpuMax&) = default; };
Result<CpuMax> parse_cpu_max(std::string_view text);

// v1 cpu.shares and v2 cpu.weight in the kernel's own relation: 1024 shares are a weight of 100. Exact there and back for weights.
std::int64_t shares_of_weight(std::int64_t weight) noexcept;
std::int64_t weight_of_shares(std::int64_t shares) noexcept;

// What restore() needs: a few named numbers, as lines "name number". At most kMaxSnapshotEntries; names of [a-z_].
inline constexpr std::size_t kMaxSnapshotEntries = 16;
class Snapshot {
 public:
  static Result<Snapshot> parse(ByteView bytes);   // Errc::malformed
  Bytes bytes() const;
  void set(std::string_view name, std::int64_t value) { values_.insert_or_assign(std::string(name), value); }
  std::optional<std::int64_t> get(std::string_view name) const;
  Result<std::int64_t> need(std::string_view name) const;   // Errc::malformed
  friend bool operator==(const Snapshot&, const Snapshot&) = default;

 private:
  std::map<std::string, std::int64_t, std::less<>> values_;
};

// /proc/PID/mountinfo of a process in a container of that pod: the container's name, from the kubelet's folder that is mounted into it
// ("/pods/UID/containers/NAME/..."); "" when there is none.
std::string container_name_of(std::string_view mountinfo, std::string_view pod_uid);

std::string text_of(std::int64_t value);         // "max" for -1

}  // namespace fw::executor
