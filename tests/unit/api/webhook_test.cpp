#include "aggregator/changes/signature.hpp"
#include "tests/unit/api/api_fixture.hpp"

namespace fw::api::test {
namespace {

const std::string kDeployment =
    R"({"action": "created", "repository": {"name": "r"}, "deployment": {"id": 1, "sha": "abc", "created_at": "2026-11-24T02:47:03Z"}})";
const std::string kStatus =
    R"({"action": "created", "repository": {"name": "r"}, "deployment": {"id": 1, "sha": "abc", "created_at": "2026-11-24T02:47:03Z"},
        "deployment_status": {"state": "success", "created_at": "2026-11-24T02:48:03Z"}})";

std::string accepted(const std::string& status) {
  return "{\"apiVersion\":\"fleetwright/v1alpha1\",\"kind\":\"Accepted\",\"status\":\"" + status + "\"}\n";
}

TEST_F(ApiTest, github_delivery_is_stored_updated_and_recognised_again) {
  const auto created = github("deployment", kDeployment, "guid-1");
  EXPECT_EQ(created.status, 202);
  EXPECT_EQ(created.body, accepted("created"));
  EXPECT_EQ(github("deployment_status", kStatus, "guid-2").body, accepted("updated"));
  EXPECT_EQ(github("deployment", kDeployment, "guid-1").body, accepted("duplicate"));
  const auto stored = backend.stored();
  ASSERT_EQ(stored.size(), 1U);
  EXPECT_EQ(stored[0].outcome, changes::Outcome::success);
  EXPECT_FALSE(stored[0].id.is_nil());
  EXPECT_GT(stored[0].received_ns, 0);
  for (const auto* result : {"created", "updated", "duplicate"}) EXPECT_EQ(metrics.value(Metric::changes_received, {"github", result}), 1) << result;
}

TEST_F(ApiTest, other_github_events_are_accepted_and_counted) {
  for (const auto* event : {"ping", "push", "an event to come"}) EXPECT_EQ(github(event, "{}", "guid").body, accepted("ignored"));
  EXPECT_EQ(metrics.value(Metric::changes_received, {"github", "ignored"}), 3);
  EXPECT_TRUE(backend.stored().empty());
}

TEST_F(ApiTest, github_signature_is_checked_before_anything_else) {
  const auto with = [&](http::Headers headers) {
    headers.emplace_back("X-GitHub-Event", "deployment");
    headers.emplace_back("Content-Type", "application/json");
    return post("/webhooks/github", "not even JSON", std::move(headers)).status;
  };
  EXPECT_EQ(with({}), 401);
  EXPECT_EQ(with({{"X-Hub-Signature", "sha1=" + std::string(40, 'a')}}), 401);
  EXPECT_EQ(with({{"X-Hub-Signature-256", "sha1=" + std::string(40, 'a')}}), 401);
  EXPECT_EQ(with({{"X-Hub-Signature-256", "sha256=" + std::string(64, 'a')}}), 401);
  EXPECT_EQ(with({{"X-Hub-Signature-256", changes::make_signature(cloudevents_secret, "not even JSON")}}), 401);
  EXPECT_EQ(with({{"X-Hub-Signature-256", changes::make_signature(github_secret, "not even JSON")}}), 400);
  EXPECT_EQ(metrics.value(Metric::webhook_signature_failures, {"github", "missing"}), 2);
  EXPECT_EQ(metrics.value(Metric::webhook_signature_failures, {"github", "malformed"}), 1);
  EXPECT_EQ(metrics.value(Metric::webhook_signature_failures, {"github", "mismatch"}), 2);
  EXPECT_EQ(metrics.value(Metric::changes_received, {"github", "invalid"}), 1);
}

TEST_F(ApiTest, github_must_send_json) {
  const auto response = post("/webhooks/github", "payload=%7B%7D",
                             {{"Content-Type", "application/x-www-form-urlencoded"}, {"X-GitHub-Event", "deployment"},
                              {"X-Hub-Signature-256", changes::make_signature(github_secret, "payload=%7B%7D")}});
  EXPECT_EQ(response.status, 415);
  EXPECT_NE(response.body.find("set the webhook's content type"), std::string::npos);
}

