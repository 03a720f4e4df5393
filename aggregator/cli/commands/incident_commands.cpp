// show, explain, take, note, close: one incident.
#include <CLI/CLI.hpp>

#include <boost/json.hpp>

#include <memory>

#include <fmt/format.h>

#include "agents/investigate.hpp"
#include "aggregator/cli/command.hpp"
#include "aggregator/cli/render/incident.hpp"
#include "aggregator/cli/term/text.hpp"

namespace fw::cli {
namespace {

render::Detail detail_of(const Session& session) {
  return session.wide() ? render::Detail::wide : render::Detail::normal;
}

constexpr std::string_view kUnreadable = "is it a Fleetwright server of this version? `fleetwright doctor`";

Outcome<Incident> fetch_incident(Server& server, const std::string& id) {
  const auto body = server.get_incident(id);
  if (!body) return body.error();
  auto incident = read_incident(*body);
  if (!incident) return failure_of(incident.error(), "cannot read the incident", kUnreadable);
  return std::move(*incident);
}

Outcome<agents::Findings> fetch_findings(Server& server, const std::string& id) {
  const auto body = server.get_incident(id, "/explain");
  if (!body) return body.error();
  auto findings = agents::findings_from_json(*body);
  if (!findings) return failure_of(findings.error(), "cannot read the explanation", kUnreadable);
  return std::move(*findings);
}

struct ShowOptions {
  std::string id, evidence;
  bool raw = false;
};

Outcome<ExitCode> show_evidence(Session& session, Server& server, const ShowOptions& options) {
  const auto no_such = [&] {
    return Failure{ExitCode::failure, "there is no evidence " + options.evidence + " in this incident", "",
                   "`fleetwright show " + options.id + "` lists its facts"};
  };
  if (options.raw) {
    const auto bytes = server.get_incident(options.id, "/case");
    if (!bytes) return bytes.error();
    const auto case_file = agents::CaseFile::load(*bytes);
    if (!case_file) return failure_of(case_file.error(), "cannot read the case file", kUnreadable);
    const auto text = render::raw_evidence(*case_file, options.evidence, session.layout());
    if (!text) return failure_of(text.error(), "cannot query the case file");
    if (!*text) return no_such();
    session.print_long(**text);
    return ExitCode::ok;
  }
  const auto findings = fetch_findings(server, options.id);
  if (!findings) return findings.error();
  const auto text = render::evidence(*findings, options.evidence, session.layout());
  if (!text) return no_such();
  session.print_long(*text);
  return ExitCode::ok;
}

Outcome<ExitCode> show(Session& session, const ShowOptions& options) {
  const auto server = session.server();
  if (!server) return server.error();
  if (!options.evidence.empty()) return show_evidence(session, **server, options);
  if (options.raw)
    return Failure{ExitCode::usage, "--raw needs --evidence", "", "fleetwright show ID --evidence E3 --raw"};
  const auto body = (*server)->get_incident(options.id);
  if (!body) return body.error();
  if (session.format() == Format::json) {
    session.print_json(*body);
    return ExitCode::ok;
  }
  const auto incident = read_incident(*body);
  if (!incident) return failure_of(incident.error(), "cannot read the incident", kUnreadable);
  if (session.format() == Format::name) {
    session.print(render::names("incident", {incident->id}));
    return ExitCode::ok;
  }
  std::optional<agents::Findings> findings;
  if (incident->explained_ns || incident->cause) {
    auto fetched = fetch_findings(**server, options.id);
    if (!fetched) return fetched.error();
    findings = std::move(*fetched);
  }
  session.print_long(render::show(*incident, findings, session.layout(), detail_of(session), session.now_ns()));
  return ExitCode::ok;
}

Outcome<ExitCode> explain(Session& session, const std::string& id) {
  const auto server = session.server();
  if (!server) return server.error();
  const auto body = (*server)->get_incident(id, "/explain");
  if (!body) return body.error();
  if (session.format() == Format::json) {
    session.print_json(*body);
    return ExitCode::ok;
  }
  const auto findings = agents::findings_from_json(*body);
  if (!findings) return failure_of(findings.error(), "cannot read the explanation", kUnreadable);
  const auto incident = fetch_incident(**server, id);
  if (!incident) return incident.error();
  session.print_long(
      render::explain(incident->id + "  " + incident->scope, *findings, session.layout(), detail_of(session)));
  return ExitCode::ok;
}

struct Mutation {
  std::string part, verb;
  boost::json::object body;
};

// "incident/INC-7 taken". With --dry-run the incident is only read, so that a wrong id is found.
Outcome<ExitCode> mutate(Session& session, const std::string& id, const Mutation& mutation, bool dry_run) {
  const auto server = session.server();
  if (!server) return server.error();
  const auto body = dry_run ? (*server)->get_incident(id)
                            : (*server)->post_incident(id, mutation.part, boost::json::serialize(mutation.body));
  if (!body) return body.error();
  const auto incident = read_incident(*body);
  if (!incident) return failure_of(incident.error(), "cannot read the answer", kUnreadable);
  if (session.format() == Format::json) {
    session.print_json(*body);
  } else if (session.format() == Format::name) {
    session.print(render::names("incident", {incident->id}));
  } else {
    session.print(
        fmt::format("incident/{} {}{}\n", term::escape(incident->id), mutation.verb, dry_run ? " (dry run)" : ""));
  }
  return ExitCode::ok;
}

CLI::Option* add_id(CLI::App* command, std::string& id) {
  return command->add_option("id", id, "INC-7, inc-7 or 7")->required()->type_name(kIncidentArgument);
}

struct ChangeOptions {
  std::string id, text, cause;
  bool dry_run = false;
};

void add_take(CLI::App& root, Commands& commands) {
  auto* command = root.add_subcommand("take", "Says that you work on an incident");
  const auto options = std::make_shared<ChangeOptions>();
  add_id(command, options->id);
  command->add_flag("--dry-run", options->dry_run, "Check, change nothing");
  commands.on(command, [options](Session& session) {
    return mutate(session, options->id, {"/take", "taken", {}}, options->dry_run);
  });
}

void add_note(CLI::App& root, Commands& commands) {
  auto* command = root.add_subcommand("note", "Adds a note to an incident");
  const auto options = std::make_shared<ChangeOptions>();
  add_id(command, options->id);
  command->add_option("text", options->text, "What to write down")->required()->type_name("TEXT");
  command->add_flag("--dry-run", options->dry_run, "Check, change nothing");
  commands.on(command, [options](Session& session) {
    return mutate(session, options->id, {"/notes", "noted", {{"text", options->text}}}, options->dry_run);
  });
}

void add_close(CLI::App& root, Commands& commands) {
  auto* command = root.add_subcommand("close", "Closes an incident; naming the true cause makes later answers better");
  const auto options = std::make_shared<ChangeOptions>();
  add_id(command, options->id);
  command->add_option("--reason", options->text, "Why it is over")->required()->type_name("TEXT");
  command->add_option("--cause", options->cause, "The check that was right, as `fleetwright cards list` names it")
      ->type_name("CARD");
  command->add_flag("--dry-run", options->dry_run, "Check, change nothing");
  commands.on(command, [options](Session& session) {
    boost::json::object body{{"reason", options->text}};
    if (!options->cause.empty()) body["cause"] = options->cause;
    return mutate(session, options->id, {"/close", "closed", std::move(body)}, options->dry_run);
  });
}

}  // namespace

void add_incident_commands(CLI::App& root, Commands& commands) {
  auto* show_command = root.add_subcommand("show", "Tells what happened, why we think so, and what to do next");
  const auto show_options = std::make_shared<ShowOptions>();
  add_id(show_command, show_options->id);
  show_command->add_option("--evidence", show_options->evidence, "One fact, and who cites it with which query")
      ->type_name("E3");
  show_command->add_flag("--raw", show_options->raw, "With --evidence: the case file's row behind it");
  commands.on(show_command, [show_options](Session& session) { return show(session, *show_options); });

  auto* explain_command = root.add_subcommand("explain", "All hypotheses with evidence for, against and missing");
  const auto explain_id = std::make_shared<std::string>();
  add_id(explain_command, *explain_id);
  commands.on(explain_command, [explain_id](Session& session) { return explain(session, *explain_id); });

  add_take(root, commands);
  add_note(root, commands);
  add_close(root, commands);
}

}  // namespace fw::cli
