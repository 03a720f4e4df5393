// The door of agents/: case file in, findings out. Pure: no clock, no network, no threads; the same bytes give the same answer.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "agents/casefile/case_file.hpp"
#include "agents/findings.hpp"
#include "common/result.hpp"

namespace fw::agents {

// The failure classes, parsed and checked. Immutable, may be shared between threads.
class Cards {
 public:
  // The cards that are compiled in (agents/<specialist>/cards/*.yaml). Cannot fail: a test loads them all.
  static const Cards& builtin();
  // Built-in cards plus those of a folder; every problem of every file is reported, each as "file:line: text".
  static Result<Cards> load(const std::string& extra_folder);

  struct Impl;
  const Impl& impl() const noexcept { return *impl_; }
  std::size_t size() const noexcept;
  std::vector<std::string> ids() const;

 private:
  std::shared_ptr<const Impl> impl_;
};

Result<Findings> investigate(const CaseFile& case_file, const Cards& cards);

// JSON of findings: the body of GET /api/v1/incidents/ID/explain (docs/api.md) and what the store keeps.
std::string to_json(const Findings& findings);
Result<Findings> findings_from_json(const std::string& text);

}  // namespace fw::agents
