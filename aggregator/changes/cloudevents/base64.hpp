// Base64 of RFC 4648, section 4: with padding, nothing else allowed.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace fw::changes::cloudevents {

std::optional<std::string> decode_base64(std::string_view text);

}  // namespace fw::changes::cloudevents
