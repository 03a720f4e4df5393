#include "common/clock.hpp"

#include <ctime>

namespace fw {
namespace {

std::int64_t read_clock(clockid_t id) {
  timespec ts{};
  ::clock_gettime(id, &ts);
  return static_cast<std::int64_t>(ts.tv_sec) * kNsPerSecond + ts.tv_nsec;
}

}  // namespace

std::int64_t SystemClock::wall_ns() const { return read_clock(CLOCK_REALTIME); }
std::uint64_t SystemClock::mono_ns() const { return static_cast<std::uint64_t>(read_clock(CLOCK_MONOTONIC)); }

}  // namespace fw
