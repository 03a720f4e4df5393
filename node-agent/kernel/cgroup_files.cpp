#include "node-agent/kernel/cgroup_files.hpp"

#include <string>

#include "node-agent/kernel/text.hpp"

namespace fw::kernel {
namespace {

Error bad_number(std::string_view what, std::string_view text) {
  std::string context{what};
  context += ": bad number '";
  context += text.substr(0, 40);
  context += "'";
  return Error{Errc::malformed, std::move(context)};
}

// For each "key number" line: use(key) says where the number goes; nullptr for unknown keys, whose value may then be
// anything.
template <class Use>
Result<void> each_line(std::string_view text, Use use) {
  while (!text.empty()) {
    auto line = take_line(text);
    const auto key = take_until(line, ' ');
    OptU64* const target = use(key);
    if (target == nullptr) continue;
    const auto number = to_number<std::uint64_t>(trimmed(line));
    if (!number) return bad_number(key, line);
    *target = *number;
  }
  return {};
}

void add(OptU64& to, const OptU64& value) {
  if (value) to = to.value_or(0) + *value;
}

}  // namespace

Result<std::uint64_t> parse_counter(std::string_view text) {
  const auto number = to_number<std::uint64_t>(trimmed(text));
  if (!number) return bad_number("counter", text);
  return *number;
}

Result<std::int64_t> parse_limit(std::string_view text) {
  const auto value = trimmed(text);
  if (value == "max" || value == "-1") return kNoLimit;
  const auto number = to_number<std::uint64_t>(value);
  if (!number) return bad_number("limit", value);
  // v1 prints LONG_MAX rounded down to pages (4 KiB to 64 KiB); no machine has so much memory.
  if (*number >= (std::uint64_t{1} << 62)) return kNoLimit;
  return static_cast<std::int64_t>(*number);
}

Result<MemoryStat> parse_memory_stat_v1(std::string_view text) {
  MemoryStat stat;
  OptU64 refault_anon, refault_file;
  const auto parsed = each_line(text, [&](std::string_view key) -> OptU64* {
    if (!key.starts_with("total_")) return nullptr;
    key.remove_prefix(6);
    if (key == "rss") return &stat.anon_bytes;
    if (key == "cache") return &stat.file_bytes;
    if (key == "inactive_file") return &stat.inactive_file_bytes;
    if (key == "swap") return &stat.swap_bytes;
    if (key == "shmem") return &stat.shmem_bytes;
    if (key == "pgfault") return &stat.pgfault_total;
    if (key == "pgmajfault") return &stat.pgmajfault_total;
    if (key == "workingset_refault_anon") return &refault_anon;
    if (key == "workingset_refault_file") return &refault_file;
    return nullptr;
  });
  if (!parsed) return parsed.error();
  add(stat.refaults_total, refault_anon);
  add(stat.refaults_total, refault_file);
  return stat;
}

Result<MemoryStat> parse_memory_stat_v2(std::string_view text) {
  MemoryStat stat;
  OptU64 refault_anon, refault_file, refault_both;
  const auto parsed = each_line(text, [&](std::string_view key) -> OptU64* {
    if (key == "anon") return &stat.anon_bytes;
    if (key == "file") return &stat.file_bytes;
    if (key == "inactive_file") return &stat.inactive_file_bytes;
    if (key == "slab") return &stat.slab_bytes;
    if (key == "shmem") return &stat.shmem_bytes;
    if (key == "pgfault") return &stat.pgfault_total;
    if (key == "pgmajfault") return &stat.pgmajfault_total;
    if (key == "workingset_refault_anon") return &refault_anon;
    if (key == "workingset_refault_file") return &refault_file;
    if (key == "workingset_refault") return &refault_both;   // before 5.9
    return nullptr;
  });
  if (!parsed) return parsed.error();
  add(stat.refaults_total, refault_anon);
  add(stat.refaults_total, refault_file);
  add(stat.refaults_total, refault_both);
  return stat;
}

Result<MemoryEvents> parse_memory_events(std::string_view text) {
  MemoryEvents events;
  const auto parsed = each_line(text, [&](std::string_view key) -> OptU64* {
    if (key == "high") return &events.high;
    if (key == "max") return &events.max;
    if (key == "oom") return &events.oom;
    if (key == "oom_kill") return &events.oom_kill;
    return nullptr;
  });
  if (!parsed) return parsed.error();
  return events;
}

Result<OptU64> parse_oom_control(std::string_view text) {
  OptU64 kills;
  const auto parsed = each_line(text, [&](std::string_view key) { return key == "oom_kill" ? &kills : nullptr; });
  if (!parsed) return parsed.error();
  return kills;
}

Result<CpuStat> parse_cpu_stat(std::string_view text) {
  CpuStat stat;
  OptU64 throttled_ns;
  const auto parsed = each_line(text, [&](std::string_view key) -> OptU64* {
    if (key == "usage_usec") return &stat.usage_us;
    if (key == "user_usec") return &stat.user_us;
    if (key == "system_usec") return &stat.system_us;
    if (key == "nr_periods") return &stat.periods_total;
    if (key == "nr_throttled") return &stat.throttled_periods_total;
    if (key == "throttled_usec") return &stat.throttled_us;
    if (key == "throttled_time") return &throttled_ns;
    return nullptr;
  });
  if (!parsed) return parsed.error();
  if (throttled_ns) stat.throttled_us = *throttled_ns / 1000;
  return stat;
}

Result<std::int64_t> parse_cpu_max_millicores(std::string_view text) {
  auto rest = trimmed(text);
  const auto quota = take_until(rest, ' ');
  return cfs_millicores(quota == "max" ? std::string_view{"-1"} : quota, rest);
}

Result<std::int64_t> cfs_millicores(std::string_view quota_text, std::string_view period_text) {
  const auto quota = to_number<std::int64_t>(trimmed(quota_text));
  const auto period = to_number<std::int64_t>(trimmed(period_text));
  constexpr std::int64_t kLargestQuota = std::int64_t{1} << 50;   // the kernel allows less; keeps the product in range
  if (!quota || *quota > kLargestQuota) return bad_number("cpu quota", quota_text);
  if (!period || *period <= 0) return bad_number("cpu period", period_text);
  if (*quota < 0) return kNoLimit;
  return *quota * 1000 / *period;
}

Result<Pressure> parse_pressure(std::string_view text) {
  Pressure pressure;
  while (!text.empty()) {
    auto line = take_line(text);
    const auto kind = take_until(line, ' ');
    OptU64* const target = kind == "some" ? &pressure.some_us : kind == "full" ? &pressure.full_us : nullptr;
    if (target == nullptr) continue;
    const auto at = line.rfind("total=");
    const auto number = at == std::string_view::npos ? std::nullopt : to_number<std::uint64_t>(trimmed(line.substr(at + 6)));
    if (!number) return bad_number(kind, line);
    *target = *number;
  }
  return pressure;
}

}  // namespace fw::kernel
