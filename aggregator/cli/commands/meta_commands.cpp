// completion, version, help: about the program itself.
#include <CLI/CLI.hpp>

#include <memory>

#include <fmt/format.h>

#include "aggregator/cli/command.hpp"
#include "aggregator/cli/completion.hpp"
#include "aggregator/cli/exit_codes.hpp"
#include "aggregator/cli/model.hpp"
#include "aggregator/cli/suggest.hpp"
#include "aggregator/cli/term/text.hpp"
#include "common/version.hpp"

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
  NO_COLOR                 not empty: no colours
  CLICOLOR=0               no colours
  CLICOLOR_FORCE           not 0: colours on a pipe, too
  PAGER                    for long texts on a terminal
  COLUMNS                  width where the terminal does not tell
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
  session.print(out);
  return ExitCode::ok;
}

}  // namespace

void add_meta_commands(CLI::App& root, Commands& commands) {
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
      root.add_subcommand("help", "Help about a command or a topic: exit-codes, formatting, environment");
  const auto topic = std::make_shared<std::string>();
  help_command->add_option("topic", *topic, "A command or a topic")->type_name(kTopicArgument);
  commands.on(help_command, [topic, &root](Session& session) { return help(session, root, *topic); });

  auto* complete_command = root.add_subcommand("__complete", "Words for completion scripts")->group("");
  const auto kind = std::make_shared<std::string>();
  complete_command->add_option("kind", *kind)->required();
  commands.on(complete_command, [kind](Session& session) { return complete(session, *kind); });
}

}  // namespace fw::cli
