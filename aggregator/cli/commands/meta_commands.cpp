// actions, completion, version, help: about the program itself.
#include <CLI/CLI.hpp>

#include <memory>

#include <fmt/format.h>

#include "aggregator/cli/command.hpp"
#include "aggregator/cli/completion.hpp"
#include "aggregator/cli/exit_codes.hpp"
#include "aggregator/cli/model.hpp"
#include "aggregator/cli/plans/plan_object.hpp"
#include "aggregator/cli/render/plan.hpp"
#include "aggregator/cli/suggest.hpp"
#include "aggregator/cli/term/text.hpp"
#include "common/version.hpp"
#include "protocol/authority/catalogue.hpp"

namespace fw::cli {
namespace {

constexpr std::string_view kFormatting = R"(What commands print:

  On a terminal   aligned tables that fit the screen, ages, colours; long texts go through $PAGER when it is set.
  On a pipe       tab-separated, no titles (--header adds them), nothing cut, exact times (RFC 3339, UTC), no colours.
  -o wide         more columns, and numbers where the default has the words sure, likely, guess.
  -o json         the API's bytes: apiVersion and kind, stable field names, additive changes only.
  -o name         one KIND/NAME per line.

  Answers go to stdout; errors, advice and progress go to stderr. Absent values are <none>, unknown ones <unknown>.
  Text of servers and files is shown with control, bidi and invisible characters as \x1b, \u{202e}.
)";

constexpr std::string_view kEnvironment = R"(Environment, weaker than flags and stronger than the contexts file:

  FLEETWRIGHT_CONFIG_DIR   folder with the contexts file config.json
  XDG_CONFIG_HOME          else $XDG_CONFIG_HOME/fleetwright, else ~/.config/fleetwright
  FLEETWRIGHT_CONTEXT      context to use, as --context
  FLEETWRIGHT_SIGNING_KEY  key to sign with, as --key: a file, ssh-agent or ssh-agent:WORD
  SSH_AUTH_SOCK            the SSH agent, when no key is named
  NO_COLOR                 not empty: no colours
  CLICOLOR=0               no colours
  CLICOLOR_FORCE           not 0: colours on a pipe, too
  PAGER                    for long texts on a terminal
  COLUMNS                  width where the terminal does not tell
)";

constexpr std::string_view kApproving = R"(From an incident to a change that is signed, done on the node and recorded:

  fleetwright incidents                     PLAN says what is proposed and what it waits for
  fleetwright plan diff INC-7               what would change, from the bytes that are signed
  fleetwright approve INC-7                 shows it again, asks for the object's name, signs
  fleetwright approve INC-7 --plan sha256:DIGEST --yes      the same for scripts: the whole digest, nothing asked
  fleetwright plan show INC-7               who signed, counted here; what the node did
  fleetwright undo INC-7                    the way back; as easy as the way there

  A plan needs as many people as its class asks for in the policy (`fleetwright policy show`); who proposed it never counts, one denial
  ends it, and a plan expires. What is signed is one plan's exact bytes: any change is another plan.

  Something is wrong everywhere?  fleetwright pause --reason '...'      any approver; several end it: fleetwright resume
  A node cannot tell (UNKNOWN)?   fleetwright settle ID --happened      after looking at the node
  Nights without calls?           fleetwright standing new --from-plan ID --name NAME, signed by several by day
  Your key?                       fleetwright key new | test | rotate; files and SSH agents, also security keys

  The node checks all of it again; the server only carries it. docs/policy.md, docs/security-model.md
)";

Outcome<ExitCode> help(Session& session, CLI::App& root, const std::string& topic) {
  if (topic.empty()) {
    session.print_long(root.help());
  } else if (topic == "exit-codes") {
    session.print_long(exit_codes_help());
  } else if (topic == "formatting") {
    session.print_long(kFormatting);
  } else if (topic == "environment") {
    session.print_long(kEnvironment);
  } else if (topic == "approving") {
    session.print_long(kApproving);
  } else if (const auto found =
                 root.get_subcommands([&](const CLI::App* command) { return command->get_name() == topic; });
             !found.empty()) {
    session.print_long(found.front()->help(root.get_name()));
  } else {
    auto known = static_values(kTopicArgument);
    const auto commands = describe(root);
    known.insert(known.end(), commands.front().commands.begin(), commands.front().commands.end());
    const auto guess = nearest_word(topic, known);
    return Failure{ExitCode::usage, "no help about '" + topic + "'", guess ? "did you mean " + *guess + "?" : "",
                   "fleetwright help"};
  }
  return ExitCode::ok;
}

