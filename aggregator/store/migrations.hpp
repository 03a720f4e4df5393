// Numbered migrations (migrations/NNNN_name.sql), compiled in.
#pragma once
#include <span>
#include <string_view>

#include "aggregator/store/sqlite.hpp"

namespace fw::store {

struct Migration { int version = 0; std::string_view sql; };

std::span<const Migration> migrations();

// Brings the schema from any older version up to `target`, each migration in a transaction of its own with its row in
// schema_version. Errc::unsupported when the file is of a newer build.
Result<void> migrate(sqlite::Database& database, int target, std::int64_t now_ns);

}  // namespace fw::store
