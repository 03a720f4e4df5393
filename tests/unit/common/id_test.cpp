#include "common/id.hpp"

#include <gtest/gtest.h>

#include <set>

namespace fw {
namespace {

TEST(Uuid, text_form_round_trips_with_and_without_dashes) {
  const auto id = Uuid::parse("0193a5c8-7b1e-7f00-8abc-0123456789ab");
  ASSERT_TRUE(id.has_value());
  EXPECT_EQ(id->str(), "0193a5c8-7b1e-7f00-8abc-0123456789ab");
  EXPECT_EQ(*Uuid::parse("0193a5c87b1e7f008abc0123456789ab"), *id);
}

TEST(Uuid, refuses_what_is_not_a_uuid) {
  for (const char* text : {"", "0193a5c8", "0193a5c8-7b1e-7f00-8abc-0123456789ag", "0193a5c8-7b1e-7f00-8abc-0123456789abcd",
                           "0193a5c8_7b1e_7f00_8abc_0123456789ab", "-0193a5c87b1e7f008abc0123456789a-b0"}) {
    const auto id = Uuid::parse(text);
    ASSERT_FALSE(id.has_value()) << text;
    EXPECT_EQ(id.error().code, Errc::malformed);
  }
}

TEST(Uuid, version_7_carries_the_time_and_orders_by_millisecond) {
  const Uuid early = make_uuid_v7(1'800'000'000'000'000'000);
  const Uuid late = make_uuid_v7(1'800'000'000'001'000'000);
  EXPECT_LT(early, late);
  EXPECT_EQ(early.bytes[6] >> 4U, 7);
  EXPECT_EQ(early.bytes[8] >> 6U, 2);
}

TEST(Uuid, same_instant_gives_distinct_ids) {
  std::set<Uuid> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(make_uuid_v7(1'800'000'000'000'000'000));
  EXPECT_EQ(ids.size(), 1000U);
}

TEST(Hex, round_trips_every_byte) {
  std::vector<std::uint8_t> bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<std::uint8_t>(i));
  const auto back = from_hex(to_hex(bytes));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(std::vector<std::uint8_t>(back->begin(), back->end()), bytes);
  EXPECT_EQ(*from_hex("AbCd"), "\xab\xcd");
}

}  // namespace
}  // namespace fw
