#include "aggregator/series/point_log.hpp"

namespace fw::series {
namespace {

std::uint64_t zigzag(std::int64_t v) { return (static_cast<std::uint64_t>(v) << 1U) ^ static_cast<std::uint64_t>(v >> 63); }
std::int64_t unzigzag(std::uint64_t v) { return static_cast<std::int64_t>(v >> 1U) ^ -static_cast<std::int64_t>(v & 1U); }

void put(std::vector<std::uint8_t>& out, std::uint64_t v) {
  while (v >= 0x80U) {
    out.push_back(static_cast<std::uint8_t>(v | 0x80U));
    v >>= 7U;
  }
  out.push_back(static_cast<std::uint8_t>(v));
}

std::uint64_t get(const std::vector<std::uint8_t>& in, std::size_t& at) {
  std::uint64_t v = 0;
  for (unsigned shift = 0; at < in.size(); shift += 7) {
    const std::uint8_t byte = in[at++];
    v |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
    if ((byte & 0x80U) == 0) break;
  }
  return v;
}

// Differences wrap: any two int64 values have one.
std::int64_t minus(std::int64_t a, std::int64_t b) { return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b)); }
std::int64_t plus(std::int64_t a, std::int64_t b) { return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b)); }

}  // namespace

PointLog::Added PointLog::add(Point point, const Resolution& resolution) {
  if (!blocks_.empty()) {
    if (point.t_ns <= last_.t_ns) return Added::late;
    if (minus(point.t_ns, last_.t_ns) < resolution.spacing.count()) return Added::skipped;
  }
  if (blocks_.empty() || blocks_.back().points >= kPointsPerBlock) {
    blocks_.push_back({.first = point, .last_t_ns = point.t_ns, .points = 1, .rest = {}});
    last_step_ns_ = 0;
    if (blocks_.size() > 1) blocks_[blocks_.size() - 2].rest.shrink_to_fit();
  } else {
    Block& block = blocks_.back();
    const std::int64_t step_ns = minus(point.t_ns, last_.t_ns);
    put(block.rest, zigzag(minus(step_ns, last_step_ns_)));   // a steady clock makes this small
    put(block.rest, zigzag(minus(point.value, last_.value)));
    last_step_ns_ = step_ns;
    block.last_t_ns = point.t_ns;
    ++block.points;
  }
  before_ = last_;
  last_ = point;
  while (blocks_.size() > 1 && minus(point.t_ns, blocks_.front().last_t_ns) > resolution.horizon.count()) blocks_.pop_front();
  return Added::kept;
}

std::vector<Point> PointLog::read(std::int64_t from_ns, std::int64_t to_ns, std::chrono::nanoseconds spacing) const {
  std::vector<Point> points;
  const auto take = [&](const Point& p) {
    if (p.t_ns < from_ns || p.t_ns > to_ns) return;
    if (!points.empty() && p.t_ns - points.back().t_ns < spacing.count()) return;
    points.push_back(p);
  };
  for (const Block& block : blocks_) {
    if (block.last_t_ns < from_ns || block.first.t_ns > to_ns) continue;
    Point p = block.first;
    take(p);
    std::int64_t step_ns = 0;
    for (std::size_t at = 0; at < block.rest.size();) {
      step_ns = plus(step_ns, unzigzag(get(block.rest, at)));
      p.t_ns = plus(p.t_ns, step_ns);
      p.value = plus(p.value, unzigzag(get(block.rest, at)));
      take(p);
    }
  }
  return points;
}

std::size_t PointLog::bytes() const noexcept {
  std::size_t total = sizeof(*this);
  for (const Block& block : blocks_) total += sizeof(Block) + block.rest.capacity();
  return total;
}

}  // namespace fw::series
