// Colour: who decides about it, and the few roles that have one. State is always written as a word, too.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace fw::cli::term {

enum class ColorMode { automatic, always, never };
enum class Role { plain, bold, dim, good, warn, bad };
enum class Ink { off, on };

// --color, then NO_COLOR (set and not empty), CLICOLOR_FORCE (not 0), CLICOLOR=0, TERM=dumb, then whether it is a
// terminal.
struct ColorEnvironment {
  std::optional<std::string> no_color = {}, clicolor = {}, clicolor_force = {}, term = {};
};
Ink decide_color(ColorMode mode, const ColorEnvironment& environment, bool is_terminal);

// `text` must be escaped already.
std::string paint(std::string_view text, Role role, Ink ink);

Role role_of_severity(std::string_view severity);
Role role_of_state(std::string_view state);
Role role_of_confidence(std::string_view confidence);

}  // namespace fw::cli::term
