#include "aggregator/audit/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/audit/audit_fixture.hpp"

namespace fw::audit {
namespace {

using test::AfterCrash;
using test::FakeDisk;
using test::ManualClock;
using testing::ElementsAre;
using testing::HasSubstr;

struct AuditLog : testing::Test {
  std::unique_ptr<Log> open(std::uint64_t segment_bytes = 4_MiB) {
    auto log = open_log(disk, clock, segment_bytes);
    EXPECT_TRUE(log) << log.error().message();
    return std::move(*log);
  }
  void commit(Log& log, std::uint64_t from, std::uint64_t to) {
    const auto drafts = sample_drafts(from, to);
    ASSERT_TRUE(log.append(drafts));
    ASSERT_TRUE(log.sign());
  }

  FakeDisk disk;
  ManualClock clock;
};

TEST_F(AuditLog, a_new_log_has_a_signed_head_of_nothing) {
  const auto log = open();
  EXPECT_EQ(log->size(), 0U);
  const auto note = authority::parse_note(log->note());
  ASSERT_TRUE(note);
  EXPECT_TRUE(authority::verify_note(*note, kOrigin, log_key().public_key()));
  EXPECT_EQ(note->checkpoint.root, authority::empty_root());
}

TEST_F(AuditLog, gives_places_in_order_and_signs_what_it_holds) {
  const auto log = open();
  const auto seqs = log->append(sample_drafts(10, 13));
  ASSERT_TRUE(seqs);
  EXPECT_THAT(*seqs, ElementsAre(0, 1, 2));
  EXPECT_EQ(log->size(), 0U) << "nothing is in the log before its head is signed";
  EXPECT_FALSE(log->entry(0));
  ASSERT_TRUE(log->sign());
  EXPECT_EQ(log->size(), 3U);
  const auto note = *authority::parse_note(log->note());
  EXPECT_TRUE(authority::verify_note(note, kOrigin, log_key().public_key()));
  for (std::uint64_t seq = 0; seq < 3; ++seq) {
    const auto line = *log->entry(seq);
    EXPECT_EQ(parse_line(line)->id, 10 + seq);
    EXPECT_TRUE(authority::verify_inclusion(authority::leaf_hash(line), seq, 3, *log->inclusion(seq, 3), note.checkpoint.root));
  }
}

TEST_F(AuditLog, a_head_without_news_is_the_same_note) {
  const auto log = open();
  commit(*log, 0, 2);
  const auto before = log->note();
  const auto operations = disk.operations();
  EXPECT_EQ(*log->sign(), before);
  EXPECT_EQ(disk.operations(), operations);
}

TEST_F(AuditLog, every_head_continues_the_ones_before) {
  const auto log = open(600);
  std::vector<authority::Checkpoint> heads{log->head()};
  for (std::uint64_t i = 0; i < 20; ++i) {
    commit(*log, i * 3, i * 3 + 1 + i % 3);
    heads.push_back(log->head());
  }
  for (std::size_t a = 0; a < heads.size(); ++a) {
    for (std::size_t b = a; b < heads.size(); ++b) {
      const auto proof = log->consistency(heads[a].size, heads[b].size);
      ASSERT_TRUE(proof);
      EXPECT_TRUE(authority::verify_consistency(heads[a].size, heads[a].root, heads[b].size, heads[b].root, *proof));
    }
    EXPECT_EQ(*log->root_at(heads[a].size), heads[a].root);
  }
}

TEST_F(AuditLog, is_the_same_after_a_restart) {
  std::string note;
  std::vector<std::string> lines;
  {
    const auto log = open(900);
    for (std::uint64_t i = 0; i < 6; ++i) commit(*log, i * 4, i * 4 + 4);
    note = log->note();
    lines = *log->entries(0, 100);
  }
  EXPECT_EQ(lines.size(), 24U);
  const auto log = open(900);
  EXPECT_EQ(log->note(), note);
  EXPECT_EQ(log->cut_bytes(), 0U);
  EXPECT_EQ(*log->entries(0, 100), lines);
  EXPECT_EQ(split_lines(all_lines(disk)), lines);
  commit(*log, 100, 101);
  EXPECT_TRUE(authority::verify_consistency(24, authority::parse_note(note)->checkpoint.root, 25, log->head().root, *log->consistency(24, 25)));
}

TEST_F(AuditLog, entries_are_served_in_pages) {
  const auto log = open(700);
  commit(*log, 0, 10);
  EXPECT_EQ(log->entries(0, 3)->size(), 3U);
  EXPECT_EQ(log->entries(8, 5)->size(), 2U);
  EXPECT_TRUE(log->entries(10, 5)->empty());
  EXPECT_TRUE(log->entries(~std::uint64_t{0}, 5)->empty());
  EXPECT_EQ(log->entry(10).error().code, Errc::invalid_argument);
  EXPECT_EQ(log->inclusion(0, 11).error().code, Errc::invalid_argument);
  EXPECT_EQ(log->consistency(0, 11).error().code, Errc::invalid_argument);
  EXPECT_EQ(log->root_at(11).error().code, Errc::invalid_argument);
}

TEST_F(AuditLog, a_draft_that_it_has_already_keeps_its_place) {
  auto log = open();
  commit(*log, 0, 4);
  EXPECT_THAT(*log->append(sample_drafts(2, 6)), ElementsAre(2, 3, 4, 5));
  EXPECT_THAT(*log->append(sample_drafts(5, 6)), ElementsAre(5));
  ASSERT_TRUE(log->sign());
  log = open();
  EXPECT_THAT(*log->append(sample_drafts(0, 7)), ElementsAre(0, 1, 2, 3, 4, 5, 6));
}

// A store that was restored counts its rows anew: the number alone does not make it the same entry.
TEST_F(AuditLog, another_text_under_a_known_id_is_another_entry) {
  const auto log = open();
  commit(*log, 0, 2);
  auto draft = sample_draft(1);
  draft.text = to_text(sample_entry(50));
  EXPECT_THAT(*log->append({&draft, 1}), ElementsAre(2));
}

TEST_F(AuditLog, what_is_no_entry_is_refused_and_harms_nothing) {
  const auto log = open();
  auto drafts = sample_drafts(0, 2);
  drafts.push_back({9, "{\"time\":\"x\"}\n"});
  EXPECT_EQ(log->append(drafts).error().code, Errc::invalid_argument);
  EXPECT_EQ(log->problem(), "");
  commit(*log, 0, 2);
  EXPECT_EQ(log->size(), 2U);
}

TEST_F(AuditLog, takes_only_so_many_entries_before_a_head) {
  const auto log = open();
  for (std::uint64_t i = 0; i < 4; ++i) ASSERT_TRUE(log->append(sample_drafts(i * 1024, i * 1024 + 1024)));
  EXPECT_EQ(log->append(sample_drafts(5000, 5001)).error().code, Errc::overloaded);
  ASSERT_TRUE(log->sign());
  EXPECT_TRUE(log->append(sample_drafts(5000, 5001)));
}

TEST_F(AuditLog, what_no_head_covers_is_cut_and_comes_again) {
  {
    const auto log = open(700);
    commit(*log, 0, 5);
    ASSERT_TRUE(log->append(sample_drafts(5, 11)));   // over several segments, never signed
  }
  disk.content("entries-0000000000000000.jsonl");
  const auto log = open(700);
  EXPECT_EQ(log->size(), 5U);
  EXPECT_GT(log->cut_bytes(), 1000U);
  EXPECT_EQ(split_lines(all_lines(disk)).size(), 5U);
  EXPECT_THAT(*log->append(sample_drafts(5, 7)), ElementsAre(5, 6));
  ASSERT_TRUE(log->sign());
  EXPECT_EQ(split_lines(all_lines(disk)).size(), 7U);
}

// Whoever can write to the folder but has no key cannot get a line signed.
TEST_F(AuditLog, a_line_put_at_the_end_is_never_signed) {
  {
    const auto log = open();
    commit(*log, 0, 2);
    const auto forged = to_line(sample_draft(66), 2, authority::leaf_hash(*log->entry(1))) + "\n";
    auto& file = *disk.content("entries-0000000000000000.jsonl");
    file.insert(file.end(), forged.begin(), forged.end());
  }
  const auto log = open();
  EXPECT_EQ(log->size(), 2U);
  EXPECT_THAT(all_lines(disk), testing::Not(HasSubstr("\"id\":66")));
}

TEST_F(AuditLog, a_folder_without_its_head_is_refused) {
  { commit(*open(), 0, 2); }
  ASSERT_TRUE(disk.unlink("checkpoint"));
  const auto log = open_log(disk, clock);
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().code, Errc::conflict);
  EXPECT_THAT(log.error().context, HasSubstr("the checkpoint is missing"));
}

TEST_F(AuditLog, a_head_that_went_far_back_is_refused) {
  const auto log = open();
  commit(*log, 0, 2);
  const auto old = *disk.content("checkpoint");
  for (std::uint64_t i = 1; i < 6; ++i) commit(*log, i * 1000, i * 1000 + 1000);
  *disk.content("checkpoint") = old;
  const auto again = open_log(disk, clock);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::conflict);
}

