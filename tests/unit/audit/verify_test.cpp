#include "aggregator/audit/verify.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aggregator/audit/proof.hpp"
#include "common/base64.hpp"
#include "common/id.hpp"
#include "tests/unit/audit/audit_fixture.hpp"

namespace fw::audit {
namespace {

using testing::HasSubstr;

struct AuditVerify : testing::Test {
  AuditVerify() {
    log = std::move(*open_log(disk, clock));
    commit(0, 4);
    older = log->note();
    commit(4, 7);
    trust = {kOrigin, log_key().public_key(), {}, 0};
    for (const auto& line : split_lines(all_lines(disk))) lines.push_back(line);
  }
  void commit(std::uint64_t from, std::uint64_t to) {
    ASSERT_TRUE(log->append(sample_drafts(from, to)));
    ASSERT_TRUE(log->sign());
  }
  LogReport verify(const std::vector<std::string>& all, std::string_view note, const std::vector<std::pair<std::string, std::string>>& seen = {}) {
    LogVerifier verifier(trust);
    verifier.set_head(note);
    for (const auto& line : all) verifier.add(line);
    for (const auto& [who, text] : seen) verifier.add_seen(who, text);
    return verifier.report();
  }
  Proof proof(std::uint64_t seq) { return {*log->entry(seq), seq, *log->inclusion(seq, log->size()), log->note()}; }

