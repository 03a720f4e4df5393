#include "aggregator/cli/session.hpp"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "aggregator/cli/term/screen.hpp"

namespace fw::cli {

Session::Session(const Globals& globals, Environment environment, const Clock& clock)
    : globals_(globals), environment_(std::move(environment)), clock_(clock) {
  layout_.for_people = term::is_terminal(STDOUT_FILENO);
  layout_.header = globals_.header;
  layout_.columns = term::screen_size(STDOUT_FILENO).columns;
  const term::ColorEnvironment colors{environment_("NO_COLOR"), environment_("CLICOLOR"),
                                      environment_("CLICOLOR_FORCE"), environment_("TERM")};
  layout_.ink = term::decide_color(globals_.color, colors, layout_.for_people);
}

Outcome<Context> Session::context() const {
  const auto file = load_contexts(folder());
  if (!file) return file.error();
  const auto from_environment = environment_("FLEETWRIGHT_CONTEXT");
  auto context = resolve_context(*file, folder(), globals_.context ? globals_.context : from_environment);
  if (context && globals_.server) context->server = *globals_.server;
  return context;
}

Outcome<Server*> Session::server() {
  if (!server_) {
    const auto found = context();
    if (!found) return found.error();
    server_ = std::make_unique<Server>(*found);
  }
  return server_.get();
}

void Session::print(std::string_view text) const { term::write_all(STDOUT_FILENO, text); }
void Session::print_long(std::string_view text) const { term::page(text); }

void Session::print_json(std::string_view body) const {
  print(body);
  if (body.empty() || body.back() != '\n') print("\n");
}

void Session::say(std::string_view text) const { term::write_all(STDERR_FILENO, text); }

bool Session::can_ask() const { return term::is_terminal(STDIN_FILENO) && term::is_terminal(STDERR_FILENO); }

std::optional<std::string> Session::ask(std::string_view question) const {
  constexpr std::size_t kLongest = 4096;
  say(question);
  std::string out;
  for (;;) {
    char c = 0;
    const auto got = ::read(STDIN_FILENO, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    if (c == '\n') return out;
    if (out.size() < kLongest) out += c;
  }
}

void Session::sleep_ms(std::int64_t ms) const { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

}  // namespace fw::cli
