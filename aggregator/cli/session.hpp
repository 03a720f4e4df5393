// What every command gets: how to answer, and the way to the server. Streams are stdout and stderr: stdout is data
// only.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "aggregator/cli/context.hpp"
#include "aggregator/cli/failure.hpp"
#include "aggregator/cli/server.hpp"
#include "aggregator/cli/term/style.hpp"
#include "aggregator/cli/term/table.hpp"
#include "common/clock.hpp"

namespace fw::cli {

enum class Format { text, wide, json, name };

// The flags that every command has.
struct Globals {
  std::optional<std::string> context, server;
  Format format = Format::text;
  term::ColorMode color = term::ColorMode::automatic;
  bool header = false;
};

class Session {
 public:
  Session(const Globals& globals, Environment environment, const Clock& clock);

  Format format() const noexcept { return globals_.format; }
  bool wide() const noexcept { return globals_.format == Format::wide; }
  const term::Layout& layout() const noexcept { return layout_; }
  const Globals& globals() const noexcept { return globals_; }
  const Environment& environment() const noexcept { return environment_; }
  std::int64_t now_ns() const { return clock_.wall_ns(); }

  std::string folder() const { return config_folder(environment_); }
  Outcome<Context> context() const;
  Outcome<Server*> server();  // opened at the first call; owned by the session

  void print(std::string_view text) const;       // data
  void print_long(std::string_view text) const;  // data, through the pager on a terminal
  void print_json(std::string_view body) const;  // the API's bytes, ending with a newline
  void say(std::string_view text) const;         // a word to the person: stderr

  bool can_ask() const;                                      // a person sits there: stdin and stderr are a terminal
  std::optional<std::string> ask(std::string_view question) const;  // one line from stdin; nothing at its end
  void sleep_ms(std::int64_t ms) const;                      // between two questions to the server

 private:
  Globals globals_;
  Environment environment_;
  const Clock& clock_;
  term::Layout layout_;
  std::unique_ptr<Server> server_;
};

}  // namespace fw::cli
