#include "agents/casefile/case_file.hpp"

#include <algorithm>
#include <cstring>

#include "agents/casefile/builder.hpp"
#include "agents/casefile/sqlite.hpp"

namespace fw::agents {
namespace {

constexpr std::size_t kMaxFileBytes = 256U << 20U;
constexpr std::size_t kMaxResultBytes = 16U << 20U;
constexpr std::int64_t kMaxQueryMemoryBytes = 256LL << 20U;   // growth of SQLite's memory while one query runs
constexpr int kStepsPerCheck = 1'000;
constexpr std::int64_t kMaxLoadSteps = 200'000'000;

// Only reading this file's tables, and only functions whose answer depends on their arguments.
int authorize(void*, int action, const char* first, const char* second, const char*, const char*) {
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE: return SQLITE_OK;
    case SQLITE_FUNCTION: {
      (void)first;
      const std::string_view name = second == nullptr ? "" : second;
      for (const std::string_view denied : {"load_extension", "random", "randomblob", "sqlite_version", "sqlite_source_id", "changes",
                                            "total_changes", "last_insert_rowid", "sqlite_log", "fts3_tokenizer", "writefile", "readfile"})
        if (name == denied) return SQLITE_DENY;
      return SQLITE_OK;
    }
    default: return SQLITE_DENY;
  }
}

struct Budget {
  std::int64_t steps_left;
  sqlite3_int64 memory_at_start;
  bool out_of_memory = false;
};

int on_progress(void* data) {
  auto* budget = static_cast<Budget*>(data);
  budget->steps_left -= kStepsPerCheck;
  budget->out_of_memory = sqlite3_memory_used() - budget->memory_at_start > kMaxQueryMemoryBytes;
  return budget->steps_left <= 0 || budget->out_of_memory ? 1 : 0;
}

SqlValue value_of(sqlite3_stmt* stmt, int column) {
  switch (sqlite3_column_type(stmt, column)) {
    case SQLITE_INTEGER: return std::int64_t{sqlite3_column_int64(stmt, column)};
    case SQLITE_FLOAT: return sqlite3_column_double(stmt, column);
    case SQLITE_NULL: return std::monostate{};
    default: {
      const void* data = sqlite3_column_blob(stmt, column);
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(stmt, column));
      return data == nullptr ? std::string{} : std::string{static_cast<const char*>(data), size};
    }
  }
}

int bind_value(sqlite3_stmt* stmt, int at, const SqlValue& value) {
  if (const auto* i = std::get_if<std::int64_t>(&value)) return sqlite3_bind_int64(stmt, at, *i);
  if (const auto* d = std::get_if<double>(&value)) return sqlite3_bind_double(stmt, at, *d);
  if (const auto* s = std::get_if<std::string>(&value))
    return sqlite3_bind_text64(stmt, at, s->data(), s->size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  return sqlite3_bind_null(stmt, at);
}

// Every object of the schema with its text, in one string.
Result<std::string> schema_text(sqlite3* db) {
  auto query = sqlite::Statement::prepare(db, "select type, name, tbl_name, coalesce(sql, '') from sqlite_schema order by type, name");
  if (!query) return with_context(query.error(), "not a case file");
  std::string out;
  int rc = SQLITE_ROW;
  while ((rc = sqlite3_step(query->get())) == SQLITE_ROW)
    for (int column = 0; column < 4; ++column) {
      const SqlValue value = value_of(query->get(), column);
      const auto* text = std::get_if<std::string>(&value);
      out.append(text == nullptr ? "?" : *text).push_back('\0');
      if (out.size() > 1U << 20U) return Error{Errc::malformed, "not a case file: its schema is too long"};
    }
  if (rc != SQLITE_DONE) return with_context(sqlite::last_error(db, Errc::malformed), "not a case file");
  return out;
}

Result<std::string> expected_schema() {
  auto db = sqlite::open_memory();
  if (!db) return db.error();
  if (auto made = create_schema(db->get()); !made) return made.error();
  return schema_text(db->get());
}

// The bytes may come from anybody. Equal schema text means that no trigger, view, generated column or virtual table of foreign
// making can run; quick_check means that no page is used twice or points outside the file.
Result<void> verify(sqlite3* db) {
  const auto expected = expected_schema();
  if (!expected) return expected.error();
  const auto actual = schema_text(db);
  if (!actual) return Error{Errc::malformed, actual.error().context};
  if (*actual != *expected) return Error{Errc::malformed, "not a case file that this build reads: its schema differs"};
  auto version = sqlite::Statement::prepare(db, "select value from meta where key = 'schema_version'");
  if (!version || sqlite3_step(version->get()) != SQLITE_ROW ||
      value_of(version->get(), 0) != SqlValue{std::to_string(kSchemaVersion)})
    return Error{Errc::malformed, "not a case file that this build reads: its schema version is not " + std::to_string(kSchemaVersion)};
  auto check = sqlite::Statement::prepare(db, "pragma quick_check(1)");
  if (!check || sqlite3_step(check->get()) != SQLITE_ROW || value_of(check->get(), 0) != SqlValue{std::string{"ok"}})
    return Error{Errc::malformed, "the case file is damaged"};
  return {};
}

}  // namespace

