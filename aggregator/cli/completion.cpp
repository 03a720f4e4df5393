#include "aggregator/cli/completion.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>

#include <fmt/format.h>

#include "aggregator/cli/command.hpp"

namespace fw::cli {
namespace {

bool is_dynamic(std::string_view kind) {
  return kind == kIncidentArgument || kind == kPlanArgument || kind == kContextArgument;
}
bool is_path(std::string_view kind) { return kind == kFileArgument || kind == kFolderArgument || kind == kKeyArgument; }

CommandSpec describe_one(const CLI::App& app, const std::string& path) {
  CommandSpec out{path, app.get_description(), {}, {}, {}};
  for (const auto* option : app.get_options()) {
    if (option->get_positional()) {
      if (out.argument_kind.empty()) out.argument_kind = option->get_type_name();
      continue;
    }
    OptionSpec spec{
        {}, option->get_description(), option->get_items_expected_max() == 0 ? "" : option->get_type_name()};
    for (const auto& name : option->get_snames()) spec.names.push_back("-" + name);
    for (const auto& name : option->get_lnames()) spec.names.push_back("--" + name);
    out.options.push_back(std::move(spec));
  }
  for (const auto* inner :
       app.get_subcommands([](const CLI::App* candidate) { return !candidate->get_group().empty(); })) {
    out.commands.push_back(inner->get_name());
  }
  return out;
}

void walk(const CLI::App& app, const std::string& path, std::vector<CommandSpec>& out) {
  out.push_back(describe_one(app, path));
  for (const auto* inner :
       app.get_subcommands([](const CLI::App* candidate) { return !candidate->get_group().empty(); })) {
    walk(*inner, path.empty() ? inner->get_name() : path + " " + inner->get_name(), out);
  }
}

std::string words(const std::vector<std::string>& list) { return fmt::format("{}", fmt::join(list, " ")); }

// In single quotes for any of the three shells: our own help texts, whose quotes are not needed there.
std::string plain(std::string text) {
  std::erase_if(text, [](char c) {
    return c == '\'' || c == '\\' || c == '\n' || c == '[' || c == ']' || c == ':' || c == '`' || c == '$';
  });
  return text;
}

// Every option with a value, over all commands, by kind: the same name means the same everywhere.
std::string options_of_kind(const std::vector<CommandSpec>& commands, std::string_view kind,
                            std::string_view separator) {
  std::vector<std::string> names;
  for (const auto& command : commands) {
    for (const auto& option : command.options) {
      if (option.value_kind != kind) continue;
      for (const auto& name : option.names) {
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
      }
    }
  }
  return fmt::format("{}", fmt::join(names, separator));
}

std::vector<std::string> value_kinds(const std::vector<CommandSpec>& commands) {
  std::vector<std::string> kinds;
  for (const auto& command : commands) {
    for (const auto& option : command.options) {
      if (!option.value_kind.empty() && std::find(kinds.begin(), kinds.end(), option.value_kind) == kinds.end())
        kinds.push_back(option.value_kind);
    }
  }
  return kinds;
}

// bash and zsh share the shape: find the command path, then offer by previous word or by path. `offer` turns a kind or
// words into the shell's line.
struct Dialect {
  std::string_view offer_words;    // one argument: the words
  std::string_view offer_dynamic;  // one argument: the kind
  std::string_view offer_files;
};

std::string offer_kind(const Dialect& dialect, std::string_view kind) {
  if (is_path(kind)) return std::string(dialect.offer_files);
  if (is_dynamic(kind)) return fmt::format(fmt::runtime(dialect.offer_dynamic), kind);
  const auto values = static_values(kind);
  return values.empty() ? ":"
                        : fmt::format(fmt::runtime(dialect.offer_words), words(values));  // free text: offer nothing
}

std::string case_paths(const std::vector<CommandSpec>& commands) {
  std::string out;
  for (const auto& command : commands) {
    if (!command.path.empty()) out += fmt::format("{}'{}'", out.empty() ? "" : "|", command.path);
  }
  return out;
}

std::string case_values(const Dialect& dialect, const std::vector<CommandSpec>& commands, std::string_view indent) {
  std::string out;
  for (const auto& kind : value_kinds(commands)) {
    out +=
        fmt::format("{}{}) {}; return ;;\n", indent, options_of_kind(commands, kind, "|"), offer_kind(dialect, kind));
  }
  return out;
}

std::string case_commands(const Dialect& dialect, const std::vector<CommandSpec>& commands, std::string_view indent) {
  std::string out;
  std::vector<std::string> globals;
  for (const auto& option : commands.front().options)
    globals.insert(globals.end(), option.names.begin(), option.names.end());
  for (const auto& command : commands) {
    auto options = globals;
    for (const auto& option : command.options) {
      for (const auto& name : option.names) {
        if (std::find(options.begin(), options.end(), name) == options.end()) options.push_back(name);
      }
    }
    const auto flags = fmt::format(fmt::runtime(dialect.offer_words), words(options));
    const auto rest = command.commands.empty()
                          ? offer_kind(dialect, command.argument_kind)
                          : fmt::format(fmt::runtime(dialect.offer_words), words(command.commands));
    out += fmt::format("{}'{}') if [[ $cur == -* ]]; then {}; else {}; fi ;;\n", indent, command.path, flags, rest);
  }
  return out;
}

constexpr std::string_view kBash = R"(# bash completion of fleetwright: source <(fleetwright completion bash)
_fleetwright() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} path='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${{path:+$path }}${{COMP_WORDS[i]}}" in
      {}) path="${{path:+$path }}${{COMP_WORDS[i]}}" ;;
    esac
  done
  case "$prev" in
{}  esac
  case "$path" in
{}  esac
}}
complete -F _fleetwright fleetwright
)";

