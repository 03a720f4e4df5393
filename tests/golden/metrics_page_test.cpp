// docs/metrics.md is what the collectors' tables say, and everything in it has a proof that exists.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "node-agent/app/collector_page.hpp"

namespace fw::agent {
namespace {

std::string file_text(const std::filesystem::path& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// "Suite.name" of every test of real kernels.
std::set<std::string> kernel_tests() {
  static const std::regex kTest(R"(TEST(?:_F|_P)?\((\w+),\s*(\w+)\))");
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(FW_SOURCE_DIR "/tests/kernel")) {
    if (entry.path().extension() != ".cpp") continue;
    const auto text = file_text(entry.path());
    for (std::sregex_iterator at(text.begin(), text.end(), kTest), end; at != end; ++at) names.insert((*at)[1].str() + "." + (*at)[2].str());
  }
  return names;
}

TEST(MetricsPage, is_what_the_tables_say) {
  const auto* path = FW_SOURCE_DIR "/docs/metrics.md";
  const auto page = collector_page(all_collectors());
  if (std::getenv("FW_UPDATE_DOCS") != nullptr) std::ofstream(path) << page;
  EXPECT_EQ(file_text(path), page) << "run it with FW_UPDATE_DOCS=1 and commit docs/metrics.md";
}

TEST(MetricsPage, everything_has_a_proof_that_exists) {
  const auto tests = kernel_tests();
  ASSERT_GT(tests.size(), 50U);
  for (const auto& collector : all_collectors()) {
    for (const auto& metric : collector.metrics) EXPECT_TRUE(tests.contains(std::string(metric.proof))) << metric.name << ": '" << metric.proof << "'";
    for (const auto& word : collector.observed) EXPECT_TRUE(tests.contains(std::string(word.proof))) << word.word << ": '" << word.proof << "'";
  }
}

TEST(MetricsPage, words_are_said_once_and_short_enough_for_the_wire) {
  std::set<std::string_view> words;
  for (const auto& collector : all_collectors()) {
    for (const auto& word : collector.observed) {
      EXPECT_TRUE(words.insert(word.word).second) << word.word;
      EXPECT_TRUE(word.word.size() <= 40 && word.word.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string_view::npos) << word.word;
      EXPECT_FALSE(word.help.empty()) << word.word;
    }
  }
}

// What the code says, it must have described: every `.what = "word"` of the agent's sources.
TEST(MetricsPage, no_word_is_said_that_is_not_described) {
  static const std::regex kSaid(R"#((?:\.what = |\.tell\(sink, |tell_changes\()"([a-z_]+)")#");
  std::set<std::string> described;
  for (const auto& collector : all_collectors()) {
    for (const auto& word : collector.observed) described.emplace(word.word);
  }
  std::size_t said = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(FW_SOURCE_DIR "/node-agent")) {
    if (entry.path().extension() != ".cpp") continue;
    const auto text = file_text(entry.path());
    for (std::sregex_iterator at(text.begin(), text.end(), kSaid), end; at != end; ++at, ++said) {
      EXPECT_TRUE(described.contains((*at)[1])) << entry.path().filename() << " says " << (*at)[1];
    }
  }
  EXPECT_GE(said, 6U);
}

}  // namespace
}  // namespace fw::agent
