// incidents, nodes, changes, watch: what there is.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "aggregator/cli/command.hpp"
#include "aggregator/cli/render/lists.hpp"
#include "aggregator/cli/term/time_format.hpp"
#include "aggregator/cli/watch.hpp"

namespace fw::cli {
namespace {

constexpr std::size_t kDefaultLimit = 100, kMaxLimit = 1'000;

render::Detail detail_of(const Session& session) {
  return session.wide() ? render::Detail::wide : render::Detail::normal;
}

Failure unreadable(const Error& error, const Server& server) {
  return failure_of(error, "cannot read the answer of " + server.context().server,
                    "is it a Fleetwright server of this version? `fleetwright doctor`");
}

template <class Item, class Read, class Render, class Name>
Outcome<std::vector<Item>> list(Session& session, const std::string& path, const std::string& kind, Read read,
                                Render render, Name name, std::string_view when_empty) {
  const auto server = session.server();
  if (!server) return server.error();
  const auto body = (*server)->get(path);
  if (!body) return body.error();
  auto items = read(*body);
  if (!items) return unreadable(items.error(), **server);
  if (session.format() == Format::json) {
    session.print_json(*body);
  } else if (session.format() == Format::name) {
    std::vector<std::string> names;
    for (const auto& item : *items) names.push_back(name(item));
    session.print(render::names(kind, names));
  } else if (items->empty()) {
    if (session.globals().header) session.print(render(*items, session.layout(), detail_of(session), session.now_ns()));
    session.say(when_empty);
  } else {
    session.print(render(*items, session.layout(), detail_of(session), session.now_ns()));
  }
  return std::move(*items);
}

struct IncidentsOptions {
  bool all = false, watch = false, exit_code = false;
  std::size_t limit = kDefaultLimit;
  std::string path() const { return fmt::format("/api/v1/incidents?{}limit={}", all ? "all=true&" : "", limit); }
};

Outcome<ExitCode> incidents(Session& session, const IncidentsOptions& options) {
  if (options.watch) return watch(session, {options.all, options.limit});
  const auto items = list<Incident>(
      session, options.path(), "incident", read_incidents, render::incidents, [](const Incident& i) { return i.id; },
      options.all ? "No incident yet. `fleetwright doctor` checks that nodes are watched.\n"
                  : "No unfinished incident. `fleetwright incidents --all` shows finished ones, `fleetwright doctor` "
                    "checks that nodes are watched.\n");
  if (!items) return items.error();
  const bool any_open = std::any_of(items->begin(), items->end(), [](const Incident& i) { return i.unfinished(); });
  return options.exit_code && any_open ? ExitCode::differs : ExitCode::ok;
}

Outcome<ExitCode> nodes(Session& session) {
  const auto items = list<Node>(
      session, "/api/v1/nodes", "node", read_nodes, render::nodes, [](const Node& n) { return n.name; },
      "No node has reported yet. Start `fleetwright-agent --config ...` on one; `fleetwright init` prints the "
      "command.\n");
  if (!items) return items.error();
  return ExitCode::ok;
}

struct ChangesOptions {
  std::string since;
  std::size_t limit = kDefaultLimit;
};

Outcome<ExitCode> changes(Session& session, const ChangesOptions& options) {
  auto path = fmt::format("/api/v1/changes?limit={}", options.limit);
  if (!options.since.empty()) {
    const auto length = term::parse_duration_ns(options.since);
    if (!length)
      return Failure{ExitCode::usage, "--since " + options.since + " is not a length of time", "",
                     "write 30s, 15m, 2h or 7d"};
    path += "&since=" + term::rfc3339(session.now_ns() - *length);
  }
  const auto items = list<Change>(
      session, path, "change", read_changes, render::changes, [](const Change& c) { return c.id; },
      "No change is known. docs/webhooks.md tells how to send deployments here.\n");
  if (!items) return items.error();
  return ExitCode::ok;
}

}  // namespace

void add_list_commands(CLI::App& root, Commands& commands) {
  auto* incidents_command = root.add_subcommand("incidents", "Lists unfinished incidents, newest first");
  const auto incidents_options = std::make_shared<IncidentsOptions>();
  incidents_command->add_flag("-A,--all", incidents_options->all, "Finished ones, too");
  incidents_command->add_flag("-w,--watch", incidents_options->watch, "Keep showing, as `watch`");
  incidents_command->add_flag("--exit-code", incidents_options->exit_code,
                              "Exit with 7 when there is an unfinished incident");
  incidents_command->add_option("--limit", incidents_options->limit, "At most this many")
      ->check(CLI::Range(std::size_t{1}, kMaxLimit))
      ->type_name("N");
  commands.on(incidents_command,
              [incidents_options](Session& session) { return incidents(session, *incidents_options); });

  commands.on(root.add_subcommand("nodes", "Lists nodes, whether they are connected and what their agents lack"),
              nodes);

  auto* changes_command = root.add_subcommand("changes", "Lists changes that people made, newest first");
  const auto changes_options = std::make_shared<ChangesOptions>();
  changes_command->add_option("--since", changes_options->since, "Only those of the last 30s, 15m, 2h, 7d")
      ->type_name("LENGTH");
  changes_command->add_option("--limit", changes_options->limit, "At most this many")
      ->check(CLI::Range(std::size_t{1}, kMaxLimit))
      ->type_name("N");
  commands.on(changes_command, [changes_options](Session& session) { return changes(session, *changes_options); });

  auto* watch_command = root.add_subcommand("watch", "Shows unfinished incidents until Ctrl-C or q; reads only");
  const auto watch_options = std::make_shared<IncidentsOptions>();
  watch_command->add_flag("-A,--all", watch_options->all, "Finished ones, too");
  commands.on(watch_command,
              [watch_options](Session& session) { return watch(session, {watch_options->all, watch_options->limit}); });
}

}  // namespace fw::cli
