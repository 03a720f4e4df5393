#include "aggregator/changes/github/github.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace fw::changes::github {
namespace {

namespace fs = std::filesystem;
const fs::path kPayloads = fs::path(FW_SOURCE_DIR) / "../shared/data/github-webhooks";

std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

Change change_of(std::string_view event, std::string_view body) {
  auto received = parse(event, "guid", body, 42);
  if (received.has_error()) {
    ADD_FAILURE() << received.error().message();
    return {};
  }
  auto* change = std::get_if<Change>(&received->what);
  if (change == nullptr) {
    ADD_FAILURE() << "ignored: " << std::get<Ignored>(received->what).reason;
    return {};
  }
  return std::move(*change);
}

std::string error_of(std::string_view event, std::string_view body) {
  const auto received = parse(event, "guid", body, 42);
  return received.has_error() ? received.error().message() : "";
}

// ---- deliveries as GitHub sends them -------------------------------------------------------------------------------

class RealPayloads : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(kPayloads)) GTEST_SKIP() << "no recorded GitHub deliveries at " << kPayloads;
  }
  static Change read(std::string_view event, const std::string& file) { return change_of(event, slurp(kPayloads / file)); }
};

TEST_F(RealPayloads, deployment) {
  for (const auto* file : {"deployment.payload.json", "deployment.with-installation.payload.json"}) {
    const Change c = read("deployment", file);
    EXPECT_EQ(c.source, "github");
    EXPECT_EQ(c.source_key, "deployment/145988746");
    EXPECT_EQ(c.change_group, "f95f852bd8fca8fcc58a9a2d6c842781e32a215e");
    EXPECT_EQ(c.revision, c.change_group);
    EXPECT_EQ(c.actor, "Codertocat");
    EXPECT_EQ(c.environment, "production");
    EXPECT_EQ(c.title, "deploy master of Codertocat/Hello-World");
    EXPECT_EQ(c.object.kind, "Repository");
    EXPECT_EQ(c.object.name, "Hello-World");
    EXPECT_EQ(c.started_ns, 1'557'933'653'000'000'000);
    EXPECT_EQ(c.finished_ns, std::nullopt);
    EXPECT_EQ(c.outcome, Outcome::in_progress);
    EXPECT_EQ(c.received_ns, 42);
  }
  EXPECT_EQ(read("deployment", "deployment.gh-pages.payload.json").actor, "github-pages[bot]");
}

TEST_F(RealPayloads, deployment_status_updates_the_row_of_its_deployment) {
  const Change begun = read("deployment", "deployment.payload.json");
  for (const auto* file : {"deployment_status.payload.json", "deployment_status.with-installation.payload.json"}) {
    const Change c = read("deployment_status", file);
    EXPECT_EQ(c.source_key, begun.source_key);
    EXPECT_EQ(c.started_ns, begun.started_ns);
    EXPECT_EQ(c.finished_ns, 1'557'933'655'000'000'000);
    EXPECT_EQ(c.outcome, Outcome::success);
    EXPECT_EQ(c.url, "");
  }
  const Change pages = read("deployment_status", "deployment_status.gh-pages.payload.json");
  EXPECT_EQ(pages.outcome, Outcome::in_progress);
  EXPECT_EQ(pages.finished_ns, std::nullopt);
  EXPECT_EQ(pages.url, "https://github.com/CorsixTH/CorsixTH/runs/4687056418?check_suite_focus=true");
}

TEST_F(RealPayloads, workflow_run) {
  for (const auto* file : {"workflow_run.completed.payload.json", "workflow_run.completed.with-pull-requests.payload.json"}) {
    const Change c = read("workflow_run", file);
    EXPECT_EQ(c.source_key, "workflow_run/289782451/1");
    EXPECT_EQ(c.change_group, "3484a3fb816e0859fd6e1cea078d76385ff50625");
    EXPECT_EQ(c.actor, "Codertocat");
    EXPECT_EQ(c.title, ".github/workflows/test.yml: ci(action): update actions/setup-node digest to 8c91899");
    EXPECT_EQ(c.url, "https://github.com/octo-org/octo-repo/actions/runs/289782451");
    EXPECT_EQ(c.object.kind, "Repository");
    EXPECT_EQ(c.object.name, "octo-repo");
    EXPECT_EQ(c.outcome, Outcome::success);
    EXPECT_EQ(c.started_ns, 1'601'915'629'000'000'000);
    EXPECT_EQ(c.finished_ns, 1'601'915'629'000'000'000);
  }
  EXPECT_EQ(read("workflow_run", "workflow_run.requested.payload.json").outcome, Outcome::in_progress);
  const Change waits = read("workflow_run", "workflow_run.requested.with-conclusion.payload.json");
  EXPECT_EQ(waits.outcome, Outcome::in_progress);   // action_required
  EXPECT_EQ(waits.finished_ns, std::nullopt);
}

