// The meaning of each exit code, once: for `help exit-codes` and docs/exit-codes.md. Pure.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "common/exit_code.hpp"

namespace fw::cli {

struct ExitCodeText {
  ExitCode code;
  std::string_view meaning;
};

std::span<const ExitCodeText> exit_code_texts();
std::string exit_codes_help();      // for a terminal
std::string exit_codes_markdown();  // the table of docs/exit-codes.md

}  // namespace fw::cli