  test::FakeDisk disk;
  test::ManualClock clock;
  std::unique_ptr<Log> log;
  Trust trust;
  std::string older;
  std::vector<std::string> lines;
};

TEST_F(AuditVerify, a_good_log_is_valid) {
  const auto report = verify(lines, log->note());
  EXPECT_EQ(report.verdict, Verdict::valid) << report.why;
  EXPECT_EQ(report.trusted_entries, 7U);
  EXPECT_EQ(report.head, log->head());
  EXPECT_EQ(verify({}, authority::sign_note({kOrigin, 0, authority::empty_root()}, log_key())).verdict, Verdict::valid);
}

TEST_F(AuditVerify, a_changed_entry_is_named_with_what_can_be_trusted) {
  lines[5].replace(lines[5].find("bob"), 3, "eve");
  const auto report = verify(lines, log->note(), {{"node-a", older}});
  EXPECT_EQ(report.verdict, Verdict::tampered);
  EXPECT_EQ(report.first_bad, 5U);
  EXPECT_TRUE(report.others_good);
  EXPECT_EQ(report.trusted_entries, 4U) << "a node has seen the head of four entries";
}

TEST_F(AuditVerify, lines_that_no_head_covers_are_bad) {
  const auto extra = to_line(sample_draft(9), 7, authority::leaf_hash(lines.back()));
  lines.push_back(extra);
  const auto report = verify(lines, log->note());
  EXPECT_EQ(report.verdict, Verdict::tampered);
  EXPECT_EQ(report.first_bad, 7U);
  EXPECT_EQ(report.trusted_entries, 7U);
}

TEST_F(AuditVerify, the_head_must_be_signed_by_the_key_that_is_trusted) {
  for (const auto& note : {std::string("x"), authority::sign_note(log->head(), log_key(8))}) {
    const auto report = verify(lines, note);
    EXPECT_EQ(report.verdict, Verdict::tampered);
    EXPECT_FALSE(report.first_bad);
    EXPECT_EQ(report.trusted_entries, 0U);
  }
  EXPECT_EQ(LogVerifier(trust).report().verdict, Verdict::tampered) << "no head at all";
  trust.origin = "fleetwright/other/audit";
  EXPECT_EQ(verify(lines, log->note()).verdict, Verdict::tampered);
}

TEST_F(AuditVerify, heads_that_nodes_saw_are_compared) {
  EXPECT_EQ(verify(lines, log->note(), {{"node-a", older}, {"node-b", log->note()}}).verdict, Verdict::valid);
  const auto other = authority::sign_note({kOrigin, 4, authority::leaf_hash("another history")}, log_key());
  const auto forked = verify(lines, log->note(), {{"node-a", older}, {"node-b", other}});
  EXPECT_EQ(forked.verdict, Verdict::forked);
  EXPECT_THAT(forked.why, HasSubstr("node-b"));
  EXPECT_EQ(verify(lines, log->note(), {{"node-c", authority::sign_note({kOrigin, 4, {}}, log_key(8))}}).verdict, Verdict::forked);
  EXPECT_EQ(verify(lines, log->note(), {{"node-c", "x"}}).verdict, Verdict::forked);
  const auto old_origin = authority::sign_note({"fleetwright/acme/old", 90, {}}, log_key());
  EXPECT_EQ(verify(lines, log->note(), {{"node-a", old_origin}}).verdict, Verdict::valid) << "another origin is another log";
  lines.resize(4);
  const auto stale = verify(lines, older, {{"node-a", log->note()}});
  EXPECT_EQ(stale.verdict, Verdict::stale);
  EXPECT_THAT(stale.why, HasSubstr("node-a saw 7 entries"));
}

TEST_F(AuditVerify, witnesses_of_the_policy_are_counted_once_each) {
  trust.witnesses = {{"w1", log_key(21).public_key()}, {"w2", log_key(22).public_key()}, {"w1-again", log_key(21).public_key()}};
  trust.witness_quorum = 2;
  EXPECT_EQ(verify(lines, log->note()).verdict, Verdict::quorum_missing);
  const auto note = *authority::parse_note(log->note());
  const auto once = log->note() + authority::cosign_note(note, "w1", log_key(21), 1000);
  const auto twice = once + authority::cosign_note(note, "w1-again", log_key(21), 1001);
  EXPECT_EQ(verify(lines, twice).verdict, Verdict::quorum_missing) << "one key is one witness";
  const auto other = log->note() + authority::cosign_note(note, "w2", log_key(22), 1002);
  const auto report = verify(lines, once, {{"w2", other}});
  EXPECT_EQ(report.verdict, Verdict::valid) << report.why;
  EXPECT_EQ(report.witnesses.size(), 2U);
  EXPECT_EQ(verify(lines, once, {{"w2", older + authority::cosign_note(*authority::parse_note(older), "w2", log_key(22), 1)}}).verdict,
            Verdict::quorum_missing)
      << "a signature on an older head is not one on this head";
}

TEST_F(AuditVerify, a_new_origin_is_reported) {
  ASSERT_TRUE(log->continue_as({"fleetwright/acme/audit-2", kOrigin, 12, {}}));
  trust.origin = "fleetwright/acme/audit-2";
  const auto report = verify(split_lines(all_lines(disk)), log->note());
  EXPECT_EQ(report.verdict, Verdict::valid) << report.why;
  ASSERT_EQ(report.continued.size(), 1U);
  EXPECT_EQ(report.continued[0].seq, 7U);
}

TEST_F(AuditVerify, a_key_is_read_in_each_of_its_forms) {
  const auto key = log_key().public_key();
  Bytes der = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
  der.insert(der.end(), key.bytes.begin(), key.bytes.end());
  const auto pem = "-----BEGIN PUBLIC KEY-----\n" + encode_base64(der) + "\n-----END PUBLIC KEY-----\n";
  Bytes note_key = {1};
  note_key.insert(note_key.end(), key.bytes.begin(), key.bytes.end());
  for (const auto& text : {pem, to_hex(key.bytes), "ed25519:" + encode_base64(key.bytes), "ed25519:" + encode_base64(key.bytes) + " log\n", "fleetwright/acme/audit+01234567+" + encode_base64(note_key)}) {
    const auto parsed = parse_log_key(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, key);
  }
  der[8] ^= 1;
  note_key[0] = 4;
  const std::string bad[] = {"", "x", "ed25519:", "ed25519:?", "ed25519:AAAA", to_hex(key.bytes).substr(2), "a+b", "a+b+", "a+b+" + encode_base64(note_key),
                             "-----BEGIN PUBLIC KEY-----\n" + encode_base64(der) + "\n-----END PUBLIC KEY-----\n", pem.substr(0, 60)};
  for (const auto& text : bad) EXPECT_FALSE(parse_log_key(text)) << text;
}

TEST_F(AuditVerify, a_proof_is_kept_and_checked) {
  for (std::uint64_t seq = 0; seq < 7; ++seq) {
    const auto parsed = parse_proof(render_proof(proof(seq)));
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ(parsed->entry, lines[seq]);
    const auto head = check_proof(*parsed, trust);
    ASSERT_TRUE(head) << head.error().message();
    EXPECT_EQ(*head, log->head());
  }
}

TEST_F(AuditVerify, every_changed_byte_of_a_proof_is_refused) {
  const auto text = render_proof(proof(4));
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto changed = text;
    changed[i] = static_cast<char>(static_cast<unsigned char>(changed[i]) ^ (1U << (i % 7)));
    const auto parsed = parse_proof(changed);
    if (parsed) { EXPECT_FALSE(check_proof(*parsed, trust)) << "byte " << i; }
  }
  for (std::size_t size = 0; size < text.size(); size += 3) EXPECT_FALSE(parse_proof(text.substr(0, size))) << size;
}

TEST_F(AuditVerify, a_proof_needs_the_witnesses_of_the_policy) {
  trust.witnesses = {{"w1", log_key(21).public_key()}};
  trust.witness_quorum = 1;
  auto kept = proof(2);
  EXPECT_EQ(check_proof(kept, trust).error().code, Errc::not_found);
  kept.note += authority::cosign_note(*authority::parse_note(kept.note), "w1", log_key(21), 1000);
  EXPECT_TRUE(check_proof(kept, trust));
}

TEST_F(AuditVerify, an_entry_names_its_plan_by_class_and_bytes) {
  const Bytes plan = {1, 2, 3};
  auto entry = sample_entry(1);
  entry.plan = authority::to_text(authority::plan_digest(2, plan));
  const auto line = to_line({1, to_text(entry)}, 0, {});
  EXPECT_EQ(names_plan(line, plan), 2);
  EXPECT_EQ(names_plan(line, Bytes{1, 2, 4}), std::nullopt);
  EXPECT_EQ(names_plan("x", plan), std::nullopt);
}

}  // namespace
}  // namespace fw::audit
