#include <chrono>

#include "tests/unit/api/api_fixture.hpp"

namespace fw::api::test {
namespace {

using std::chrono::milliseconds;
const http::Headers kJson{{"Content-Type", "application/json"}};

TEST_F(ApiTest, role_by_endpoint) {
  struct Endpoint {
    const char* method;
    const char* path;
    const char* body;
    int person;   // status for a person; everybody else gets 401 or 403
  };
  const Endpoint endpoints[] = {
      {"GET", "/api/v1/status", "", 200},
      {"GET", "/api/v1/nodes", "", 200},
      {"POST", "/api/v1/nodes/node-a/probes", R"({"kind": "process_table"})", 200},
      {"GET", "/api/v1/changes", "", 200},
      {"GET", "/api/v1/incidents", "", 200},
      {"GET", "/api/v1/incidents/INC-7", "", 200},
      {"GET", "/api/v1/incidents/INC-7/explain", "", 200},
      {"GET", "/api/v1/incidents/INC-7/case", "", 200},
      {"POST", "/api/v1/incidents/INC-7/take", "{}", 200},
      {"POST", "/api/v1/incidents/INC-7/notes", R"({"text": "x"})", 200},
      {"POST", "/api/v1/incidents/INC-7/close", R"({"reason": "x"})", 200},
      {"GET", "/api/v1/nothing", "", 404},
      {"POST", "/api/v1/nodes", "{}", 405},
      {"GET", "/metrics", "", 404},   // only on the plain listener
      {"GET", "/webhooks/github", "", 405},
  };
  const auto& files = Certificates::get();
  for (const auto& endpoint : endpoints) {
    const bool people = std::string(endpoint.path).starts_with("/api/");
    const auto status = [&](const Certificates::Client* who) {
      http::Client client(client_config(who));
      const auto response = client.send({endpoint.method, https(endpoint.path), kJson, endpoint.body});
      return response.has_error() ? 0 : response->status;
    };
    EXPECT_EQ(status(&files.alice), endpoint.person) << endpoint.path;
    EXPECT_EQ(status(nullptr), people ? 401 : endpoint.person) << endpoint.path;
    EXPECT_EQ(status(&files.node), people ? 403 : endpoint.person) << endpoint.path;
    EXPECT_EQ(status(&files.stranger), 0) << endpoint.path;   // refused by TLS
    EXPECT_EQ(status(&files.expired), 0) << endpoint.path;
  }
  const std::vector<std::string> calls = backend.calls();
  const std::vector<std::string> by_alice_alone{"probe node-a process_table '' 10000", "changes 100 -1", "incidents 100 open", "take 7 alice", "note 7 alice x", "close 7 alice x "};
  EXPECT_EQ(calls, by_alice_alone);
}

TEST_F(ApiTest, errors_have_reason_message_and_hint) {
  const auto response = get("/api/v1/nodes");
  EXPECT_EQ(response.status, 401);
  EXPECT_EQ(response.headers.at("content-type"), "application/json");
  EXPECT_EQ(response.body, "{\"apiVersion\":\"fleetwright/v1alpha1\",\"kind\":\"Error\",\"reason\":\"Unauthorized\","
                           "\"message\":\"a client certificate of a person is needed\","
                           "\"hint\":\"The CLI takes it from its context; with curl, give --cert and --key.\"}\n");
}

TEST_F(ApiTest, every_answer_carries_security_headers) {
  for (const auto* path : {"/api/v1/nodes", "/nothing"}) {
    const auto response = get(path, &Certificates::get().alice);
    EXPECT_EQ(response.headers.at("x-content-type-options"), "nosniff");
    EXPECT_EQ(response.headers.at("cache-control"), "no-store");
    EXPECT_EQ(response.headers.at("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
    EXPECT_EQ(response.headers.at("strict-transport-security"), "max-age=31536000");
    EXPECT_FALSE(response.headers.contains("server"));
  }
}

TEST_F(ApiTest, filters_reach_the_backend_and_bad_ones_do_not) {
  const auto* alice = &Certificates::get().alice;
  get("/api/v1/changes?limit=5&since=2026-11-24T02%3A47%3A03Z", alice);
  get("/api/v1/incidents?all=true&limit=1000", alice);
  const std::vector<std::string> expected{"changes 5 1795488423000000000", "incidents 1000 all"};
  EXPECT_EQ(backend.calls(), expected);
  for (const auto* path : {"/api/v1/changes?limit=0", "/api/v1/changes?limit=1001", "/api/v1/changes?limit=x", "/api/v1/changes?limit=5x",
                           "/api/v1/changes?limit=", "/api/v1/changes?since=yesterday", "/api/v1/changes?all=true", "/api/v1/incidents?all=yes",
                           "/api/v1/incidents?limit=1&limit=2", "/api/v1/nodes?x=1", "/api/v1/status?x"}) {
    EXPECT_EQ(get(path, alice).status, 400) << path;
  }
  EXPECT_EQ(backend.calls(), expected);
}

TEST_F(ApiTest, incident_ids_are_checked) {
  const auto* alice = &Certificates::get().alice;
  for (const auto* id : {"7", "inc-7", "INC-", "INC-0", "INC--7", "INC-7x", "INC-99999999999999999999", "INC-9"}) {
    EXPECT_EQ(get("/api/v1/incidents/" + std::string(id), alice).status, 404) << id;
  }
}

TEST_F(ApiTest, not_yet_explained_is_a_conflict) {
  const auto response = get("/api/v1/incidents/INC-8/explain", &Certificates::get().alice);
  EXPECT_EQ(response.status, 409);
  EXPECT_NE(response.body.find("\"reason\":\"Conflict\""), std::string::npos);
}

TEST_F(ApiTest, explanation_gets_its_envelope) {
  EXPECT_EQ(get("/api/v1/incidents/INC-7/explain", &Certificates::get().alice).body,
            "{\"apiVersion\":\"fleetwright/v1alpha1\",\"kind\":\"Explanation\",\"incident\":\"INC-7\",\"engine\":\"1\",\"verdict\":\"it was the limit\"}\n");
}

TEST_F(ApiTest, case_file_arrives_byte_for_byte) {
  const auto response = get("/api/v1/incidents/INC-7/case", &Certificates::get().alice);
  EXPECT_EQ(response.body, std::string("SQLite format 3\0...", 19));
  EXPECT_EQ(response.headers.at("content-type"), "application/vnd.sqlite3");
  EXPECT_EQ(response.headers.at("content-disposition"), "attachment; filename=\"INC-7.sqlite3\"");
}

TEST_F(ApiTest, bodies_of_people_are_decoded_strictly) {
  const auto* alice = &Certificates::get().alice;
  const std::string notes = "/api/v1/incidents/INC-7/notes";
  const auto error = [&](const std::string& path, const std::string& body) {
    const auto response = post(path, body, kJson, alice);
    EXPECT_EQ(response.status, 400) << body;
    const auto begin = response.body.find("\"message\":\"") + 11;
    return response.body.substr(begin, response.body.find('"', begin) - begin);
  };
  EXPECT_EQ(error(notes, "{}"), "text: missing or empty");
  EXPECT_EQ(error(notes, ""), "text: missing or empty");
  EXPECT_EQ(error(notes, R"({"text": ""})"), "text: missing or empty");
  EXPECT_EQ(error(notes, R"({"text": 7})"), "text: must be text");
  EXPECT_EQ(error(notes, R"({"text": "x", "txt": "y"})"), "txt: unknown field; known are text");
  EXPECT_EQ(error(notes, "{\"text\": \"a\xFF\"}"), "text: not valid UTF-8");
  EXPECT_EQ(error(notes, R"({"text": "\u001b[2J"})"), "text: holds a control character");
  EXPECT_EQ(error(notes, R"({"text": ")" + std::string(4'097, 'x') + "\"}"), "text: longer than 4096 bytes");
  EXPECT_EQ(error(notes, "[]"), "body: must be an object");
  EXPECT_EQ(error(notes, "null"), "body: must be an object");
  EXPECT_EQ(error("/api/v1/incidents/INC-7/close", R"({"cause": "x"})"), "reason: missing or empty");
  EXPECT_EQ(error("/api/v1/incidents/INC-7/take", R"({"person": "mallory"})"), "person: unknown field; known are ");
  EXPECT_EQ(post(notes, R"({"text": "x"})", {{"Content-Type", "text/plain"}}, alice).status, 415);
  EXPECT_TRUE(backend.calls().empty());
  EXPECT_EQ(post(notes, R"({"text": "two\nlines"})", kJson, alice).status, 200);
  EXPECT_EQ(post("/api/v1/incidents/INC-7/take", "", {}, alice).status, 200);
  EXPECT_EQ(post("/api/v1/incidents/INC-7/close", R"({"reason": "fixed", "cause": "leak"})", kJson, alice).status, 200);
  EXPECT_EQ(backend.calls().back(), "close 7 alice fixed leak");
}

TEST_F(ApiTest, bodies_of_people_end_at_one_mebibyte) {
  const std::string large = R"({"text": ")" + std::string(1_MiB, 'x') + "\"}";
  EXPECT_EQ(post("/api/v1/incidents/INC-7/notes", large, kJson, &Certificates::get().alice).status, 413);
}

TEST_F(ApiTest, an_exception_of_the_backend_is_a_500_without_its_text) {
  backend.mood = FakeBackend::Mood::throws;
  const auto response = get("/api/v1/nodes", &Certificates::get().alice);
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.body.find("secret"), std::string::npos);
  backend.mood = FakeBackend::Mood::works;
  EXPECT_EQ(get("/api/v1/nodes", &Certificates::get().alice).status, 200);
}

TEST_F(ApiTest, a_backend_that_hangs_is_a_503_and_others_are_served) {
  limits.backend_timeout = milliseconds{50};
  backend.mood = FakeBackend::Mood::hangs;
  const auto response = get("/api/v1/nodes", &Certificates::get().alice);
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.headers.at("retry-after"), "10");
  EXPECT_EQ(get("/api/v1/status", &Certificates::get().alice).status, 200);
}

}  // namespace
}  // namespace fw::api::test