struct CaseFile::Impl {
  sqlite::Db db;
};

CaseFile::CaseFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CaseFile::~CaseFile() = default;
CaseFile::CaseFile(CaseFile&&) noexcept = default;
CaseFile& CaseFile::operator=(CaseFile&&) noexcept = default;

namespace {

// Views that nearly every rule asks, in the order in which they build on each other.
constexpr std::string_view kKept[] = {"subject",        "lineage",        "subject_events", "onset",       "subject_kills",    "main_ends",
                                      "limit_owners",   "limit_readings", "limit_at_onset", "limit_before", "limit_changed_at", "subject_series",
                                      "subject_use",    "use_before",     "growers"};

// Answers each of them once, into temporary tables of the same name: nested views would be worked out again for every rule. The
// file itself keeps its views, so any other tool can ask the same. subject_series stays a view; its rows are many.
Result<void> keep_views(sqlite3* db) {
  if (auto r = sqlite::exec(db, "pragma temp_store = memory"); !r) return r;
  for (const auto name : kKept) {
    auto query = sqlite::Statement::prepare(db, "select sql from sqlite_schema where type = 'view' and name = ?");
    if (!query) return query.error();
    query->bind(name);
    if (sqlite3_step(query->get()) != SQLITE_ROW) return Error{Errc::malformed, "view " + std::string{name} + " is missing"};
    const SqlValue sql = value_of(query->get(), 0);
    const std::string& text = std::get<std::string>(sql);
    const std::string body = text.substr(text.find(" as") + 3);
    const std::string what = name == "subject_series" ? "create temp view " : "create temp table ";
    if (auto r = sqlite::exec(db, what + std::string{name} + " as" + body); !r) return with_context(r.error(), name);
  }
  return {};
}

// The connection as every query finds it. The budget bounds what a hostile file can make the views cost.
Result<void> make_read_only(sqlite3* db) {
  if (auto functions = sqlite::add_functions(db); !functions) return functions;
  Budget budget{.steps_left = kMaxLoadSteps, .memory_at_start = sqlite3_memory_used()};
  sqlite3_progress_handler(db, kStepsPerCheck, on_progress, &budget);
  const auto kept = keep_views(db);
  sqlite3_progress_handler(db, 0, nullptr, nullptr);
  if (!kept) return kept;
  if (auto pragma = sqlite::exec(db, "pragma query_only = on"); !pragma) return pragma;
  sqlite3_set_authorizer(db, authorize, nullptr);
  return {};
}

}  // namespace

Result<CaseFile> CaseFile::build(const IncidentFacts& facts) {
  auto db = sqlite::open_memory();
  if (!db) return db.error();
  if (auto r = create_schema(db->get()); !r) return with_context(r.error(), "case file schema");
  if (auto r = write_facts(db->get(), facts); !r) return with_context(r.error(), "case file");
  if (auto r = make_read_only(db->get()); !r) return r.error();
  return CaseFile{std::make_unique<Impl>(Impl{std::move(*db)})};
}

Result<CaseFile> CaseFile::load(const std::string& bytes) {
  if (bytes.size() > kMaxFileBytes) return Error{Errc::malformed, "not a case file: larger than 256 MiB"};
  if (bytes.size() < 512 || std::memcmp(bytes.data(), "SQLite format 3", 16) != 0)
    return Error{Errc::malformed, "not a case file: it does not begin like an SQLite database"};
  auto db = sqlite::open_memory();
  if (!db) return db.error();
  auto* copy = static_cast<unsigned char*>(sqlite3_malloc64(bytes.size()));
  if (copy == nullptr) return Error{Errc::too_large, "no memory for the case file"};
  std::memcpy(copy, bytes.data(), bytes.size());
  const auto size = static_cast<sqlite3_int64>(bytes.size());
  if (sqlite3_deserialize(db->get(), "main", copy, size, size, SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY) != SQLITE_OK)
    return Error{Errc::malformed, "not a case file"};
  // A damaged file must not make the check itself run for long.
  Budget budget{.steps_left = kMaxLoadSteps, .memory_at_start = sqlite3_memory_used()};
  sqlite3_progress_handler(db->get(), kStepsPerCheck, on_progress, &budget);
  sqlite::exec(db->get(), "pragma cell_size_check = on");
  const auto verified = verify(db->get());
  sqlite3_progress_handler(db->get(), 0, nullptr, nullptr);
  if (!verified) return verified.error();
  if (auto r = make_read_only(db->get()); !r) return Error{Errc::malformed, r.error().context};
  return CaseFile{std::make_unique<Impl>(Impl{std::move(*db)})};
}

