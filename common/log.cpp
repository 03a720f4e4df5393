#include "common/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <cstdio>
#include <memory>
#include <mutex>
#include <utility>

namespace fw::log {

namespace {

spdlog::level::level_enum to_spdlog(Level level) noexcept {
  switch (level) {
    case Level::trace: return spdlog::level::trace;
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warn: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

Level from_spdlog(spdlog::level::level_enum level) noexcept {
  for (const auto ours : {Level::trace, Level::debug, Level::info, Level::warn, Level::error}) {
    if (to_spdlog(ours) == level) return ours;
  }
  return Level::info;
}

// Lines to stderr, or to the function that a test has set.
class OutputSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void set(std::function<void(Level, std::string_view)> output) {
    const std::lock_guard lock(mutex_);
    output_ = std::move(output);
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string_view line(message.payload.data(), message.payload.size());
    if (output_) return output_(from_spdlog(message.level), line);
    std::fwrite(line.data(), 1, line.size(), stderr);
    std::fputc('\n', stderr);
  }
  void flush_() override { std::fflush(stderr); }

 private:
  std::function<void(Level, std::string_view)> output_;
};

struct State {
  std::shared_ptr<OutputSink> sink = std::make_shared<OutputSink>();
  spdlog::logger logger{"fleetwright", sink};
  std::atomic<Format> format{Format::text};
};

// Never destroyed: destructors of static objects may still log.
State& state() {
  static auto& instance = *new State;
  return instance;
}

void write_line(Level level, std::string_view message, Fields fields, std::uint64_t hidden) {
  auto& to = state();
  const auto line = render(to.format, level, SystemClock{}.wall_ns(), message, fields, hidden);
  to.logger.log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

void configure(Level level, Format format) {
  state().format = format;
  state().logger.set_level(to_spdlog(level));
}

bool enabled(Level level) noexcept { return state().logger.should_log(to_spdlog(level)); }

void write(Level level, std::string_view message, Fields fields) {
  if (enabled(level)) write_line(level, message, fields, 0);
}

void write(Limiter& limiter, Level level, std::string_view message, Fields fields) {
  if (!enabled(level)) return;
  if (const auto hidden = limiter.admit()) write_line(level, message, fields, *hidden);
}

Limiter::Limiter(const Clock& clock, std::chrono::seconds period)
    : clock_(clock), period_ns_(static_cast<std::uint64_t>(std::chrono::nanoseconds(period).count())) {}

std::optional<std::uint64_t> Limiter::admit() noexcept {
  const auto now = clock_.mono_ns();
  auto next = next_ns_.load();
  if (now < next || !next_ns_.compare_exchange_strong(next, now + period_ns_)) {
    ++hidden_;
    return std::nullopt;
  }
  return hidden_.exchange(0);
}

void set_output(std::function<void(Level, std::string_view line)> output) { state().sink->set(std::move(output)); }

}  // namespace fw::log
