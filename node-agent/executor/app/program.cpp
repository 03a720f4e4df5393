#include "node-agent/executor/app/program.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "common/disk/disk.hpp"
#include "common/exit_code.hpp"
#include "common/start_up_memory.hpp"
#include "common/version.hpp"
#include "node-agent/executor/app/confine.hpp"
#include "node-agent/executor/app/dry_run.hpp"
#include "node-agent/executor/app/executor_config.hpp"
#include "node-agent/executor/app/log.hpp"
#include "node-agent/executor/app/serve.hpp"

namespace fw::executor {
namespace {

struct Options {
  std::string config_file, envelope;
  std::vector<std::string> sets;
  bool check_config = false, print_config = false, version = false;
};

int fail(ExitCode code, const std::string& text) {
  std::cerr << "fleetwright-executor: " << text << "\n";
  return to_int(code);
}
int fail(const Error& error) { return fail(error.code == Errc::permission ? ExitCode::unprivileged : ExitCode::failure, error.message()); }

Result<Bytes> read_whole(const std::string& path, std::size_t max_bytes) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error(Errc::gone, path + ": cannot be read");
  Bytes bytes{std::istreambuf_iterator<char>(in), {}};
  if (bytes.size() > max_bytes) return Error(Errc::too_large, path + ": more than " + std::to_string(max_bytes) + " bytes");
  return bytes;
}

Result<authority::ExecutorConfig> core_config(const ExecutorProgramConfig& config) {
  authority::ExecutorConfig core;
  core.node = *Uuid::parse(config.node_uid);                    // the schema checked both
  core.first_policy_digest = *authority::parse_digest(config.policy_sha256);
  core.cluster = config.node_cluster;
  core.labels = config.node_labels;
  core.observe_only = config.observe_only;
  core.version = kVersion;
  const auto boot_text = kernel::read_small_file("/proc/sys/kernel/random/boot_id", 64);
  if (!boot_text) return boot_text.error();
  const auto boot = Uuid::parse(std::string_view(*boot_text).substr(0, 36));
  if (!boot) return boot.error();
  core.boot = *boot;
  auto policy = read_whole(config.policy_file, authority::kMaxPolicyBytes);
  if (!policy) return policy.error();
  core.first_policy = std::move(*policy);
  return core;
}

Result<int> run_executor(const ExecutorProgramConfig& config) {
  const SystemClock clock;
  auto core = core_config(config);
  if (!core) return core.error();
  auto host = Host::open({config.cgroup_root, config.log_folders});
  if (!host) return with_context(host.error(), "host");
  HostActuator actuator(std::move(*host));
  const auto disk = RealDisk::open(config.journal_folder);
  if (!disk) return with_context(disk.error(), "journal.folder");
  const auto listener = PacketListener::bind(config.socket_path, static_cast<uid_t>(config.socket_peer_uid));
  if (!listener) return with_context(listener.error(), "socket.path");
  const auto signals = open_signals();
  if (!signals) return signals.error();
  if (auto ok = drop_capabilities(config.observe_only ? Rights::observe : Rights::act); !ok) return ok.error();
  if (auto ok = forbid_system_calls(); !ok) return ok.error();

  // The journal may hold what a crash left half done, so nothing of it runs with more rights than this.
  auto executor = authority::Executor::open(std::move(*core), {**disk, clock, actuator});
  if (!executor) return with_context(executor.error(), "executor");
  give_back_start_up_memory();
  const auto status = (*executor)->status();
  say(log::Level::info, "executor started", {{"version", kVersion}, {"node", config.node_uid}, {"policy", status.policy_version},
                                             {"observe_only", config.observe_only}, {"restores", status.pending_restores}, {"socket", config.socket_path}});
  if (!status.journal_problem.empty()) say(log::Level::error, "journal", {{"problem", status.journal_problem}});
  const auto ended = serve(**executor, *listener, *signals, clock);
  if (!ended) {
    say(log::Level::error, "executor ends", {{"error", ended.error().message()}});
    return to_int(ExitCode::failure);
  }
  say(log::Level::info, "stopping", {{"signal", *ended}});
  return to_int(*ended == SIGINT ? ExitCode::interrupted : ExitCode::ok);
}

int run_dry(const ExecutorProgramConfig& config, const std::string& file) {
  const auto core = core_config(config);
  if (!core) return fail(core.error());
  if (authority::sha256(core->first_policy) != core->first_policy_digest) return fail(ExitCode::usage, "policy.file does not have the digest policy.sha256");
  const auto policy = authority::parse_policy(core->first_policy);
  if (!policy) return fail(policy.error());
  const auto envelope = read_whole(file, authority::kMaxEnvelopeBytes);
  if (!envelope) return fail(envelope.error());
  auto host = Host::open({config.cgroup_root, config.log_folders});
  if (!host) return fail(host.error());
  HostActuator actuator(std::move(*host));
  const authority::NodeFacts facts{core->node, {}, core->boot, core->cluster, core->labels, false};
  const auto result = dry_run(*envelope, *policy, facts, actuator, SystemClock().wall_ns() / kNsPerMs);
  std::cout << result.text;
  return to_int(result.would_act ? ExitCode::ok : ExitCode::plan_changed);
}

}  // namespace

int run_program(int argc, char** argv) {
  keep_heap_small();
  Options options;
  CLI::App app("Verifies signed plans on this node and does what enough people approved.", "fleetwright-executor");
  app.add_option("--config", options.config_file, std::string("Configuration file (default: ") + kDefaultConfigFile + ")");
  app.add_option("--set", options.sets, "KEY=VALUE: overrides a key of the configuration; may be repeated")->allow_extra_args(false);
  auto* verbs = app.add_option_group("verbs", "Do one thing and exit");
  verbs->add_flag("--check-config", options.check_config, "Check the configuration; every error with file:line");
  verbs->add_flag("--print-config", options.print_config, "Print every key with its value and where it comes from");
  verbs->add_option("--dry-run", options.envelope, "ENVELOPE: say what this node would do with it, and do nothing; exit code 5 when it would refuse");
  verbs->add_flag("--version", options.version, "Print the version");
  verbs->require_option(0, 1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? to_int(ExitCode::ok) : to_int(ExitCode::usage);
  }
  if (options.version) {
    std::cout << "fleetwright-executor " << kVersion << "\n";
    return to_int(ExitCode::ok);
  }

  ExecutorProgramConfig config;
  auto schema = schema_of(config);
  config::Sources sources{.file = std::nullopt, .sets = options.sets, .strict = !options.print_config};
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
  if (!options.envelope.empty()) return run_dry(config, options.envelope);
  configure_log(*log::parse_level(config.log_level), *log::parse_format(config.log_format));   // the schema knows the choices
  const auto code = run_executor(config);
  return code ? *code : fail(code.error());
}

}  // namespace fw::executor
