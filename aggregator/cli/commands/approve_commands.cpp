// approve, deny, undo, extend: a person's yes or no, and the way back.
#include <CLI/CLI.hpp>

#include <memory>

#include <fmt/format.h>

#include "aggregator/cli/command.hpp"
#include "aggregator/cli/model.hpp"
#include "aggregator/cli/plans/signing_desk.hpp"
#include "aggregator/cli/policy/yaml_reader.hpp"
#include "aggregator/cli/render/plan.hpp"
#include "aggregator/cli/term/text.hpp"
#include "protocol/authority/catalogue.hpp"

namespace fw::cli {
namespace {

using authority::Decision;

constexpr std::int64_t kPollMs = 500;

struct VoteOptions {
  std::string id, plan, reason, key, timeout = "10m", length;
  bool yes = false, wait = false, no_wait = false, dry_run = false;
};

std::string plan_line(const FoundPlan& found, std::string_view verb) {
  const auto& object = found.object;
  const auto waits = object.state_text.empty() ? object.state : object.state_text;
  return fmt::format("plan/{} {} ({})\n", render::short_digest(object.digest), verb, term::escape(waits));
}

void print_result(const Session& session, const FoundPlan& found, std::string_view verb) {
  if (session.format() == Format::json) session.print_json(found.json);
  else if (session.format() == Format::name) session.print(render::names("plan", {found.object.digest}));
  else session.print(plan_line(found, verb));
}

// Refused here, before anything is signed, when it could not count.
std::optional<Failure> cannot_count(const FoundPlan& found, Decision decision, std::int64_t now) {
  const auto& object = found.object;
  const auto next = "fleetwright plan show " + render::short_digest(object.digest);
  if (!found.plan.problems.empty() && decision == Decision::approve) {
    return Failure{ExitCode::failure, "this plan breaks its action's rules", found.plan.problems.front() + " [plan-invalid]", next};
  }
  if (object.state != "PROPOSED" && !(decision == Decision::deny && !is_finished(object))) {
    return Failure{ExitCode::plan_changed, fmt::format("the plan is {}", object.state), object.state_text, next};
  }
  if (now > found.plan.plan.not_after_ms) {
    return Failure{ExitCode::plan_changed, "the plan has expired", "its window ended at " + time_text(found.plan.plan.not_after_ms) + " [expired]", next};
  }
  return std::nullopt;
}

// The version in force on the plan's node: a newer one may still wait there for its hour.
std::uint64_t version_on_node(const FoundPlan& found, const Trust& trust) {
  const auto uid = found.plan.plan.target.node.str();
  for (const auto& node : trust.object.nodes) {
    if (node.node_uid == uid && node.version > 0) return static_cast<std::uint64_t>(node.version);
  }
  return trust.policy.version;
}

// The node's own counting, with this vote added: what it would refuse is not sent.
std::optional<Failure> refused_by_count(const FoundPlan& found, const authority::Vote& mine, const Desk& desk, std::int64_t now) {
  if (version_on_node(found, desk.trust) != desk.trust.policy.version) return std::nullopt;   // counted by a policy that is not here
  const auto progress = authority::count_votes(found.plan.bytes, {mine}, std::nullopt, desk.trust.policy, now);
  if (progress.bad.empty()) return std::nullopt;
  const auto& refusal = progress.bad.front();
  return Failure{ExitCode::not_authorised, fmt::format("{} may not approve this", desk.person.str()),
                 render::refusal_line(refusal.sentence, authority::to_string(refusal.code)), "fleetwright policy show"};
}

authority::Vote make_vote(const FoundPlan& found, Decision decision, const Desk& desk, const std::string& reason, std::int64_t now) {
  authority::Approval approval;
  approval.plan = found.plan.digest;
  approval.decision = decision;
  approval.person = desk.person;
  approval.policy_version = version_on_node(found, desk.trust);
  approval.nonce = authority::make_nonce();
  approval.issued_ms = now;
  approval.expires_ms = found.plan.plan.not_after_ms;
  approval.render = render::render_digest(found.plan);
  approval.renderer = render::renderer_name();
  approval.reason = reason;
  return {authority::to_bytes(approval), {}};
}

// "fixed", "rolled back", "refused because"; one line and the exit code.
Outcome<ExitCode> said_end(const Session& session, const FoundPlan& found, bool resolved) {
  const auto& object = found.object;
  const auto digest = render::short_digest(object.digest);
  const auto because = object.outcome ? render::refusal_line(object.outcome->sentence, object.outcome->code) : object.state_text;
  if (object.state == "DONE") {
    session.print(fmt::format("plan/{} {}\n", digest, resolved ? "fixed: the symptom of " + term::escape(object.incident) + " is gone" : "done"));
    return ExitCode::ok;
  }
  if (object.state == "ROLLED_BACK" || (object.outcome && object.outcome->rolled_back)) {
    session.print(fmt::format("plan/{} rolled back: {}\n", digest, term::escape(because)));
    return ExitCode::failure;
  }
  const bool changed = object.state == "DENIED" || object.state == "SUPERSEDED" || object.state == "EXPIRED";
  session.print(fmt::format("plan/{} {} because: {}\n", digest, changed ? term::escape(object.state) : object.state == "REFUSED" ? "refused" : "failed",
                            term::escape(because)));
  if (object.state == "UNKNOWN") session.say(fmt::format("look at the node, then: fleetwright settle {} --happened (or --not) --reason '...'\n", digest));
  return changed ? ExitCode::plan_changed : ExitCode::failure;
}

// Until the node is done and the symptom is gone or not; a plan without an incident is over with the node's word.
Outcome<ExitCode> wait_for_end(Session& session, FoundPlan found, const std::string& timeout) {
  const auto patience = parse_length_ms(timeout);
  if (!patience) return Failure{ExitCode::usage, "--timeout " + timeout + " is not a length", patience.error().context, "write 30s, 10m or 1h"};
  const auto server = session.server();
  if (!server) return server.error();
  const auto end = now_ms(session) + static_cast<std::int64_t>(*patience);
  session.say("waiting for the node; Ctrl-C ends the waiting, not the action\n");
  const auto digest = found.object.digest;
  for (auto shown = found.object.state;;) {
    const bool for_incident = normal_incident_id(found.object.incident).has_value();
    bool resolved = found.object.symptom_gone;
    if (found.object.state == "DONE" && for_incident && !resolved) {
      const auto body = (*server)->get_incident(found.object.incident);
      const auto incident = body ? read_incident(*body) : Result<Incident>(Error(Errc::gone, ""));
      resolved = incident && !incident->unfinished();
    }
    if (is_finished(found.object) && (found.object.state != "DONE" || resolved || !for_incident)) return said_end(session, found, resolved);
    if (now_ms(session) >= end) {
      if (found.object.state == "DONE") {
        session.print(fmt::format("plan/{} done; the symptom is still watched\n", render::short_digest(digest)));
        return ExitCode::ok;
      }
      return Failure{found.object.state == "PROPOSED" ? ExitCode::needs_approvers : ExitCode::failure, "it is not over yet",
                     found.object.state_text.empty() ? found.object.state : found.object.state_text, "fleetwright plan show " + render::short_digest(digest)};
    }
    session.sleep_ms(kPollMs);
    const auto body = (*server)->get("/api/v1/plans/" + digest);
    if (!body) continue;   // the action goes on without us; so does the waiting
    auto next = found_plan(*body);
    if (!next) return next.error();
    found = std::move(*next);
    if (found.object.state != shown) session.say(term::escape(found.object.state_text.empty() ? found.object.state : found.object.state_text) + "\n");
    shown = found.object.state;
  }
}

Outcome<ExitCode> vote(Session& session, const VoteOptions& options, Decision decision) {
  const bool approve = decision == Decision::approve;
  const auto found = find_plan(session, options.id, options.plan);
  if (!found) return found.error();
  if (const auto why = cannot_count(*found, decision, now_ms(session))) return *why;
  auto desk = open_desk(session, options.key);
  if (!desk) return desk.error();
  const auto signing_ms = now_ms(session);
  auto mine = make_vote(*found, decision, *desk, options.reason, signing_ms);
  const auto verb = approve ? "approved" : "denied";
  if (options.dry_run) {
    session.print(fmt::format("plan/{} {} (dry run)\n", render::short_digest(found->object.digest), verb));
    return ExitCode::ok;
  }

  if (approve && !options.yes && session.can_ask()) session.say(render::plan_diff(found->plan, found->object, session.layout(), signing_ms));
  const auto command = fmt::format("fleetwright {} {} --plan sha256:{} --yes", approve ? "approve" : "deny", term::escape(options.id), found->object.digest);
  const auto agreed = confirm(session, {fmt::format("to {} this as {} with {}", approve ? "approve" : "deny", desk->person.str(), desk->signer->where()),
                                        render::object_name(found->plan), options.yes, names_whole_digest(options.plan), command});
  if (!agreed) return agreed.error();

  auto signature = sign_with(*desk->signer, authority::Domain::approval, mine.document);
  if (!signature) return signature.error();
  mine.signature = std::move(*signature);
  if (const auto why = refused_by_count(*found, mine, *desk, signing_ms); why && approve) return *why;
  const auto server = session.server();
  if (!server) return server.error();
  const auto body = (*server)->post("/api/v1/plans/" + found->object.digest + "/approvals", document_body(mine.document, mine.signature));
  if (!body) return body.error();
  auto now_is = found_plan(*body);
  if (!now_is) return now_is.error();
  print_result(session, *now_is, verb);
  const bool wait = approve && !options.no_wait && (options.wait || (session.can_ask() && session.layout().for_people));
  if (!wait) return ExitCode::ok;
  return wait_for_end(session, std::move(*now_is), options.timeout);
}

// undo and extend make a new plan, which is approved like any other.
Outcome<ExitCode> follow_up(Session& session, const VoteOptions& options, const std::string& part, const std::string& body, std::string_view verb) {
  const auto found = find_plan(session, options.id, options.plan);
  if (!found) return found.error();
  if (options.dry_run) {
    session.print(fmt::format("plan/{} {} (dry run)\n", render::short_digest(found->object.digest), verb));
    return ExitCode::ok;
  }
  const auto server = session.server();
  if (!server) return server.error();
  const auto answer = (*server)->post("/api/v1/plans/" + found->object.digest + part, body);
  if (!answer) return answer.error();
  const auto made = found_plan(*answer);
  if (!made) return made.error();
  print_result(session, *made, verb);
  session.say(fmt::format("approve it: fleetwright approve {} --plan sha256:{}\n", render::short_digest(made->object.digest), made->object.digest));
  return ExitCode::ok;
}

void add_common(CLI::App* command, VoteOptions& options) {
  command->add_option("--plan", options.plan, "Only when it is this plan; the whole digest with --yes")->type_name("DIGEST");
  command->add_flag("--dry-run", options.dry_run, "Check, sign nothing");
}

void add_signing(CLI::App* command, VoteOptions& options) {
  command->add_option("--key", options.key, "File of the key, or ssh-agent[:WORD]; default: the context's signing-key")->type_name(kKeyArgument);
  command->add_flag("-y,--yes", options.yes, "Ask nothing; needs --plan with the whole digest");
}

}  // namespace

void add_approve_commands(CLI::App& root, Commands& commands) {
  auto* approve = root.add_subcommand("approve", "Signs that a plan may be executed");
  const auto approving = std::make_shared<VoteOptions>();
  add_plan_id(approve, approving->id);
  add_common(approve, *approving);
  add_signing(approve, *approving);
  approve->add_option("--reason", approving->reason, "Why; stands in the audit log")->type_name("TEXT");
  approve->add_flag("--wait", approving->wait, "Follow it to its end (default on a terminal)");
  approve->add_flag("--no-wait", approving->no_wait, "Do not");
  approve->add_option("--timeout", approving->timeout, "How long to wait")->type_name("LENGTH")->capture_default_str();
  commands.on(approve, [approving](Session& session) { return vote(session, *approving, Decision::approve); });

  auto* deny = root.add_subcommand("deny", "Signs that a plan must not be executed; one denial is enough");
  const auto denying = std::make_shared<VoteOptions>();
  add_plan_id(deny, denying->id);
  add_common(deny, *denying);
  add_signing(deny, *denying);
  deny->add_option("--reason", denying->reason, "Why; stands in the audit log")->required()->type_name("TEXT");
  commands.on(deny, [denying](Session& session) { return vote(session, *denying, Decision::deny); });

  auto* undo = root.add_subcommand("undo", "Proposes to restore what a plan changed; needs no more people than it did");
  const auto undoing = std::make_shared<VoteOptions>();
  add_plan_id(undo, undoing->id);
  add_common(undo, *undoing);
  commands.on(undo, [undoing](Session& session) { return follow_up(session, *undoing, "/undo", "{}", "undo proposed"); });

  auto* extend = root.add_subcommand("extend", "Proposes that a plan's restore comes later");
  const auto extending = std::make_shared<VoteOptions>();
  add_plan_id(extend, extending->id);
  add_common(extend, *extending);
  extend->add_option("--for", extending->length, "How long from then on: 15m, 2h")->required()->type_name("LENGTH");
  commands.on(extend, [extending](Session& session) -> Outcome<ExitCode> {
    const auto length = parse_length_ms(extending->length);
    if (!length || *length == 0) return Failure{ExitCode::usage, "--for " + extending->length + " is not a length", "", "write 15m or 2h"};
    return follow_up(session, *extending, "/extend", fmt::format(R"({{"ttlMs":{}}})", *length), "extension proposed");
  });
}

}  // namespace fw::cli
