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
    "\nTopics: fleetwright help exit-codes | formatting | environment\n"
    "Start:  fleetwright init, then fleetwright doctor";

void add_globals(CLI::App& app, Globals& globals) {
  const std::map<std::string, Format> formats{{"text", Format::text}, {"wide", Format::wide}, {"json", Format::json}, {"name", Format::name}};
  const std::map<std::string, term::ColorMode> colors{
      {"auto", term::ColorMode::automatic}, {"always", term::ColorMode::always}, {"never", term::ColorMode::never}};
  app.add_option("-o,--output", globals.format, "text, wide, json or name")
      ->transform(CLI::Transformer(formats))->type_name("FORMAT");
  app.add_option("--context", globals.context, "Context of the contexts file to use")->type_name(kContextArgument);
  app.add_option("--server", globals.server, "Server address instead of the context's, https://HOST:PORT")->type_name("URL");
  app.add_option("--color", globals.color, "auto, always or never")->transform(CLI::Transformer(colors))->type_name("WHEN");
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

// "unknown command 'incidnets'; did you mean incidents?" instead of CLI11's remark about an argument that was not expected.
std::string usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const auto* command = chosen(app);
  const auto inner = command->get_subcommands([](const CLI::App* candidate) { return !candidate->get_group().empty(); });
  auto rest = command->remaining();
  if (rest.empty()) rest = app.remaining();
  const auto wrong = std::find_if(rest.begin(), rest.end(), [](const std::string& word) { return !word.empty() && word.front() != '-'; });
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
  std::signal(SIGPIPE, SIG_IGN);   // a reader that went away ends the output, not the program

  CLI::App app("Explains incidents of a fleet: what the kernel saw, joined with what people changed.", "fleetwright");
  app.footer(kFooter);
  app.fallthrough();
  app.require_subcommand(0, 1);
  app.get_formatter()->column_width(28);
  Globals globals;
  add_globals(app, globals);
  Commands commands;
  add_list_commands(app, commands);
  add_incident_commands(app, commands);
  add_case_commands(app, commands);
  add_setup_commands(app, commands);
  add_meta_commands(app, commands);

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    term::write_all(STDOUT_FILENO, chosen(app)->help(path_of(chosen(app))));
    return to_int(ExitCode::ok);
  } catch (const CLI::ParseError& error) {
    return refuse({ExitCode::usage, "wrong usage", usage_error(app, error), path_of(chosen(app)) + " --help"});
  }

  const auto* command = chosen(app);
  const auto* action = commands.find(command);
  if (action == nullptr) {   // a group such as `case` alone
    const bool is_root = command == &app;
    term::write_all(is_root ? STDOUT_FILENO : STDERR_FILENO, command->help(is_root ? "" : path_of(command->get_parent())));
    return to_int(is_root ? ExitCode::ok : ExitCode::usage);
  }
  const SystemClock clock;
  Session session(globals, process_environment(), clock);
  const auto result = (*action)(session);
  return result ? to_int(*result) : refuse(result.error());
}

}  // namespace fw::cli
