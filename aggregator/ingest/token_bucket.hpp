// How fast one node may send events, whatever the number of its connections.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <mutex>

namespace fw::ingest {

// Thread-safe: an old and a new session of a node may overlap on two shards.
class TokenBucket {
 public:
  TokenBucket(double per_second, double burst) : per_second_(per_second), burst_(burst), tokens_(burst) {}

  // Takes `count` now and returns how long to wait before going on: the debt is paid by waiting.
  std::chrono::nanoseconds take(std::size_t count, std::uint64_t mono_ns) {
    const std::lock_guard lock(mutex_);
    if (last_ns_ != 0 && mono_ns > last_ns_) tokens_ = std::min(burst_, tokens_ + static_cast<double>(mono_ns - last_ns_) * 1e-9 * per_second_);
    last_ns_ = std::max(last_ns_, mono_ns);
    tokens_ -= static_cast<double>(count);
    if (tokens_ >= 0) return {};
    return std::chrono::nanoseconds(static_cast<std::int64_t>(-tokens_ / per_second_ * 1e9));
  }

 private:
  std::mutex mutex_;
  const double per_second_, burst_;
  double tokens_;
  std::uint64_t last_ns_ = 0;
};

}  // namespace fw::ingest
