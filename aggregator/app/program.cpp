#include <CLI/CLI.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>

#include "aggregator/app/aggregator.hpp"
#include "common/exit_code.hpp"
#include "common/log.hpp"
#include "common/version.hpp"

namespace fw::app {
namespace {

struct Options {
  std::string config, ports_file;
  std::vector<std::string> sets;
  bool check_config = false, print_config = false;
};

// Written beside and renamed: who waits for the file finds it whole.
Result<void> write_ports_file(const std::string& path, const Ports& ports) {
  const std::string fresh = path + ".new";
  std::ofstream file(fresh);
  file << "{\"agents\": " << ports.agents << ", \"people\": " << ports.people << ", \"plain\": " << ports.plain << "}\n";
  file.close();
  if (!file || std::rename(fresh.c_str(), path.c_str()) != 0) return errno_error(errno, path);
  return {};
}

int print_error(const Error& error, const char* hint, ExitCode code) {
  std::cerr << "fleetwright-aggregator: " << error.message() << "\n" << hint << "\n";
  return to_int(code);
}

int serve(const AggregatorConfig& config, const Options& options) {
  const SystemClock clock;
  auto app = Aggregator::open(config, clock);
  if (!app) {
    const bool unprivileged = app.error().code == Errc::permission;
    return print_error(app.error(), "Run `fleetwright-aggregator --print-config` to see which value comes from where.",
                       unprivileged ? ExitCode::unprivileged : ExitCode::failure);
  }
  boost::asio::io_context io(1);
  boost::asio::signal_set signals(io, SIGINT, SIGTERM);
  (*app)->start();
  const Ports ports = (*app)->ports();
  log::info("listening", {{"agents", ports.agents}, {"people", ports.people}, {"plain", ports.plain}, {"version", kVersion}});
  if (!options.ports_file.empty()) {
    if (auto written = write_ports_file(options.ports_file, ports); !written) {
      return print_error(written.error(), "Give --ports-file a path that can be written.", ExitCode::failure);
    }
  }
  signals.async_wait([](boost::system::error_code, int) {});
  io.run();
  log::info("stopping");
  (*app)->stop();
  log::info("stopped");
  return to_int(ExitCode::ok);
}

}  // namespace

int run_program(int argc, char** argv) {
  Options options;
  CLI::App cli("Takes in the fleet's streams, finds incidents and explains them.", "fleetwright-aggregator");
  cli.add_option("--config", options.config, "Configuration file (YAML)");
  cli.add_option("--set", options.sets, "KEY=VALUE, wins over the file; may be repeated")->allow_extra_args(false);
  cli.add_option("--ports-file", options.ports_file, "Write the bound ports here as JSON");
  cli.add_flag("--check-config", options.check_config, "Report every problem of the configuration and exit");
  cli.add_flag("--print-config", options.print_config, "Print every value with its origin and exit");
  cli.set_version_flag("--version", std::string("fleetwright-aggregator ") + std::string(kVersion));
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return cli.exit(error) == 0 ? to_int(ExitCode::ok) : to_int(ExitCode::usage);
  }

  AggregatorConfig config;
  config::Schema schema = schema_of(config);
  const auto problems = schema.load({.file = options.config.empty() ? std::nullopt : std::optional(options.config), .sets = options.sets,
                                     .strict = !options.print_config});
  for (const config::Problem& problem : problems) std::cerr << problem.message() << "\n";
  if (!problems.empty()) return to_int(ExitCode::usage);
  if (options.print_config) {
    std::cout << schema.print();
    return to_int(ExitCode::ok);
  }
  if (options.check_config) {
    std::cout << "ok\n";
    return to_int(ExitCode::ok);
  }
  log::configure(*log::parse_level(config.log_level), *log::parse_format(config.log_format));
  return serve(config, options);
}

}  // namespace fw::app