constexpr std::string_view kZsh = R"(#compdef fleetwright
# zsh completion of fleetwright: source <(fleetwright completion zsh)
_fleetwright() {{
  local cur=${{words[CURRENT]}} prev=${{words[CURRENT-1]}} cmdpath='' i
  for ((i = 2; i < CURRENT; i++)); do
    case "${{cmdpath:+$cmdpath }}${{words[i]}}" in
      {}) cmdpath="${{cmdpath:+$cmdpath }}${{words[i]}}" ;;
    esac
  done
  case "$prev" in
{}  esac
  case "$cmdpath" in
{}  esac
}}
compdef _fleetwright fleetwright
)";

std::string fish_script(const std::vector<CommandSpec>& commands) {
  // The path of commands typed so far, then one rule per command and option.
  std::string out =
      "# fish completion of fleetwright: fleetwright completion fish | source\n"
      "function __fleetwright_path\n  set -l path ''\n  for word in (commandline -opc)[2..-1]\n"
      "    set -l next (string trim -- \"$path $word\")\n    switch $next\n      case ";
  for (const auto& command : commands) {
    if (!command.path.empty()) out += fmt::format("'{}' ", command.path);
  }
  out += "\n        set path $next\n    end\n  end\n  test \"$path\" = \"$argv[1]\"\nend\ncomplete -c fleetwright -f\n";
  const auto value = [](std::string_view kind) -> std::string {
    if (is_path(kind)) return " -F";
    if (is_dynamic(kind)) return fmt::format(" -a '(fleetwright __complete {} 2>/dev/null)'", kind);
    return fmt::format(" -a '{}'", words(static_values(kind)));
  };
  for (const auto& command : commands) {
    const auto condition = fmt::format("complete -c fleetwright -n '__fleetwright_path \"{}\"'", command.path);
    for (const auto& name : command.commands) {
      const auto inner = std::find_if(commands.begin(), commands.end(), [&](const CommandSpec& c) {
        return c.path == (command.path.empty() ? name : command.path + " " + name);
      });
      out += fmt::format("{} -a '{}' -d '{}'\n", condition, name, plain(inner->help));
    }
    if (!command.argument_kind.empty()) out += condition + value(command.argument_kind) + "\n";
    for (const auto& option : command.options) {
      std::string line = command.path.empty() ? "complete -c fleetwright" : condition;  // global flags everywhere
      for (const auto& name : option.names)
        line += name.rfind("--", 0) == 0 ? " -l " + name.substr(2) : " -s " + name.substr(1);
      if (!option.value_kind.empty()) line += " -x" + value(option.value_kind);
      out += line + fmt::format(" -d '{}'\n", plain(option.help));
    }
  }
  return out;
}

}  // namespace

std::vector<CommandSpec> describe(const CLI::App& root) {
  std::vector<CommandSpec> out;
  walk(root, "", out);
  return out;
}

std::vector<std::string> static_values(std::string_view kind) {
  if (kind == "FORMAT") return {"text", "wide", "json", "name"};
  if (kind == "WHEN") return {"auto", "always", "never"};
  if (kind == "PROFILE") return {"solo", "team", "enterprise"};
  if (kind == "OF") return {"containers", "nodes"};
  if (kind == "SORT") return {"cpu", "memory", "restarts", "5xx"};
  if (kind == kShellArgument) return {"bash", "zsh", "fish"};
  if (kind == kTopicArgument) return {"exit-codes", "formatting", "environment", "approving"};
  return {};
}

Outcome<std::string> completion_script(std::string_view shell, const std::vector<CommandSpec>& commands) {
  if (shell == "bash") {
    constexpr Dialect kDialect{"COMPREPLY=($(compgen -W '{}' -- \"$cur\"))",
                               "COMPREPLY=($(compgen -W \"$(fleetwright __complete {} 2>/dev/null)\" -- \"$cur\"))",
                               "COMPREPLY=($(compgen -f -- \"$cur\"))"};
    return fmt::format(kBash, case_paths(commands), case_values(kDialect, commands, "    "),
                       case_commands(kDialect, commands, "    "));
  }
  if (shell == "zsh") {
    constexpr Dialect kDialect{"compadd -- ${{(s: :):-'{}'}}",
                               "compadd -- ${{(f)\"$(fleetwright __complete {} 2>/dev/null)\"}}", "_files"};
    return fmt::format(kZsh, case_paths(commands), case_values(kDialect, commands, "    "),
                       case_commands(kDialect, commands, "    "));
  }
  if (shell == "fish") return fish_script(commands);
  return Failure{ExitCode::usage, fmt::format("no completion for the shell '{}'", shell),
                 "bash, zsh and fish are known", "fleetwright completion bash"};
}

}  // namespace fw::cli
