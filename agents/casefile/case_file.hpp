// An incident's evidence as one in-memory SQLite database (schema.sql, docs/case-file.md).
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "agents/casefile/facts.hpp"
#include "common/result.hpp"

namespace fw::agents {

using SqlValue = std::variant<std::monostate, std::int64_t, double, std::string>;   // monostate: NULL

struct SqlTable {
  std::vector<std::string> columns;
  std::vector<std::vector<SqlValue>> rows;
  bool truncated = false;      // the row limit was reached
};

struct SqlLimits {
  std::size_t max_rows = 1'000;
  std::int64_t max_steps = 20'000'000;   // SQLite virtual machine steps: a limit that needs no clock
};

// Identity: the bytes of serialize(); the same facts give the same bytes. Immutable after build or load.
// Threading: one executor at a time (a SQLite connection); blocking but in memory. Moves are cheap.
// Errors: Errc::malformed for bytes that are not a case file of a version this build reads; Errc::invalid_argument for SQL
// that does not compile, writes, or touches anything but this file; Errc::too_large for a query over its limits.
class CaseFile {
 public:
  static Result<CaseFile> build(const IncidentFacts& facts);
  static Result<CaseFile> load(const std::string& bytes);
  ~CaseFile();
  CaseFile(CaseFile&&) noexcept;
  CaseFile& operator=(CaseFile&&) noexcept;

  std::string serialize() const;

  // Read-only. params are bound by name (":subject").
  Result<SqlTable> query(std::string_view sql, const std::vector<std::pair<std::string, SqlValue>>& params = {},
                         const SqlLimits& limits = {}) const;

 private:
  struct Impl;
  explicit CaseFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fw::agents
