// Times as people and scripts read them. Pure; always UTC.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fw::cli::term {

std::string rfc3339(std::int64_t wall_ns);                        // 2026-11-24T02:47:03.120Z
std::string clock_time(std::int64_t wall_ns);                     // 02:47:03.120, for facts of one incident
std::string age(std::int64_t wall_ns, std::int64_t now_ns);       // 4s, 7m, 3h12m, 5d; "0s" for the future
std::string duration(std::int64_t ns);                            // as age
std::optional<std::int64_t> parse_duration_ns(std::string_view);  // 30s, 15m, 2h, 7d

}  // namespace fw::cli::term
