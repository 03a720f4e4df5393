// Facts -> rows. Included by case_file.cpp only.
#pragma once
#include "agents/casefile/facts.hpp"
#include "agents/casefile/sqlite.hpp"

namespace fw::agents {

inline constexpr std::int64_t kSchemaVersion = 1;

// Creates the schema and writes every row, in an order that depends on the facts only, never on the caller's order.
Result<void> create_schema(sqlite3* db);
Result<void> write_facts(sqlite3* db, const IncidentFacts& facts);

}  // namespace fw::agents
