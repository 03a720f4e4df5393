// The little of SQLite that the case file needs. Included by agents/casefile/*.cpp only.
#pragma once
#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace fw::agents::sqlite {

struct CloseDb { void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); } };
struct Finalize { void operator()(sqlite3_stmt* stmt) const noexcept { sqlite3_finalize(stmt); } };
using Db = std::unique_ptr<sqlite3, CloseDb>;

// An empty in-memory database with the limits that every case file has.
Result<Db> open_memory();
Result<void> exec(sqlite3* db, const std::string& sql);
Error last_error(sqlite3* db, Errc errc);

// One prepared statement. bind() goes from left to right and step_reset() starts over; errors stick until then.
class Statement {
 public:
  static Result<Statement> prepare(sqlite3* db, std::string_view sql);
  Statement& bind(std::int64_t value);
  Statement& bind(double value);
  Statement& bind(std::string_view value);
  Statement& bind(const std::string& value) { return bind(std::string_view{value}); }
  Statement& bind(const char* value) { return bind(std::string_view{value}); }
  template <class T>
  Statement& bind(const std::optional<T>& value) {
    if (value) return bind(*value);
    ++next_;
    return *this;
  }
  Result<void> insert();   // runs a statement without rows, then clears the bindings
  sqlite3_stmt* get() const noexcept { return stmt_.get(); }

 private:
  std::unique_ptr<sqlite3_stmt, Finalize> stmt_;
  int next_ = 0;
  int failed_ = SQLITE_OK;
};

// median(x), size(bytes) "256 MiB", utc(ns) "02:46:58 UTC": what rules and people need and SQLite lacks.
Result<void> add_functions(sqlite3* db);

}  // namespace fw::agents::sqlite
