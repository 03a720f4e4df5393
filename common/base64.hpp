// Base64 of RFC 4648, section 4: with padding, nothing else allowed. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "common/bytes.hpp"

namespace fw {

std::string encode_base64(ByteView bytes);
std::optional<Bytes> decode_base64(std::string_view text);   // each value has one spelling only

}  // namespace fw
