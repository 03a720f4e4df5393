// A text file that was compiled in: fw_embed() in cmake/functions.cmake generates the function that returns a list of them.
#pragma once
#include <span>
#include <string_view>

namespace fw {

struct EmbeddedFile {
  std::string_view path;   // relative to the folder of the CMakeLists.txt that embeds it; the list is sorted by it
  std::string_view text;
};

}  // namespace fw