std::string plan_words(Session& session, const ServerTimeouts& patience) {
  const auto context = session.context();
  if (!context) return {};
  Server server(*context, patience);
  const auto body = server.get("/api/v1/plans?limit=50");
  const auto list = body ? read_plans(*body) : Result<std::vector<PlanObject>>(Error(Errc::gone, ""));
  if (!list) return {};
  std::string out;
  for (const auto& plan : *list) {
    const auto id = normal_incident_id(plan.incident);
    if (id) out += *id + "\n";
    if (!id && authority::parse_digest(plan.digest)) out += render::short_digest(plan.digest) + "\n";
  }
  return out;
}

// What a shell asks for while a person types: at most half a second, and silence instead of an error.
Outcome<ExitCode> complete(Session& session, const std::string& kind) {
  constexpr ServerTimeouts kPatience{std::chrono::milliseconds(300), std::chrono::milliseconds(450)};
  std::string out;
  if (kind == kContextArgument) {
    if (const auto file = load_contexts(session.folder())) {
      for (const auto& context : file->contexts) out += term::escape(context.name) + "\n";
    }
  } else if (kind == kIncidentArgument) {
    const auto context = session.context();
    if (!context) return ExitCode::ok;
    Server server(*context, kPatience);
    const auto body = server.get("/api/v1/incidents?limit=50");
    const auto incidents = body ? read_incidents(*body) : Result<std::vector<Incident>>(Error(Errc::gone, ""));
    if (!incidents) return ExitCode::ok;
    for (const auto& incident : *incidents) {
      if (const auto id = normal_incident_id(incident.id)) out += *id + "\n";  // never anything that a shell could run
    }
  }
  if (kind == kPlanArgument) out = plan_words(session, kPatience);
  session.print(out);
  return ExitCode::ok;
}

// Every action that a plan can have, with its bounds: docs/actions.md.
Outcome<ExitCode> actions(Session& session) {
  session.print_long(authority::actions_page());
  return ExitCode::ok;
}

}  // namespace

void add_meta_commands(CLI::App& root, Commands& commands) {
  commands.on(root.add_subcommand("actions", "Every action that a plan can have, with its bounds and its class"), actions);

  auto* completion_command = root.add_subcommand("completion", "Prints a completion script for bash, zsh or fish");
  const auto shell = std::make_shared<std::string>();
  completion_command->add_option("shell", *shell, "bash, zsh or fish")->required()->type_name(kShellArgument);
  commands.on(completion_command, [shell, &root](Session& session) -> Outcome<ExitCode> {
    const auto script = completion_script(*shell, describe(root));
    if (!script) return script.error();
    session.print(*script);
    return ExitCode::ok;
  });

  commands.on(root.add_subcommand("version", "Prints the version"), [](Session& session) -> Outcome<ExitCode> {
    if (session.format() == Format::json) {
      session.print_json(
          fmt::format(R"({{"apiVersion":"fleetwright/v1alpha1","kind":"Version","version":"{}"}})", kVersion));
    } else {
      session.print(fmt::format("fleetwright {}\n", kVersion));
    }
    return ExitCode::ok;
  });
  root.set_version_flag("--version", fmt::format("fleetwright {}", kVersion), "Print the version");

  auto* help_command =
      root.add_subcommand("help", "Help about a command or a topic: exit-codes, formatting, environment, approving");
  const auto topic = std::make_shared<std::string>();
  help_command->add_option("topic", *topic, "A command or a topic")->type_name(kTopicArgument);
  commands.on(help_command, [topic, &root](Session& session) { return help(session, root, *topic); });

  auto* complete_command = root.add_subcommand("__complete", "Words for completion scripts")->group("");
  const auto kind = std::make_shared<std::string>();
  complete_command->add_option("kind", *kind)->required();
  commands.on(complete_command, [kind](Session& session) { return complete(session, *kind); });
}

}  // namespace fw::cli
