// Text that people see: making foreign text harmless, and measuring it in terminal columns. Pure; thread-safe.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fw::cli::term {

// The one door for text that came from a server, a case file or a card: the result is valid UTF-8 in one line that
// cannot move the cursor, change colours or reorder what is read. Control characters, line and paragraph separators,
// bidi controls, invisible characters and bytes that are not UTF-8 become visible escapes (\n, \x1b, \u{202e}); a third
// combining mark in a row, too. Backslashes stay as they are: commands are meant to be copied.
std::string escape(std::string_view text);

// As escape, but line breaks stay: for our own lists of lines that hold foreign words.
std::string escape_lines(std::string_view text);

// Terminal columns of text (wide characters are two). For escaped text; anything else counts as one column per
// character.
std::size_t display_width(std::string_view text);

// The longest prefix of whole characters in at most `columns`, ending with "~" when something was cut. ASCII, so that a
// terminal without UTF-8 shows it, too.
std::string truncate(std::string_view text, std::size_t columns);

// Breaks at blanks so that no line is wider than `columns`; a word wider than that stays whole, since it may be a
// command.
std::vector<std::string> wrap(std::string_view text, std::size_t columns);

}  // namespace fw::cli::term
