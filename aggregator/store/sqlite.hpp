// A thin owner of a SQLite connection. Errors are sticky: after the first one every statement is a no-op until take_error(), so that a
// transaction is written as a straight line and judged once at its end. Inside aggregator/store only.
#pragma once
#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/id.hpp"
#include "common/result.hpp"

namespace fw::store::sqlite {

enum class Mode : std::uint8_t { read_write, read_only };

struct CloseDatabase { void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); } };
struct FinalizeStatement { void operator()(sqlite3_stmt* s) const noexcept { sqlite3_finalize(s); } };

// Threading: one thread at a time. Blocking.
class Database {
 public:
  static Result<Database> open(const std::string& path, const std::string& vfs, Mode mode);

  void exec(const char* sql);
  std::optional<Error> take_error();
  bool failed() const noexcept { return error_.has_value(); }
  int last_code() const noexcept { return last_code_; }        // extended SQLite code of the error taken last
  int changed_rows() const noexcept { return sqlite3_changes(db_.get()); }

 private:
  friend class Query;
  struct Cached { std::unique_ptr<sqlite3_stmt, FinalizeStatement> statement; bool busy = false; };
  explicit Database(sqlite3* db) : db_(db) {}
  void fail(int code, std::string_view what);
  Cached* prepare(std::string_view sql);

  std::unique_ptr<sqlite3, CloseDatabase> db_;
  std::unordered_map<std::string, std::unique_ptr<Cached>> statements_;   // before db_ in destruction: members die in reverse order
  std::optional<Error> error_;
  int last_code_ = 0;
};

struct Blob { std::string_view bytes; };

// One run of one cached statement. Parameters $1, $2, ... in the order of bind(). The text of a column is valid until the next step.
class Query {
 public:
  Query(Database& database, std::string_view sql);
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  template <class... Values>
  Query& bind(const Values&... values) {
    int position = 0;
    (bind_one("$" + std::to_string(++position), values), ...);
    return *this;
  }
  bool next();     // false at the end and after an error
  void run() { while (next()) {} }

  std::int64_t integer(int column) const;
  std::optional<std::int64_t> optional_integer(int column) const;
  std::string text(int column) const;    // also bytes
  Uuid uuid(int column) const;

 private:
  int index(const std::string& name) const;
  void bind_one(const std::string& name, std::int64_t value);
  void bind_one(const std::string& name, int value) { bind_one(name, std::int64_t{value}); }
  void bind_one(const std::string& name, const std::optional<std::int64_t>& value);
  void bind_one(const std::string& name, const std::string& value) { bind_one(name, std::string_view(value)); }
  void bind_one(const std::string& name, const char* value) { bind_one(name, std::string_view(value)); }
  void bind_one(const std::string& name, std::string_view value);
  void bind_one(const std::string& name, const Blob& value);
  void bind_one(const std::string& name, const Uuid& value) { bind_one(name, std::string_view(value.str())); }
  void check(int code);

  Database& database_;
  Database::Cached* cached_ = nullptr;
};

}  // namespace fw::store::sqlite
