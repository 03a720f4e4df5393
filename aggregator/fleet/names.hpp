// From what people call a node or a thing on it to what is meant, and back. Pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/fleet/fleet.hpp"

namespace fw::fleet {

// A uid or a name. Errc::not_found, Errc::conflict (several have this name).
Result<const NodeState*> find_node(const Fleet& fleet, std::string_view name);

// What a list shows: "checkout-7d9f/app" of a container that the runtime has named, else the entity's own name.
std::string display_name(const Entity& entity);

// Every text that means this entity: its name, KIND/NAME, POD/CONTAINER, NAMESPACE/POD/CONTAINER, NAMESPACE/POD, cgroup path with or
// without its first slash, container id (also its first 12 digits), pod uid.
std::vector<std::string> names_of(const Entity& entity);

// The entity that is meant; what is alive goes before what is gone. Errc::not_found, Errc::conflict with the candidates.
Result<EntityPtr> find_entity(const std::vector<const EntityState*>& entities, std::string_view name);

}  // namespace fw::fleet
