// How commands join the program: each group declares its verbs on CLI11 and says what they do.
#pragma once
#include <functional>
#include <map>
#include <string>

#include "aggregator/cli/session.hpp"

namespace CLI {
class App;
class Option;
}

namespace fw::cli {

using Action = std::function<Outcome<ExitCode>(Session&)>;

class Commands {
 public:
  void on(const CLI::App* command, Action action) { actions_[command] = std::move(action); }
  const Action* find(const CLI::App* command) const {
    const auto found = actions_.find(command);
    return found == actions_.end() ? nullptr : &found->second;
  }

 private:
  std::map<const CLI::App*, Action> actions_;
};

void add_list_commands(CLI::App& root, Commands& commands);      // incidents nodes changes watch
void add_node_commands(CLI::App& root, Commands& commands);      // node
void add_live_commands(CLI::App& root, Commands& commands);      // top series
void add_incident_commands(CLI::App& root, Commands& commands);  // show explain take note close
void add_case_commands(CLI::App& root, Commands& commands);      // case cards
void add_setup_commands(CLI::App& root, Commands& commands);     // init doctor config
void add_plan_commands(CLI::App& root, Commands& commands);      // plan
void add_approve_commands(CLI::App& root, Commands& commands);   // approve deny undo extend
void add_statement_commands(CLI::App& root, Commands& commands); // pause resume settle statement
void add_standing_commands(CLI::App& root, Commands& commands);  // standing
void add_policy_commands(CLI::App& root, Commands& commands);    // policy
void add_key_commands(CLI::App& root, Commands& commands);       // key
void add_audit_commands(CLI::App& root, Commands& commands);     // audit
void add_backup_commands(CLI::App& root, Commands& commands);   // backup restore
void add_meta_commands(CLI::App& root, Commands& commands);      // actions completion version help

// The argument of every command about one plan.
CLI::Option* add_plan_id(CLI::App* command, std::string& id);

// The whole program; the exit code. Threading: the main thread.
int run(int argc, const char* const* argv);

// Type names of arguments: what completion offers, and what help shows.
inline constexpr char kIncidentArgument[] = "INCIDENT";
inline constexpr char kContextArgument[] = "CONTEXT";
inline constexpr char kTopicArgument[] = "TOPIC";
inline constexpr char kShellArgument[] = "SHELL";
inline constexpr char kPlanArgument[] = "PLAN";
inline constexpr char kKeyArgument[] = "KEY";
inline constexpr char kFileArgument[] = "FILE";
inline constexpr char kFolderArgument[] = "FOLDER";

}  // namespace fw::cli
