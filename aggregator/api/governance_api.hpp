// /api/v1/plans, statements, standing-approvals, policy, audit.
#pragma once
#include "aggregator/api/governance.hpp"
#include "aggregator/api/router.hpp"

namespace fw::api {

// `governance` must outlive the router; nullptr: the routes are there and say that it is off.
void add_governance_routes(Router& router, Governance* governance, std::size_t max_body_bytes);

}  // namespace fw::api
