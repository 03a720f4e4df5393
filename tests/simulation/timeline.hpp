// True time, what happens next, and the clocks that machines have of it.
#pragma once
#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "common/clock.hpp"

namespace fw::sim {

inline constexpr std::int64_t kSecond = 1'000'000'000;
inline constexpr std::int64_t kMinute = 60 * kSecond;
inline constexpr std::int64_t kHour = 60 * kMinute;
inline constexpr std::int64_t kStartNs = 1'800'000'000 * kSecond;   // true time at which every schedule begins

// Equal times happen in the order in which they were planned, so a schedule is a function of its seed.
class Timeline {
 public:
  std::int64_t now_ns() const { return now_ns_; }
  std::int64_t now_ms() const { return now_ns_ / kNsPerMs; }

  void at(std::int64_t time_ns, std::function<void()> what) { queue_.push({std::max(time_ns, now_ns_), ++planned_, std::move(what)}); }
  void in(std::int64_t delay_ns, std::function<void()> what) { at(now_ns_ + delay_ns, std::move(what)); }

  bool step() {
    if (queue_.empty()) return false;
    auto event = queue_.top();
    queue_.pop();
    now_ns_ = event.time_ns;
    ++steps_;
    event.what();
    return true;
  }
  std::int64_t next_ns() const { return queue_.empty() ? now_ns_ : queue_.top().time_ns; }
  bool empty() const { return queue_.empty(); }
  std::uint64_t steps() const { return steps_; }

 private:
  struct Event {
    std::int64_t time_ns = 0;
    std::uint64_t order = 0;
    std::function<void()> what;
    bool operator<(const Event& other) const { return time_ns != other.time_ns ? time_ns > other.time_ns : order > other.order; }
  };
  std::priority_queue<Event> queue_;
  std::int64_t now_ns_ = kStartNs;
  std::uint64_t planned_ = 0, steps_ = 0;
};

// One machine's clocks. The wall clock may be wrong; the monotonic one counts since boot.
class MachineClock final : public Clock {
 public:
  explicit MachineClock(const Timeline& timeline) : timeline_(timeline), boot_ns_(timeline.now_ns()) {}
  std::int64_t wall_ns() const override { return timeline_.now_ns() + error_ns_; }
  std::uint64_t mono_ns() const override { return static_cast<std::uint64_t>(timeline_.now_ns() - boot_ns_ + kSecond); }

  void boot() { boot_ns_ = timeline_.now_ns(); }
  void error_ns(std::int64_t error) { error_ns_ = error; }
  std::int64_t error_ns() const { return error_ns_; }   // wall minus true

 private:
  const Timeline& timeline_;
  std::int64_t boot_ns_, error_ns_ = 0;
};

}  // namespace fw::sim
