#include "node-agent/cri/container_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/unique_fd.hpp"
#include "protocol/wire/text.hpp"

namespace fw::cri {

namespace {

// The next field of a line, up to a blank.
std::string_view take_field(std::string_view& line) {
  const auto blank = line.find(' ');
  const auto field = line.substr(0, blank);
  line.remove_prefix(blank == std::string_view::npos ? line.size() : blank + 1);
  return field;
}

bool is_timestamp(std::string_view text) {
  return text.size() >= 20 && text[4] == '-' && text[7] == '-' && text[10] == 'T' && text[13] == ':' && text[16] == ':';
}

}  // namespace

std::string container_output(std::string_view log, bool whole_file) {
  if (!whole_file) {
    const auto end = log.find('\n');
    log.remove_prefix(end == std::string_view::npos ? log.size() : end + 1);
  }
  std::string output;
  while (!log.empty()) {
    const auto end = log.find('\n');
    auto line = log.substr(0, end);
    log.remove_prefix(end == std::string_view::npos ? log.size() : end + 1);
    if (!is_timestamp(take_field(line))) continue;
    const auto stream = take_field(line);
    const auto tags = take_field(line);   // "F", "P", or more behind a colon
    if ((stream != "stdout" && stream != "stderr") || (tags.substr(0, 1) != "F" && tags.substr(0, 1) != "P")) continue;
    output += line;
    if (tags[0] == 'F') output += '\n';
  }
  return output;
}

std::string last_lines(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  auto end = text.size();   // of the line that is looked at, then its newline
  for (std::size_t line = 0; line < kLogLines; ++line) {
    const auto newline = text.substr(0, end).rfind('\n');
    if (newline == std::string_view::npos) break;
    end = newline;
    if (line + 1 == kLogLines) text.remove_prefix(newline + 1);
  }
  if (text.size() > kLogTextBytes) text.remove_prefix(text.size() - kLogTextBytes);
  return wire::to_wire_text(text);
}

Result<LogTailText> read_log_tail(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (!file.valid()) return errno_error(errno, path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return errno_error(errno, path);
  if (!S_ISREG(status.st_mode)) return Error(Errc::unsupported, path + ": not a regular file");
  const auto size = static_cast<std::size_t>(std::max<off_t>(status.st_size, 0));
  LogTailText tail;
  tail.whole_file = size <= kLogTailBytes;
  tail.text.resize(std::min(size, kLogTailBytes));
  const auto bytes = ::pread(file.get(), tail.text.data(), tail.text.size(), static_cast<off_t>(size - tail.text.size()));
  if (bytes < 0) return errno_error(errno, path);
  tail.text.resize(static_cast<std::size_t>(bytes));
  return tail;
}

}  // namespace fw::cri
