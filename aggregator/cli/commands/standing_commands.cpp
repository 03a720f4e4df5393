// standing: approvals that several people sign by day for what may happen by night.
#include <CLI/CLI.hpp>

#include <memory>

#include <fmt/format.h>

#include "aggregator/cli/command.hpp"
#include "aggregator/cli/files.hpp"
#include "aggregator/cli/plans/signing_desk.hpp"
#include "aggregator/cli/policy/standing_yaml.hpp"
#include "aggregator/cli/render/plan.hpp"
#include "aggregator/cli/term/text.hpp"

namespace fw::cli {
namespace {

constexpr char kPath[] = "/api/v1/standing-approvals";

struct StandingOptions {
  std::string id, file, from_plan, name, key;
  bool yes = false, dry_run = false;
};

Outcome<std::vector<SignedObject>> fetch(Session& session, std::string* json = nullptr) {
  const auto server = session.server();
  if (!server) return server.error();
  auto body = (*server)->get(kPath);
  if (!body) return body.error();
  auto list = read_standing_objects(*body);
  if (!list) return failure_of(list.error(), "cannot read the standing approvals", "`fleetwright doctor`");
  if (json != nullptr) *json = std::move(*body);
  return std::move(*list);
}

std::string digest_of(const Bytes& document) { return authority::to_text(authority::document_digest(authority::Domain::standing, document)); }

// By name, or by at least 8 hex digits.
Outcome<SignedObject> find_one(Session& session, const std::string& id) {
  const auto known = fetch(session);
  if (!known) return known.error();
  constexpr std::size_t kShortest = 8;
  std::vector<SignedObject> found;
  for (const auto& object : *known) {
    const auto standing = authority::parse_standing(object.document);
    if ((standing && standing->name == id) || (id.size() >= kShortest && digest_of(object.document).starts_with(id))) found.push_back(object);
  }
  if (found.size() == 1) return found.front();
  return Failure{ExitCode::usage, found.empty() ? "there is no standing approval " + id : id + " names several standing approvals",
                 "a name, or at least 8 hex digits of the digest", "fleetwright standing list"};
}

Outcome<ExitCode> sign_and_post(Session& session, Desk& desk, const authority::StandingApproval& standing, const Bytes& document,
                                const StandingOptions& options, std::string_view verb) {
  if (options.dry_run) {
    session.print(fmt::format("standing/{} {} (dry run)\n", term::escape(standing.name), verb));
    return ExitCode::ok;
  }
  if (session.can_ask() && !options.yes) session.say(render::standing_text(standing, {}, session.layout()));
  const auto agreed = confirm(session, {fmt::format("to sign this as {} with {}", desk.person.str(), desk.signer->where()), term::escape(standing.name),
                                        options.yes, true, "the same command with --yes"});
  if (!agreed) return agreed.error();
  const auto signature = sign_with(*desk.signer, authority::Domain::standing, document);
  if (!signature) return signature.error();
  const auto server = session.server();
  if (!server) return server.error();
  const auto body = (*server)->post(kPath, document_body(document, *signature));
  if (!body) return body.error();
  const auto object = read_standing_object(*body);
  if (!object) return failure_of(object.error(), "cannot read the answer", "`fleetwright doctor`");
  if (session.format() == Format::json) {
    session.print_json(*body);
    return ExitCode::ok;
  }
  session.print(fmt::format("standing/{} {} ({} of {} people)\n", term::escape(standing.name), verb, object->people.size(), object->needed));
  if (!object->complete()) session.say("others sign the same: fleetwright standing sign " + digest_of(document).substr(0, 12) + "\n");
  return ExitCode::ok;
}

Outcome<ExitCode> make_new(Session& session, const StandingOptions& options) {
  if (options.file.empty() == options.from_plan.empty()) {
    return Failure{ExitCode::usage, "from what?", "", "fleetwright standing new -f FILE.yaml, or --from-plan ID --name NAME"};
  }
  auto desk = open_desk(session, options.key);
  if (!desk) return desk.error();
  const StandingContext context{desk->trust.policy.version, now_ms(session), authority::make_nonce()};
  authority::StandingApproval standing;
  if (options.from_plan.empty()) {
    const auto text = read_file(options.file, kMaxConfigBytes);
    if (!text) return failure_of(text.error(), "cannot read " + options.file);
    std::vector<YamlProblem> problems;
    auto parsed = parse_standing_yaml(*text, context, problems);
    if (!parsed) {
      session.say(term::escape_lines(problems_text(options.file, problems)));
      return Failure{ExitCode::usage, options.file + " is no standing approval", fmt::format("{} problems", problems.size()), "docs/policy.md has every key"};
    }
    standing = std::move(*parsed);
  } else {
    if (options.name.empty()) return Failure{ExitCode::usage, "it needs a name", "", "--name night-memory"};
    const auto found = find_plan(session, options.from_plan);
    if (!found) return found.error();
    standing = standing_from_plan(found->plan.plan, options.name, context);
  }
  return sign_and_post(session, *desk, standing, authority::to_bytes(standing), options, "proposed");
}

Outcome<ExitCode> list(Session& session) {
  std::string json;
  const auto known = fetch(session, &json);
  if (!known) return known.error();
  if (session.format() == Format::json) {
    session.print_json(json);
  } else if (known->empty()) {
    session.say("No standing approval. `fleetwright standing new` proposes one.\n");
  } else {
    session.print(render::signed_objects(*known, session.layout(), session.now_ns()));
  }
  return ExitCode::ok;
}

Outcome<ExitCode> show_or_sign(Session& session, const StandingOptions& options, bool sign) {
  const auto object = find_one(session, options.id);
  if (!object) return object.error();
  const auto standing = authority::parse_standing(object->document);
  if (!standing) return failure_of(standing.error(), "the server's bytes are no standing approval", "sign nothing of this server");
  if (!sign) {
    session.print(render::standing_text(*standing, *object, session.layout()));
    return ExitCode::ok;
  }
  auto desk = open_desk(session, options.key);
  if (!desk) return desk.error();
  return sign_and_post(session, *desk, *standing, object->document, options, "signed");
}

void add_signing(CLI::App* command, StandingOptions& options) {
  command->add_option("--key", options.key, "File of the key, or ssh-agent[:WORD]; default: the context's signing-key")->type_name(kKeyArgument);
  command->add_flag("-y,--yes", options.yes, "Ask nothing");
  command->add_flag("--dry-run", options.dry_run, "Check, sign nothing");
}

}  // namespace

void add_standing_commands(CLI::App& root, Commands& commands) {
  auto* standing = root.add_subcommand("standing", "Approvals given ahead: night passes and automatic ones");
  standing->require_subcommand(0, 1);

  auto* making = standing->add_subcommand("new", "Proposes one with your signature");
  const auto made = std::make_shared<StandingOptions>();
  making->add_option("-f,--file", made->file, "YAML file, see docs/policy.md")->type_name(kFileArgument);
  making->add_option("--from-plan", made->from_plan, "For plans like this one, at night, for 30 days")->type_name(kPlanArgument);
  making->add_option("--name", made->name, "Its name, with --from-plan")->type_name("NAME");
  add_signing(making, *made);
  commands.on(making, [made](Session& session) { return make_new(session, *made); });

  commands.on(standing->add_subcommand("list", "Those that still gather signatures first"), list);
  for (const bool sign : {false, true}) {
    auto* command = standing->add_subcommand(sign ? "sign" : "show", sign ? "Adds your signature" : "What it allows, from the bytes that are signed");
    const auto options = std::make_shared<StandingOptions>();
    command->add_option("id", options->id, "Its name, or at least 8 digits of its digest")->required()->type_name("NAME");
    if (sign) add_signing(command, *options);
    commands.on(command, [options, sign](Session& session) { return show_or_sign(session, *options, sign); });
  }
}

}  // namespace fw::cli
