// `fleetwright doctor`: is everything there that this person needs? Each finding comes with what mends it.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/cli/model.hpp"
#include "aggregator/cli/session.hpp"

namespace fw::cli {

enum class Level { ok, warn, fail };

struct Finding {
  Level level = Level::ok;
  std::string name;  // "certificate people/alice.crt"
  std::string detail;
  std::string fix;  // empty when ok
};

using Findings = std::vector<Finding>;

// Looks at the contexts file, the keys and certificates (expiry, modes), the server, the person, its readiness, the
// nodes.
Outcome<ExitCode> doctor(Session& session);

// The parts that need no network and no files. Pure.
Finding judge_expiry(const std::string& name, std::int64_t not_before_ns, std::int64_t not_after_ns,
                     std::int64_t now_ns);
void judge_status(const Status& status, const std::string& expected_person, Findings& out);
void judge_nodes(const std::vector<Node>& nodes, std::int64_t now_ns, Findings& out);
std::string render_findings(const Findings& findings, const term::Layout& layout);
std::string findings_json(const Findings& findings);

// Every *.key and *.secret below the folder must be readable by its owner only; every *.crt must be valid. Reads the
// file system.
void judge_files(const std::string& folder, std::int64_t now_ns, Findings& out);

}  // namespace fw::cli
