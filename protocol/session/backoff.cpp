#include "protocol/session/backoff.hpp"

#include <algorithm>

namespace fw::session {

std::chrono::milliseconds Backoff::next(std::chrono::nanoseconds lasted, std::uint64_t random) noexcept {
  if (lasted >= limits_.healthy) failures_ = 0;
  constexpr unsigned kMostDoublings = 32;  // beyond any sensible ratio of most to first, and no overflow before
  const auto first = static_cast<std::uint64_t>(limits_.first.count());
  const auto most = static_cast<std::uint64_t>(limits_.most.count());
  const std::uint64_t bound = std::min(most, first << std::min(failures_, kMostDoublings));
  ++failures_;
  return std::chrono::milliseconds(random % (bound + 1));
}

}  // namespace fw::session
