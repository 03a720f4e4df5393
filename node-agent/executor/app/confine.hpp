// Fewer rights after start: exact capabilities, and a list of system calls whose every absentee ends the process.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace fw::executor {

// Observing needs none; acting needs CAP_KILL: signals to processes of other users.
enum class Rights : std::uint8_t { observe, act };
std::vector<unsigned> capabilities_for(Rights rights);

// no_new_privs, every capability but the table's given up (also for children), then what is held is compared with the table.
// Errc::permission: one of the table is missing, or one more is held and could not be given up.
Result<void> drop_capabilities(Rights rights);

// From here on: only what actions, journal and socket need; everything else kills the process. No way back. Memory is never executable
// and writable; no file descriptor of a new kind (socket, bpf, ptrace, mount, process) can come to be.
Result<void> forbid_system_calls();

// The names of what stays allowed; for the documentation and tests.
std::vector<std::string_view> allowed_system_calls();

}  // namespace fw::executor
