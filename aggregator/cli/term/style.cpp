#include "aggregator/cli/term/style.hpp"

namespace fw::cli::term {

Ink decide_color(ColorMode mode, const ColorEnvironment& environment, bool is_terminal) {
  if (mode == ColorMode::always) return Ink::on;
  if (mode == ColorMode::never) return Ink::off;
  if (environment.no_color && !environment.no_color->empty()) return Ink::off;
  if (environment.clicolor_force && !environment.clicolor_force->empty() && *environment.clicolor_force != "0")
    return Ink::on;
  if (environment.clicolor && *environment.clicolor == "0") return Ink::off;
  if (environment.term && *environment.term == "dumb") return Ink::off;
  return is_terminal ? Ink::on : Ink::off;
}

std::string paint(std::string_view text, Role role, Ink ink) {
  if (ink == Ink::off || role == Role::plain || text.empty()) return std::string(text);
  std::string_view code;
  switch (role) {
    case Role::plain: break;
    case Role::bold: code = "1"; break;
    case Role::dim: code = "2"; break;
    case Role::good: code = "32"; break;
    case Role::warn: code = "33"; break;
    case Role::bad: code = "31"; break;
  }
  return std::string("\x1b[").append(code).append("m").append(text).append("\x1b[0m");
}

Role role_of_severity(std::string_view severity) {
  if (severity == "critical") return Role::bad;
  if (severity == "major") return Role::warn;
  return Role::plain;
}

Role role_of_state(std::string_view state) {
  if (state == "open") return Role::bad;
  if (state == "explained") return Role::warn;
  if (state == "resolved") return Role::good;
  if (state == "PROPOSED" || state == "gathering") return Role::warn;
  if (state == "DONE" || state == "active") return Role::good;
  if (state == "FAILED" || state == "UNKNOWN" || state == "REFUSED") return Role::bad;
  return Role::dim;
}

Role role_of_confidence(std::string_view confidence) {
  if (confidence == "sure") return Role::good;
  if (confidence == "guess") return Role::dim;
  return Role::plain;
}

}  // namespace fw::cli::term
