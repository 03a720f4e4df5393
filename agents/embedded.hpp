// Text files that embed.cmake compiled in: the schema of the case file and the built-in cards.
#pragma once
#include <span>
#include <string_view>

namespace fw::agents {

struct EmbeddedFile {
  std::string_view path;   // relative to agents/
  std::string_view text;
};

std::span<const EmbeddedFile> embedded_schema();   // one file
std::span<const EmbeddedFile> embedded_cards();

}  // namespace fw::agents
