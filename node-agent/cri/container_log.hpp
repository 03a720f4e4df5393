// The last words of a container, from the log file that its runtime writes.
#pragma once
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace fw::cri {

inline constexpr std::size_t kLogTailBytes = 16 << 10;   // read from the end of the file
inline constexpr std::size_t kLogLines = 5;
inline constexpr std::size_t kLogTextBytes = 1 << 10;    // of those lines; the end is kept

// Pure. What the container wrote, from lines "2026-11-24T19:00:00.123456789Z stderr F text": P lines are joined with what follows, every other
// line is skipped, so that a file which is not such a log gives nothing. whole_file: false when the first line may be cut.
std::string container_output(std::string_view log, bool whole_file);

// Pure. At most kLogLines lines and kLogTextBytes bytes from the end, as wire text.
std::string last_lines(std::string_view text);

// At most kLogTailBytes of a regular file. Errors: gone, permission, unsupported (not a regular file), io. Blocking: reads a file.
struct LogTailText {
  std::string text;
  bool whole_file = false;
};
Result<LogTailText> read_log_tail(const std::string& path);

}  // namespace fw::cri
