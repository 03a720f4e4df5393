#include "agents/casefile/sqlite.hpp"

namespace fw::agents::sqlite {

Error last_error(sqlite3* db, Errc errc) { return Error{errc, sqlite3_errmsg(db)}; }

Result<Db> open_memory() {
  sqlite3* raw = nullptr;
  const int rc = sqlite3_open_v2(":memory:", &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  Db db{raw};
  if (rc != SQLITE_OK) return Error{Errc::io, "case file: SQLite cannot open memory"};
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);   // "name" is never silently a text
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  sqlite3_limit(raw, SQLITE_LIMIT_LENGTH, 256 * 1024);
  sqlite3_limit(raw, SQLITE_LIMIT_SQL_LENGTH, 64 * 1024);
  sqlite3_limit(raw, SQLITE_LIMIT_EXPR_DEPTH, 100);
  sqlite3_limit(raw, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_limit(raw, SQLITE_LIMIT_TRIGGER_DEPTH, 0);
  sqlite3_limit(raw, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000);
  return db;
}

Result<void> exec(sqlite3* db, const std::string& sql) {
  if (sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return last_error(db, Errc::malformed);
  return {};
}

Result<Statement> Statement::prepare(sqlite3* db, std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v2(db, sql.data(), static_cast<int>(sql.size()), &raw, nullptr) != SQLITE_OK)
    return last_error(db, Errc::invalid_argument);
  Statement statement;
  statement.stmt_.reset(raw);
  return statement;
}

Statement& Statement::bind(std::int64_t value) {
  if (const int rc = sqlite3_bind_int64(stmt_.get(), ++next_, value); rc != SQLITE_OK) failed_ = rc;
  return *this;
}

Statement& Statement::bind(double value) {
  if (const int rc = sqlite3_bind_double(stmt_.get(), ++next_, value); rc != SQLITE_OK) failed_ = rc;
  return *this;
}

Statement& Statement::bind(std::string_view value) {
  const int rc = sqlite3_bind_text64(stmt_.get(), ++next_, value.data() == nullptr ? "" : value.data(), value.size(),
                                     SQLITE_TRANSIENT, SQLITE_UTF8);
  if (rc != SQLITE_OK) failed_ = rc;
  return *this;
}

Result<void> Statement::insert() {
  const int bound = failed_;
  const int rc = bound == SQLITE_OK ? sqlite3_step(stmt_.get()) : bound;
  sqlite3_reset(stmt_.get());
  sqlite3_clear_bindings(stmt_.get());
  next_ = 0;
  failed_ = SQLITE_OK;
  if (rc == SQLITE_DONE) return {};
  return Error{rc == SQLITE_TOOBIG ? Errc::too_large : Errc::invalid_argument, sqlite3_errstr(rc)};
}

}  // namespace fw::agents::sqlite
