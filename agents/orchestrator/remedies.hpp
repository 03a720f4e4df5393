// What would mend it as a typed action with the range that a person may choose from; the by-hand command says the same for a shell.
#pragma once
#include <optional>

#include "agents/casefile/case_file.hpp"
#include "agents/findings.hpp"

namespace fw::agents {

enum class Lasts : std::uint8_t { kept_if_nobody_else_owns_it = 0, a_while };

// Nothing when the case file does not say where the limit is or what it is now, when the value would not raise it, or when the node has
// not the memory that would be needed.
std::optional<Remedy> memory_limit_remedy(const CaseFile& file, std::int64_t subject_id, std::int64_t value_bytes, Lasts lasts);

}  // namespace fw::agents
