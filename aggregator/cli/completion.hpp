// Shell completion: one walk over the declared commands gives a plain description, from which the three scripts are
// written.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/cli/failure.hpp"

namespace CLI {
class App;
}

namespace fw::cli {

struct OptionSpec {
  std::vector<std::string> names;  // "-o", "--output"
  std::string help;
  std::string value_kind;  // "" for a flag, else the type name: FORMAT, CONTEXT, FOLDER, ...
};

struct CommandSpec {
  std::string path;  // "" for the program, "case sql"
  std::string help;
  std::vector<OptionSpec> options;    // without those of the commands around it
  std::vector<std::string> commands;  // names of the visible inner ones
  std::string argument_kind;          // type name of the first positional; "" for none
};

// The program first, then depth first. Pure.
std::vector<CommandSpec> describe(const CLI::App& root);

// Values that are known without asking: of FORMAT, WHEN, SHELL, TOPIC; nothing for other kinds.
std::vector<std::string> static_values(std::string_view kind);

Outcome<std::string> completion_script(std::string_view shell, const std::vector<CommandSpec>& commands);

}  // namespace fw::cli
