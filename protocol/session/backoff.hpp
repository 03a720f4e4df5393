// How long to wait before the next connection attempt: exponential with full jitter, so that a fleet does not come back at once.
#pragma once
#include <chrono>
#include <cstdint>

namespace fw::session {

struct BackoffLimits {
  std::chrono::milliseconds first{250};      // upper bound of the first wait
  std::chrono::milliseconds most{30'000};    // upper bound of every wait
  std::chrono::milliseconds healthy{60'000}; // a session that lasted this long forgets earlier failures
};

// Pure apart from its count; randomness and time are passed in. One executor.
class Backoff {
 public:
  explicit Backoff(BackoffLimits limits = {}) : limits_(limits) {}

  // After an attempt failed or a session ended. `lasted`: how long it was established (0 when it never was). `random`: 64 random
  // bits. The wait is uniform in [0, min(most, first * 2^failures)].
  std::chrono::milliseconds next(std::chrono::nanoseconds lasted, std::uint64_t random) noexcept;
  unsigned failures() const noexcept { return failures_; }   // in a row, for the log

 private:
  BackoffLimits limits_;
  unsigned failures_ = 0;
};

}  // namespace fw::session
