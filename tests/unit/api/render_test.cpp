// The JSON of docs/api.md, byte for byte: clients rely on it.
#include "aggregator/api/render.hpp"

#include <gtest/gtest.h>

namespace fw::api {
namespace {

constexpr std::int64_t kTime = 1'795'488'423'120'000'000;   // 2026-11-24T02:47:03.120Z

TEST(Render, whole_incident) {
  IncidentView view;
  view.number = 7;
  view.uid = "0193";
  view.severity = "critical";
  view.state = "explained";
  view.scope = "checkout";
  view.subject_kind = "container";
  view.subject_key = "k";
  view.node_name = "node-a";
  view.cgroup_path = "/shop/checkout";
  view.opened_ns = kTime;
  view.first_symptom_ns = 1;
  view.last_symptom_ns = 2;
  view.explained_ns = 3;
  view.resolved_ns = 4;
  view.closed_ns = 5;
  view.symptoms = {{"oom_kill", 3, 1, 2}};
  view.cause_card = "memory-limit-lowered";
  view.cause_title = "The limit was lowered";
  view.confidence = "sure";
  view.verdict = "one sentence";
  view.cause_probability = 0.5;
  view.suspect_change_id = "c";
  view.suspect_change_summary = "memory 256Mi -> 64Mi";
  view.suspect_change_actor = "alice";
  view.suspect_change_source = "cloudevents";
  view.taken_by = "alice";
  view.closed_by = "bob";
  view.close_reason = "fixed";
  view.confirmed_cause = "memory-limit-lowered";
  view.notes = {{"alice", "say \"hi\"\n", 6}};
  EXPECT_EQ(render_incident(view),
            R"({"apiVersion":"fleetwright/v1alpha1","kind":"Incident","id":"INC-7","uid":"0193","severity":"critical","state":"explained","scope":"checkout",)"
            R"("subject":{"kind":"container","key":"k","name":"checkout","node":"node-a","cgroupPath":"/shop/checkout"},)"
            R"("opened":"2026-11-24T02:47:03.120Z","openedNs":1795488423120000000,"firstSymptomNs":1,"lastSymptomNs":2,"explainedNs":3,"resolvedNs":4,"closedNs":5,)"
            R"("symptoms":[{"kind":"oom_kill","count":3,"firstNs":1,"lastNs":2}],)"
            R"("cause":{"card":"memory-limit-lowered","title":"The limit was lowered","probability":5E-1,"confidence":"sure"},"verdict":"one sentence",)"
            R"("suspectChange":{"id":"c","summary":"memory 256Mi -> 64Mi","actor":"alice","source":"cloudevents"},)"
            R"("takenBy":"alice","closedBy":"bob","closeReason":"fixed","confirmedCause":"memory-limit-lowered",)"
            R"("notes":[{"author":"alice","timeNs":6,"text":"say \"hi\"\n"}]})"
            "\n");
}

TEST(Render, absent_values_are_left_out) {
  IncidentView view;
  view.number = 1;
  view.opened_ns = kTime;
  EXPECT_EQ(render_incidents({view}),
            R"({"apiVersion":"fleetwright/v1alpha1","kind":"IncidentList","items":[{"id":"INC-1","uid":"","severity":"","state":"","scope":"",)"
            R"("subject":{"kind":"","key":"","name":""},"opened":"2026-11-24T02:47:03.120Z","openedNs":1795488423120000000,"firstSymptomNs":0,"lastSymptomNs":0,)"
            R"("symptoms":[],"notes":[]}]})"
            "\n");
}

TEST(Render, changes) {
  changes::Change change;
  change.id = Uuid::parse("01930000-0000-7000-8000-000000000001").value();
  change.source = "cloudevents";
  change.source_key = "/ci 1";
  change.change_group = "g";
  change.object = {"eu", "Deployment", "shop", "checkout", "u", "/shop/checkout", "abc", "node-a"};
  change.actor = "alice";
  change.revision = "v2";
  change.title = "t";
  change.environment = "prod";
  change.url = "https://ci/7";
  change.started_ns = 1;
  change.finished_ns = 2;
  change.outcome = changes::Outcome::success;
  change.received_ns = 3;
  change.fields = {{"memory", "256Mi", "64Mi"}, {"image", std::nullopt, ""}};
  EXPECT_EQ(render_changes({change}),
            R"({"apiVersion":"fleetwright/v1alpha1","kind":"ChangeList","items":[{"id":"01930000-0000-7000-8000-000000000001","source":"cloudevents",)"
            R"("sourceKey":"/ci 1","group":"g","object":{"cluster":"eu","kind":"Deployment","namespace":"shop","name":"checkout","uid":"u",)"
            R"("cgroupPath":"/shop/checkout","containerId":"abc","node":"node-a"},"actor":"alice","revision":"v2","title":"t","environment":"prod",)"
            R"("url":"https://ci/7","startedNs":1,"finishedNs":2,"outcome":"success","receivedNs":3,)"
            R"("fields":[{"path":"memory","before":"256Mi","after":"64Mi"},{"path":"image","after":""}]}]})"
            "\n");
}

TEST(Render, nodes_and_status) {
  NodeView node;
  node.uid = "n";
  node.name = "node-a";
  node.agent_version = "0.1.0";
  node.kernel_release = "6.1";
  node.cgroup_mode = "v2";
  node.boot_id = "b";
  node.connected = true;
  node.last_seen_ns = 1;
  node.clock_offset_ns = -2;
  node.clock_error_ns = 3;
  node.entities = 4;
  node.events_total = 5;
  node.lost_samples_total = 6;
  node.lost_events_total = 7;
  node.lacking = {"BPF: permission denied"};
  EXPECT_EQ(render_nodes({node}),
            R"({"apiVersion":"fleetwright/v1alpha1","kind":"NodeList","items":[{"uid":"n","name":"node-a","connected":true,"lastSeenNs":1,"agentVersion":"0.1.0",)"
            R"("kernelRelease":"6.1","cgroupMode":"v2","bootId":"b","clockOffsetNs":-2,"clockErrorNs":3,"entities":4,"eventsTotal":5,"lostSamplesTotal":6,)"
            R"("lostEventsTotal":7,"lacking":["BPF: permission denied"]}]})"
            "\n");
  EXPECT_EQ(render_nodes({}), "{\"apiVersion\":\"fleetwright/v1alpha1\",\"kind\":\"NodeList\",\"items\":[]}\n");
  EXPECT_EQ(render_status("0.1.0", "alice", {{"store", true, ""}, {"x", false, "why"}}),
            R"({"apiVersion":"fleetwright/v1alpha1","kind":"Status","version":"0.1.0","person":"alice",)"
            R"("checks":[{"name":"store","ok":true},{"name":"x","ok":false,"detail":"why"}]})"
            "\n");
}

TEST(Render, explanation_keeps_the_findings_and_owns_the_envelope) {
  EXPECT_EQ(render_explanation("INC-7", R"({"kind": "x", "incident": "y", "verdict": "v", "hypotheses": [{"card": "c"}]})").value(),
            R"({"apiVersion":"fleetwright/v1alpha1","kind":"Explanation","incident":"INC-7","verdict":"v","hypotheses":[{"card":"c"}]})"
            "\n");
  EXPECT_TRUE(render_explanation("INC-7", "[]").has_error());
  EXPECT_TRUE(render_explanation("INC-7", "{").has_error());
}

}  // namespace
}  // namespace fw::api