TEST_F(AuditLog, another_key_or_origin_does_not_open_it) {
  { commit(*open(), 0, 2); }
  LogConfig config;
  config.origin = kOrigin;
  EXPECT_EQ(Log::open(disk, clock, log_key(8), config).error().code, Errc::permission);
  config.origin = "fleetwright/other/audit";
  EXPECT_EQ(Log::open(disk, clock, log_key(), config).error().code, Errc::conflict);
}

TEST_F(AuditLog, an_entry_that_changed_on_the_disk_is_not_served) {
  const auto log = open();
  commit(*log, 0, 3);
  (*disk.content("entries-0000000000000000.jsonl"))[300] ^= 1;
  EXPECT_EQ(log->entry(0).error().code, Errc::malformed);
}

TEST_F(AuditLog, goes_on_under_a_new_origin_that_names_the_old_head) {
  const Continuation continuation{"fleetwright/acme/audit-2", kOrigin, 12, authority::leaf_hash("lost")};
  auto log = open();
  commit(*log, 0, 5);
  const auto old_head = log->head();
  EXPECT_EQ(log->continue_as({"x", "fleetwright/other/audit", 1, {}}).error().code, Errc::conflict);
  const auto note = log->continue_as(continuation);
  ASSERT_TRUE(note) << note.error().message();
  EXPECT_TRUE(authority::verify_note(*authority::parse_note(*note), continuation.origin, log_key().public_key()));
  EXPECT_EQ(log->size(), 6U);
  const auto stored = *parse_line(*log->entry(5));
  EXPECT_EQ(stored.entry.verb, "log.continued");
  EXPECT_THAT(*log->entry(5), HasSubstr("\"oldOrigin\":\"fleetwright/acme/audit\",\"oldSize\":12,\"oldRoot\":\"" + authority::to_text(continuation.old_root)));
  EXPECT_TRUE(authority::verify_consistency(5, old_head.root, 6, log->head().root, *log->consistency(5, 6)));
  EXPECT_EQ(*log->continue_as(continuation), *note) << "it goes on once";
  commit(*log, 7, 8);

  LogConfig config;
  config.origin = continuation.origin;
  log = std::move(*Log::open(disk, clock, log_key(), config));
  EXPECT_EQ(log->size(), 7U);
  EXPECT_EQ(open_log(disk, clock).error().code, Errc::conflict) << "the old origin is over";
}

TEST_F(AuditLog, a_folder_under_the_old_origin_is_continued_at_its_opening) {
  { commit(*open(), 0, 5); }
  LogConfig config;
  config.origin = "fleetwright/acme/audit-2";
  config.continuation = Continuation{config.origin, kOrigin, 9, {}};
  config.old_key = log_key().public_key();
  for (int i = 0; i < 2; ++i) {   // the second time there is nothing left to do
    const auto log = Log::open(disk, clock, log_key(9), config);
    ASSERT_TRUE(log) << log.error().message();
    EXPECT_EQ((*log)->size(), 6U);
    EXPECT_EQ((*log)->head().origin, config.origin);
    EXPECT_TRUE(authority::verify_note(*authority::parse_note((*log)->note()), config.origin, log_key(9).public_key()));
  }
}

}  // namespace
}  // namespace fw::audit
