// Planted secrets: none survives. Real text: how much of it is taken for one. The cost.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "node-agent/redaction/redaction.hpp"
#include "planted.hpp"

namespace fw::redaction {
namespace {

constexpr int kPlanted = 10'000;
constexpr std::size_t kTelling = 10;   // so many bytes of a secret in a row are a leak

// The first part of `secret` that is in `text`; "": none.
std::string leaked(const std::string& secret, const std::string& text) {
  if (secret.size() <= kTelling) return text.find(secret) != std::string::npos ? secret : "";
  for (std::size_t at = 0; at + kTelling <= secret.size(); ++at) {
    const auto part = secret.substr(at, kTelling);
    if (part.find("PRIVATE KEY") == std::string::npos && text.find(part) != std::string::npos) return part;
  }
  return "";
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::size_t lines_of(const std::string& text) { return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')); }

TEST(Planted, none_of_ten_thousand_secrets_survives) {
  testing::Planter planter(20261124);
  int survivors = 0;
  RedactionCounts counts;
  for (int i = 0; i < kPlanted; ++i) {
    const auto planted = planter.next();
    const auto redacted = redact(planted.text, &counts);
    const auto part = leaked(planted.secret, redacted);
    // The fixed head of a webhook's URL is public.
    if (part.empty() || std::string("https://hooks.slack.com/services/").find(part) != std::string::npos) continue;
    if (++survivors <= 20) ADD_FAILURE() << planted.shape << "\n  text:     " << planted.text << "\n  redacted: " << redacted << "\n  leaked:   " << part;
  }
  EXPECT_EQ(survivors, 0);
  std::printf("  %d secrets planted, %d survived; rules that acted: %zu\n", kPlanted, survivors, counts.size());
}

TEST(Planted, none_survives_in_one_text_with_its_tail_cut_anywhere) {
  testing::Planter planter(7);
  std::string text;
  std::vector<testing::Planted> all;
  for (int i = 0; i < 300; ++i) {
    all.push_back(planter.next());
    text += all.back().text + "\n";
  }
  const auto redacted = redact(text);
  int survivors = 0;
  for (const auto& planted : all) {
    const auto part = leaked(planted.secret, redacted);
    if (part.empty() || std::string("https://hooks.slack.com/services/").find(part) != std::string::npos) continue;
    if (++survivors <= 5) ADD_FAILURE() << planted.shape << ": " << part;
  }
  EXPECT_EQ(survivors, 0);
}

struct Corpus {
  const char* name;
  std::string text;
};

// What reads like the logs and documents of nodes. The kernel log and nginx's are recorded; the rest is this repository and this machine.
std::vector<Corpus> real_text() {
  const std::filesystem::path source = FW_SOURCE_DIR;
  std::string docs;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(source / "docs")) {
    if (entry.path().extension() == ".md") docs += read_file(entry.path());
  }
  return {{"this repository's docs", docs},
          {"kernel log", read_file(source / "tests/unit/redaction/texts/kernel.log")},
          {"nginx log", read_file(source / "tests/unit/redaction/texts/nginx.log")},
          {"package log", read_file("/var/log/dpkg.log").substr(0, 200'000)}};
}

TEST(Planted, real_text_keeps_nearly_all_of_its_lines) {
  for (const auto& corpus : real_text()) {
    if (corpus.text.empty()) continue;
    RedactionCounts counts;
    const auto redacted = redact(corpus.text, &counts);
    std::size_t replaced = 0;
    std::string rules;
    for (const auto& [rule, count] : counts) {
      replaced += count;
      rules += " " + rule + "=" + std::to_string(count);
    }
    const auto lines = lines_of(corpus.text);
    std::printf("  false positives in %s: %zu of %zu lines (%.3f %%)%s\n", corpus.name, replaced, lines,
                100.0 * static_cast<double>(replaced) / static_cast<double>(lines), rules.c_str());
    EXPECT_LE(replaced * 100, lines) << corpus.name << rules;
  }
}

TEST(Planted, costs_little_and_is_linear) {
  std::string text;
  for (const auto& corpus : real_text()) text += corpus.text.substr(0, 100'000);
  (void)redact(text);
  const auto time_of = [](std::string_view input) {
    const auto begin = std::chrono::steady_clock::now();
    (void)redact(input);
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
  };
  double best = 1e9;
  for (int i = 0; i < 5; ++i) best = std::min(best, time_of(text));
  std::printf("  %.2f us for 100 bytes of real text (%zu bytes)\n", best * 100 / static_cast<double>(text.size()), text.size());
  EXPECT_LT(best * 100 / static_cast<double>(text.size()), 10.0);   // sanitizers and debug builds included
  // Texts made to be slow: ten times the bytes may not cost much more than ten times the time.
  for (const std::string unit : {"token=${", "\\\"secret\\\":\\\"", "cookie: ", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a:a:a:", "-----BEGIN PRIVATE KEY----- ", "mysql -",
                                 "authorization: '", "://a:", "4111 "}) {
    std::string hostile;
    while (hostile.size() < 20'000) hostile += unit;
    const auto small = std::max(time_of(hostile), 1000.0);
    const auto once = hostile;
    for (int i = 0; i < 9; ++i) hostile += once;
    EXPECT_LT(time_of(hostile), small * 40) << unit;
  }
}

}  // namespace
}  // namespace fw::redaction
