// Configuration of fleetwright-aggregator: every key, its default and its limits.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "common/config/config.hpp"

namespace fw::app {

struct AggregatorConfig {
  std::string listen_agents = "0.0.0.0:7443";
  std::string listen_people = "0.0.0.0:7444";
  std::string listen_plain = "127.0.0.1:7445";
  std::string tls_certificate, tls_key, tls_node_ca, tls_people_ca;
  std::string store_url = "sqlite:///var/lib/fleetwright/fleetwright.db";
  std::chrono::milliseconds keep_events = std::chrono::hours(24 * 7);
  std::chrono::milliseconds keep_incidents = std::chrono::hours(24 * 90);
  std::uint64_t max_store_bytes = 10ULL << 30U;
  std::string github_secret_file, cloudevents_secret_file;
  std::chrono::milliseconds sample_period = std::chrono::seconds(10), sample_hot_period = std::chrono::seconds(1);
  std::int64_t shards = 0;                                  // 0: one per core
  std::chrono::milliseconds resolve_after = std::chrono::minutes(5);
  std::string governance_policy, governance_cluster, audit_folder, audit_key;   // no policy: plans and approvals are off
  std::string log_level = "info", log_format = "text";
};

config::Schema schema_of(AggregatorConfig& config);

}  // namespace fw::app
