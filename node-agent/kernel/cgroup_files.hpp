// Pure parsers of cgroup control files, v1 and v2. Unknown keys are ignored, a bad number is Errc::malformed, a value that the
// text does not have is absent.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/result.hpp"

namespace fw::kernel {

using OptU64 = std::optional<std::uint64_t>;

inline constexpr std::int64_t kNoLimit = -1;

// memory.current, memory.usage_in_bytes, pids.current, cpuacct.usage, memory.failcnt.
Result<std::uint64_t> parse_counter(std::string_view text);

// memory.max, memory.high, memory.limit_in_bytes: bytes, kNoLimit for "max" and for v1's largest page-aligned number.
Result<std::int64_t> parse_limit(std::string_view text);

// memory.stat, with descendants: v1's total_* keys where they exist. Bytes, and counters since the cgroup was made.
struct MemoryStat {
  OptU64 anon_bytes, file_bytes, inactive_file_bytes, swap_bytes, slab_bytes, shmem_bytes;
  OptU64 pgfault_total, pgmajfault_total, refaults_total;
};
Result<MemoryStat> parse_memory_stat_v1(std::string_view text);
Result<MemoryStat> parse_memory_stat_v2(std::string_view text);

// memory.events and memory.events.local.
struct MemoryEvents {
  OptU64 high, max, oom, oom_kill;
};
Result<MemoryEvents> parse_memory_events(std::string_view text);

// v1 memory.oom_control: its oom_kill, absent before 4.13.
Result<OptU64> parse_oom_control(std::string_view text);

// cpu.stat. usage only on v2; throttled also from v1's throttled_time.
struct CpuStat {
  OptU64 usage_us, user_us, system_us, periods_total, throttled_periods_total, throttled_us;
};
Result<CpuStat> parse_cpu_stat(std::string_view text);

// cpu.max: 1000 = one CPU's whole time; kNoLimit for "max".
Result<std::int64_t> parse_cpu_max_millicores(std::string_view text);
// v1: cpu.cfs_quota_us and cpu.cfs_period_us.
Result<std::int64_t> cfs_millicores(std::string_view quota_text, std::string_view period_text);

// memory.pressure and its kin: total= of both lines, microseconds. cpu.pressure has no full line before 5.13.
struct Pressure {
  OptU64 some_us, full_us;
};
Result<Pressure> parse_pressure(std::string_view text);

}  // namespace fw::kernel
