#include "aggregator/cli/failure.hpp"

#include "aggregator/cli/term/text.hpp"

namespace fw::cli {

std::string render_failure(const Failure& failure) {
  std::string out = "fleetwright: " + term::escape(failure.what);
  if (!failure.why.empty()) out += ": " + term::escape(failure.why);
  out += '\n';
  if (!failure.fix.empty()) out += "  fix: " + term::escape(failure.fix) + '\n';
  return out;
}

Failure failure_of(const Error& error, std::string_view what, std::string_view fix) {
  const auto code = error.code == Errc::invalid_argument ? ExitCode::usage : ExitCode::failure;
  return {code, std::string(what), error.message(), std::string(fix)};
}

}  // namespace fw::cli