TEST_F(RealPayloads, every_other_event_is_ignored) {
  int seen = 0;
  for (const auto& entry : fs::directory_iterator(kPayloads)) {
    const std::string file = entry.path().filename();
    const std::string event = file.substr(0, file.find('.'));
    const auto received = parse(event, "guid", slurp(entry.path()), 42);
    ASSERT_TRUE(received.has_value()) << file << ": " << received.error().message();
    const bool used = event == "deployment" || event == "deployment_status" || event == "workflow_run";
    EXPECT_EQ(std::holds_alternative<Change>(received->what), used) << file;
    EXPECT_EQ(received->delivery_id, "guid");
    ++seen;
  }
  EXPECT_GT(seen, 20);
}

TEST_F(RealPayloads, cut_anywhere_is_an_error_and_nothing_else) {
  const std::string body = slurp(kPayloads / "deployment.payload.json");
  for (std::size_t length = 0; length + 1 < body.size(); length += 97) {
    EXPECT_TRUE(parse("deployment", "guid", body.substr(0, length), 42).has_error()) << length;
  }
}

// ---- what people put in --------------------------------------------------------------------------------------------

std::string deployment(const std::string& members) {
  return R"({"action": "created", "repository": {"name": "repo", "full_name": "o/repo"}, "sender": {"login": "bob"},
             "deployment": {"id": 1, "sha": "ABCDEF", "created_at": "2026-11-24T02:47:03Z", )" + members + "}}";
}

TEST(Github, object_is_what_the_payload_names) {
  EXPECT_EQ(change_of("deployment", deployment(R"("payload": {"service": "checkout"})")).object.name, "checkout");
  EXPECT_EQ(change_of("deployment", deployment(R"("payload": {"app": "checkout", "kind": "Deployment", "namespace": "shop", "cluster": "eu"})")).object.namespace_name, "shop");
  EXPECT_EQ(change_of("deployment", deployment(R"("payload": "{\"name\": \"checkout\"}")")).object.name, "checkout");
  const auto nested = change_of("deployment", deployment(R"("payload": {"object": {"kind": "Deployment", "name": "checkout"}})")).object;
  EXPECT_EQ(nested.kind, "Deployment");
  EXPECT_EQ(nested.name, "checkout");
}

TEST(Github, object_is_the_repository_when_the_payload_names_nothing) {
  for (const auto* payload : {"{}", "null", "\"\"", "\"free text\"", "[1]", "7", R"({"name": 7})", R"({"name": ""})", R"({"kind": "Deployment"})"}) {
    const Change c = change_of("deployment", deployment("\"payload\": " + std::string(payload)));
    EXPECT_EQ(c.object.kind, "Repository") << payload;
    EXPECT_EQ(c.object.name, "repo") << payload;
  }
}

TEST(Github, group_is_lower_case_so_that_sources_agree) {
  EXPECT_EQ(change_of("deployment", deployment(R"("payload": null)")).change_group, "abcdef");
}

TEST(Github, actor_is_unknown_rather_than_guessed) {
  EXPECT_EQ(change_of("deployment", deployment(R"("creator": null)")).actor, "bob");
  const auto* nobody = R"({"repository": {"name": "r"}, "deployment": {"id": 1, "created_at": "2026-11-24T02:47:03Z"}})";
  EXPECT_EQ(change_of("deployment", nobody).actor, "unknown");
}

std::string status(const std::string& state) {
  return R"({"repository": {"name": "r"}, "deployment": {"id": 1, "created_at": "2026-11-24T02:47:03Z"},
             "deployment_status": {"state": ")" + state + R"(", "created_at": "2026-11-24T02:48:03Z", "log_url": "javascript:x"}})";
}

TEST(Github, states_of_a_deployment) {
  EXPECT_EQ(change_of("deployment_status", status("success")).outcome, Outcome::success);
  EXPECT_EQ(change_of("deployment_status", status("failure")).outcome, Outcome::failure);
  EXPECT_EQ(change_of("deployment_status", status("error")).outcome, Outcome::failure);
  for (const auto* state : {"pending", "queued", "waiting", "in_progress"}) {
    EXPECT_EQ(change_of("deployment_status", status(state)).outcome, Outcome::in_progress);
    EXPECT_EQ(change_of("deployment_status", status(state)).finished_ns, std::nullopt);
  }
  EXPECT_EQ(change_of("deployment_status", status("a word to come")).outcome, Outcome::unknown);
  const auto inactive = parse("deployment_status", "guid", status("inactive"), 42);
  EXPECT_TRUE(std::holds_alternative<Ignored>(inactive->what));
}

TEST(Github, only_web_addresses_become_urls) { EXPECT_EQ(change_of("deployment_status", status("success")).url, ""); }

std::string run(const std::string& members) {
  return R"({"repository": {"name": "r"}, "workflow": null, "workflow_run": {"id": 5, "created_at": "2026-11-24T02:47:03Z", )" + members + "}}";
}

TEST(Github, each_attempt_of_a_workflow_run_is_a_change) {
  EXPECT_EQ(change_of("workflow_run", run(R"("run_attempt": 3)")).source_key, "workflow_run/5/3");
  EXPECT_EQ(change_of("workflow_run", run(R"("run_attempt": null)")).source_key, "workflow_run/5/1");
}

TEST(Github, conclusions_of_a_workflow_run) {
  const auto outcome = [](const std::string& conclusion) {
    return change_of("workflow_run", run(R"("status": "completed", "updated_at": "2026-11-24T02:49:03Z", "conclusion": ")" + conclusion + "\"")).outcome;
  };
  EXPECT_EQ(outcome("success"), Outcome::success);
  for (const auto* word : {"failure", "timed_out", "startup_failure"}) EXPECT_EQ(outcome(word), Outcome::failure);
  for (const auto* word : {"cancelled", "skipped", "stale"}) EXPECT_EQ(outcome(word), Outcome::cancelled);
  EXPECT_EQ(outcome("neutral"), Outcome::unknown);
}

