// A window of one metric of one entity, compressed: differences of time and value as variable-length integers in blocks.
#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace fw::series {

struct Point {
  std::int64_t t_ns = 0, value = 0;
  friend bool operator==(const Point&, const Point&) = default;
};

struct Resolution {
  std::chrono::nanoseconds spacing{0};   // a point closer than this to the one before is skipped
  std::chrono::nanoseconds horizon{0};   // what is older than the newest point by more than this goes (a block at a time)
};

// Invariant: times ascend strictly; at least `horizon` is kept, at most one block more. Typical cost: 3 to 5 bytes a point.
// Threading: one executor.
class PointLog {
 public:
  enum class Added : std::uint8_t { kept, skipped, late };

  Added add(Point point, const Resolution& resolution);
  std::vector<Point> read(std::int64_t from_ns, std::int64_t to_ns, std::chrono::nanoseconds spacing = {}) const;
  std::optional<Point> newest() const { return blocks_.empty() ? std::nullopt : std::optional(last_); }
  std::optional<Point> before_newest() const { return blocks_.empty() || (blocks_.size() == 1 && blocks_[0].points == 1) ? std::nullopt : std::optional(before_); }
  bool empty() const noexcept { return blocks_.empty(); }
  std::size_t bytes() const noexcept;

 private:
  static constexpr std::uint16_t kPointsPerBlock = 60;
  struct Block {
    Point first;
    std::int64_t last_t_ns = 0;
    std::uint16_t points = 1;
    std::vector<std::uint8_t> rest;
  };
  std::deque<Block> blocks_;
  Point last_, before_;
  std::int64_t last_step_ns_ = 0;
};

}  // namespace fw::series
