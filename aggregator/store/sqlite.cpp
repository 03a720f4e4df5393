#include "aggregator/store/sqlite.hpp"

namespace fw::store::sqlite {

Result<Database> Database::open(const std::string& path, const std::string& vfs, Mode mode) {
  sqlite3* raw = nullptr;
  const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (mode == Mode::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, vfs.empty() ? nullptr : vfs.c_str());
  Database database(raw);
  if (code != SQLITE_OK) return Error(Errc::io, path + ": " + (raw != nullptr ? sqlite3_errmsg(raw) : sqlite3_errstr(code)));
  sqlite3_busy_timeout(raw, 5'000);   // only the end of another process that still holds the file
  return database;
}

void Database::fail(int code, std::string_view what) {
  if (error_) return;
  last_code_ = code;
  error_ = Error(Errc::io, std::string(what) + ": " + sqlite3_errmsg(db_.get()));
}

void Database::exec(const char* sql) {
  if (error_) return;
  const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code, std::string_view(sql).substr(0, 40));
}

std::optional<Error> Database::take_error() { return std::exchange(error_, std::nullopt); }

Database::Cached* Database::prepare(std::string_view sql) {
  if (error_) return nullptr;
  auto& slot = statements_[std::string(sql)];
  if (!slot) slot = std::make_unique<Cached>();
  if (!slot->statement) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) {
      fail(code, sql.substr(0, 60));
      return nullptr;
    }
    slot->statement.reset(statement);
  }
  FW_ASSERT(!slot->busy, "a cached statement is used by one Query at a time");
  slot->busy = true;
  return slot.get();
}

Query::Query(Database& database, std::string_view sql) : database_(database), cached_(database.prepare(sql)) {}

Query::~Query() {
  if (cached_ == nullptr) return;
  sqlite3_reset(cached_->statement.get());
  sqlite3_clear_bindings(cached_->statement.get());
  cached_->busy = false;
}

void Query::check(int code) {
  if (code != SQLITE_OK) database_.fail(code, "bind");
}

int Query::index(const std::string& name) const {
  const int at = sqlite3_bind_parameter_index(cached_->statement.get(), name.c_str());
  FW_ASSERT(at > 0, "every bound value has its parameter");
  return at;
}

void Query::bind_one(const std::string& name, std::int64_t value) {
  if (cached_ != nullptr) check(sqlite3_bind_int64(cached_->statement.get(), index(name), value));
}

void Query::bind_one(const std::string& name, const std::optional<std::int64_t>& value) {
  if (cached_ == nullptr) return;
  if (value) return bind_one(name, *value);
  check(sqlite3_bind_null(cached_->statement.get(), index(name)));
}

void Query::bind_one(const std::string& name, std::string_view value) {
  if (cached_ == nullptr) return;
  check(sqlite3_bind_text64(cached_->statement.get(), index(name), value.data() != nullptr ? value.data() : "", value.size(),
                            SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Query::bind_one(const std::string& name, const Blob& value) {
  if (cached_ == nullptr) return;
  check(sqlite3_bind_blob64(cached_->statement.get(), index(name), value.bytes.data(), value.bytes.size(), SQLITE_TRANSIENT));
}

bool Query::next() {
  if (cached_ == nullptr || database_.failed()) return false;
  const int code = sqlite3_step(cached_->statement.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) database_.fail(code, std::string_view(sqlite3_sql(cached_->statement.get())).substr(0, 60));
  return false;
}

std::int64_t Query::integer(int column) const { return sqlite3_column_int64(cached_->statement.get(), column); }

std::optional<std::int64_t> Query::optional_integer(int column) const {
  if (sqlite3_column_type(cached_->statement.get(), column) == SQLITE_NULL) return std::nullopt;
  return integer(column);
}

std::string Query::text(int column) const {
  const void* bytes = sqlite3_column_blob(cached_->statement.get(), column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(cached_->statement.get(), column));
  return bytes == nullptr ? std::string() : std::string(static_cast<const char*>(bytes), size);
}

Uuid Query::uuid(int column) const {
  const auto parsed = Uuid::parse(text(column));
  return parsed ? *parsed : Uuid{};
}

}  // namespace fw::store::sqlite
