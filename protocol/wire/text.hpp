// Text on the wire is UTF-8 without NUL; names from the kernel are any bytes.
#pragma once
#include <string>
#include <string_view>

namespace fw::wire {

bool is_wire_text(std::string_view text);              // valid UTF-8 (no overlong forms, no surrogates) and no NUL byte

// What the agent sends for a name from the kernel: each byte that is_wire_text() would refuse becomes '?', so the length stays.
std::string to_wire_text(std::string_view bytes);

}  // namespace fw::wire
