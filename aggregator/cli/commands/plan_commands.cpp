// plan: what would be done, read from the bytes that are signed.
#include <CLI/CLI.hpp>

#include <memory>

#include <fmt/format.h>

#include "aggregator/cli/command.hpp"
#include "aggregator/cli/files.hpp"
#include "aggregator/cli/model.hpp"
#include "aggregator/cli/plans/signing_desk.hpp"
#include "aggregator/cli/policy/policy_yaml.hpp"
#include "aggregator/cli/render/plan.hpp"
#include "aggregator/cli/signing/bytes_text.hpp"
#include "aggregator/cli/term/text.hpp"
#include "protocol/authority/catalogue.hpp"

namespace fw::cli {
namespace {

constexpr std::size_t kDefaultLimit = 100, kMaxLimit = 1'000;

struct ListOptions {
  std::string incident;
  bool all = false;
  std::size_t limit = kDefaultLimit;
};

Outcome<ExitCode> plan_list(Session& session, const ListOptions& options) {
  const auto server = session.server();
  if (!server) return server.error();
  auto path = fmt::format("/api/v1/plans?{}limit={}", options.all ? "all=true&" : "", options.limit);
  if (!options.incident.empty()) {
    const auto id = parse_incident_id(options.incident);
    if (!id) return id.error();
    path += "&incident=" + *id;
  }
  const auto body = (*server)->get(path);
  if (!body) return body.error();
  const auto list = read_plans(*body);
  if (!list) return failure_of(list.error(), "cannot read the plans", "`fleetwright doctor`");
  if (session.format() == Format::json) {
    session.print_json(*body);
  } else if (session.format() == Format::name) {
    std::vector<std::string> names;
    for (const auto& plan : *list) names.push_back(plan.digest);
    session.print(render::names("plan", names));
  } else {
    if (!list->empty() || session.globals().header) {
      session.print(render::plans(*list, session.layout(), session.wide() ? render::Detail::wide : render::Detail::normal, session.now_ns()));
    }
    if (list->empty()) session.say(options.all ? "No plan yet.\n" : "No plan is open. `fleetwright plan list --all` shows finished ones.\n");
  }
  return ExitCode::ok;
}

// JSON, name, or a text that is made when it is needed.
template <class Text>
void print_plan(Session& session, const FoundPlan& found, Text text) {
  if (session.format() == Format::json) session.print_json(found.json);
  else if (session.format() == Format::name) session.print(render::names("plan", {found.object.digest}));
  else session.print_long(text());
}

std::optional<authority::Progress> count(const FoundPlan& found, const authority::Policy& policy, std::int64_t now) {
  std::vector<authority::Vote> votes;
  for (const auto& vote : found.object.votes) votes.push_back(vote.vote);
  return authority::count_votes(found.plan.bytes, votes, std::nullopt, policy, now);
}

Outcome<ExitCode> plan_show(Session& session, const std::string& id) {
  const auto found = find_plan(session, id);
  if (!found) return found.error();
  std::optional<authority::Progress> progress;
  if (session.format() == Format::text || session.format() == Format::wide) {
    if (const auto trust = fetch_trust(session)) progress = count(*found, trust->policy, now_ms(session));
  }
  print_plan(session, *found, [&] { return render::plan_show(found->plan, found->object, progress, session.layout(), now_ms(session)); });
  return ExitCode::ok;
}

Outcome<ExitCode> plan_diff(Session& session, const std::string& id, bool exit_code) {
  const auto found = find_plan(session, id);
  if (!found) return found.error();
  print_plan(session, *found, [&] { return render::plan_diff(found->plan, found->object, session.layout(), now_ms(session)); });
  return exit_code && !is_finished(found->object) ? ExitCode::differs : ExitCode::ok;
}

Outcome<ExitCode> plan_export(Session& session, const std::string& id, const std::string& file, bool force) {
  const auto found = find_plan(session, id);
  if (!found) return found.error();
  const auto bytes = text_of(found->plan.bytes);
  const auto written = force ? replace_file(file, bytes, FileMode::plain) : create_file(file, bytes, FileMode::plain);
  if (!written) {
    return failure_of(written.error(), "cannot write " + file, written.error().code == Errc::conflict ? "another name, or --force" : "");
  }
  session.print(fmt::format("plan/{} exported\n", render::short_digest(found->object.digest)));
  session.say(fmt::format("{} ({} bytes): the bytes that are signed, class {}\n", term::escape(file), bytes.size(), found->plan.action_class));
  return ExitCode::ok;
}

struct EditOptions {
  std::string id, value, for_length;
  bool dry_run = false;
};

struct SetValue {
  std::int64_t value;
  bool operator()(authority::SetMemoryLimit& a) const { return a.limit_bytes = value, true; }
  bool operator()(authority::SetMemoryHigh& a) const { return a.high_bytes = value, true; }
  bool operator()(authority::SetCpuMax& a) const { return a.quota_us = value, true; }
  bool operator()(authority::SetCpuWeight& a) const { return a.weight = value, true; }
  bool operator()(authority::SetPidsMax& a) const { return a.max = value, true; }
  bool operator()(authority::SetSysctl& a) const { return a.value = value, true; }
  template <class Other>
  bool operator()(Other&) const { return false; }
};

struct SetTtl {
  std::uint64_t ttl_ms;
  template <class Any>
  bool operator()(Any& action) const {
    if constexpr (requires { action.ttl_ms; }) return action.ttl_ms = ttl_ms, true;
    return false;
  }
};

// The same plan with another number, from now on, proposed by a person. The effect follows the number that it was about.
Outcome<authority::Plan> edited(const FoundPlan& found, const EditOptions& options, const authority::Person& person, std::int64_t now) {
  auto plan = found.plan.plan;
  const auto usage = [](std::string what, std::string why) { return Failure{ExitCode::usage, std::move(what), std::move(why), "fleetwright plan edit --help"}; };
  const auto before = authority::main_value(plan.action);
  const auto unit = unit_of(authority::info_of(plan.action).index);
  if (!options.value.empty()) {
    const auto value = parse_action_value(unit, options.value);
    if (!value) return usage("'" + options.value + "' cannot be the new value", value.error().context);
    const auto& object = found.object;
    const bool has_range = object.safe_min && object.safe_max && (*object.safe_min != 0 || *object.safe_max != 0);
    if (!has_range) return usage("this plan is not to be edited", "the engine states no safe range for it");
    if (*value < *object.safe_min || *value > *object.safe_max) {
      return usage(fmt::format("{} is outside of the safe range", options.value),
                   fmt::format("safe is {} to {}{}", action_value_text(unit, *object.safe_min), action_value_text(unit, *object.safe_max),
                               object.safe_why.empty() ? "" : ": " + object.safe_why));
    }
    if (!std::visit(SetValue{*value}, plan.action)) return usage("this plan has no value to change", "");
    if (plan.effect && before && plan.effect->value == *before) plan.effect->value = *value;
  }
  if (!options.for_length.empty()) {
    const auto length = options.for_length == "kept" ? Result<std::uint64_t>(0) : parse_length_ms(options.for_length);
    if (!length) return usage("--for " + options.for_length + " is not a length", length.error().context);
    if (!std::visit(SetTtl{*length}, plan.action)) return usage("this plan has nothing to restore", "");
  }
  const auto window = plan.not_after_ms - plan.not_before_ms;
  plan.nonce = authority::make_nonce();
  plan.proposer = authority::Proposer::person;
  plan.person = person;
  plan.not_before_ms = now;
  plan.not_after_ms = now + window;
  return plan;
}

Outcome<ExitCode> plan_edit(Session& session, const EditOptions& options) {
  if (options.value.empty() && options.for_length.empty()) {
    return Failure{ExitCode::usage, "nothing to change", "", "fleetwright plan edit ID --limit 300Mi, or --for 1h"};
  }
  const auto found = find_plan(session, options.id);
  if (!found) return found.error();
  const auto context = session.context();
  if (!context) return context.error();
  const auto plan = edited(*found, options, {"local", context->person}, now_ms(session));
  if (!plan) return plan.error();
  const auto checked = check_plan_bytes(authority::to_bytes(*plan), *plan);
  if (!checked.problems.empty()) return Failure{ExitCode::usage, "such a plan is not allowed", checked.problems.front(), "`fleetwright actions` lists the bounds"};
  if (options.dry_run) {
    session.print(fmt::format("plan/{} edited (dry run)\n", render::short_digest(authority::to_text(checked.digest))));
    return ExitCode::ok;
  }
  const auto server = session.server();
  if (!server) return server.error();
  const auto body = (*server)->post("/api/v1/plans", fmt::format(R"({{"document":"{}","class":{},"replaces":"{}"}})", encode_base64(checked.bytes),
                                                                 checked.action_class, authority::to_text(found->plan.digest)));
  if (!body) return body.error();
  const auto made = found_plan(*body);
  if (!made) return made.error();
  if (session.format() == Format::json) {
    session.print_json(*body);
    return ExitCode::ok;
  }
  session.print(fmt::format("plan/{} edited\n", render::short_digest(made->object.digest)));
  session.say(fmt::format("you proposed it, so others approve it: fleetwright approve {} --plan sha256:{}\n", term::escape(made->object.incident), made->object.digest));
  return ExitCode::ok;
}

}  // namespace

CLI::Option* add_plan_id(CLI::App* command, std::string& id) {
  return command->add_option("id", id, "An incident (INC-7, 7) or a plan (sha256:..., at least 8 digits)")->required()->type_name(kPlanArgument);
}

void add_plan_commands(CLI::App& root, Commands& commands) {
  auto* plan = root.add_subcommand("plan", "What would be done about an incident");
  plan->require_subcommand(0, 1);

  auto* list = plan->add_subcommand("list", "Lists open plans, newest first");
  const auto list_options = std::make_shared<ListOptions>();
  list->add_option("--incident", list_options->incident, "Only those of this incident")->type_name(kIncidentArgument);
  list->add_flag("-A,--all", list_options->all, "Finished ones, too");
  list->add_option("--limit", list_options->limit, "At most this many")->check(CLI::Range(std::size_t{1}, kMaxLimit))->type_name("N");
  commands.on(list, [list_options](Session& session) { return plan_list(session, *list_options); });

  auto* show = plan->add_subcommand("show", "Everything about a plan: change, risk, approvals, what the node did");
  const auto show_id = std::make_shared<std::string>();
  add_plan_id(show, *show_id);
  commands.on(show, [show_id](Session& session) { return plan_show(session, *show_id); });

  auto* diff = plan->add_subcommand("diff", "What approving it would change, from the bytes that are signed");
  const auto diff_options = std::make_shared<std::pair<std::string, bool>>();
  add_plan_id(diff, diff_options->first);
  diff->add_flag("--exit-code", diff_options->second, "Exit with 7 when the plan would still change something");
  commands.on(diff, [diff_options](Session& session) { return plan_diff(session, diff_options->first, diff_options->second); });

  auto* edit = plan->add_subcommand("edit", "Proposes the same with another value, within the engine's safe range");
  const auto edit_options = std::make_shared<EditOptions>();
  add_plan_id(edit, edit_options->id);
  edit->add_option("--limit,--value", edit_options->value, "The new value, such as 300Mi")->type_name("VALUE");
  edit->add_option("--for", edit_options->for_length, "How long it holds before the node restores the old value; `kept`: for good")->type_name("LENGTH");
  edit->add_flag("--dry-run", edit_options->dry_run, "Check, propose nothing");
  commands.on(edit, [edit_options](Session& session) { return plan_edit(session, *edit_options); });

  auto* exporting = plan->add_subcommand("export", "Writes the bytes that are signed to a file");
  struct ExportOptions { std::string id, file; bool force = false; };
  const auto export_options = std::make_shared<ExportOptions>();
  add_plan_id(exporting, export_options->id);
  exporting->add_option("file", export_options->file, "File to write")->required()->type_name(kFileArgument);
  exporting->add_flag("--force", export_options->force, "Overwrite it");
  commands.on(exporting, [export_options](Session& session) {
    return plan_export(session, export_options->id, export_options->file, export_options->force);
  });
}

}  // namespace fw::cli
