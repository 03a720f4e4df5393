// /api/v1: what people and their CLI ask and tell.
#pragma once
#include "aggregator/api/backend.hpp"
#include "aggregator/api/router.hpp"

namespace fw::api {

// `backend` must outlive the router.
void add_people_routes(Router& router, Backend& backend, std::size_t max_body_bytes);

}  // namespace fw::api
