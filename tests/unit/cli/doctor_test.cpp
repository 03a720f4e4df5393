#include "aggregator/cli/doctor.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/version.hpp"

namespace fw::cli {
namespace {

constexpr std::int64_t kDay = 86'400'000'000'000, kNow = 1'795'488'423'000'000'000;

TEST(Doctor, judges_certificates_by_what_is_left_of_them) {
  EXPECT_EQ(judge_expiry("c", kNow - kDay, kNow + 100 * kDay, kNow).level, Level::ok);
  EXPECT_EQ(judge_expiry("c", kNow - kDay, kNow + 3 * kDay, kNow).level, Level::warn);
  EXPECT_EQ(judge_expiry("c", kNow - 2 * kDay, kNow - kDay, kNow).level, Level::fail);
  EXPECT_EQ(judge_expiry("c", kNow + kDay, kNow + 2 * kDay, kNow).level, Level::fail);
}

TEST(Doctor, reports_a_server_that_is_not_ready_or_knows_another_person) {
  Findings findings;
  judge_status({kVersion, "bob", {{"store", "disk full", false}, {"ingest", "", true}}}, "alice", findings);
  ASSERT_EQ(findings.size(), 3U);
  EXPECT_EQ(findings[0].level, Level::warn);
  EXPECT_EQ(findings[1].level, Level::fail);
  EXPECT_EQ(findings[1].detail, "disk full");
  EXPECT_EQ(findings[2].level, Level::ok);
}

TEST(Doctor, reports_nodes_that_are_gone_lack_something_or_lost_data) {
  Node gone;
  gone.name = "a";
  Node lacking;
  lacking.name = "b";
  lacking.connected = true;
  lacking.lacking = {"bpf"};
  Node lossy;
  lossy.name = "c";
  lossy.connected = true;
  lossy.lost_events_total = 2;
  Findings findings;
  judge_nodes({gone, lacking, lossy}, kNow, findings);
  ASSERT_EQ(findings.size(), 4U);
  EXPECT_EQ(findings[0].level, Level::warn);
  EXPECT_NE(findings[1].detail.find("bpf"), std::string::npos);
  EXPECT_EQ(findings[2].level, Level::ok);
  EXPECT_EQ(findings[3].level, Level::warn);
  Findings none;
  judge_nodes({}, kNow, none);
  EXPECT_EQ(none.at(0).level, Level::warn);
}

TEST(Doctor, every_finding_that_is_not_ok_has_a_fix) {
  Findings findings;
  judge_status({"9.9.9", "bob", {{"store", "", false}}}, "alice", findings);
  judge_nodes({Node{}}, kNow, findings);
  findings.push_back(judge_expiry("c", 0, 1, kNow));
  for (const auto& finding : findings) EXPECT_EQ(finding.fix.empty(), finding.level == Level::ok) << finding.name;
}

TEST(Doctor, finds_secrets_that_others_can_read) {
  std::string folder = ::testing::TempDir() + "fw-doctor-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  for (const auto* name : {"/good.key", "/bad.secret"}) std::ofstream(folder + name) << "x";
  ::chmod((folder + "/good.key").c_str(), 0600);
  ::chmod((folder + "/bad.secret").c_str(), 0644);
  Findings findings;
  judge_files(folder, kNow, findings);
  std::filesystem::remove_all(folder);
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[0].level, Level::fail);
  EXPECT_EQ(findings[0].fix, "chmod 600 " + folder + "/bad.secret");
  EXPECT_EQ(findings[1].detail.substr(0, 2), "1 ");
}

}  // namespace
}  // namespace fw::cli
