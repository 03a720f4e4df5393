#include "aggregator/changes/signature.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>

namespace fw::changes {
namespace {

// From GitHub's documentation of webhook deliveries: its secret, body and signature.
constexpr auto kSecret = "It's a Secret to Everybody";
constexpr auto kBody = "Hello, World!";
constexpr auto kSignature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

TEST(Signature, agrees_with_the_example_of_github) {
  EXPECT_EQ(check_signature(kSecret, kSignature, kBody), SignatureCheck::ok);
  EXPECT_EQ(make_signature(kSecret, kBody), kSignature);
}

TEST(Signature, agrees_with_test_case_2_of_rfc_4231) {
  EXPECT_EQ(make_signature("Jefe", "what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Signature, takes_upper_case_hex_but_no_other_prefix) {
  const std::string hex = std::string(kSignature).substr(7);
  EXPECT_EQ(check_signature(kSecret, "sha256=" + upper(hex), kBody), SignatureCheck::ok);
  for (const auto& header : {"SHA256=" + hex, hex, "sha1=" + hex.substr(0, 40), "sha1=" + hex, "sha256=" + hex + "00", "sha256=" + hex.substr(1),
                             "sha256=" + hex.substr(0, 63) + "g", std::string("sha256="), " sha256=" + hex}) {
    EXPECT_EQ(check_signature(kSecret, header, kBody), SignatureCheck::malformed) << header;
  }
}

TEST(Signature, refuses_a_missing_header) {
  EXPECT_EQ(check_signature(kSecret, std::nullopt, kBody), SignatureCheck::missing);
  EXPECT_EQ(check_signature(kSecret, "", kBody), SignatureCheck::missing);
}

TEST(Signature, covers_every_bit_of_the_body_and_of_itself) {
  std::string body = kBody;
  for (std::size_t bit = 0; bit < body.size() * 8; ++bit) {
    body[bit / 8] = static_cast<char>(body[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(check_signature(kSecret, kSignature, body), SignatureCheck::mismatch);
    body[bit / 8] = static_cast<char>(body[bit / 8] ^ (1 << (bit % 8)));
  }
  for (std::size_t i = 7; i < 71; ++i) {
    std::string signature = kSignature;
    signature[i] = signature[i] == '0' ? '1' : '0';
    EXPECT_EQ(check_signature(kSecret, signature, kBody), SignatureCheck::mismatch);
  }
}

TEST(Signature, never_matches_without_a_secret) {
  EXPECT_EQ(check_signature("", make_signature("", kBody), kBody), SignatureCheck::mismatch);
}

}  // namespace
}  // namespace fw::changes
