#include "aggregator/audit/export.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <iterator>

#include "tests/unit/audit/audit_fixture.hpp"

namespace fw::audit {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kDayMs = 86'400'000;

TEST(AuditExport, periods_are_years_quarters_months_days_and_ranges) {
  const auto length_days = [](std::string_view text) {
    const auto period = parse_period(text);
    EXPECT_TRUE(period) << text;
    return (period->to_ms - period->from_ms) / kDayMs;
  };
  EXPECT_EQ(length_days("2026"), 365);
  EXPECT_EQ(length_days("2024"), 366);
  EXPECT_EQ(length_days("2026Q1"), 90);
  EXPECT_EQ(length_days("2026Q3"), 92);
  EXPECT_EQ(length_days("2026-02"), 28);
  EXPECT_EQ(length_days("2026-12"), 31);
  EXPECT_EQ(length_days("2026-08-14"), 1);
  EXPECT_EQ(length_days("2026-08-14..2026-08-15"), 2);
  EXPECT_EQ(length_days("2026-08..2026-09"), 61);
  EXPECT_EQ(parse_period("1970-01-02")->from_ms, kDayMs);
  for (const auto* text : {"", "26", "2026Q0", "2026Q5", "2026-13", "2026-00", "2026-02-30", "2026-8", "2026-08-1", "2026x", "2027..2026", "2026..", "..2026"})
    EXPECT_EQ(parse_period(text).error().code, Errc::invalid_argument) << text;
}

TEST(AuditExport, selects_by_period_incident_and_control) {
  auto entry = sample_entry(1);
  entry.verb = "plan.vote";
  entry.incident = "INC-7";
  Selection selection;
  EXPECT_TRUE(selects(selection, entry));
  selection.period = {entry.time_ms, entry.time_ms + 1};
  selection.incident = "INC-7";
  selection.control = find_control("soc2:CC8.1");
  ASSERT_NE(selection.control, nullptr);
  EXPECT_TRUE(selects(selection, entry));
  entry.verb = "executor.seen";
  EXPECT_FALSE(selects(selection, entry));
  entry.verb = "policy.loaded";
  EXPECT_TRUE(selects(selection, entry));
  entry.incident = "INC-70";
  EXPECT_FALSE(selects(selection, entry));
  selection.incident.clear();
  selection.period = {entry.time_ms - 5, entry.time_ms};
  EXPECT_FALSE(selects(selection, entry)) << "the end is outside";
  EXPECT_EQ(find_control("soc2:CC9.9"), nullptr);
}

TEST(AuditExport, ocsf_has_the_fields_of_its_class) {
  auto entry = sample_entry(1);
  entry.code = "too-few-people";
  const auto line = to_line({4, to_text(entry)}, 17, {});
  const auto value = boost::json::parse(ocsf_line(*parse_line(line), line)).as_object();
  EXPECT_EQ(value.at("class_uid"), 6003);
  EXPECT_EQ(value.at("type_uid").as_int64(), 600300 + value.at("activity_id").as_int64());
  EXPECT_EQ(value.at("time"), entry.time_ms);
  EXPECT_EQ(value.at("status_id"), 2);
  EXPECT_EQ(value.at("actor").at("user").at("name"), "bob");
  EXPECT_EQ(value.at("api").at("operation"), "plan.approved");
  EXPECT_EQ(value.at("unmapped").at("seq"), 17);
  EXPECT_EQ(value.at("unmapped").at("leafHash").as_string(), authority::to_text(authority::leaf_hash(line)));
}

TEST(AuditExport, brings_the_second_verifier_as_it_is) {
  std::ifstream file(FW_SOURCE_DIR "/tools/verify/fleetwright_verify.py", std::ios::binary);
  EXPECT_EQ(second_verifier(), std::string(std::istreambuf_iterator<char>(file), {}));
}

TEST(AuditExport, the_readme_says_how_to_check_it) {
  const auto text = readme_text({{kOrigin, 42, {}}, "abcd", "incident INC-7", 3, "fleetwright 1", {}});
  EXPECT_THAT(text, HasSubstr("--origin fleetwright/acme/audit --key abcd"));
  EXPECT_THAT(text, HasSubstr("incident INC-7. 3 of 42 entries."));
}

}  // namespace
}  // namespace fw::audit
