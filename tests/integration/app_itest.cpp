// The real program from both ends: an agent's stream on one side, people and webhooks over HTTPS on the other.
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <optional>

#include "aggregator/changes/rfc3339.hpp"
#include "aggregator/changes/signature.hpp"
#include "common/http/client.hpp"
#include "tests/support/aggregator_program.hpp"
#include "tests/support/fake_agent.hpp"

namespace fw {
namespace {

namespace json = boost::json;
using test::AggregatorProgram;
using test::FakeAgent;
using test::TestPki;

constexpr const char* kSecret = "a-secret-of-the-test";
// One name that fits into a std::string without an allocation, one that does not.
constexpr const char* kShort = "eva";
constexpr const char* kLong = "maximiliane.von-und-zu-hohenstein@example.org";

class AppTest : public testing::Test {
 protected:
  AppTest() {
    std::ofstream(pki_.folder() + "/secret") << kSecret << "\n";
    start();
  }
  ~AppTest() override {
    program_.reset();
    std::filesystem::remove_all(pki_.folder());
  }
  void start() {
    program_.reset();
    program_.emplace(pki_, std::vector<std::string>{"webhook.cloudevents_secret_file=" + pki_.folder() + "/secret"});
    url_ = "https://127.0.0.1:" + std::to_string(program_->people_port());
  }
  static http::Client client(const transport::TlsFiles& files) {
    http::ClientConfig config;
    config.ca_file = files.ca;
    config.certificate_file = files.certificate;
    config.key_file = files.key;
    config.plain = http::Plain::loopback_only;
    return http::Client(std::move(config));
  }
  int status_of(http::Client& as, const std::string& path) {
    const auto answer = as.get(url_ + path);
    return answer ? answer->status : 0;
  }
  static json::object object(const Result<http::Response>& answer, int status = 200) {
    EXPECT_TRUE(answer) << answer.error().message();
    if (!answer) return {};
    EXPECT_EQ(answer->status, status) << answer->body;
    boost::system::error_code bad;
    const auto value = json::parse(answer->body, bad);
    return bad || !value.is_object() ? json::object() : value.get_object();
  }
  json::object get(http::Client& as, const std::string& path, int status = 200) { return object(as.get(url_ + path), status); }
  json::object post(http::Client& as, const std::string& path, json::object body, int status = 200) {
    return object(as.post_json(url_ + path, json::serialize(body)), status);
  }
  static std::string text(const json::object& from, std::string_view key) {
    const auto* value = from.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
  }
  static std::size_t count(const json::object& from, std::string_view key) {
    const auto* value = from.if_contains(key);
    return value != nullptr && value->is_array() ? value->get_array().size() : 0;
  }
  // Asks until the incident has an answer; each question is a round trip to the program.
  json::object explained(http::Client& as) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    json::object incident;
    while (std::chrono::steady_clock::now() < deadline) {
      const auto answer = as.get(url_ + "/api/v1/incidents/INC-1");
      if (!answer || answer->status != 200) continue;
      incident = object(answer);
      if (text(incident, "state") == "explained") break;
    }
    return incident;
  }
  Result<http::Response> deploy(http::Client& as) {
    const std::string body = R"({"specversion": "1.0", "id": "1", "source": "/ci", "type": "dev.fleetwright.change.v1", "data":
        {"object": {"name": "cart"}, "started": ")" + deployed_ + R"(",
         "fields": [{"path": "resources.limits.memory", "before": "256Mi", "after": "64Mi"}]}})";
    return as.send({.method = "POST", .url = url_ + "/webhooks/cloudevents",
                    .headers = {{"Content-Type", "application/cloudevents+json"}, {"X-Fleetwright-Signature-256", changes::make_signature(kSecret, body)}},
                    .body = body});
  }

  TestPki pki_{(std::filesystem::temp_directory_path() / ("fw-app-" + std::to_string(::getpid()) + "-" + make_uuid_v4().str())).string()};
  const std::string deployed_ = changes::format_rfc3339(SystemClock{}.wall_ns());
  std::optional<AggregatorProgram> program_;
  std::string url_;
};

