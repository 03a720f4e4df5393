// Text forms of configuration values: "10s", "64MiB", "true". Pure.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace fw::config {

// A number with a unit: ms, s, m or h. "0" needs none. Errc::malformed
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
// A number with or without a unit: B, KiB, MiB, GiB, TiB. Errc::malformed
Result<std::uint64_t> parse_bytes(std::string_view text);
Result<std::int64_t> parse_integer(std::string_view text);
Result<bool> parse_boolean(std::string_view text);  // only true and false: YAML's "no" and "off" surprise people

// The largest unit that divides the value: 90000 ms is "90s", 65536 bytes are "64KiB". The parsers read them back.
std::string print_duration(std::chrono::milliseconds value);
std::string print_bytes(std::uint64_t value);

// The candidate that a typing error most likely meant, or "" when none is near.
std::string_view nearest(std::string_view text, const std::vector<std::string_view>& candidates);

}  // namespace fw::config
