// What people and scripts read, against golden files. FW_UPDATE_GOLDEN=1 writes them anew; the diff is for a person to
// read.
#include <gtest/gtest.h>

#include <cstdlib>

#include "agents/investigate.hpp"
#include "aggregator/cli/exit_codes.hpp"
#include "aggregator/cli/failure.hpp"
#include "aggregator/cli/files.hpp"
#include "aggregator/cli/render/incident.hpp"
#include "aggregator/cli/render/lists.hpp"
#include "aggregator/cli/term/text.hpp"

namespace fw::cli {
namespace {

constexpr std::int64_t kNow = 1'795'488'600'000'000'000;
const std::string kFolder = FW_SOURCE_DIR "/tests/unit/cli/";

std::string fixture(const std::string& name) {
  return *read_file(kFolder + "fixtures/" + name + ".json", kMaxConfigBytes);
}

void expect_golden(const std::string& name, const std::string& text) {
  const auto path = kFolder + "golden/" + name + ".txt";
  if (std::getenv("FW_UPDATE_GOLDEN") != nullptr) {
    ASSERT_TRUE(replace_file(path, text, FileMode::plain));
  }
  const auto golden = read_file(path, kMaxConfigBytes);
  ASSERT_TRUE(golden) << path;
  EXPECT_EQ(text, *golden) << path;
}

term::Layout people() {
  term::Layout layout;
  layout.for_people = true;
  return layout;
}

void expect_fits(const std::string& text, std::size_t columns) {
  for (std::size_t start = 0; start < text.size();) {
    const auto end = text.find('\n', start);
    EXPECT_LE(term::display_width(std::string_view(text).substr(start, end - start)), columns);
    start = end + 1;
  }
}

TEST(RenderLists, incidents) {
  const auto list = *read_incidents(fixture("incidents"));
  const auto for_people = render::incidents(list, people(), render::Detail::normal, kNow);
  expect_fits(for_people, 80);
  expect_golden("incidents-people", for_people);
  expect_golden("incidents-script", render::incidents(list, {}, render::Detail::normal, kNow));
  expect_golden("incidents-wide", render::incidents(list, {}, render::Detail::wide, kNow));
}

TEST(RenderLists, nodes_and_changes) {
  const auto nodes = *read_nodes(fixture("nodes"));
  const auto changes = *read_changes(fixture("changes"));
  expect_fits(render::nodes(nodes, people(), render::Detail::normal, kNow), 80);
  expect_fits(render::changes(changes, people(), render::Detail::normal, kNow), 80);
  expect_golden("nodes-people", render::nodes(nodes, people(), render::Detail::normal, kNow));
  expect_golden("nodes-wide", render::nodes(nodes, {}, render::Detail::wide, kNow));
  expect_golden("changes-people", render::changes(changes, people(), render::Detail::normal, kNow));
  expect_golden("changes-script", render::changes(changes, {}, render::Detail::normal, kNow));
}

TEST(RenderShow, tells_the_verdict_first_and_cites_every_claim) {
  const auto incident = *read_incident(fixture("incident"));
  const auto findings = *agents::findings_from_json(fixture("explain"));
  expect_golden("show-people", render::show(incident, findings, people(), render::Detail::normal, kNow));
  expect_golden("show-script", render::show(incident, findings, {}, render::Detail::normal, kNow));
  const auto explained = render::explain("INC-7  checkout", findings, people(), render::Detail::normal);
  expect_fits(explained, 80);
  expect_golden("explain-people", explained);
  expect_golden("explain-wide", render::explain("INC-7  checkout", findings, {}, render::Detail::wide));
}

TEST(RenderShow, numbers_are_for_wide_only) {
  const auto incident = *read_incident(fixture("incident"));
  const auto findings = *agents::findings_from_json(fixture("explain"));
  EXPECT_EQ(render::show(incident, findings, people(), render::Detail::normal, kNow).find("0.97"), std::string::npos);
  EXPECT_NE(render::show(incident, findings, people(), render::Detail::wide, kNow).find("0.97"), std::string::npos);
}

TEST(RenderShow, says_so_when_not_yet_explained) {
  auto incident = *read_incident(fixture("incident"));
  incident.verdict.clear();
  incident.cause.reset();
  incident.suspect.reset();
  const auto text = render::show(incident, std::nullopt, people(), render::Detail::normal, kNow);
  EXPECT_NE(text.find("Not yet explained. oom_kill: 7 times"), std::string::npos);
  EXPECT_NE(text.find("fleetwright show INC-7"), std::string::npos);
}

TEST(RenderShow, an_unknown_cause_is_said_and_nothing_is_proposed) {
  auto findings = *agents::findings_from_json(fixture("explain"));
  findings.unknown_probability = 0.99;
  findings.verdict = "The cause is not known.";
  const auto text = render::show(*read_incident(fixture("incident")), findings, people(), render::Detail::normal, kNow);
  EXPECT_NE(text.find("The cause is not known."), std::string::npos);
  EXPECT_EQ(text.find("by hand:"), std::string::npos);
  EXPECT_NE(text.find("What would tell more"), std::string::npos);
  EXPECT_EQ(text.find("--cause"), std::string::npos);
}

TEST(RenderShow, warns_about_commands_with_hidden_characters_and_copies_no_foreign_words_into_commands) {
  auto findings = *agents::findings_from_json(fixture("explain"));
  findings.hypotheses[0].by_hand = {"echo 1\xe2\x80\xae > x"};
  findings.hypotheses[0].card = "x; rm -rf /";
  const auto text = render::show(*read_incident(fixture("incident")), findings, people(), render::Detail::normal, kNow);
  EXPECT_NE(text.find("by hand: echo 1\\u{202e} > x"), std::string::npos);
  EXPECT_NE(text.find("careful:"), std::string::npos);
  EXPECT_EQ(text.find("--cause"), std::string::npos);
}

TEST(RenderEvidence, shows_who_cites_a_fact_with_which_query) {
  const auto findings = *agents::findings_from_json(fixture("explain"));
  expect_golden("evidence", *render::evidence(findings, "E3", people()));
  EXPECT_FALSE(render::evidence(findings, "E99", people()));
}

TEST(RenderQuery, tables_and_json_show_the_same_rows) {
  agents::SqlTable table;
  table.columns = {"id", "n\x1b[1m"};
  table.rows = {{std::string("E1\x1b[2J"), std::int64_t{7}}, {std::monostate{}, 0.5}};
  EXPECT_EQ(render::sql_table(table, {}), "E1\\x1b[2J\t7\n<none>\t0.5\n");
  EXPECT_EQ(render::sql_json(table).find('\x1b'), std::string::npos);
  EXPECT_NE(render::sql_json(table).find("\"rows\":[[\"E1\\u001b[2J\",7],[null,"), std::string::npos);
}

TEST(RenderQuery, raw_evidence_is_the_row_of_the_case_file) {
  agents::IncidentFacts facts;
  facts.id = "INC-1";
  facts.uid = "u";
  facts.state = "open";
  facts.subject_id = 1;
  facts.onset_ns = facts.last_symptom_ns = facts.built_ns = kNow;
  agents::EntityRow entity;
  entity.entity_id = 1;
  entity.key = "k";
  entity.kind = "container";
  entity.name = "checkout";
  facts.entities.push_back(entity);
  facts.symptoms.push_back({1, "oom_kill", kNow, kNow, 3});
  const auto case_file = agents::CaseFile::build(facts);
  ASSERT_TRUE(case_file) << case_file.error().message();
  const auto id = case_file->query("select evidence_id from symptoms");
  ASSERT_TRUE(id);
  const auto text = render::raw_evidence(*case_file, std::get<std::string>(id->rows.at(0).at(0)), {});
  ASSERT_TRUE(text) << text.error().message();
  ASSERT_TRUE(*text);
  EXPECT_NE((*text)->find("kind oom_kill"), std::string::npos);
  EXPECT_FALSE(*render::raw_evidence(*case_file, "E999", {}));
}

TEST(RenderFailure, says_what_why_and_how_to_mend_in_harmless_text) {
  EXPECT_EQ(render_failure({ExitCode::failure, "no answer", "refused\x1b[2J", "doctor"}),
            "fleetwright: no answer: refused\\x1b[2J\n  fix: doctor\n");
}

TEST(ExitCodes, the_page_agrees_with_the_program) {
  const auto page = read_file(FW_SOURCE_DIR "/docs/exit-codes.md", kMaxConfigBytes);
  ASSERT_TRUE(page);
  EXPECT_NE(page->find(exit_codes_markdown()), std::string::npos) << "docs/exit-codes.md must have:\n"
                                                                  << exit_codes_markdown();
  for (const auto& [code, meaning] : exit_code_texts()) EXPECT_FALSE(meaning.empty());
}

}  // namespace
}  // namespace fw::cli