std::string CaseFile::serialize() const {
  sqlite3_int64 size = 0;
  struct Free { void operator()(unsigned char* p) const noexcept { sqlite3_free(p); } };
  sqlite3_set_authorizer(impl_->db.get(), nullptr, nullptr);   // it asks "pragma page_count" itself
  const std::unique_ptr<unsigned char, Free> bytes{sqlite3_serialize(impl_->db.get(), "main", &size, 0)};
  sqlite3_set_authorizer(impl_->db.get(), authorize, nullptr);
  FW_ASSERT(bytes != nullptr, "serializing a case file in memory needs memory only");
  std::string out(static_cast<std::size_t>(size), '\0');
  std::memcpy(out.data(), bytes.get(), out.size());
  return out;
}

Result<SqlTable> CaseFile::query(std::string_view sql, const std::vector<std::pair<std::string, SqlValue>>& params,
                                 const SqlLimits& limits) const {
  sqlite3* db = impl_->db.get();
  Budget budget{.steps_left = limits.max_steps, .memory_at_start = sqlite3_memory_used()};
  sqlite3_stmt* raw = nullptr;
  const char* tail = nullptr;
  const int prepared = sqlite3_prepare_v2(db, sql.data(), static_cast<int>(std::min(sql.size(), std::size_t{1} << 20U)), &raw, &tail);
  const std::unique_ptr<sqlite3_stmt, sqlite::Finalize> stmt{raw};
  if (prepared != SQLITE_OK) return sqlite::last_error(db, Errc::invalid_argument);
  if (!stmt) return Error{Errc::invalid_argument, "the query is empty"};
  const std::string_view rest = sql.substr(static_cast<std::size_t>(tail - sql.data()));
  if (rest.find_first_not_of(" \t\r\n;") != std::string_view::npos) return Error{Errc::invalid_argument, "one statement at a time"};
  if (sqlite3_stmt_readonly(raw) == 0) return Error{Errc::invalid_argument, "a case file is read-only"};
  for (const auto& [name, value] : params) {
    const int at = sqlite3_bind_parameter_index(raw, name.c_str());
    if (at > 0 && bind_value(raw, at, value) != SQLITE_OK) return sqlite::last_error(db, Errc::invalid_argument);
  }

  SqlTable table;
  const int columns = sqlite3_column_count(raw);
  for (int i = 0; i < columns; ++i) table.columns.emplace_back(sqlite3_column_name(raw, i));
  sqlite3_progress_handler(db, kStepsPerCheck, on_progress, &budget);
  std::size_t result_bytes = 0;
  int rc = SQLITE_ROW;
  while ((rc = sqlite3_step(raw)) == SQLITE_ROW) {
    if (table.rows.size() == limits.max_rows) {
      table.truncated = true;
      break;
    }
    auto& row = table.rows.emplace_back();
    for (int i = 0; i < columns; ++i) {
      row.push_back(value_of(raw, i));
      const auto* text = std::get_if<std::string>(&row.back());
      result_bytes += sizeof(SqlValue) + (text == nullptr ? 0 : text->size());
    }
    if (result_bytes > kMaxResultBytes) break;
  }
  sqlite3_progress_handler(db, 0, nullptr, nullptr);
  if (result_bytes > kMaxResultBytes) return Error{Errc::too_large, "the answer is larger than 16 MiB"};
  if (rc == SQLITE_INTERRUPT)
    return Error{Errc::too_large, budget.out_of_memory
                                      ? std::string{"the query needs more than 256 MiB of memory"}
                                      : "the query needs more than " + std::to_string(limits.max_steps) + " steps"};
  if (rc == SQLITE_TOOBIG || rc == SQLITE_NOMEM) return sqlite::last_error(db, Errc::too_large);
  if (rc != SQLITE_DONE && rc != SQLITE_ROW) return sqlite::last_error(db, Errc::invalid_argument);
  return table;
}

}  // namespace fw::agents
