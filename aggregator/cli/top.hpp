// The live table of who uses what. Reads only.
#pragma once
#include <string>

#include "aggregator/cli/failure.hpp"
#include "aggregator/cli/live_model.hpp"
#include "aggregator/cli/render/lists.hpp"
#include "aggregator/cli/session.hpp"

namespace fw::cli {

struct TopOptions {
  std::string of = "containers", sort = "cpu", node;
  std::size_t limit = 100;
  bool once = false;
  std::string path() const;  // of the request
};

// On a terminal an alternate screen, asked again every two seconds, until q (0) or Ctrl-C (130); else, with --once and
// with -o json one table. A server that does not answer is shown as stale data with its age, and asked again; the first
// answer must succeed.
Outcome<ExitCode> top(Session& session, const TopOptions& options);

// The frame of one moment, cut to the screen. Pure. `stale_since_ns` is 0 while the server answers.
struct TopState {
  Top top;
  std::int64_t stale_since_ns = 0;
  std::string why_stale, server, sort;
};
std::string render_top_frame(const TopState& state, const term::Layout& layout, std::size_t rows, std::int64_t now_ns,
                             render::Detail detail);

}  // namespace fw::cli
