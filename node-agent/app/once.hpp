// `--once`: one reading of everything as JSON, for people who look and for scripts.
#pragma once
#include <string>

#include "node-agent/collectors/node_sensors.hpp"

namespace fw::agent {

struct NodeIdentity {
  std::string name;
  std::string uid;        // from the certificate; "" when there is none
  std::string boot_id;
};

// Reads once; ends with a newline. {"apiVersion", "kind": "AgentSample", "node", "lacking", "entities": [{..., "values": {metric: n}}],
// "events": [...], "counters": {...}}
std::string sample_once(collectors::NodeSensors& sensors, const NodeIdentity& identity);

}  // namespace fw::agent
