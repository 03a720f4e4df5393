// RFC 3339 times <-> ns since the Unix epoch.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace fw::changes {

// With any offset and fraction (digits beyond ns are cut). Errc::malformed, also outside 1970-01-01 .. 2261-12-31.
Result<std::int64_t> parse_rfc3339(std::string_view text);

// UTC with milliseconds: "2026-11-24T02:47:03.120Z".
std::string format_rfc3339(std::int64_t wall_ns);

}  // namespace fw::changes
