// Which texts a signed document may hold: what people read must be what is there.
#pragma once
#include <cstdint>
#include <string_view>

namespace fw::authority {

// name: one line. prose: line ends as well, and the joiners that some scripts need.
enum class TextKind : std::uint8_t { name, prose };

// Valid UTF-8 (no overlong forms, no surrogates) without control characters, and without the invisible ones that turn or split what a
// terminal shows (bidi controls, zero-width spaces, line separators): two texts that look alike would not be alike.
bool is_document_text(std::string_view text, TextKind kind);

}  // namespace fw::authority
