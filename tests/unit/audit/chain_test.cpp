// I22: any single change of any byte, any entry dropped, put in or swapped is found, and the first bad entry is named.
#include "aggregator/audit/chain.hpp"

#include <gtest/gtest.h>

#include "tests/unit/audit/audit_fixture.hpp"

namespace fw::audit {
namespace {

constexpr std::uint64_t kEntries = 6;

struct SmallLog {
  SmallLog() {
    test::FakeDisk disk;
    const test::ManualClock clock;
    const auto log = std::move(*open_log(disk, clock));
    for (std::uint64_t i = 0; i < kEntries; ++i) {
      Entry entry = sample_entry(i);
      entry.actor.key.clear();
      entry.object.id = entry.plan = entry.release = "";
      const Draft draft{i, to_text(entry)};
      if (!log->append({&draft, 1})) std::abort();
    }
    if (!log->sign()) std::abort();
    head = log->head();
    text = all_lines(disk);
    lines = split_lines(text);
  }
  authority::Checkpoint head;
  std::string text;
  std::vector<std::string> lines;
};

const SmallLog& small_log() {
  static const SmallLog log;
  return log;
}

std::optional<Damage> check(const std::vector<std::string>& lines, const authority::Checkpoint& head = small_log().head) {
  Chain chain;
  for (const auto& line : lines) chain.add(line);
  return chain.check(head);
}

std::uint64_t entry_at(std::size_t byte) {
  return static_cast<std::uint64_t>(std::count(small_log().text.begin(), small_log().text.begin() + static_cast<std::ptrdiff_t>(byte), '\n'));
}

// Lines that only differ in a line end at the very end of a file hold the same entries.
TEST(AuditChain, the_whole_log_is_what_was_signed) { EXPECT_FALSE(check(small_log().lines)); }

TEST(AuditChain, every_changed_bit_names_its_entry) {
  const auto& text = small_log().text;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    const unsigned bits = i % 16 == 0 ? 8 : 1;   // all bits of some bytes, one bit of all
    for (unsigned bit = 0; bit < bits; ++bit) {
      auto changed = text;
      changed[i] = static_cast<char>(static_cast<unsigned char>(changed[i]) ^ (1U << (bits == 1 ? i % 8 : bit)));
      const auto damage = check(split_lines(changed));
      ASSERT_TRUE(damage) << "byte " << i;
      ASSERT_EQ(damage->seq, entry_at(i)) << "byte " << i << " bit " << bit << ": " << damage->why;
    }
  }
}

TEST(AuditChain, a_change_of_one_entry_shows_that_all_others_are_as_signed) {
  for (std::uint64_t seq = 0; seq + 1 < kEntries; ++seq) {
    auto lines = small_log().lines;
    lines[seq].replace(lines[seq].find("\"name\":\"") + 8, 1, "m");
    const auto damage = check(lines);
    ASSERT_TRUE(damage);
    EXPECT_EQ(damage->seq, seq);
    EXPECT_TRUE(damage->alone);
  }
}

TEST(AuditChain, a_dropped_entry_is_named) {
  for (std::size_t seq = 0; seq < kEntries; ++seq) {
    auto lines = small_log().lines;
    lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(seq));
    const auto damage = check(lines);
    ASSERT_TRUE(damage);
    EXPECT_EQ(damage->seq, seq) << damage->why;
  }
}

TEST(AuditChain, every_swap_names_its_first_entry) {
  for (std::size_t a = 0; a < kEntries; ++a) {
    for (std::size_t b = a + 1; b < kEntries; ++b) {
      auto lines = small_log().lines;
      std::swap(lines[a], lines[b]);
      const auto damage = check(lines);
      ASSERT_TRUE(damage);
      EXPECT_EQ(damage->seq, a) << damage->why;
    }
  }
}

TEST(AuditChain, an_entry_put_in_is_named) {
  for (std::size_t at = 0; at < kEntries; ++at) {
    for (std::size_t from = 0; from < kEntries; ++from) {
      auto lines = small_log().lines;
      lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(at), small_log().lines[from]);
      if (from == at && at + 1 == kEntries) continue;   // after the head: what was signed is all there before it
      const auto damage = check(lines);
      ASSERT_TRUE(damage);
      EXPECT_EQ(damage->seq, from == at ? at + 1 : at) << "copy of " << from << " at " << at << ": " << damage->why;
    }
    // One that claims the place and is linked to the entry before it.
    auto lines = small_log().lines;
    const auto prev = at == 0 ? authority::Digest{} : authority::leaf_hash(lines[at - 1]);
    lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(at), to_line(sample_draft(99), at, prev));
    const auto damage = check(lines);
    ASSERT_TRUE(damage);
    EXPECT_EQ(damage->seq, at) << damage->why;
  }
}

TEST(AuditChain, a_log_written_anew_from_some_entry_on_is_not_what_was_signed) {
  for (std::uint64_t from = 0; from < kEntries; ++from) {
    auto lines = small_log().lines;
    for (auto seq = from; seq < kEntries; ++seq) {
      const auto prev = seq == 0 ? authority::Digest{} : authority::leaf_hash(lines[seq - 1]);
      lines[seq] = to_line(sample_draft(seq + 50), seq, prev);
    }
    const auto damage = check(lines);
    ASSERT_TRUE(damage);
    EXPECT_FALSE(damage->alone) << "the chain is whole, so the place is not known";
  }
}

TEST(AuditChain, lines_after_the_head_are_not_looked_at) {
  auto lines = small_log().lines;
  lines.push_back("anything");
  EXPECT_FALSE(check(lines));
  auto head = small_log().head;
  head.size = 0;
  head.root = authority::empty_root();
  EXPECT_FALSE(check(lines, head));
  head.root = {};
  EXPECT_TRUE(check({}, head));
}

TEST(AuditChain, two_bad_entries_name_the_first) {
  for (std::size_t a = 0; a < kEntries; ++a) {
    for (std::size_t b = a + 2; b < kEntries; ++b) {
      auto lines = small_log().lines;
      lines[a].replace(lines[a].find("\"name\":\"") + 8, 1, "m");
      lines[b].replace(lines[b].find("\"name\":\"") + 8, 1, "m");
      const auto damage = check(lines);
      ASSERT_TRUE(damage);
      EXPECT_EQ(damage->seq, a);
      EXPECT_FALSE(damage->alone);
    }
  }
}

}  // namespace
}  // namespace fw::audit
