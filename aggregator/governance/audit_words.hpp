// How the audit log tells what happened. docs/governance.md lists the verbs.
#pragma once
#include <string>

#include "aggregator/audit/entry.hpp"
#include "aggregator/governance/core.hpp"

namespace fw::governance {

audit::Entry entry_of(const PlanRecord& plan, const PlanEvent& event, std::uint64_t policy_version);

audit::Entry document_entry(std::int64_t time_ms, std::string_view verb, const DocumentRecord& document, const Caller* caller, std::uint64_t policy_version);
audit::Entry executor_entry(std::int64_t time_ms, std::string_view verb, const ExecutorState& executor, std::string_view code, std::string_view sentence);

}  // namespace fw::governance