TEST_F(ApiTest, invalid_utf8_is_refused_by_the_name_of_its_field) {
  std::string body = kDeployment;
  body.replace(body.find("abc"), 3, "a\xFF\xFE");
  const auto response = github("deployment", body, "guid");
  EXPECT_EQ(response.status, 400);
  EXPECT_NE(response.body.find("deployment.sha: not valid UTF-8"), std::string::npos) << response.body;
  EXPECT_TRUE(backend.stored().empty());
}

TEST_F(ApiTest, a_full_store_is_a_503_and_the_redelivery_arrives) {
  backend.mood = FakeBackend::Mood::store_full;
  EXPECT_EQ(github("deployment", kDeployment, "guid").status, 503);
  EXPECT_EQ(metrics.value(Metric::changes_received, {"github", "failed"}), 1);
  backend.mood = FakeBackend::Mood::works;
  EXPECT_EQ(github("deployment", kDeployment, "guid").body, accepted("created"));
}

class CloudEventsApi : public ApiTest {
 protected:
  http::Response send(const std::string& body, http::Headers headers) {
    headers.emplace_back("X-Fleetwright-Signature-256", changes::make_signature(cloudevents_secret, body));
    return post("/webhooks/cloudevents", body, std::move(headers));
  }
  static std::string event(const std::string& id, const std::string& type = "dev.fleetwright.change.v1") {
    return R"({"specversion": "1.0", "id": ")" + id + R"(", "source": "/ci", "type": ")" + type +
           R"(", "data": {"object": {"name": "checkout"}, "started": "2026-11-24T02:47:03Z",
               "fields": [{"path": "resources.limits.memory", "before": "256Mi", "after": "64Mi"}]}})";
  }
};

TEST_F(CloudEventsApi, three_modes_reach_the_store) {
  EXPECT_EQ(send(event("1"), {{"Content-Type", "application/cloudevents+json"}}).body, accepted("created"));
  EXPECT_EQ(send(event("1"), {{"Content-Type", "application/cloudevents+json"}}).body, accepted("duplicate"));
  EXPECT_EQ(send(R"({"object": {"name": "checkout"}, "started": "2026-11-24T02:47:03Z"})",
                 {{"Content-Type", "application/json"}, {"ce-specversion", "1.0"}, {"ce-id", "2"}, {"ce-source", "/ci"}, {"ce-type", "dev.fleetwright.change.v1"}})
                .body,
            accepted("created"));
  EXPECT_EQ(send("[" + event("3") + "," + event("1") + "," + event("4", "other") + "]", {{"Content-Type", "application/cloudevents-batch+json"}}).body,
            "{\"apiVersion\":\"fleetwright/v1alpha1\",\"kind\":\"Accepted\",\"status\":\"created\",\"statuses\":[\"created\",\"duplicate\",\"ignored\"]}\n");
  EXPECT_EQ(backend.stored().size(), 3U);
}

TEST_F(CloudEventsApi, errors) {
  EXPECT_EQ(send("{}", {{"Content-Type", "text/plain"}}).status, 415);
  const auto response = send(R"({"specversion": "1.0", "id": "1", "source": "s", "type": "dev.fleetwright.change.v1", "data": {"nam": 1}})",
                             {{"Content-Type", "application/cloudevents+json"}});
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(post("/webhooks/cloudevents", event("1"), {{"Content-Type", "application/cloudevents+json"}}).status, 401);
  EXPECT_EQ(post("/webhooks/cloudevents", event("1"),
                 {{"Content-Type", "application/cloudevents+json"}, {"X-Hub-Signature-256", changes::make_signature(cloudevents_secret, event("1"))}})
                .status,
            401);
}

TEST_F(CloudEventsApi, a_webhook_without_a_secret_is_closed) {
  cloudevents_secret = "";
  EXPECT_EQ(send(event("1"), {{"Content-Type", "application/cloudevents+json"}}).status, 404);
}

}  // namespace
}  // namespace fw::api::test
