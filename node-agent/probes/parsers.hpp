// Parsers of what probes read. Pure; any bytes.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace fw::probes {

// Of /proc/PID/stat, behind what kernel::parse_proc_stat reads.
struct TaskTimes {
  std::uint64_t cpu_ticks = 0;      // user and system
  std::uint32_t threads = 0;
};
Result<TaskTimes> parse_task_times(std::string_view stat);

// "a\0b c\0" -> "a b c".
std::string join_argv(std::string_view cmdline);

// "[<0>] io_schedule+0x46/0x70\n..." -> "io_schedule+0x46/0x70;...", innermost first.
std::string join_stack(std::string_view stack);

// Names of /proc/PID/environ; what has no '=' or is no name is left out, for it may be a part of a value.
std::vector<std::string> environment_names_of(std::string_view environ);

// One line of /proc/net/tcp, tcp6, udp or udp6.
struct Socket {
  std::string local, remote;        // "10.0.0.1:80", "[::1]:53"
  std::uint8_t state = 0;           // TCP_* of the kernel
  std::uint64_t send_queue_bytes = 0, receive_queue_bytes = 0, inode = 0;
};
// At most `most` sockets; lines of another form are left out.
std::vector<Socket> parse_sockets(std::string_view text, std::size_t most);
std::string_view state_name(std::uint8_t state) noexcept;   // "ESTABLISHED", "?"

// "socket:[123]" -> 123.
std::optional<std::uint64_t> socket_inode(std::string_view link);

// The last `lines` lines; what stands before the first newline when `from_start` is false is a part of a line and left out.
std::string_view last_lines(std::string_view text, std::size_t lines, bool from_start);

// Addresses of "nameserver" lines, at most 3.
std::vector<std::string> parse_nameservers(std::string_view resolv_conf);

}  // namespace fw::probes
