// A copy of the store and of the audit log that fit together, and back. Offline tools: nothing here needs the running program, and a backup
// may be made beside it.
#pragma once
#include <string>

#include "common/result.hpp"

namespace fw::store {

struct Places { std::string store_file, audit_folder; };   // audit_folder "": there is none

// Makes `folder` (which must not hold anything) with fleetwright.db, audit/ and, as the last, backup.json: a backup without it is not whole.
// The store is copied first and the log after it: the log is at least as new as the store, so nothing that the store says is missing there.
// Blocking. Errors: Errc::conflict (folder not empty), Errc::not_found, Errc::io.
Result<void> back_up(const Places& from, const std::string& folder);

// Puts the backup in place. What is there already is kept beside it under a name that ends with .before-restore. Errc::conflict: the
// aggregator runs, or something was kept there before; Errc::malformed: no whole backup; Errc::io.
Result<void> restore_backup(const std::string& folder, const Places& to);

}  // namespace fw::store
