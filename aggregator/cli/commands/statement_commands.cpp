// pause, resume, settle, statement: what people sign about the fleet, not about one plan.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "aggregator/cli/command.hpp"
#include "aggregator/cli/json_read.hpp"
#include "aggregator/cli/plans/signing_desk.hpp"
#include "aggregator/cli/policy/yaml_reader.hpp"
#include "aggregator/cli/render/plan.hpp"
#include "aggregator/cli/term/text.hpp"
#include "protocol/authority/checkpoint.hpp"

namespace fw::cli {
namespace {

using authority::Statement;

constexpr std::int64_t kClocksDifferMs = 120'000;   // what nodes allow, too
constexpr char kPath[] = "/api/v1/statements";

struct StatementOptions {
  std::string id, reason, key, origin;
  bool happened = false, not_happened = false, yes = false, dry_run = false;
};

Outcome<std::vector<SignedObject>> fetch_statements(Server& server, std::string* json = nullptr) {
  auto body = server.get(kPath);
  if (!body) return body.error();
  auto list = read_statement_objects(*body);
  if (!list) return failure_of(list.error(), "cannot read the statements", "`fleetwright doctor`");
  if (json != nullptr) *json = std::move(*body);
  return std::move(*list);
}

// Roots sign a new origin; everything else is for approvers.
struct Hand {
  std::unique_ptr<Signer> signer;
  std::string who;
};
Outcome<Hand> hand_for(Session& session, const Statement& statement, const std::string& key) {
  if (!std::holds_alternative<authority::NewOrigin>(statement.body)) {
    auto desk = open_desk(session, key);
    if (!desk) return desk.error();
    return Hand{std::move(desk->signer), desk->person.str()};
  }
  const auto trust = fetch_trust(session);
  if (!trust) return trust.error();
  std::vector<authority::PublicKey> listed;
  for (const auto& root : trust->policy.roots) listed.push_back(root.key);
  auto signer = open_signer(session, key, listed);
  if (!signer) return signer.error();
  for (const auto& root : trust->policy.roots) {
    if (root.key == (*signer)->key()) return Hand{std::move(*signer), root.name};
  }
  return Failure{ExitCode::not_authorised, "the key of " + (*signer)->where() + " is no root of the policy", "a new log origin needs the policy's roots",
                 "--key authority/root-1.key"};
}

struct Posted {
  Statement statement;
  Bytes document;
  std::string verb;   // "paused"
};

Outcome<ExitCode> sign_and_post(Session& session, const Posted& what, const StatementOptions& options, bool ask) {
  auto hand = hand_for(session, what.statement, options.key);
  if (!hand) return hand.error();
  const auto name = render::statement_name(what.statement);
  if (options.dry_run) {
    session.print(fmt::format("statement/{} {} (dry run)\n", name, what.verb));
    return ExitCode::ok;
  }
  if (ask) {
    if (session.can_ask() && !options.yes) session.say(render::statement_text(what.statement, session.layout()));
    const auto agreed = confirm(session, {fmt::format("to sign this as {} with {}", hand->who, hand->signer->where()), name, options.yes, true,
                                          "the same command with --yes"});
    if (!agreed) return agreed.error();
  }
  const auto signature = sign_with(*hand->signer, authority::Domain::statement, what.document);
  if (!signature) return signature.error();
  const auto server = session.server();
  if (!server) return server.error();
  const auto body = (*server)->post(kPath, document_body(what.document, *signature));
  if (!body) return body.error();
  const auto object = read_statement_object(*body);
  if (!object) return failure_of(object.error(), "cannot read the answer", "`fleetwright doctor`");
  if (session.format() == Format::json) {
    session.print_json(*body);
  } else {
    session.print(fmt::format("statement/{} {}\n", render::short_digest(authority::to_text(authority::document_digest(authority::Domain::statement, what.document))),
                              object->complete() ? what.verb : fmt::format("signed ({} of {} people)", object->people.size(), object->needed)));
  }
  if (!object->complete()) session.say("it counts once enough people signed the same: fleetwright " + (name == "resume" ? name : "statement list") + "\n");
  return ExitCode::ok;
}

Outcome<Statement> fresh(Session& session) {
  const auto trust = fetch_trust(session);
  if (!trust) return trust.error();
  Statement out;
  out.nonce = authority::make_nonce();
  out.policy_version = trust->policy.version;
  out.issued_ms = now_ms(session);
  out.expires_ms = out.issued_ms + authority::kMaxStatementLifeMs;   // for others to sign, and for nodes that are away
  return out;
}

Outcome<ExitCode> say_statement(Session& session, Statement statement, const StatementOptions& options, const std::string& verb, bool ask) {
  auto document = authority::to_bytes(statement);
  return sign_and_post(session, {std::move(statement), std::move(document), verb}, options, ask);
}

Outcome<ExitCode> pause(Session& session, const StatementOptions& options) {
  auto statement = fresh(session);
  if (!statement) return statement.error();
  statement->body = authority::Pause{options.reason};
  return say_statement(session, std::move(*statement), options, "paused", false);   // stopping never waits for a question
}

// Why nobody should add a signature to what the server shows: who may say when it begins and ends could keep it back for the next pause.
Outcome<std::string> not_to_be_joined(Session& session, const Statement& statement) {
  const auto trust = fetch_trust(session);
  if (!trust) return trust.error();
  const auto now = now_ms(session);
  const auto life_ms = authority::max_life_ms(statement);
  if (statement.expires_ms <= now) return "it ended at " + time_text(statement.expires_ms);
  if (statement.issued_ms > now + kClocksDifferMs) return "it is dated " + time_text(statement.issued_ms) + ", it is " + time_text(now);
  if (statement.issued_ms < statement.expires_ms - life_ms) {
    return fmt::format("it lives from {} to {}; nodes take {} s at most", time_text(statement.issued_ms), time_text(statement.expires_ms), life_ms / 1000);
  }
  if (statement.policy_version != trust->policy.version) {
    return fmt::format("it is under policy version {}, yours is {}", statement.policy_version, trust->policy.version);
  }
  return std::string();
}

// Joins the one that others began, so that all sign the same.
Outcome<ExitCode> resume(Session& session, const StatementOptions& options) {
  const auto server = session.server();
  if (!server) return server.error();
  const auto known = fetch_statements(**server);
  if (!known) return known.error();
  for (const auto& object : *known) {
    const auto statement = authority::parse_statement(object.document);
    if (object.complete() || !statement || !std::holds_alternative<authority::Resume>(statement->body)) continue;
    const auto why_not = not_to_be_joined(session, *statement);
    if (!why_not) return why_not.error();
    if (!why_not->empty()) {
      session.say("a resume that the server shows is not signed: " + *why_not + "\n");
      continue;
    }
    return sign_and_post(session, {*statement, object.document, "resumed"}, options, true);
  }
  auto statement = fresh(session);
  if (!statement) return statement.error();
  statement->body = authority::Resume{options.reason};
  return say_statement(session, std::move(*statement), options, "resumed", true);
}

Outcome<ExitCode> settle(Session& session, const StatementOptions& options) {
  if (options.happened == options.not_happened) {
    return Failure{ExitCode::usage, "did it happen?", "look at the node first", "fleetwright settle ID --happened, or --not"};
  }
  const auto found = find_plan(session, options.id);
  if (!found) return found.error();
  if (found->object.state != "UNKNOWN") {
    return Failure{ExitCode::plan_changed, fmt::format("the plan is {}", found->object.state), "only an UNKNOWN one is settled [not-unknown]",
                   "fleetwright plan show " + render::short_digest(found->object.digest)};
  }
  auto statement = fresh(session);
  if (!statement) return statement.error();
  statement->body = authority::Settle{found->plan.digest, options.happened, options.reason};
  return say_statement(session, std::move(*statement), options, "settled", true);
}

Outcome<ExitCode> list(Session& session) {
  const auto server = session.server();
  if (!server) return server.error();
  std::string json;
  const auto known = fetch_statements(**server, &json);
  if (!known) return known.error();
  if (session.format() == Format::json) {
    session.print_json(json);
  } else if (known->empty()) {
    session.say("Nobody paused, resumed or settled anything.\n");
  } else {
    session.print(render::signed_objects(*known, session.layout(), session.now_ns()));
  }
  return ExitCode::ok;
}

// "fleet/audit" -> "fleet/audit-2" -> "fleet/audit-3"
std::string origin_after(const std::string& origin) {
  const auto dash = origin.rfind('-');
  const auto digits = dash == std::string::npos ? std::string() : origin.substr(dash + 1);
  constexpr std::size_t kMostDigits = 6;
  const bool counted = !digits.empty() && digits.size() <= kMostDigits && digits.find_first_not_of("0123456789") == std::string::npos;
  return counted ? fmt::format("{}-{}", origin.substr(0, dash), std::stoul(digits) + 1) : origin + "-2";
}

// The newest head of the log that the server shows or any node has kept; what is not signed by the log's key says nothing.
Outcome<authority::Checkpoint> newest_head(Server& server, const authority::PublicKey& log_key) {
  const auto own = server.get("/api/v1/audit/checkpoint");
  if (!own) return own.error();
  const auto note = authority::parse_note(*own);
  const auto good = note ? authority::verify_note(*note, note->checkpoint.origin, log_key) : Result<void>(note.error());
  if (!good) return failure_of(good.error(), "the server's log is not the one of the policy", "`fleetwright audit verify`");
  const auto body = server.get("/api/v1/audit/witnesses");
  if (!body) return body.error();
  const auto list = json_read::parse(*body, "WitnessList");
  if (!list) return failure_of(list.error(), "the server's list of witnesses cannot be read", "`fleetwright doctor`");
  auto newest = note->checkpoint;
  json_read::each_object(*list, "items", [&](const json_read::Object& item) {
    const auto seen = authority::parse_note(json_read::text(item, "checkpoint"));
    if (!seen || !authority::verify_note(*seen, newest.origin, log_key)) return;
    if (seen->checkpoint.size >= newest.size) newest = seen->checkpoint;   // at the same size the node's: it refuses any other
  });
  return newest;
}

Outcome<ExitCode> new_origin(Session& session, const StatementOptions& options) {
  auto statement = fresh(session);
  if (!statement) return statement.error();
  const auto trust = fetch_trust(session);
  if (!trust) return trust.error();
  const auto server = session.server();
  if (!server) return server.error();
  const auto head = newest_head(**server, trust->policy.log_key);
  if (!head) return head.error();
  statement->expires_ms = statement->issued_ms + authority::kMaxNewOriginLifeMs;
  statement->body = authority::NewOrigin{options.origin.empty() ? origin_after(head->origin) : options.origin, trust->policy.log_key, head->origin, head->size, head->root};
  return say_statement(session, std::move(*statement), options, "signed", true);
}

Outcome<SignedObject> find_one(Session& session, const std::string& id) {
  const auto server = session.server();
  if (!server) return server.error();
  const auto known = fetch_statements(**server);
  if (!known) return known.error();
  constexpr std::size_t kShortest = 8;
  const auto wanted = id.starts_with("sha256:") ? id.substr(7) : id;
  std::vector<SignedObject> found;
  for (const auto& object : *known) {
    const auto digest = authority::to_text(authority::document_digest(authority::Domain::statement, object.document));
    if (wanted.size() >= kShortest && digest.starts_with(wanted)) found.push_back(object);
  }
  if (found.size() == 1) return found.front();
  return Failure{ExitCode::usage, found.empty() ? "there is no statement " + id : id + " names several statements", "at least 8 hex digits of its digest",
                 "fleetwright statement list"};
}

Outcome<ExitCode> show_or_sign(Session& session, const StatementOptions& options, bool sign) {
  const auto object = find_one(session, options.id);
  if (!object) return object.error();
  const auto statement = authority::parse_statement(object->document);
  if (!statement) return failure_of(statement.error(), "the server's bytes are no statement", "sign nothing of this server");
  if (sign) {
    const auto why_not = not_to_be_joined(session, *statement);
    if (!why_not) return why_not.error();
    if (!why_not->empty()) return Failure{ExitCode::plan_changed, "this statement is not one to sign", *why_not, "make it anew: fleetwright resume, or fleetwright statement new-origin"};
    return sign_and_post(session, {*statement, object->document, "signed"}, options, true);
  }
  session.print(render::statement_text(*statement, session.layout()));
  return ExitCode::ok;
}

void add_key(CLI::App* command, StatementOptions& options) {
  command->add_option("--key", options.key, "File of the key, or ssh-agent[:WORD]; default: the context's signing-key")->type_name(kKeyArgument);
  command->add_flag("--dry-run", options.dry_run, "Check, sign nothing");
}

void add_yes(CLI::App* command, StatementOptions& options) { command->add_flag("-y,--yes", options.yes, "Ask nothing"); }

}  // namespace

void add_statement_commands(CLI::App& root, Commands& commands) {
  auto* pause_command = root.add_subcommand("pause", "Stops all actions of class 1 and above on every node; any approver may");
  const auto pausing = std::make_shared<StatementOptions>();
  pause_command->add_option("--reason", pausing->reason, "Why; others read it")->required()->type_name("TEXT");
  add_key(pause_command, *pausing);
  commands.on(pause_command, [pausing](Session& session) { return pause(session, *pausing); });

  auto* resume_command = root.add_subcommand("resume", "Ends a pause, once as many people signed as the policy asks for");
  const auto resuming = std::make_shared<StatementOptions>();
  resume_command->add_option("--reason", resuming->reason, "Why")->type_name("TEXT");
  add_key(resume_command, *resuming);
  add_yes(resume_command, *resuming);
  commands.on(resume_command, [resuming](Session& session) { return resume(session, *resuming); });

  auto* settle_command = root.add_subcommand("settle", "Says whether an action happened that the node cannot tell (UNKNOWN)");
  const auto settling = std::make_shared<StatementOptions>();
  add_plan_id(settle_command, settling->id);
  settle_command->add_flag("--happened", settling->happened, "It happened");
  settle_command->add_flag("--not", settling->not_happened, "It did not");
  settle_command->add_option("--reason", settling->reason, "How you know")->required()->type_name("TEXT");
  add_key(settle_command, *settling);
  add_yes(settle_command, *settling);
  commands.on(settle_command, [settling](Session& session) { return settle(session, *settling); });

  auto* statement = root.add_subcommand("statement", "Pauses, resumes, settlements and new log origins, and their signatures");
  statement->require_subcommand(0, 1);
  commands.on(statement->add_subcommand("list", "Those that still gather signatures first"), list);
  auto* origin_command = statement->add_subcommand("new-origin", "After a restore: the audit log goes on under a new name; the policy's roots sign it");
  const auto moving = std::make_shared<StatementOptions>();
  origin_command->add_option("--origin", moving->origin, "The new name; default: the old one with the next number")->type_name("NAME");
  add_key(origin_command, *moving);
  add_yes(origin_command, *moving);
  commands.on(origin_command, [moving](Session& session) { return new_origin(session, *moving); });
  for (const bool sign : {false, true}) {
    auto* command = statement->add_subcommand(sign ? "sign" : "show", sign ? "Adds your signature" : "What it says, from the bytes that are signed");
    const auto options = std::make_shared<StatementOptions>();
    command->add_option("id", options->id, "Its digest, at least 8 digits")->required()->type_name("DIGEST");
    if (sign) {
      add_key(command, *options);
      add_yes(command, *options);
    }
    commands.on(command, [options, sign](Session& session) { return show_or_sign(session, *options, sign); });
  }
}

}  // namespace fw::cli
