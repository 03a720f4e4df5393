#include "aggregator/store/migrations.hpp"

#include <charconv>
#include <string>
#include <vector>

#include "common/embedded_file.hpp"

namespace fw {
std::span<const EmbeddedFile> embedded_migrations();
}

namespace fw::store {

std::span<const Migration> migrations() {
  static const std::vector<Migration> all = [] {
    std::vector<Migration> found;
    for (const EmbeddedFile& file : embedded_migrations()) {
      const std::string_view name = file.path.substr(file.path.rfind('/') + 1);
      int version = 0;
      std::from_chars(name.data(), name.data() + name.size(), version);
      FW_ASSERT(version == static_cast<int>(found.size()) + 1, "migrations/NNNN_name.sql are numbered without gaps");
      found.push_back({version, file.text});
    }
    return found;
  }();
  return all;
}

Result<void> migrate(sqlite::Database& database, int target, std::int64_t now_ns) {
  database.exec("create table if not exists schema_version (version bigint primary key, applied_ns bigint not null)");
  int current = 0;
  {
    sqlite::Query query(database, "select coalesce(max(version), 0) from schema_version");
    if (query.next()) current = static_cast<int>(query.integer(0));
  }
  if (auto error = database.take_error()) return with_context(*error, "schema version");
  if (current > target) {
    return Error(Errc::unsupported, "the database has schema version " + std::to_string(current) + ", this build knows " +
                                        std::to_string(target) + ": install the newer fleetwright or restore the backup");
  }
  for (const Migration& migration : migrations()) {
    if (migration.version <= current || migration.version > target) continue;
    database.exec("begin immediate");
    database.exec(std::string(migration.sql).c_str());
    sqlite::Query(database, "insert into schema_version (version, applied_ns) values ($1, $2)").bind(migration.version, now_ns).run();
    database.exec("commit");
    if (auto error = database.take_error()) {
      database.exec("rollback");
      database.take_error();
      return with_context(*error, "migration " + std::to_string(migration.version));
    }
  }
  return {};
}

}  // namespace fw::store
