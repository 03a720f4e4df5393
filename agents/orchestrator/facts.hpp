// Rows of the case file as one sentence each, for the explanation's list of facts.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "agents/casefile/case_file.hpp"
#include "agents/findings.hpp"

namespace fw::agents {

// The rows whose evidence ids are asked for, in time order.
Result<std::vector<Fact>> describe(const CaseFile& file, const std::set<std::string>& evidence_ids);

}  // namespace fw::agents
