// top, series: what is measured now and was in the last hour.
#include <CLI/CLI.hpp>

#include <memory>

#include <fmt/format.h>

#include "aggregator/cli/command.hpp"
#include "aggregator/cli/query.hpp"
#include "aggregator/cli/render/live.hpp"
#include "aggregator/cli/top.hpp"

namespace fw::cli {
namespace {

constexpr std::size_t kMostRows = 1'000;

struct SeriesOptions {
  std::string subject, metric, since = "15m", step = "10s", output;
  std::optional<double> quantile;
  bool raw = false;

  std::string path() const {
    const auto slash = subject.find('/');
    auto out = fmt::format("/api/v1/series?node={}&metric={}&since={}&step={}", query_value(subject.substr(0, slash)),
                           query_value(metric), query_value(since), query_value(step));
    if (slash != std::string::npos) out += "&entity=" + query_value(subject.substr(slash + 1));
    if (quantile) out += fmt::format("&quantile={}", *quantile);
    if (raw) out += "&raw=true";
    return out;
  }
};

Outcome<ExitCode> series(Session& session, const SeriesOptions& options) {
  const auto server = session.server();
  if (!server) return server.error();
  const auto body = (*server)->get(options.path());
  if (!body) return body.error();
  const bool json = options.output == "json" || (options.output.empty() && session.format() == Format::json);
  if (json) {
    session.print_json(*body);
    return ExitCode::ok;
  }
  const auto found = read_series(*body);
  if (!found) {
    return failure_of(found.error(), "cannot read the answer of " + (*server)->context().server,
                      "is it a Fleetwright server of this version? `fleetwright doctor`");
  }
  if (options.output == "csv") {
    session.print(render::series_csv(*found));
  } else {
    const bool wide = options.output == "wide" || (options.output.empty() && session.wide());
    const auto word = [&](const char* name) { return session.environment()(name).value_or(""); };
    session.print(render::series(*found, session.layout(), wide ? render::Detail::wide : render::Detail::normal,
                                 render::glyphs_of(word("LC_ALL"), word("LC_CTYPE"), word("LANG"))));
    if (session.layout().for_people) return ExitCode::ok;
  }
  session.say(render::unknown_before(*found));
  return ExitCode::ok;
}

}  // namespace

void add_live_commands(CLI::App& root, Commands& commands) {
  auto* top_command = root.add_subcommand("top", "Shows who uses what now, until Ctrl-C or q; reads only");
  const auto top_options = std::make_shared<TopOptions>();
  top_command->add_option("of", top_options->of, "containers or nodes")
      ->check(CLI::IsMember({"containers", "nodes"}))
      ->type_name("OF");
  top_command->add_option("--sort", top_options->sort, "cpu, memory, restarts or 5xx")
      ->check(CLI::IsMember({"cpu", "memory", "restarts", "5xx"}))
      ->type_name("SORT");
  top_command->add_option("--node", top_options->node, "Only of this node")->type_name("NODE");
  top_command->add_option("--limit", top_options->limit, "At most this many")
      ->check(CLI::Range(std::size_t{1}, kMostRows))
      ->type_name("N");
  top_command->add_flag("--once", top_options->once, "One table, also on a terminal");
  commands.on(top_command, [top_options](Session& session) { return top(session, *top_options); });

  auto* series_command = root.add_subcommand("series", "Shows one metric of a node, or of something on it, over time");
  const auto series_options = std::make_shared<SeriesOptions>();
  series_command
      ->add_option("subject", series_options->subject,
                   "NODE, or NODE/ENTITY: name, POD/CONTAINER, cgroup path, container id")
      ->required()
      ->type_name("NODE[/ENTITY]");
  series_command->add_option("metric", series_options->metric, "Of docs/metrics.md; with --quantile a histogram")
      ->required()
      ->type_name("METRIC");
  series_command->add_option("--since", series_options->since, "The last 30s, 15m, 1h")->type_name("LENGTH");
  series_command->add_option("--step", series_options->step, "One value per 10s, 1m, ...")->type_name("LENGTH");
  series_command->add_flag("--raw", series_options->raw, "Totals of counters instead of rates");
  series_command
      ->add_option("--quantile", series_options->quantile, "Of a histogram: 0.99 http_latency; exact to its bucket")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("Q");
  series_command->add_option("-o,--output", series_options->output, "table, wide, json or csv")
      ->check(CLI::IsMember({"table", "wide", "json", "csv"}))
      ->type_name("FORMAT");
  commands.on(series_command, [series_options](Session& session) { return series(session, *series_options); });
}

}  // namespace fw::cli
