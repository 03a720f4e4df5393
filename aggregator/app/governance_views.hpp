// Plans, documents and nodes of the governance core as the JSON of docs/api.md. Pure.
#pragma once
#include <functional>
#include <string>

#include "aggregator/governance/core.hpp"

namespace fw::app {

using NodeName = std::function<std::string(const Uuid&)>;   // "" when not known

std::string plan_json(const governance::Core& core, const governance::PlanRecord& plan, const NodeName& node_name);
std::string plans_json(const governance::Core& core, const std::vector<const governance::PlanRecord*>& plans, const NodeName& node_name);
std::string document_json(const governance::DocumentRecord& document);       // a statement or a standing approval
std::string documents_json(governance::DocumentKind kind, const std::vector<const governance::DocumentRecord*>& documents);
std::string policy_json(const governance::Core& core, const NodeName& node_name);
std::string witnesses_json(const governance::Core& core, const NodeName& node_name);
std::string proof_json(std::uint64_t index, std::uint64_t size, const std::vector<authority::Digest>& path);
std::string consistency_json(std::uint64_t from, std::uint64_t to, const std::vector<authority::Digest>& path);

}  // namespace fw::app
