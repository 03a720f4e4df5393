// The log: one line per message on stderr, text then fields.
//
//   log::info("uplink connected", {{"peer", peer}, {"attempt", 3}});
//   2026-11-24T12:00:00.123Z info uplink connected peer=10.0.0.1 attempt=3
//
// Levels: error = a person must act; warn = degraded, continues; info = start, stop, connect, configuration: less than one line per
// minute in steady state; debug and trace for developers. Never per event or sample; what can repeat goes through a Limiter.
// Fields come from anywhere, so they are quoted and escaped: a message is always one line of valid UTF-8.
//
// Threading: thread-safe. Blocking: writes stderr.
#pragma once
#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/clock.hpp"
#include "common/result.hpp"

namespace fw::log {

enum class Level { trace, debug, info, warn, error };
enum class Format { text, json };

std::string_view name_of(Level level) noexcept;
Result<Level> parse_level(std::string_view name);    // Errc::invalid_argument
Result<Format> parse_format(std::string_view name);

// One key=value. Holds views: only for the duration of the call.
class Field {
 public:
  using Value = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool>;
  Field(std::string_view name, std::string_view text) : key(name), value(text) {}
  Field(std::string_view name, const std::string& text) : key(name), value(std::string_view(text)) {}
  Field(std::string_view name, const char* text) : key(name), value(std::string_view(text)) {}
  Field(std::string_view name, bool flag) : key(name), value(flag) {}
  Field(std::string_view name, double number) : key(name), value(number) {}
  template <std::signed_integral T>
  Field(std::string_view name, T number) : key(name), value(static_cast<std::int64_t>(number)) {}
  template <std::unsigned_integral T>
  Field(std::string_view name, T number) : key(name), value(static_cast<std::uint64_t>(number)) {}

  std::string_view key;
  Value value;
};
using Fields = std::initializer_list<Field>;

// Before the first message; the default is info and text.
void configure(Level level, Format format);
bool enabled(Level level) noexcept;

void write(Level level, std::string_view message, Fields fields = {});
inline void error(std::string_view message, Fields fields = {}) { write(Level::error, message, fields); }
inline void warn(std::string_view message, Fields fields = {}) { write(Level::warn, message, fields); }
inline void info(std::string_view message, Fields fields = {}) { write(Level::info, message, fields); }
inline void debug(std::string_view message, Fields fields = {}) { write(Level::debug, message, fields); }
inline void trace(std::string_view message, Fields fields = {}) { write(Level::trace, message, fields); }

// Lets one message per period pass and counts the others; the next one that passes says hidden=N. One per repeating message.
// Thread-safe. The clock must outlive it.
class Limiter {
 public:
  explicit Limiter(const Clock& clock, std::chrono::seconds period = std::chrono::seconds{60});
  // The number of hidden messages since the last one that passed, or nothing: stay silent.
  std::optional<std::uint64_t> admit() noexcept;

 private:
  const Clock& clock_;
  const std::uint64_t period_ns_;
  std::atomic<std::uint64_t> next_ns_{0};
  std::atomic<std::uint64_t> hidden_{0};
};
void write(Limiter& limiter, Level level, std::string_view message, Fields fields = {});

// Pure: the line of one message, without the line end.
std::string render(Format format, Level level, std::int64_t wall_ns, std::string_view message, Fields fields,
                   std::uint64_t hidden = 0);

// Where lines go instead of stderr; an empty function goes back to stderr. For tests.
void set_output(std::function<void(Level, std::string_view line)> output);

}  // namespace fw::log
