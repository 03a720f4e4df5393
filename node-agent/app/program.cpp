#include "node-agent/app/program.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>

#include "common/config/config.hpp"
#include "common/exit_code.hpp"
#include "common/log.hpp"
#include "common/start_up_memory.hpp"
#include "common/version.hpp"
#include "node-agent/app/agent.hpp"
#include "node-agent/app/agent_config.hpp"
#include "node-agent/app/collector_page.hpp"
#include "node-agent/app/once.hpp"
#include "node-agent/app/rights.hpp"
#include "node-agent/probes/helper.hpp"
#include "protocol/transport/pki.hpp"

namespace fw::agent {

namespace {

struct Options {
  std::string config_file;
  std::vector<std::string> sets;
  bool check_config = false;
  bool print_config = false;
  bool probe_kernel = false;
  std::optional<std::string> list_collectors;   // how: text or markdown
  bool once = false;
  bool version = false;
};

int fail(ExitCode code, const std::string& text) {
  std::cerr << "fleetwright-agent: " << text << "\n";
  return to_int(code);
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

NodeIdentity identity_of(const AgentConfig& config) {
  NodeIdentity identity{.name = config.node_name.empty() ? host_name() : config.node_name, .uid = "", .boot_id = ""};
  std::ifstream boot("/proc/sys/kernel/random/boot_id");
  std::getline(boot, identity.boot_id);
  if (config.tls_certificate.empty()) return identity;
  const auto certificate = transport::certificate_info_of_file(config.tls_certificate);
  if (certificate && certificate->identity.kind == transport::PeerIdentity::Kind::node) identity.uid = certificate->identity.node_uid.str();
  return identity;
}

Result<std::unique_ptr<collectors::NodeSensors>> open_sensors(const AgentConfig& config, const Clock& clock) {
  collectors::SensorsConfig sensors;
  if (!config.cgroup_root.empty()) {
    sensors.root_prefix = config.cgroup_root;
    sensors.proc_root = config.cgroup_root + "/proc";
  }
  sensors.node_name = config.node_name.empty() ? host_name() : config.node_name;
  sensors.kernel_log_rules = config.kernel_log_rules;
  sensors.sample_period = config.sample_period;
  sensors.hot_period = config.sample_hot_period;
  sensors.bpf = config.bpf_enabled ? collectors::Use::when_possible : collectors::Use::never;
  return collectors::NodeSensors::open(sensors, clock);
}

uplink::UplinkConfig uplink_config(const AgentConfig& config) {
  const auto& address = config.aggregator_address;  // "host:port", checked by the schema
  const auto colon = address.rfind(':');
  auto host = address.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  std::uint16_t port = 0;
  std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
  const auto server_name = config.aggregator_server_name.empty() ? host : config.aggregator_server_name;
  return {.host = host, .port = port, .server_name = server_name,
          .tls = {.certificate = config.tls_certificate, .key = config.tls_key, .ca = config.tls_ca}, .backoff = {}, .executor_socket = config.executor_socket};
}

std::optional<cri::RuntimeConfig> runtime_config(const AgentConfig& config) {
  if (config.cri_socket.empty()) return std::nullopt;
  return cri::RuntimeConfig{.socket = config.cri_socket, .root_prefix = config.cgroup_root};
}

int list_collectors(const std::string& how) {
  const auto all = all_collectors();
  if (how == "markdown") {
    std::cout << collector_page(all);
    return to_int(ExitCode::ok);
  }
  for (const auto& collector : all) {
    std::cout << collector.name << "\n";
    for (const auto& metric : collector.metrics) {
      std::cout << "  " << metric.name << " (" << collectors::unit_text(metric.unit)
                << (metric.kind == wire::MetricKind::counter ? ", counter" : "") << "): " << metric.help << "\n";
    }
  }
  return to_int(ExitCode::ok);
}

// The long life. The io_context is never destroyed: Asio joins the thread of a name look-up there, and one that hangs would hold
// the process beyond its stop limit; the caller leaves with _exit.
int run_agent(const AgentConfig& config) {
  static const SystemClock clock;
  // First: the helper of probes holds nothing that is opened below, and has the rights that this process gives up.
  probes::Helper helper;
  std::string no_probes = "probes.enabled is off";
  if (config.probes_enabled) {
    auto started = probes::start_helper({.proc = config.cgroup_root + "/proc", .prefix = config.cgroup_root});
    no_probes = started ? "" : started.error().message();
    if (started) helper = std::move(*started);
  }
  auto& io = *new boost::asio::io_context(1);
  auto sensors = open_sensors(config, clock);
  if (!sensors) return fail(sensors.error().code == Errc::unsupported ? ExitCode::unprivileged : ExitCode::failure, sensors.error().message());
  auto folder = RealDisk::open(config.spool_folder);
  if (!folder && folder.error().code == Errc::conflict) return fail(ExitCode::failure, "spool.folder: " + folder.error().message());
  std::unique_ptr<Disk> disk;
  if (folder) {
    disk = std::move(*folder);
  } else {
    disk = std::make_unique<NoDisk>(folder.error());
  }
  auto spool = uplink::Spool::open(*disk, {.max_bytes = config.spool_max_bytes});
  const auto identity = identity_of(config);
  const auto rights = drop_rights((*sensors)->features().release);

  auto lacking = (*sensors)->features().lacking();
  // Libraries are found and probed while the agent runs, which takes what drop_rights() gave up.
  const auto& parts = (*sensors)->features().probes;
  const bool loads_tls = std::any_of(parts.begin(), parts.end(), [](const auto& part) { return part.name == "http_tls" && part.active; });
  if (loads_tls) lacking.emplace_back("http_tls: HTTP inside TLS is not seen: the rights to probe OpenSSL are given up after start (docs/http-signals.md)");
  if (!spool.in_memory().empty()) lacking.push_back("spool: only in memory: " + spool.in_memory() + "; give the agent a folder that it may write (spool.folder)");
  if (config.executor_socket.empty()) lacking.emplace_back("executor: none on this node, so no plan can be carried out here (executor.socket)");
  if (config.cri_socket.empty()) lacking.emplace_back("containers: their runtime is not asked, so they have ids for names and no exit reasons (cri.socket)");
  if (!no_probes.empty()) lacking.push_back("probes: none are answered: " + no_probes);
  if (!helper.lacking.empty()) lacking.push_back("probes: without " + helper.lacking + " some kinds see less (docs/probes.md)");
  give_back_start_up_memory();
  int code = to_int(ExitCode::failure);
  {
    Agent agent(io, {**sensors, spool, clock, std::move(helper)}, uplink_config(config), runtime_config(config), identity, lacking);
    // Only now: who reads this may send a signal, and it is handled from here on.
    log::info("agent started", {{"version", kVersion}, {"node", identity.name}, {"node_uid", identity.uid}, {"kernel", (*sensors)->features().release},
                                {"cgroups", (*sensors)->features().cgroup_mode}, {"aggregator", config.aggregator_address},
                                {"stream", spool.stream_id().str()}});
    for (const auto& sentence : lacking) log::warn("lacking", {{"what", sentence}});
    if (!rights.problem.empty()) log::warn("rights not dropped", {{"error", rights.problem}});
    for (const auto& kept : rights.kept) log::debug("right kept", {{"capability", kept}});
    boost::asio::co_spawn(io, agent.run(), [&](std::exception_ptr thrown, Result<int> ended) {
      if (thrown) {
        log::error("agent failed", {{"error", "an exception escaped"}});
      } else if (!ended) {
        log::error("agent failed", {{"error", ended.error().message()}});
      } else {
        code = to_int(*ended == SIGINT ? ExitCode::interrupted : ExitCode::ok);
      }
      io.stop();
    });
    io.run();
  }
  spool.sync();
  return code;
}

}  // namespace

int run_program(int argc, char** argv) {
  keep_heap_small();
  Options options;
  CLI::App app("Sees what the kernel does to the containers of this node and ships it to the aggregator.", "fleetwright-agent");
  app.add_option("--config", options.config_file, std::string("Configuration file (default: ") + kDefaultConfigFile + ")");
  app.add_option("--set", options.sets, "KEY=VALUE: overrides a key of the configuration; may be repeated")->allow_extra_args(false);
  auto* verbs = app.add_option_group("verbs", "Do one thing and exit");
  verbs->add_flag("--check-config", options.check_config, "Check the configuration; every error with file:line");
  verbs->add_flag("--print-config", options.print_config, "Print every key with its value and where it comes from");
  verbs->add_flag("--probe-kernel", options.probe_kernel, "Say what this kernel and these rights offer; exit code 3 when something is lacking");
  verbs->add_option("--list-collectors", options.list_collectors, "Print the collectors, their metrics and events; =markdown: as docs/metrics.md")
      ->expected(0, 1)
      ->default_str("text")
      ->check(CLI::IsMember({"text", "markdown"}))
      ->type_name("[HOW]");
  verbs->add_flag("--once", options.once, "Read everything once and print it as JSON");
  verbs->add_flag("--version", options.version, "Print the version");
  verbs->require_option(0, 1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? to_int(ExitCode::ok) : to_int(ExitCode::usage);
  }
  if (options.version) {
    std::cout << "fleetwright-agent " << kVersion << "\n";
    return to_int(ExitCode::ok);
  }
  if (options.list_collectors) return list_collectors(*options.list_collectors);

  AgentConfig config;
  auto schema = schema_of(config);
  config::Sources sources{.file = std::nullopt, .sets = options.sets, .strict = !(options.once || options.probe_kernel || options.print_config)};
  if (!options.config_file.empty()) {
    sources.file = options.config_file;
  } else if (std::filesystem::exists(kDefaultConfigFile)) {
    sources.file = kDefaultConfigFile;
  }
  if (const auto problems = schema.load(sources); !problems.empty()) {
    for (const auto& problem : problems) std::cerr << problem.message() << "\n";
    return to_int(ExitCode::usage);
  }
  if (options.check_config) {
    std::cout << "configuration ok\n";
    return to_int(ExitCode::ok);
  }
  if (options.print_config) {
    std::cout << schema.print();
    return to_int(ExitCode::ok);
  }
  log::configure(*log::parse_level(config.log_level), *log::parse_format(config.log_format));  // the schema knows the choices

  if (options.once || options.probe_kernel) {
    const SystemClock clock;
    const auto sensors = open_sensors(config, clock);
    if (!sensors) return fail(sensors.error().code == Errc::unsupported ? ExitCode::unprivileged : ExitCode::failure, sensors.error().message());
    if (options.once) {
      std::cout << sample_once(**sensors, identity_of(config));
      return to_int(ExitCode::ok);
    }
    const auto& features = (*sensors)->features();
    std::cout << features.text();
    return to_int(features.lacking().empty() ? ExitCode::ok : ExitCode::unprivileged);
  }
  const int code = run_agent(config);
  std::fflush(nullptr);
  std::cout.flush();
  ::_exit(code);  // see run_agent
}

}  // namespace fw::agent
