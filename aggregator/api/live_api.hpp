// /api/v1/series and /api/v1/top.
#pragma once
#include "aggregator/api/live.hpp"
#include "aggregator/api/router.hpp"

namespace fw::api {

std::string render_series(const SeriesView& view);
std::string render_top(const TopView& view);

// Errc::invalid_argument names the parameter.
Result<SeriesQuestion> series_question(const std::string& query);
Result<TopQuestion> top_question(const std::string& query);

// `live` must outlive the router.
void add_live_routes(Router& router, Live& live, std::size_t max_body_bytes);

}  // namespace fw::api
