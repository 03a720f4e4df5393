#include "node-agent/executor/app/log.hpp"

#include <unistd.h>

namespace fw::executor {
namespace {

log::Level g_level = log::Level::info;      // one thread
log::Format g_format = log::Format::text;

}  // namespace

void configure_log(log::Level level, log::Format format) {
  g_level = level;
  g_format = format;
}

void say(log::Level level, std::string_view message, log::Fields fields) {
  if (level < g_level) return;
  const auto line = log::render(g_format, level, SystemClock().wall_ns(), message, fields) + "\n";
  // What stderr does not take is lost: a full pipe must not hold up a restore.
  (void)!::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace fw::executor
