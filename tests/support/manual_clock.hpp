// A clock that tests move by hand. Both clocks advance together; the wall clock can also be set (a step).
#pragma once
#include <chrono>
#include <cstdint>

#include "common/clock.hpp"

namespace fw::test {

class ManualClock final : public Clock {
 public:
  explicit ManualClock(std::int64_t wall_ns = 1'800'000'000'000'000'000, std::uint64_t mono_ns = 1'000'000'000'000)
      : wall_ns_(wall_ns), mono_ns_(mono_ns) {}

  std::int64_t wall_ns() const override { return wall_ns_; }
  std::uint64_t mono_ns() const override { return mono_ns_; }

  void advance(std::chrono::nanoseconds by) {
    wall_ns_ += by.count();
    mono_ns_ += static_cast<std::uint64_t>(by.count());
  }
  void set_wall_ns(std::int64_t wall_ns) { wall_ns_ = wall_ns; }

 private:
  std::int64_t wall_ns_;
  std::uint64_t mono_ns_;
};

}  // namespace fw::test
