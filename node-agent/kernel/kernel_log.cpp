#include "node-agent/kernel/kernel_log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "node-agent/kernel/text.hpp"

namespace fw::kernel {
namespace {

constexpr std::size_t kRememberedLines = 64;
constexpr std::size_t kRecordBytes = 8192;   // the kernel's CONSOLE_EXT_LOG_MAX
constexpr std::size_t kRecordsPerDrain = 1000;

// The text between key and the earliest of the keys that can follow.
template <std::size_t N>
std::string_view field(std::string_view text, std::string_view key, const std::array<std::string_view, N>& next) {
  const auto at = text.find(key);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + key.size());
  auto end = text.size();
  for (const auto word : next) end = std::min(end, text.find(word));
  return text.substr(0, end);
}

wire::OomConstraint constraint_of(std::string_view word) {
  if (word == "CONSTRAINT_MEMCG") return wire::OomConstraint::memcg;
  if (word == "CONSTRAINT_CPUSET" || word == "CONSTRAINT_MEMORY_POLICY") return wire::OomConstraint::cpuset;
  if (word == "CONSTRAINT_NONE") return wire::OomConstraint::node;
  return wire::OomConstraint::unknown;
}

}  // namespace

Result<LogRecord> parse_log_record(std::string_view record) {
  const auto semicolon = record.find(';');
  if (semicolon == std::string_view::npos) return Error{Errc::malformed, "kernel log record: no ';'"};
  auto head = record.substr(0, semicolon);
  record.remove_prefix(semicolon + 1);
  const auto priority = to_number<unsigned>(take_until(head, ','));   // and the facility above its three bits
  const auto seq = to_number<std::uint64_t>(take_until(head, ','));
  const auto time = to_number<std::uint64_t>(take_until(head, ','));
  if (!priority || !seq || !time) return Error{Errc::malformed, "kernel log record: bad priority, sequence number or time"};
  return LogRecord{*priority & 7U, *seq, *time, take_line(record)};
}

std::optional<OomLine> parse_oom_line(std::string_view text) {
  constexpr std::string_view kStart = "oom-kill:";
  if (!text.starts_with(kStart)) return std::nullopt;
  text.remove_prefix(kStart.size());
  constexpr std::array kComma{std::string_view{","}};
  constexpr std::array kAfterOomMemcg{std::string_view{",task_memcg="}};
  constexpr std::array kAfterTaskMemcg{std::string_view{",task="}};
  OomLine line;
  line.constraint = constraint_of(field(text, "constraint=", kComma));
  // The victim's name comes last but two and may hold anything, so pid and name are looked for from the end.
  const auto pid_at = text.rfind(",pid=");
  const auto task_at = text.rfind(",task=", pid_at);
  if (pid_at == std::string_view::npos || task_at == std::string_view::npos) return std::nullopt;
  const auto pid = to_number<std::uint32_t>(trimmed(field(text.substr(pid_at), ",pid=", std::array{std::string_view{",uid="}})));
  if (!pid) return std::nullopt;
  line.pid = *pid;
  line.comm = text.substr(task_at + 6, pid_at - task_at - 6);
  line.oom_memcg = field(text, ",oom_memcg=", kAfterOomMemcg);
  line.task_memcg = field(text, ",task_memcg=", kAfterTaskMemcg);
  return line;
}

Result<KernelLog> KernelLog::open(const std::string& path) {
  UniqueFd fd{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
  if (!fd.valid()) return errno_error(errno, path);
  if (::lseek(fd.get(), 0, SEEK_END) < 0) return errno_error(errno, path);
  return KernelLog{std::move(fd)};
}

std::size_t KernelLog::read(const std::function<void(const LogRecord&)>& use) {
  std::array<char, kRecordBytes> buffer;
  std::size_t records = 0;
  while (records < kRecordsPerDrain) {
    const auto got = ::read(fd_.get(), buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EPIPE)) continue;   // EPIPE: overwritten meanwhile; the next read starts at the oldest left, seq shows how many
    if (got <= 0) break;
    ++records;
    const auto record = parse_log_record({buffer.data(), static_cast<std::size_t>(got)});
    if (!record) continue;
    if (next_seq_ && record->seq > *next_seq_) lost_total_ += record->seq - *next_seq_;
    next_seq_ = record->seq + 1;
    use(*record);
  }
  return records;
}

void KernelLog::drain() {
  read([this](const LogRecord& record) {
    auto line = parse_oom_line(record.text);
    if (!line) return;
    if (lines_.size() == kRememberedLines) lines_.erase(lines_.begin());
    lines_.push_back(std::move(*line));
  });
}

std::optional<OomLine> KernelLog::take(std::uint32_t pid) {
  const auto found = std::find_if(lines_.rbegin(), lines_.rend(), [&](const OomLine& line) { return line.pid == pid; });
  if (found == lines_.rend()) return std::nullopt;
  auto line = std::move(*found);
  lines_.erase(std::next(found).base());
  return line;
}

std::vector<OomLine> KernelLog::take_all() { return std::exchange(lines_, {}); }

}  // namespace fw::kernel
