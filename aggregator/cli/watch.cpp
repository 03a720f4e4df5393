#include "aggregator/cli/watch.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <tuple>

#include <fmt/format.h>

#include "aggregator/cli/render/lists.hpp"
#include "aggregator/cli/term/screen.hpp"
#include "aggregator/cli/term/text.hpp"
#include "aggregator/cli/term/time_format.hpp"

namespace fw::cli {
namespace {

constexpr std::chrono::milliseconds kPollPeriod{500};  // at most two redraws a second

auto shown_of(const Incident& incident) {
  return std::tuple(incident.severity, incident.state, incident.scope, incident.taken_by,
                    incident.suspect ? incident.suspect->id : std::string(),
                    incident.cause ? incident.cause->card : std::string(),
                    incident.cause ? incident.cause->confidence : std::string());
}

// Asks once; a failure makes the state stale, or ends the watch when there is nothing to show yet.
Outcome<void> refresh(Server& server, const std::string& path, WatchState& state, std::int64_t now_ns) {
  const auto body = server.get(path);
  auto incidents = body ? read_incidents(*body) : Result<std::vector<Incident>>(Error(Errc::io, body.error().why));
  if (incidents) {
    state.incidents = std::move(*incidents);
    state.stale_since_ns = 0;
    return {};
  }
  if (state.stale_since_ns == 0) state.stale_since_ns = now_ns;
  state.why_stale = body ? incidents.error().message() : body.error().why;
  return body ? failure_of(incidents.error(), "cannot read the answer of " + state.server) : body.error();
}

Outcome<ExitCode> watch_screen(Session& session, Server& server, const std::string& path, WatchState& state) {
  term::AlternateScreen screen;
  std::string drawn;
  for (;;) {
    auto layout = session.layout();
    const auto size = term::screen_size(STDOUT_FILENO);
    layout.columns = size.columns;
    const auto frame = render_watch(state, layout, size.rows, session.now_ns());
    if (frame != drawn) screen.draw(frame);
    drawn = frame;
    const auto input = screen.wait(kPollPeriod);
    if (input == term::AlternateScreen::Input::quit) return ExitCode::ok;
    if (input == term::AlternateScreen::Input::redraw) drawn.clear();
    (void)refresh(server, path, state, session.now_ns());  // a failure is shown in the frame
  }
}

Outcome<ExitCode> watch_lines(Session& session, Server& server, const std::string& path, WatchState& state, bool all) {
  std::vector<Incident> printed;
  if (!all)
    std::copy_if(state.incidents.begin(), state.incidents.end(), std::back_inserter(printed),
                 [](const Incident& i) { return !i.unfinished(); });
  auto layout = session.layout();
  bool said_stale = false;
  for (;;) {
    const auto text =
        render::incidents(changed_incidents(printed, state.incidents), layout,
                          session.wide() ? render::Detail::wide : render::Detail::normal, session.now_ns());
    if (!text.empty() && !term::write_all(STDOUT_FILENO, text)) return ExitCode::ok;  // the reader went away
    layout.header = false;
    printed = state.incidents;
    if (std::exchange(said_stale, state.stale_since_ns != 0) != (state.stale_since_ns != 0)) {
      session.say(said_stale ? "fleetwright: no answer, trying again: " + term::escape(state.why_stale) + "\n"
                             : "fleetwright: the server answers again\n");
    }
    // An error event on stdout means that its reader is gone.
    pollfd output{STDOUT_FILENO, 0, 0};
    if (::poll(&output, 1, static_cast<int>(kPollPeriod.count())) > 0) return ExitCode::ok;
    (void)refresh(server, path, state, session.now_ns());
  }
}

}  // namespace

std::string render_watch(const WatchState& state, const term::Layout& layout, std::size_t rows, std::int64_t now_ns) {
  const auto open =
      std::count_if(state.incidents.begin(), state.incidents.end(), [](const Incident& i) { return i.unfinished(); });
  auto title = fmt::format("{}  {} unfinished", state.server, open);
  std::string out =
      term::paint(term::truncate(term::escape(title), layout.columns), term::Role::bold, layout.ink) + "\n";
  if (state.stale_since_ns != 0) {
    const auto text = fmt::format("stale for {}: {}", term::age(state.stale_since_ns, now_ns), state.why_stale);
    out += term::paint(term::truncate(term::escape(text), layout.columns), term::Role::bad, layout.ink) + "\n";
  }
  out += "\n" + (state.incidents.empty() ? std::string("No unfinished incident.\n")
                                         : render::incidents(state.incidents, layout, render::Detail::normal, now_ns));
  const std::string footer = "\nq or Ctrl-C ends; `fleetwright show ID` tells more";
  const auto room = rows > 3 ? rows - 2 : rows;
  std::size_t end = 0;
  for (std::size_t line = 0; line < room; ++line) {
    const auto next = out.find('\n', end);
    if (next == std::string::npos) break;
    end = next + 1;
  }
  return out.substr(0, end) + term::truncate(footer, layout.columns + 1);
}

std::vector<Incident> changed_incidents(const std::vector<Incident>& before, const std::vector<Incident>& now) {
  std::vector<Incident> out;
  // Oldest first: appended lines read in the order of events.
  for (auto incident = now.rbegin(); incident != now.rend(); ++incident) {
    const auto old =
        std::find_if(before.begin(), before.end(), [&](const Incident& b) { return b.id == incident->id; });
    if (old == before.end() || shown_of(*old) != shown_of(*incident)) out.push_back(*incident);
  }
  return out;
}

Outcome<ExitCode> watch(Session& session, const WatchOptions& options) {
  const auto server = session.server();
  if (!server) return server.error();
  // Lines tell the end of an incident, too; the screen just stops showing it.
  const bool ask_all = options.all || !session.layout().for_people;
  const auto path = fmt::format("/api/v1/incidents?{}limit={}", ask_all ? "all=true&" : "", options.limit);
  WatchState state;
  state.server = (*server)->context().server;
  if (const auto first = refresh(**server, path, state, session.now_ns()); !first) return first.error();
  if (session.layout().for_people) return watch_screen(session, **server, path, state);
  return watch_lines(session, **server, path, state, options.all);
}

}  // namespace fw::cli
