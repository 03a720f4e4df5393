// GitHub webhook events to changes: deployment, deployment_status, workflow_run. Every other event is Ignored.
#pragma once
#include <cstdint>
#include <string_view>

#include "aggregator/changes/received.hpp"

namespace fw::changes::github {

// Pure. The signature has been checked before. Errors: Errc::malformed with the path of the field ("deployment.id: missing").
Result<Received> parse(std::string_view event, std::string_view delivery_id, std::string_view body, std::int64_t received_ns);

}  // namespace fw::changes::github
