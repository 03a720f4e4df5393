// UTF-8 as RFC 3629 has it: no surrogates, no over-long forms. Pure.
#pragma once
#include <cstddef>
#include <string_view>

namespace fw {

// Length of the well-formed sequence at the start of `text`, 1 to 4 bytes; 0: there is none.
std::size_t utf8_length(std::string_view text) noexcept;
bool valid_utf8(std::string_view text) noexcept;
// Whether a white space of Unicode is in valid UTF-8.
bool has_space(std::string_view text) noexcept;

}  // namespace fw
