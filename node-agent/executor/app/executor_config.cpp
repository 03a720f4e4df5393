#include "node-agent/executor/app/executor_config.hpp"

#include "common/id.hpp"
#include "protocol/authority/crypto.hpp"

namespace fw::executor {
namespace {

std::optional<std::string> check_uuid(std::string_view text) {
  if (Uuid::parse(text)) return std::nullopt;
  return "not a UUID";
}

std::optional<std::string> check_digest(std::string_view text) {
  if (authority::parse_digest(text)) return std::nullopt;
  return "not a SHA-256 in hexadecimal";
}

}  // namespace

config::Schema schema_of(ExecutorProgramConfig& config) {
  config::Schema schema("fleetwright-executor");
  schema.text({.name = "node.uid", .help = "UUID of this node, as in the agent's certificate: plans name it.", .required = true, .check = check_uuid}, config.node_uid);
  schema.text({.name = "node.cluster", .help = "Cluster of this node, as plans and the policy name it; empty outside of Kubernetes."}, config.node_cluster);
  schema.list({.name = "node.labels", .help = "`key=value` labels that the policy's scopes look at."}, config.node_labels);
  schema.path({.name = "socket.path", .help = "Socket that the agent connects to. Its folder is made with mode 0700 and must belong to nobody else.", .required = true}, config.socket_path);
  schema.integer({.name = "socket.peer_uid", .help = "User whose process may connect.", .max = 4'294'967'294}, config.socket_peer_uid);
  schema.path({.name = "journal.folder", .help = "Folder of the journal; made with mode 0700. Losing it makes every earlier plan invalid."}, config.journal_folder);
  schema.path({.name = "policy.file", .help = "The first trust policy, compiled (`fleetwright policy compile`).", .required = true, .check = config::check_readable_file}, config.policy_file);
  schema.text({.name = "policy.sha256", .help = "Its SHA-256, installed by other hands than the file: both must agree.", .required = true, .check = check_digest}, config.policy_sha256);
  schema.boolean({.name = "actions.observe_only", .help = "Verify and journal every plan, execute none."}, config.observe_only);
  schema.list({.name = "actions.log_folders", .help = "Folders below which a log may be rotated."}, config.log_folders);
  schema.path({.name = "cgroup.root", .help = "Put before every path of /proc and cgroups; for an executor whose host is mounted below a folder."}, config.cgroup_root);
  schema.text({.name = "log.level", .help = "Least important level that is written.", .choices = {"error", "warn", "info", "debug", "trace"}}, config.log_level);
  schema.text({.name = "log.format", .help = "Lines for people or for machines, on stderr.", .choices = {"text", "json"}}, config.log_format);
  return schema;
}

}  // namespace fw::executor
