#include "aggregator/api/peer_limiter.hpp"

#include <gtest/gtest.h>

namespace fw::api {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

TEST(PeerLimiter, is_over_after_a_burst_and_forgives_with_time) {
  PeerLimiter limiter;
  for (int i = 0; i < 20; ++i) limiter.failed("a", kSecond);
  EXPECT_FALSE(limiter.over_limit("a", kSecond));
  limiter.failed("a", kSecond);
  EXPECT_TRUE(limiter.over_limit("a", kSecond));
  EXPECT_FALSE(limiter.over_limit("b", kSecond));
  EXPECT_FALSE(limiter.over_limit("a", 7 * kSecond));
}

TEST(PeerLimiter, forgives_even_the_worst_within_minutes) {
  PeerLimiter limiter;
  for (int i = 0; i < 1'000; ++i) limiter.failed("a", kSecond);
  EXPECT_TRUE(limiter.over_limit("a", 60 * kSecond));
  EXPECT_FALSE(limiter.over_limit("a", 120 * kSecond));
}

TEST(PeerLimiter, remembers_a_bounded_number_of_addresses) {
  PeerLimiter limiter;
  for (int i = 0; i < 21; ++i) limiter.failed("old", kSecond);
  for (std::size_t i = 0; i < PeerLimiter::kMaxPeers - 1; ++i) limiter.failed(std::to_string(i), kSecond);
  EXPECT_TRUE(limiter.over_limit("old", kSecond));
  limiter.failed("one more", kSecond);
  EXPECT_FALSE(limiter.over_limit("old", kSecond));
  EXPECT_EQ(limiter.size(), PeerLimiter::kMaxPeers);
}

}  // namespace
}  // namespace fw::api
