// The live list of incidents. Reads only: no key and no answer of the server makes it act.
#pragma once
#include <string>
#include <vector>

#include "aggregator/cli/failure.hpp"
#include "aggregator/cli/model.hpp"
#include "aggregator/cli/session.hpp"

namespace fw::cli {

// On a terminal an alternate screen, redrawn at most twice a second and only when something changed; on a pipe one line
// per incident that is new or changed, finished ones when they change. Ends with q (0), Ctrl-C (130), or when stdout is
// closed. A server that does not answer is shown as stale data with its age, and asked again; the first answer must
// succeed.
struct WatchOptions {
  bool all = false;  // finished incidents from the start
  std::size_t limit = 100;
};
Outcome<ExitCode> watch(Session& session, const WatchOptions& options);

// The frame of one moment, cut to the screen. Pure. `stale_since_ns` is 0 while the server answers.
struct WatchState {
  std::vector<Incident> incidents;
  std::int64_t stale_since_ns = 0;
  std::string why_stale;
  std::string server;
};
std::string render_watch(const WatchState& state, const term::Layout& layout, std::size_t rows, std::int64_t now_ns);

// The incidents of `now` that are new or differ from `before` in what the list shows. Pure.
std::vector<Incident> changed_incidents(const std::vector<Incident>& before, const std::vector<Incident>& now);

}  // namespace fw::cli
