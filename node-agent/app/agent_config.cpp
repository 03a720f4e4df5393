#include "node-agent/app/agent_config.hpp"

namespace fw::agent {

namespace {

std::optional<std::string> check_socket(std::string_view value) {
  if (value == "auto" || value.starts_with('/')) return std::nullopt;
  return "'" + std::string(value) + "' is neither auto nor a path from the root";
}

}  // namespace

config::Schema schema_of(AgentConfig& config) {
  constexpr std::int64_t kMiB = 1 << 20;
  constexpr std::int64_t kHourMs = 3'600'000;
  config::Schema schema("fleetwright-agent");
  schema.text({.name = "aggregator.address", .help = "Host and port of the aggregator's port for agents.", .required = true, .check = config::check_host_port}, config.aggregator_address);
  schema.text({.name = "aggregator.server_name", .help = "Name that the aggregator's certificate must have; empty: the host of `aggregator.address`."}, config.aggregator_server_name);
  schema.path({.name = "tls.certificate", .help = "This node's certificate (PEM); its SPIFFE URI is the node's identity.", .required = true, .check = config::check_readable_file}, config.tls_certificate);
  schema.path({.name = "tls.key", .help = "Its private key (PEM).", .required = true, .check = config::check_readable_file},
              config.tls_key);
  schema.path({.name = "tls.ca", .help = "The authority that signed the aggregator's certificate (PEM).", .required = true,
               .check = config::check_readable_file}, config.tls_ca);
  schema.text({.name = "node.name", .help = "Name of this node for people; empty: the host name."},
              config.node_name);
  schema.path({.name = "spool.folder", .help = "Folder for what waits for the aggregator; made with mode 0700. One agent per folder."}, config.spool_folder);
  schema.bytes({.name = "spool.max_bytes", .help = "Bound of all files in it: the oldest samples are thinned first, then dropped, events last.",
                .min = 4 * kMiB, .max = 64 * 1024 * kMiB}, config.spool_max_bytes);
  schema.duration({.name = "sample.period", .help = "How often a container without a symptom is read, until the aggregator says otherwise.",
                   .min = 1000, .max = kHourMs}, config.sample_period);
  schema.duration({.name = "sample.hot_period", .help = "How often one with a symptom is read, until the aggregator says otherwise.",
                   .min = 100, .max = kHourMs}, config.sample_hot_period);
  schema.boolean({.name = "bpf.enabled", .help = "Load the BPF programs where the kernel and the rights allow it."},
                 config.bpf_enabled);
  schema.boolean({.name = "probes.enabled", .help = "Answer the aggregator's read-only questions about this node, by a process of its own that keeps the rights for it."},
                 config.probes_enabled);
  schema.path({.name = "cgroup.root", .help = "Put before every path of /proc and cgroups; for an agent whose host is mounted below a folder."}, config.cgroup_root);
  schema.path({.name = "kernel_log.rules", .help = "File of rules for lines of the kernel's log that come before the built-in ones, a line each: name, least severe level and RE2 pattern with one tab between; empty: none."}, config.kernel_log_rules);
  schema.path({.name = "executor.socket", .help = "Socket of this node's fleetwright-executor, whose packets the agent relays; empty: there is none."}, config.executor_socket);
  schema.text({.name = "cri.socket", .help = "Socket of the container runtime (CRI), which equals root on the node; `auto`: the first of /run/containerd/containerd.sock and /run/crio/crio.sock that exists; empty: names and exit reasons of containers are not asked for.",
               .check = check_socket}, config.cri_socket);
  schema.text({.name = "log.level", .help = "Least important level that is written.", .choices = {"error", "warn", "info", "debug", "trace"}}, config.log_level);
  schema.text({.name = "log.format", .help = "Lines for people or for machines, on stderr.", .choices = {"text", "json"}},
              config.log_format);
  return schema;
}

}  // namespace fw::agent
