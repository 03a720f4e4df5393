// Views to the JSON of docs/api.md. Pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/api/backend.hpp"

namespace fw::api {

inline constexpr std::string_view kApiVersion = "fleetwright/v1alpha1";

std::string render_status(std::string_view version, std::string_view person, const std::vector<Backend::Check>& checks);
std::string render_nodes(const std::vector<NodeView>& nodes);
std::string render_changes(const std::vector<changes::Change>& changes);
std::string render_incidents(const std::vector<IncidentView>& incidents);
std::string render_incident(const IncidentView& incident);
// Findings as the specialists wrote them, with the envelope around them. Errc::malformed when they are no JSON object.
Result<std::string> render_explanation(std::string_view incident_id, std::string_view findings_json);

// A node's answer, with the envelope around it. Errc::malformed when it is no JSON object.
Result<std::string> render_probe(std::string_view node, std::string_view answer_json);

}  // namespace fw::api
