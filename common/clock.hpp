// Time enters through this interface, so that tests and the simulation own it.
#pragma once
#include <cstdint>

namespace fw {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t wall_ns() const = 0;   // ns since the Unix epoch, CLOCK_REALTIME
  virtual std::uint64_t mono_ns() const = 0;  // CLOCK_MONOTONIC, same as bpf_ktime_get_ns()
};

// The machine's clocks. Thread-safe.
class SystemClock final : public Clock {
 public:
  std::int64_t wall_ns() const override;
  std::uint64_t mono_ns() const override;
};

inline constexpr std::int64_t kNsPerMs = 1'000'000;
inline constexpr std::int64_t kNsPerSecond = 1'000'000'000;

}  // namespace fw
