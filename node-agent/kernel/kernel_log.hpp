// The kernel's own words about OOM kills, from /dev/kmsg.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "common/unique_fd.hpp"
#include "protocol/wire/messages.hpp"

namespace fw::kernel {

// "6,1234,98765432,-;text\n SUBSYSTEM=...": one record of /dev/kmsg.
struct LogRecord {
  unsigned level = 0;            // 0 emerg to 7 debug
  std::uint64_t seq = 0;
  std::uint64_t mono_us = 0;     // the log's clock; close to CLOCK_MONOTONIC, not equal
  std::string_view text;         // first line, without continuation fields
};
Result<LogRecord> parse_log_record(std::string_view record);

// "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a/b,task=hog,pid=7,uid=0"
// The kernel prints it before it kills, so it is there when the kill is seen; it is rate limited (10 in 5 s).
struct OomLine {
  wire::OomConstraint constraint = wire::OomConstraint::unknown;
  std::string oom_memcg;         // the cgroup over its limit; "" for other constraints
  std::string task_memcg;        // of the victim
  std::string comm;
  std::uint32_t pid = 0;         // thread id
};
// nullopt: another line. Names may hold commas; they are cut at the next known key.
std::optional<OomLine> parse_oom_line(std::string_view text);

// Reads new records only. Never blocks. Each has its own place in the log. Threading: one thread.
class KernelLog {
 public:
  static Result<KernelLog> open(const std::string& path);   // starts at the end; Errc::permission

  // use(record) for what is new, 1,000 records at most; how many there were. 0: there is no more. The text lives as long as the call.
  std::size_t read(const std::function<void(const LogRecord&)>& use);

  // Takes in what is new and remembers the newest OOM lines (64).
  void drain();
  // The newest line about this thread or process, removed from memory.
  std::optional<OomLine> take(std::uint32_t pid);
  // All remembered lines, oldest first, removed; for when the log is the only source of OOM kills.
  std::vector<OomLine> take_all();

  int fd() const noexcept { return fd_.get(); }
  std::uint64_t lost_total() const noexcept { return lost_total_; }   // records that were overwritten before they were read

 private:
  explicit KernelLog(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
  std::vector<OomLine> lines_;
  std::optional<std::uint64_t> next_seq_;
  std::uint64_t lost_total_ = 0;
};

}  // namespace fw::kernel
