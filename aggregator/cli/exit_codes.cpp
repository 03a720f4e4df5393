#include "aggregator/cli/exit_codes.hpp"

#include <array>

#include <fmt/format.h>

namespace fw::cli {
namespace {

constexpr std::array kTexts{
    ExitCodeText{ExitCode::ok, "done"},
    ExitCodeText{ExitCode::failure, "failed: no answer, no such object, an I/O error; `doctor` found something broken"},
    ExitCodeText{ExitCode::usage, "wrong usage or configuration; nothing was done"},
    ExitCodeText{ExitCode::unprivileged, "a kernel feature or a privilege is missing"},
    ExitCodeText{ExitCode::needs_approvers, "more people must approve first"},
    ExitCodeText{ExitCode::plan_changed, "the plan changed, expired, was denied or superseded; nothing was done"},
    ExitCodeText{ExitCode::not_authorised, "the server does not accept this person or certificate, or the policy not this key"},
    ExitCodeText{ExitCode::differs,
                 "asked with --exit-code: there is something (`incidents --exit-code`: an unfinished incident; `plan diff`, `policy diff`: a difference)"},
    ExitCodeText{ExitCode::audit_tampered, "the audit log was changed: an entry, a proof or a signature is not good"},
    ExitCodeText{ExitCode::audit_forked, "the audit log has two histories: checkpoints that contradict each other"},
    ExitCodeText{ExitCode::quorum_missing, "too few witnesses saw the audit log's newest checkpoint"},
    ExitCodeText{ExitCode::stale, "what was checked is older than asked for"},
    ExitCodeText{ExitCode::interrupted, "interrupted by Ctrl-C"},
};

}  // namespace

std::span<const ExitCodeText> exit_code_texts() { return kTexts; }

std::string exit_codes_help() {
  std::string out = "Exit codes of all Fleetwright programs:\n\n";
  for (const auto& [code, meaning] : kTexts) out += fmt::format("  {:>3}  {}\n", to_int(code), meaning);
  return out;
}

std::string exit_codes_markdown() {
  std::string out = "| code | meaning |\n|---|---|\n";
  for (const auto& [code, meaning] : kTexts) out += fmt::format("| {} | {} |\n", to_int(code), meaning);
  return out;
}

}  // namespace fw::cli
