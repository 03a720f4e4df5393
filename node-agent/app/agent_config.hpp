// Every key of fleetwright-agent's configuration.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "common/config/config.hpp"
#include "common/units.hpp"

namespace fw::agent {

inline constexpr const char* kDefaultConfigFile = "/etc/fleetwright/agent.yaml";

struct AgentConfig {
  std::string aggregator_address;
  std::string aggregator_server_name;
  std::string tls_certificate;
  std::string tls_key;
  std::string tls_ca;
  std::string node_name;
  std::string spool_folder = "/var/lib/fleetwright/spool";
  std::uint64_t spool_max_bytes = 64_MiB;
  std::chrono::milliseconds sample_period{10'000};
  std::chrono::milliseconds sample_hot_period{1'000};
  bool bpf_enabled = true;
  std::string cgroup_root;
  std::string kernel_log_rules;
  std::string executor_socket;
  std::string cri_socket = "auto";
  bool probes_enabled = true;
  std::string log_level = "info";
  std::string log_format = "text";
};

// Declares every key, bound to `config`, which must outlive the schema.
config::Schema schema_of(AgentConfig& config);

}  // namespace fw::agent