TEST_F(AppTest, what_people_and_webhooks_say_is_durable_when_it_is_answered) {
  auto eva = client(pki_.person(kShort)), max = client(pki_.person(kLong));
  FakeAgent agent(program_->agents_port(), pki_.node(make_uuid_v4()), make_uuid_v4());
  ASSERT_TRUE(agent.connect());
  EXPECT_EQ(text(object(deploy(eva), 202), "status"), "created");
  EXPECT_EQ(text(object(deploy(eva), 202), "status"), "duplicate");
  for (std::uint64_t seq = 1; seq <= 3; ++seq) ASSERT_TRUE(agent.send(FakeAgent::oom_frame(seq)));
  ASSERT_TRUE(agent.wait_ack(3));

  const auto incident = explained(eva);
  ASSERT_EQ(text(incident, "state"), "explained") << json::serialize(incident);
  EXPECT_EQ(text(incident, "scope"), "cart");
  EXPECT_EQ(text(get(eva, "/api/v1/incidents/INC-1/explain"), "incident"), "INC-1");
  const auto case_file = eva.get(url_ + "/api/v1/incidents/INC-1/case");
  ASSERT_TRUE(case_file);
  EXPECT_TRUE(case_file->body.starts_with("SQLite format 3")) << case_file->status;

  EXPECT_EQ(text(post(eva, "/api/v1/incidents/INC-1/take", {}), "takenBy"), kShort);
  EXPECT_EQ(text(post(max, "/api/v1/incidents/INC-1/take", {}), "takenBy"), kLong);
  EXPECT_EQ(count(post(max, "/api/v1/incidents/INC-1/notes", {{"text", "n"}}), "notes"), 1U);
  EXPECT_EQ(count(post(eva, "/api/v1/incidents/INC-1/notes", {{"text", std::string(2'000, 'x')}}), "notes"), 2U);
  const auto closed = post(eva, "/api/v1/incidents/INC-1/close", {{"reason", "rolled back"}, {"cause", "limit-too-low-after-change"}});
  EXPECT_EQ(text(closed, "state"), "closed");
  post(max, "/api/v1/incidents/INC-1/take", {}, 409);
  post(max, "/api/v1/incidents/INC-2/take", {}, 404);

  program_->stop(SIGKILL);   // nothing was answered before it was durable
  start();
  const auto after = get(max, "/api/v1/incidents/INC-1");
  EXPECT_EQ(text(after, "state"), "closed");
  EXPECT_EQ(text(after, "takenBy"), kLong);
  EXPECT_EQ(text(after, "closedBy"), kShort);
  EXPECT_EQ(text(after, "confirmedCause"), "limit-too-low-after-change");
  ASSERT_EQ(count(after, "notes"), 2U);
  EXPECT_EQ(text(after.at("notes").get_array()[0].get_object(), "author"), kLong);
  EXPECT_EQ(text(after.at("notes").get_array()[1].get_object(), "text"), std::string(2'000, 'x'));
  EXPECT_EQ(count(get(max, "/api/v1/changes"), "items"), 1U);
  EXPECT_EQ(count(get(max, "/api/v1/nodes"), "items"), 1U);
  EXPECT_EQ(count(get(max, "/api/v1/incidents"), "items"), 0U);
  EXPECT_EQ(count(get(max, "/api/v1/incidents?all=true"), "items"), 1U);
  EXPECT_EQ(text(object(deploy(eva), 202), "status"), "duplicate");
  // An old incident is brought back for a person who has something to say about it.
  EXPECT_EQ(count(post(eva, "/api/v1/incidents/INC-1/notes", {{"text", "afterwards"}}), "notes"), 3U);
}

TEST_F(AppTest, each_path_asks_for_its_own_proof) {
  auto nobody = client({"", "", pki_.server().ca}), node = client(pki_.node(make_uuid_v4())), person = client(pki_.person(kShort));
  for (const char* path : {"/api/v1/status", "/api/v1/nodes", "/api/v1/changes", "/api/v1/incidents", "/api/v1/incidents/INC-1",
                           "/api/v1/incidents/INC-1/explain", "/api/v1/incidents/INC-1/case", "/api/v1/no-such-path"}) {
    EXPECT_EQ(status_of(nobody, path), 401) << path;
    EXPECT_EQ(status_of(node, path), 403) << path;
  }
  for (const char* path : {"/api/v1/incidents/INC-1/take", "/api/v1/incidents/INC-1/notes", "/api/v1/incidents/INC-1/close"}) {
    post(nobody, path, {}, 401);
    post(node, path, {}, 403);
  }
  post(person, "/webhooks/cloudevents", {}, 401);   // a person's certificate is no signature
  EXPECT_EQ(status_of(person, "/api/v1/status"), 200);
  const auto ready = client({"", "", pki_.server().ca}).get("http://127.0.0.1:" + std::to_string(program_->plain_port()) + "/readyz?verbose");
  ASSERT_TRUE(ready) << ready.error().message();
  for (const char* check : {"[+]store", "[+]agents", "[+]incidents", "[+]accepting"}) EXPECT_NE(ready->body.find(check), std::string::npos) << ready->body;
}

}  // namespace
}  // namespace fw
