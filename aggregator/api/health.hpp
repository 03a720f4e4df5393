// The plain listener: /livez, /readyz, /healthz, /metrics.
#pragma once
#include "aggregator/api/backend.hpp"
#include "aggregator/api/metrics.hpp"
#include "aggregator/api/router.hpp"

namespace fw::api {

// All three must outlive the router. `draining`: /readyz fails from then on.
void add_health_routes(Router& router, Backend& backend, const Metrics& metrics, const bool& draining);

}  // namespace fw::api
