#include "aggregator/changes/github/github.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "aggregator/changes/json_reader.hpp"

namespace fw::changes::github {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

Outcome outcome_of_state(std::string_view state) {
  if (state == "success") return Outcome::success;
  if (state == "failure" || state == "error") return Outcome::failure;
  if (state == "pending" || state == "queued" || state == "waiting" || state == "in_progress") return Outcome::in_progress;
  return Outcome::unknown;
}

Outcome outcome_of_conclusion(std::string_view conclusion) {
  if (conclusion == "success") return Outcome::success;
  if (conclusion == "failure" || conclusion == "timed_out" || conclusion == "startup_failure") return Outcome::failure;
  if (conclusion == "cancelled" || conclusion == "skipped" || conclusion == "stale") return Outcome::cancelled;
  if (conclusion == "action_required") return Outcome::in_progress;   // waits for a person
  return Outcome::unknown;                                            // "neutral" and words to come
}

bool is_end(Outcome outcome) { return outcome == Outcome::success || outcome == Outcome::failure || outcome == Outcome::cancelled; }

// The login of the first that is there.
std::string actor_of(ObjectReader first, ObjectReader second) {
  std::string login = first.text("login");
  if (login.empty()) login = second.text("login");
  return login.empty() ? "unknown" : login;
}

std::string text_if_any(ObjectReader& object, std::string_view name) {
  const auto* value = object.find(name);
  return value != nullptr && value->is_string() ? object.text(name) : std::string();
}

// The object as the payload names it; without a name when it does not.
ObjectRef named_object(const boost::json::value& payload, Problems& problems) {
  ObjectReader outer(&payload, "deployment.payload", problems);
  const auto* nested = outer.find("object");
  const bool inside = nested != nullptr && nested->is_object();
  ObjectReader fields(inside ? nested : &payload, inside ? "deployment.payload.object" : "deployment.payload", problems);
  ObjectRef object;
  for (const auto* word : {"name", "service", "app", "application", "workload", "container"}) {
    if (object.name.empty()) object.name = text_if_any(fields, word);
  }
  object.kind = text_if_any(fields, "kind");
  object.namespace_name = text_if_any(fields, "namespace");
  object.cluster = text_if_any(fields, "cluster");
  return object;
}

// A deployment says what it deploys only in its free payload: an object, or JSON inside a string. People put the name under one of
// a few words. Without one the repository is all that is known, and says so by its kind.
ObjectRef object_of(ObjectReader& deployment, ObjectReader& repository, Problems& problems) {
  const auto* payload = deployment.find("payload");
  ObjectRef object;
  if (payload != nullptr && payload->is_object()) {
    object = named_object(*payload, problems);
  } else if (payload != nullptr && payload->is_string()) {
    const auto inner = JsonDocument::parse(payload->get_string());
    if (inner.has_value() && inner->root().is_object()) object = named_object(inner->root(), problems);
  }
  if (!object.name.empty()) return object;
  ObjectRef repository_only;
  repository_only.kind = "Repository";
  repository_only.name = repository.text("name");
  return repository_only;
}

void take_deployment(Change& change, ObjectReader& root, Problems& problems) {
  ObjectReader deployment = root.object("deployment");
  ObjectReader repository = root.object("repository");
  change.source_key = "deployment/" + deployment.required_number("id");
  change.revision = deployment.text("sha");
  change.change_group = lower(change.revision);
  change.environment = deployment.text("environment");
  change.actor = actor_of(deployment.object("creator"), root.object("sender"));
  change.started_ns = deployment.required_time_ns("created_at");
  change.object = object_of(deployment, repository, problems);
  change.title = deployment.free_text("description");
  if (change.title.empty()) {
    const std::string task = deployment.free_text("task");
    change.title = (task.empty() ? "deploy" : task) + " " + deployment.free_text("ref") + " of " + repository.free_text("full_name");
  }
  change.outcome = Outcome::in_progress;   // until a deployment_status says more
}

std::optional<Ignored> take_deployment_status(Change& change, ObjectReader& root, Problems& problems) {
  take_deployment(change, root, problems);
  ObjectReader status = root.object("deployment_status");
  const std::string state = status.required_text("state");
  if (state == "inactive") return Ignored{"deployment_status: a later deployment took its place"};
  change.outcome = outcome_of_state(state);
  if (is_end(change.outcome)) change.finished_ns = std::max(status.required_time_ns("created_at"), change.started_ns);
  for (const auto* name : {"log_url", "target_url"}) {
    if (change.url.empty()) change.url = status.url(name);
  }
  return std::nullopt;
}

void take_workflow_run(Change& change, ObjectReader& root) {
  ObjectReader run = root.object("workflow_run");
  ObjectReader repository = root.object("repository");
  const std::string attempt = run.find("run_attempt") == nullptr ? "1" : run.required_number("run_attempt");
  change.source_key = "workflow_run/" + run.required_number("id") + "/" + attempt;
  change.revision = run.text("head_sha");
  change.change_group = lower(change.revision);
  change.actor = actor_of(run.object("triggering_actor"), run.object("actor"));
  const auto created_ns = run.required_time_ns("created_at");
  change.started_ns = run.time_ns("run_started_at").value_or(created_ns);
  change.object.kind = "Repository";
  change.object.name = repository.text("name");
  std::string name = run.free_text("name");
  if (name.empty()) name = run.free_text("path");
  const std::string what = run.free_text("display_title");
  change.title = name + (name.empty() || what.empty() ? "" : ": ") + what;
  change.url = run.url("html_url");
  change.outcome = Outcome::in_progress;
  if (run.text("status") == "completed") {
    change.outcome = outcome_of_conclusion(run.text("conclusion"));
    if (change.outcome != Outcome::in_progress) {
      change.finished_ns = std::max(run.time_ns("updated_at").value_or(change.started_ns), change.started_ns);
    }
  }
}

}  // namespace

Result<Received> parse(std::string_view event, std::string_view delivery_id, std::string_view body, std::int64_t received_ns) {
  Received received;
  if (delivery_id.size() > kMaxNameBytes || !valid_utf8(delivery_id)) return Error(Errc::malformed, "X-GitHub-Delivery: too long or not UTF-8");
  received.delivery_id = std::string(delivery_id);
  if (event.empty()) return Error(Errc::malformed, "X-GitHub-Event: missing");
  const bool status = event == "deployment_status";
  if (event != "deployment" && !status && event != "workflow_run") {
    received.what = Ignored{"this event is not used"};
    return received;
  }
  const auto document = JsonDocument::parse(body);
  if (document.has_error()) return document.error();

  Problems problems;
  ObjectReader root(&document->root(), "", problems);
  for (const auto* required : {"repository", event == "workflow_run" ? "workflow_run" : "deployment"}) {
    if (root.find(required) == nullptr) root.report(required, "missing");
  }
  if (status && root.find("deployment_status") == nullptr) root.report("deployment_status", "missing");

  Change change;
  change.source = "github";
  change.received_ns = received_ns;
  std::optional<Ignored> ignored;
  if (status) {
    ignored = take_deployment_status(change, root, problems);
  } else if (event == "deployment") {
    take_deployment(change, root, problems);
  } else {
    take_workflow_run(change, root);
  }
  if (problems.any()) return problems.first();
  if (ignored) {
    received.what = std::move(*ignored);
  } else {
    received.what = std::move(change);
  }
  return received;
}

}  // namespace fw::changes::github
