#include <CLI/CLI.hpp>

#include <algorithm>
#include <csignal>
#include <map>

#include <fmt/format.h>

#include "aggregator/cli/command.hpp"
#include "aggregator/cli/suggest.hpp"
#include "aggregator/cli/term/screen.hpp"

namespace fw::cli {
namespace {

constexpr char kFooter[] =
    "Topics: fleetwright help exit-codes | formatting | environment | approving\n"
    "Start:  fleetwright init, then fleetwright doctor";

template <class T>
std::string help_words(const std::map<std::string, T>& choices) {
  std::string out;
  for (const auto& [word, value] : choices) out += (out.empty() ? "" : ", ") + word;
  return out;
}

// One of a few words; unlike CLI11's own transformers it leaves the help text readable.
template <class T>
void add_choice(CLI::App& app, const std::string& flag, T& target, std::map<std::string, T> choices,
                const std::string& help, const char* kind) {
  app.add_option_function<std::string>(
         flag,
         [&target, choices, flag](const std::string& word) {
           const auto found = choices.find(word);
           if (found == choices.end())
             throw CLI::ValidationError(flag + " " + word, "it can be " + help_words(choices));
           target = found->second;
         },
         help)
      ->type_name(kind);
}

void add_globals(CLI::App& app, Globals& globals) {
  add_choice<Format>(app, "-o,--output", globals.format,
                     {{"text", Format::text}, {"wide", Format::wide}, {"json", Format::json}, {"name", Format::name}},
                     "text, wide, json or name", "FORMAT");
  app.add_option("--context", globals.context, "Context of the contexts file to use")->type_name(kContextArgument);
  app.add_option("--server", globals.server, "Server address instead of the context's, https://HOST:PORT")
      ->type_name("URL");
  add_choice<term::ColorMode>(
      app, "--color", globals.color,
      {{"auto", term::ColorMode::automatic}, {"always", term::ColorMode::always}, {"never", term::ColorMode::never}},
      "auto, always or never", "WHEN");
  app.add_flag("--header", globals.header, "Print column titles on a pipe, too");
}

// The innermost command that was named.
const CLI::App* chosen(const CLI::App& app) {
  const CLI::App* current = &app;
  for (;;) {
    const auto inner = current->get_subcommands();
    if (inner.empty()) return current;
    current = inner.front();
  }
}

std::string path_of(const CLI::App* command) {
  std::string out = command->get_name();
  for (const auto* parent = command->get_parent(); parent != nullptr; parent = parent->get_parent()) {
    out = parent->get_name() + " " + out;
  }
  return out;
}

std::string help_of(const CLI::App* command) {
  return command->help(command->get_parent() == nullptr ? "" : path_of(command->get_parent()));
}

// "unknown command 'incidnets'; did you mean incidents?" instead of CLI11's remark about an argument that was not
// expected.
std::string usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const auto* command = chosen(app);
  const auto inner =
      command->get_subcommands([](const CLI::App* candidate) { return !candidate->get_group().empty(); });
  auto rest = command->remaining();
  if (rest.empty()) rest = app.remaining();
  const auto wrong = std::find_if(rest.begin(), rest.end(),
                                  [](const std::string& word) { return !word.empty() && word.front() != '-'; });
  if (inner.empty() || wrong == rest.end()) return error.what();
  std::vector<std::string> names;
  for (const auto* candidate : inner) names.push_back(candidate->get_name());
  auto text = "unknown command '" + *wrong + "'";
  if (const auto guess = nearest_word(*wrong, names)) text += "; did you mean " + *guess + "?";
  return text;
}

int refuse(const Failure& failure) {
  term::write_all(STDERR_FILENO, render_failure(failure));
  return to_int(failure.code);
}

}  // namespace

int run(int argc, const char* const* argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that went away ends the output, not the program

  CLI::App app("Explains incidents of a fleet: what the kernel saw, joined with what people changed.", "fleetwright");
  app.fallthrough();
  app.require_subcommand(0, 1);
  app.get_formatter()->column_width(28);
  Globals globals;
  add_globals(app, globals);
  Commands commands;
  add_list_commands(app, commands);
  add_node_commands(app, commands);
  add_live_commands(app, commands);
  add_incident_commands(app, commands);
  add_case_commands(app, commands);
  add_plan_commands(app, commands);
  add_approve_commands(app, commands);
  add_standing_commands(app, commands);
  add_statement_commands(app, commands);
  add_policy_commands(app, commands);
  add_key_commands(app, commands);
  add_setup_commands(app, commands);
  add_audit_commands(app, commands);
  add_backup_commands(app, commands);
  add_meta_commands(app, commands);
  app.footer(kFooter);

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    term::write_all(STDOUT_FILENO, help_of(chosen(app)));
    return to_int(ExitCode::ok);
  } catch (const CLI::ParseError& error) {
    return refuse({ExitCode::usage, "wrong usage", usage_error(app, error), path_of(chosen(app)) + " --help"});
  }

  const auto* command = chosen(app);
  const auto* action = commands.find(command);
  if (action == nullptr) {  // a group such as `case` alone
    const bool is_root = command == &app;
    term::write_all(is_root ? STDOUT_FILENO : STDERR_FILENO, help_of(command));
    return to_int(is_root ? ExitCode::ok : ExitCode::usage);
  }
  const SystemClock clock;
  Session session(globals, process_environment(), clock);
  const auto result = (*action)(session);
  return result ? to_int(*result) : refuse(result.error());
}

}  // namespace fw::cli
