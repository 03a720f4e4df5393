// What people see of incidents and nodes, from what the engine and the fleet hold. Pure.
#pragma once
#include "aggregator/api/backend.hpp"
#include "aggregator/fleet/fleet.hpp"
#include "aggregator/incidents/incident.hpp"
#include "aggregator/store/store.hpp"

namespace fw::app {

api::IncidentView to_view(const incidents::Incident& incident, const fleet::NodeState* node);
api::NodeView to_view(const fleet::NodeState& node, std::size_t entities);

// The incident that the stored events make. Errc::malformed names the row.
Result<incidents::Incident> fold(const store::StoredIncident& stored);

}  // namespace fw::app
