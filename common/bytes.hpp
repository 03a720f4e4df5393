// Bytes as values, and a view of bytes that somebody else owns.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace fw {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

}  // namespace fw
