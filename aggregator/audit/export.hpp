// What an auditor gets: which entries, and what else they mean to other tools. Pure; `fleetwright audit export` does the files.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "aggregator/audit/entry.hpp"
#include "protocol/authority/checkpoint.hpp"

namespace fw::audit {

// A requirement of a standard, and which entries show that it is met.
struct Control {
  std::string_view id;       // "soc2:CC8.1"
  std::string_view title;
  std::string_view verbs;    // beginnings of verbs, separated by blanks; "": all
};
std::span<const Control> controls();
const Control* find_control(std::string_view id);

// UTC, [from_ms, to_ms).
struct Period { std::int64_t from_ms = INT64_MIN, to_ms = INT64_MAX; };
// 2026, 2026Q3, 2026-08, 2026-08-14, or two of them with .. between: both are inside. Errc::invalid_argument.
Result<Period> parse_period(std::string_view text);

struct Selection {
  Period period;
  std::string incident;               // "INC-7"; "": any
  const Control* control = nullptr;   // nullptr: any
};
bool selects(const Selection& selection, const Entry& entry);

// The entry as one line of OCSF 1.1 (class 6003, API Activity), without its end. A reading aid: the proof is about the line as stored.
std::string ocsf_line(const Stored& stored, std::string_view line);

struct ExportInfo {
  authority::Checkpoint head;
  std::string key_hex;                // of the log
  std::string selection;              // in words
  std::uint64_t entries = 0;
  std::string program;                // "fleetwright 0.4.0"
  authority::Digest verifier{};       // SHA-256 of the verifier that lies beside
};
std::string readme_text(const ExportInfo& info);
std::string_view second_verifier();   // the text of tools/verify/fleetwright_verify.py

}  // namespace fw::audit
