// node: questions to one node. `node list` is `nodes`.
#include <CLI/CLI.hpp>

#include <array>
#include <boost/json.hpp>
#include <memory>

#include <fmt/format.h>

#include "aggregator/cli/command.hpp"
#include "aggregator/cli/json_read.hpp"
#include "aggregator/cli/render/probe.hpp"

namespace fw::cli {
namespace {

namespace json = boost::json;

constexpr std::uint32_t kStandardLimitMs = 10'000;
constexpr std::uint32_t kMostSeconds = 20;

struct ProbeOptions {
  std::string node, kind, target, path, name, to;
  std::uint32_t lines = 0, seconds = 0;
};

std::string segment(std::string_view text) {   // of a URL's path
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '.' || c == '_') {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02X}", byte);
    }
  }
  return out;
}

Outcome<ExitCode> probe(Session& session, const ProbeOptions& options) {
  json::object arguments;
  for (const auto& [name, value] : {std::pair("path", &options.path), std::pair("name", &options.name), std::pair("to", &options.to)}) {
    if (!value->empty()) arguments[name] = *value;
  }
  if (options.lines != 0) arguments["lines"] = std::to_string(options.lines);
  if (options.seconds != 0) arguments["seconds"] = std::to_string(options.seconds);
  const auto limit_ms = options.seconds == 0 ? kStandardLimitMs : std::min(25'000U, options.seconds * 1000 + 10'000);
  const json::object body{{"kind", options.kind}, {"target", options.target}, {"arguments", std::move(arguments)}, {"limit_ms", limit_ms}};
  const auto server = session.server();
  if (!server) return server.error();
  const auto answer = (*server)->post("/api/v1/nodes/" + segment(options.node) + "/probes", json::serialize(body));
  if (!answer) return answer.error();
  if (session.format() == Format::json) {
    session.print_json(*answer);
    return ExitCode::ok;
  }
  const auto read = json_read::parse(*answer, "ProbeResult");
  const auto* result = read ? json_read::child(*read, "result") : nullptr;
  if (result == nullptr) return Failure{ExitCode::failure, "the server's answer is not readable", read ? "no result" : read.error().message(), ""};
  session.print_long(render::probe(*result, session.layout()));
  const auto summary = render::probe_summary(*result);
  if (!summary.empty()) session.say(summary + "\n");
  return ExitCode::ok;
}

}  // namespace

void add_node_commands(CLI::App& root, Commands& commands) {
  auto* node = root.add_subcommand("node", "Asks one node");
  node->require_subcommand(0, 1);
  const auto options = std::make_shared<ProbeOptions>();
  auto* command = node->add_subcommand("probe", "Looks at something on a node now, read-only; what leaves the node is redacted there");
  command->add_option("node", options->node, "Name or uid of the node")->required()->type_name("NODE");
  command->add_option("kind", options->kind, "log_tail, process_table, connections, d_state_stacks, directory_sizes, listening_ports, environment_names, "
                      "effective_limits, dns_lookup, tcp_connect, kernel_log or cpu_profile")->required()->type_name("KIND");
  command->add_option("--container", options->target, "Container id, pod, pod/container, namespace/pod/container, cgroup path or cgroup id")->type_name("TARGET");
  command->add_option("--lines", options->lines, "Newest lines of a log")->check(CLI::Range(1U, 1000U))->type_name("N");
  command->add_option("--seconds", options->seconds, "How long a profile takes")->check(CLI::Range(1U, kMostSeconds))->type_name("N");
  command->add_option("--path", options->path, "Folder of directory_sizes")->type_name("PATH");
  command->add_option("--name", options->name, "Name of dns_lookup")->type_name("NAME");
  command->add_option("--to", options->to, "Where tcp_connect goes, ADDRESS:PORT")->type_name("ENDPOINT");
  commands.on(command, [options](Session& session) { return probe(session, *options); });
}

}  // namespace fw::cli
