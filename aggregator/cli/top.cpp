#include "aggregator/cli/top.hpp"

#include <unistd.h>

#include <chrono>

#include <fmt/format.h>

#include "aggregator/cli/query.hpp"
#include "aggregator/cli/render/live.hpp"
#include "aggregator/cli/term/screen.hpp"
#include "aggregator/cli/term/text.hpp"
#include "aggregator/cli/term/time_format.hpp"

namespace fw::cli {
namespace {

constexpr std::chrono::milliseconds kPeriod{2'000};

Outcome<void> refresh(Server& server, const std::string& path, TopState& state, std::int64_t now_ns) {
  const auto body = server.get(path);
  auto top = body ? read_top(*body) : Result<Top>(Error(Errc::io, body.error().why));
  if (top) {
    state.top = std::move(*top);
    state.stale_since_ns = 0;
    return {};
  }
  if (state.stale_since_ns == 0) state.stale_since_ns = now_ns;
  state.why_stale = body ? top.error().message() : body.error().why;
  return body ? failure_of(top.error(), "cannot read the answer of " + state.server) : body.error();
}

Outcome<ExitCode> top_screen(Session& session, Server& server, const std::string& path, TopState& state) {
  const auto detail = session.wide() ? render::Detail::wide : render::Detail::normal;
  term::AlternateScreen screen;
  for (;;) {
    auto layout = session.layout();
    const auto size = term::screen_size(STDOUT_FILENO);
    layout.columns = size.columns;
    screen.draw(render_top_frame(state, layout, size.rows, session.now_ns(), detail));
    if (screen.wait(kPeriod) == term::AlternateScreen::Input::quit) return ExitCode::ok;
    (void)refresh(server, path, state, session.now_ns());  // a failure is shown in the frame
  }
}

}  // namespace

std::string TopOptions::path() const {
  auto out = fmt::format("/api/v1/top?of={}&sort={}&limit={}", of, sort, limit);
  if (!node.empty()) out += "&node=" + query_value(node);
  return out;
}

std::string render_top_frame(const TopState& state, const term::Layout& layout, std::size_t rows, std::int64_t now_ns,
                             render::Detail detail) {
  const auto shown = static_cast<std::int64_t>(state.top.rows.size());
  const auto title =
      fmt::format("{}  {}{} by {}", state.server, shown,
                  state.top.of > shown ? fmt::format(" of {}", state.top.of) : std::string(), state.sort);
  std::string out =
      term::paint(term::truncate(term::escape(title), layout.columns), term::Role::bold, layout.ink) + "\n";
  if (state.stale_since_ns != 0) {
    const auto text = fmt::format("stale for {}: {}", term::age(state.stale_since_ns, now_ns), state.why_stale);
    out += term::paint(term::truncate(term::escape(text), layout.columns), term::Role::bad, layout.ink) + "\n";
  }
  out += "\n" + (state.top.rows.empty() ? std::string("No sample yet.\n") : render::top(state.top, layout, detail));
  const auto room = rows > 3 ? rows - 2 : rows;
  std::size_t end = 0;
  for (std::size_t line = 0; line < room; ++line) {
    const auto next = out.find('\n', end);
    if (next == std::string::npos) break;
    end = next + 1;
  }
  return out.substr(0, end) + term::truncate("\nq or Ctrl-C ends; `fleetwright series NODE/NAME METRIC` tells more",
                                             layout.columns + 1);
}

Outcome<ExitCode> top(Session& session, const TopOptions& options) {
  const auto server = session.server();
  if (!server) return server.error();
  const auto path = options.path();
  const bool once = options.once || !session.layout().for_people || session.format() == Format::json ||
                    session.format() == Format::name;
  if (session.format() == Format::json) {
    const auto body = (*server)->get(path);
    if (!body) return body.error();
    session.print_json(*body);
    return ExitCode::ok;
  }
  TopState state;
  state.server = (*server)->context().server;
  state.sort = options.sort;
  if (const auto first = refresh(**server, path, state, session.now_ns()); !first) return first.error();
  if (!once) return top_screen(session, **server, path, state);
  if (session.format() == Format::name) {
    std::vector<std::string> names;
    for (const auto& row : state.top.rows) names.push_back(row.kind == "node" ? row.node : row.node + "/" + row.name);
    session.print(render::names(options.of == "nodes" ? "node" : "container", names));
    return ExitCode::ok;
  }
  if (!state.top.rows.empty() || session.globals().header) {
    session.print(render::top(state.top, session.layout(), session.wide() ? render::Detail::wide : render::Detail::normal));
  }
  if (state.top.rows.empty()) session.say("No sample yet. `fleetwright nodes` tells whether nodes are connected.\n");
  return ExitCode::ok;
}

}  // namespace fw::cli
