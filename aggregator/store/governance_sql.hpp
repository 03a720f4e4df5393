// Inside aggregator/store only.
#pragma once
#include "aggregator/store/sqlite.hpp"
#include "aggregator/store/store.hpp"

namespace fw::store {

// Inside the open transaction; errors stay in the database object.
Written write_governance(sqlite::Database& database, const WriteGovernance& write);
// The newest plans with what belongs to them; all documents, executors and entries that the log does not have.
GovernanceRows read_governance(sqlite::Database& database, std::size_t most_plans);

}  // namespace fw::store
