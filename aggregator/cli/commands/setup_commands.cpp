// init, doctor, config: the way from nothing to a working command line.
#include <CLI/CLI.hpp>

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "aggregator/cli/command.hpp"
#include "aggregator/cli/doctor.hpp"
#include "aggregator/cli/term/text.hpp"
#include "aggregator/cli/trial.hpp"

namespace fw::cli {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

std::string user_name(const Environment& environment) {
  if (const auto user = environment("USER"); user && !user->empty()) return *user;
  const auto* entry = ::getpwuid(::getuid());
  return entry != nullptr ? entry->pw_name : "root";
}

Outcome<ExitCode> init(Session& session, TrialPlan plan, bool dry_run) {
  if (plan.folder.empty()) plan.folder = session.folder();
  session.say(use_host_name(plan, host_name()));
  if (plan.people.empty()) plan.people = {user_name(session.environment())};
  plan.now_ns = session.now_ns();
  const auto created = fmt::format(
      "trial/{} created", term::escape(std::filesystem::path(plan.folder).lexically_normal().filename().string()));
  if (dry_run) {
    if (const auto good = check_trial(plan); !good) return good.error();
    session.print(created + " (dry run)\n");
    return ExitCode::ok;
  }
  const auto made = make_trial(plan);
  if (!made) return made.error();
  session.print(created + "\n");
  for (const auto& file : *made) session.say("  " + file + "\n");
  session.say("\n" + profile_words(plan) + "\n" + trial_next_steps(plan, session.folder()));
  return ExitCode::ok;
}

Outcome<ExitCode> config_view(Session& session) {
  const auto file = load_contexts(session.folder());
  if (!file) return file.error();
  if (session.format() == Format::json) {
    session.print(render_contexts(*file));
    return ExitCode::ok;
  }
  if (session.format() == Format::name) {
    std::string out;
    for (const auto& context : file->contexts) out += "context/" + term::escape(context.name) + "\n";
    session.print(out);
    return ExitCode::ok;
  }
  term::Table table({{"NAME", 8}, {"CURRENT"}, {"SERVER", 16}, {"PERSON", 8}, {"CERTIFICATE", 16}});
  for (const auto& entry : file->contexts) {
    const auto context = resolve_context(*file, session.folder(), entry.name);
    if (!context) return context.error();
    table.add({{entry.name, term::Role::bold},
               {entry.name == file->current_context ? "yes" : "no"},
               {context->server},
               {context->person},
               {context->certificate_file}});
  }
  session.print(table.render(session.layout()));
  return ExitCode::ok;
}

Outcome<ExitCode> use_context(Session& session, const std::string& name, bool dry_run) {
  auto file = load_contexts(session.folder());
  if (!file) return file.error();
  if (const auto found = resolve_context(*file, session.folder(), name); !found) return found.error();
  file->current_context = name;
  if (!dry_run) {
    if (const auto saved = save_contexts(session.folder(), *file); !saved) return saved.error();
  }
  session.print(fmt::format("context/{} chosen{}\n", term::escape(name), dry_run ? " (dry run)" : ""));
  return ExitCode::ok;
}

struct ConfigOptions {
  std::string name;
  bool dry_run = false;
};

}  // namespace

void add_setup_commands(CLI::App& root, Commands& commands) {
  auto* init_command =
      root.add_subcommand("init", "Makes a trial set-up: authorities, certificates, secrets, configurations");
  const auto plan = std::make_shared<TrialPlan>();
  const auto init_options = std::make_shared<ConfigOptions>();
  init_command->add_option("--dir", plan->folder, "Folder to make; default: where this program looks for its contexts")
      ->type_name(kFolderArgument);
  init_command->add_option("--node", plan->nodes, "Name of a node; may be repeated; default: this machine")
      ->type_name("NAME")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  init_command->add_option("--person", plan->people, "Who gets a certificate and a signing key; may be repeated; default: $USER")
      ->type_name("NAME")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  init_command
      ->add_option_function<std::string>(
          "--profile",
          [plan](const std::string& word) {
            for (const auto profile : {authority::Profile::solo, authority::Profile::team, authority::Profile::enterprise}) {
              if (authority::to_string(profile) == word) plan->profile = profile;
            }
            if (!plan->profile) throw CLI::ValidationError("--profile " + word, "it can be solo, team, enterprise");
          },
          "solo, team or enterprise: how many people decide; default: team, or solo for one person")
      ->type_name("PROFILE");
  init_command->add_flag_callback(
      "--enable-actions", [plan] { plan->actions = TrialPlan::Actions::enabled; }, "Nodes execute approved plans; without it they only observe");
  init_command->add_option("--listen-agents", plan->listen_agents, "Address for agents")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  init_command->add_option("--listen-people", plan->listen_people, "Address for people and webhooks")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  init_command->add_option("--listen-plain", plan->listen_plain, "Address for health checks and metrics")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  init_command->add_option("--advertise", plan->advertise, "Host that agents and people connect to")->type_name("HOST");
  init_command->add_flag("--allow-port-0", plan->allow_port_zero,
                         "Accept port 0; the aggregator then says which it got");
  init_command->add_flag("--dry-run", init_options->dry_run, "Check, make nothing");
  commands.on(init_command,
              [plan, init_options](Session& session) { return init(session, *plan, init_options->dry_run); });

  commands.on(root.add_subcommand("doctor", "Checks everything between you and the nodes; each finding has a fix"),
              doctor);

  auto* config = root.add_subcommand("config", "Which server, as whom");
  config->require_subcommand(0, 1);
  commands.on(config->add_subcommand("view", "Lists contexts"), config_view);
  auto* use = config->add_subcommand("use-context", "Chooses the context that is used from now on");
  const auto config_options = std::make_shared<ConfigOptions>();
  use->add_option("name", config_options->name, "As `config view` lists it")->required()->type_name(kContextArgument);
  use->add_flag("--dry-run", config_options->dry_run, "Check, change nothing");
  commands.on(use, [config_options](Session& session) {
    return use_context(session, config_options->name, config_options->dry_run);
  });
}

}  // namespace fw::cli
