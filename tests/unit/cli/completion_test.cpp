#include "aggregator/cli/completion.hpp"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace fw::cli {
namespace {

std::vector<CommandSpec> sample() {
  CLI::App app("about", "fleetwright");
  app.add_option("-o,--output")->type_name("FORMAT");
  auto* show = app.add_subcommand("show", "It's [one]: $(thing)");
  show->add_option("id")->type_name("INCIDENT");
  show->add_flag("--raw");
  app.add_subcommand("hidden")->group("");
  app.add_subcommand("case")->add_subcommand("sql");
  return describe(app);
}

TEST(Completion, describes_every_visible_command_once) {
  const auto commands = sample();
  std::vector<std::string> paths;
  for (const auto& command : commands) paths.push_back(command.path);
  EXPECT_EQ(paths, (std::vector<std::string>{"", "show", "case", "case sql"}));
  EXPECT_EQ(commands[0].commands, (std::vector<std::string>{"show", "case"}));
  EXPECT_EQ(commands[1].argument_kind, "INCIDENT");
  EXPECT_EQ(commands[0].options.at(1).value_kind, "FORMAT");
  EXPECT_EQ(commands[1].options.at(1).value_kind, "");
}

TEST(Completion, scripts_ask_the_program_for_ids_and_hide_its_errors) {
  for (const auto* shell : {"bash", "zsh", "fish"}) {
    const auto script = completion_script(shell, sample());
    ASSERT_TRUE(script) << shell;
    EXPECT_NE(script->find("fleetwright __complete INCIDENT 2>/dev/null"), std::string::npos) << shell;
    EXPECT_EQ(script->find("hidden"), std::string::npos) << shell;
    EXPECT_EQ(script->find("$(thing)"), std::string::npos) << shell;
  }
  EXPECT_FALSE(completion_script("csh", sample()));
}

}  // namespace
}  // namespace fw::cli
