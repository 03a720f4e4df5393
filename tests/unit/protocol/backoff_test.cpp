#include "protocol/session/backoff.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace fw::session {
namespace {

using namespace std::chrono_literals;

constexpr BackoffLimits kLimits{100ms, 1'000ms, 60s};

// The largest wait that is possible now: random = bound gives bound. Found from above, as nothing shows the bound itself.
TEST(Backoff, doubles_its_bound_up_to_the_limit) {
  Backoff backoff(kLimits);
  for (const std::uint64_t bound : {100U, 200U, 400U, 800U, 1000U, 1000U}) EXPECT_EQ(backoff.next(0s, bound).count(), static_cast<std::int64_t>(bound));
}

TEST(Backoff, never_goes_beyond_its_bound_for_any_randomness) {
  Backoff backoff(kLimits);
  std::uint64_t random = 88172645463325252ULL;
  std::int64_t bound = 100;
  for (int i = 0; i < 200; ++i) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    const auto wait = backoff.next(0s, random).count();
    EXPECT_GE(wait, 0);
    EXPECT_LE(wait, bound);
    bound = std::min<std::int64_t>(bound * 2, 1000);
  }
}

TEST(Backoff, uses_the_whole_range_from_zero) {
  Backoff backoff(kLimits);
  EXPECT_EQ(backoff.next(0s, 0), 0ms);
  EXPECT_EQ(backoff.next(0s, 200), 200ms);
}

TEST(Backoff, forgets_failures_only_after_a_healthy_session) {
  Backoff backoff(kLimits);
  for (int i = 0; i < 5; ++i) backoff.next(59s, 0);
  EXPECT_EQ(backoff.failures(), 5U);
  EXPECT_EQ(backoff.next(60s, 100), 100ms);
  EXPECT_EQ(backoff.failures(), 1U);
}

}  // namespace
}  // namespace fw::session
