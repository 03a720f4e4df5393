// Every key of fleetwright-executor's configuration.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "common/config/config.hpp"

namespace fw::executor {

inline constexpr const char* kDefaultConfigFile = "/etc/fleetwright/executor.yaml";

struct ExecutorProgramConfig {
  std::string node_uid;
  std::string node_cluster;
  std::vector<std::string> node_labels;
  std::string socket_path = "/run/fleetwright/executor/executor.sock";
  std::int64_t socket_peer_uid = 0;
  std::string journal_folder = "/var/lib/fleetwright/executor";
  std::string policy_file;
  std::string policy_sha256;
  bool observe_only = true;
  std::vector<std::string> log_folders = {"/var/log/pods"};
  std::string cgroup_root;
  std::string log_level = "info";
  std::string log_format = "text";
};

// Declares every key, bound to `config`, which must outlive the schema.
config::Schema schema_of(ExecutorProgramConfig& config);

}  // namespace fw::executor
