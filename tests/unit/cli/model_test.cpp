#include "aggregator/cli/model.hpp"

#include <gtest/gtest.h>

#include "aggregator/cli/server.hpp"
#include "aggregator/cli/suggest.hpp"

namespace fw::cli {
namespace {

TEST(IncidentId, accepts_what_people_type) {
  for (const auto* text : {"7", "INC-7", "inc-7", "Inc-7"}) EXPECT_EQ(normal_incident_id(text), "INC-7") << text;
}

TEST(IncidentId, refuses_everything_else) {
  for (const auto* text : {"", "INC-", "INC-0", "-7", "7x", "INC-7/../nodes", "99999999999999999999", "case-7"}) {
    EXPECT_FALSE(normal_incident_id(text)) << text;
  }
}

TEST(ReadIncidents, puts_unfinished_first_then_newest) {
  const auto list =
      read_incidents(R"({"kind":"IncidentList","items":[{"id":"INC-9","state":"closed"},{"id":"INC-2","state":"open"},
                                      {"id":"INC-10","state":"resolved"},{"id":"INC-3","state":"explained"}]})");
  ASSERT_TRUE(list);
  std::string order;
  for (const auto& incident : *list) order += incident.id + " ";
  EXPECT_EQ(order, "INC-3 INC-2 INC-10 INC-9 ");
}

TEST(ReadIncident, tolerates_unknown_fields_and_wrong_types) {
  const auto incident =
      read_incident(R"({"kind":"Incident","id":"INC-1","new":{"x":1},"state":7,"symptoms":"none","openedNs":"x",
                                         "notes":[1,{"author":"a","text":"b"}],"cause":{"card":"c","probability":1}})");
  ASSERT_TRUE(incident);
  EXPECT_EQ(incident->id, "INC-1");
  EXPECT_EQ(incident->state, "");
  EXPECT_EQ(incident->opened_ns, 0);
  ASSERT_EQ(incident->notes.size(), 1U);
  EXPECT_EQ(incident->cause->probability, 1.0);
}

TEST(ReadIncident, names_what_it_got_instead) {
  EXPECT_EQ(read_incident("<html>").error().code, Errc::malformed);
  EXPECT_EQ(read_incident(R"({"kind":"NodeList"})").error().context, "expected kind Incident, got NodeList");
  EXPECT_FALSE(read_incident("[]"));
  EXPECT_FALSE(read_incident(std::string(100, '[')));  // deeper than any answer of ours
}

TEST(ReadChanges, summarises_fields_before_titles) {
  const auto changes = read_changes(R"({"kind":"ChangeList","items":[
    {"id":"1","object":{"kind":"Deployment","name":"checkout"},"title":"t","fields":[{"path":"resources.limits.memory","before":"256Mi","after":"64Mi"},{"path":"replicas","after":3}]},
    {"id":"2","object":{"cgroupPath":"/a"},"title":"Deploy v2"}]})");
  ASSERT_TRUE(changes);
  EXPECT_EQ(changes->at(0).object(), "Deployment/checkout");
  EXPECT_EQ(changes->at(0).summary(), "resources.limits.memory 256Mi -> 64Mi (+1)");
  EXPECT_EQ(changes->at(0).fields[1].after, "3");
  EXPECT_EQ(changes->at(1).object(), "/a");
  EXPECT_EQ(changes->at(1).summary(), "Deploy v2");
}

TEST(NearestIds, are_by_number) {
  EXPECT_EQ(nearest_ids("INC-7", {"INC-1", "INC-9", "INC-6", "INC-100"}), "INC-6, INC-9, INC-1");
  EXPECT_EQ(nearest_ids("INC-7", {}), "");
}

TEST(NearestWord, finds_what_was_meant_or_nothing) {
  const std::vector<std::string> known{"incidents", "show", "nodes"};
  EXPECT_EQ(nearest_word("incidnets", known), "incidents");
  EXPECT_EQ(nearest_word("shw", known), "show");
  EXPECT_FALSE(nearest_word("frobnicate", known));
  EXPECT_FALSE(nearest_word(std::string(10'000, 'a'), known));
}

}  // namespace
}  // namespace fw::cli