TEST(Github, text_of_people_is_cut_and_cleaned_not_refused) {
  const std::string cut = change_of("deployment", deployment("\"description\": \"" + std::string(1'023, 'x') + "\xC3\xA4\"")).title;
  EXPECT_EQ(cut.size(), 1'023U);   // not half a character
  EXPECT_EQ(change_of("deployment", deployment(R"("description": "a\u001b[31m\nb")")).title, "a [31m b");
}

TEST(Github, errors_name_the_field) {
  EXPECT_EQ(error_of("deployment", "{}"), "repository: missing");
  EXPECT_EQ(error_of("deployment", R"({"repository": {}})"), "deployment: missing");
  EXPECT_EQ(error_of("deployment_status", deployment(R"("payload": null)")), "deployment_status: missing");
  EXPECT_EQ(error_of("deployment", R"({"repository": {}, "deployment": {}})"), "deployment.id: missing");
  EXPECT_EQ(error_of("deployment", R"({"repository": {}, "deployment": {"id": "x"}})"), "deployment.id: must be a whole number");
  EXPECT_EQ(error_of("deployment", R"({"repository": {}, "deployment": {"id": 1, "created_at": "now"}})"),
            "deployment.created_at: not an RFC 3339 time such as 2026-11-24T02:47:03.120Z");
  EXPECT_EQ(error_of("deployment", deployment("\"environment\": \"" + std::string(300, 'x') + "\"")), "deployment.environment: longer than 256 bytes");
  EXPECT_EQ(error_of("deployment", deployment("\"environment\": \"a\xFF\"")), "deployment.environment: not valid UTF-8");
  EXPECT_EQ(error_of("deployment", deployment(R"("environment": "a\u0000b")")), "deployment.environment: holds a control character");
  EXPECT_EQ(error_of("deployment", deployment(R"("environment": 7)")), "deployment.environment: must be text");
  EXPECT_EQ(error_of("deployment", "[]"), "body: must be an object");
  EXPECT_EQ(error_of("deployment", deployment(R"("payload": )" + std::string(40, '[') + std::string(40, ']'))), "body: nested deeper than 32 levels");
  EXPECT_EQ(error_of("", "{}"), "X-GitHub-Event: missing");
  EXPECT_TRUE(parse("deployment", std::string(300, 'x'), "{}", 42).has_error());
}

}  // namespace
}  // namespace fw::changes::github
