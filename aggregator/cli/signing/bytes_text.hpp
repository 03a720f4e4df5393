// Bytes as text and back, without a copy; and their base64.
#pragma once
#include <string_view>

#include "common/base64.hpp"
#include "common/bytes.hpp"

namespace fw::cli {

inline ByteView bytes_of(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }
inline std::string_view text_of(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

}  // namespace fw::cli
