// /webhooks: deliveries of change sources. The signature over the raw bytes is checked before anything is parsed.
#pragma once
#include <cstddef>
#include <string>

#include "aggregator/api/backend.hpp"
#include "aggregator/api/metrics.hpp"
#include "aggregator/api/peer_limiter.hpp"
#include "aggregator/api/router.hpp"
#include "common/clock.hpp"

namespace fw::api {

struct WebhookDeps {
  Backend& backend;
  Metrics& metrics;
  const Clock& clock;
  PeerLimiter& limiter;
};

struct WebhookSecrets {
  std::string github, cloudevents;   // "" = that webhook answers 404
};

// What `deps` refers to must outlive the router.
void add_webhook_routes(Router& router, WebhookDeps deps, WebhookSecrets secrets, std::size_t max_body_bytes);

}  // namespace fw::api
