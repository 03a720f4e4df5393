// policy: whose signatures count for what. Written as YAML, compiled, signed by roots, pushed; nodes check each step again.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "aggregator/cli/command.hpp"
#include "aggregator/cli/files.hpp"
#include "aggregator/cli/plans/signing_desk.hpp"
#include "aggregator/cli/policy/policy_yaml.hpp"
#include "aggregator/cli/policy/signed_policy.hpp"
#include "aggregator/cli/render/policy.hpp"
#include "aggregator/cli/signing/bytes_text.hpp"
#include "aggregator/cli/term/text.hpp"

namespace fw::cli {
namespace {

using authority::Policy;

struct PolicyOptions {
  std::string file, other, out, key;
  bool yes = false, force = false, exit_code = false, dry_run = false;
};

struct Loaded {
  SignedPolicy signed_policy;
  Policy policy;
};

// YAML, compiled bytes, or a SignedPolicy: told apart by what they are.
Outcome<Loaded> load(Session& session, const std::string& file) {
  const auto bytes = read_file(file, kMaxConfigBytes);
  if (!bytes) return failure_of(bytes.error(), "cannot read " + file);
  if (const auto signed_policy = parse_signed_policy(*bytes)) {
    auto policy = authority::parse_policy(signed_policy->document);
    if (!policy) return failure_of(policy.error(), file + " holds no policy");
    return Loaded{*signed_policy, std::move(*policy)};
  }
  if (auto policy = authority::parse_policy(bytes_of(*bytes))) return Loaded{{Bytes(bytes->begin(), bytes->end()), {}}, std::move(*policy)};
  std::vector<YamlProblem> problems;
  auto policy = parse_policy_yaml(*bytes, problems);
  if (!policy) {
    session.say(term::escape_lines(problems_text(file, problems)));
    return Failure{ExitCode::usage, file + " is no policy", fmt::format("{} problem{}", problems.size(), problems.size() == 1 ? "" : "s"), "docs/policy.md has every key"};
  }
  return Loaded{{authority::to_bytes(*policy), {}}, std::move(*policy)};
}

// The server's without a file.
Outcome<Loaded> load_or_fetch(Session& session, const std::string& file) {
  if (!file.empty()) return load(session, file);
  auto trust = fetch_policy(session);
  if (!trust) return trust.error();
  return Loaded{{std::move(trust->object.document), std::move(trust->object.signatures)}, std::move(trust->policy)};
}

std::string digest_of(const Loaded& loaded) { return authority::to_text(authority::document_digest(authority::Domain::policy, loaded.signed_policy.document)); }

Outcome<ExitCode> show(Session& session, const PolicyOptions& options) {
  const auto loaded = load_or_fetch(session, options.file);
  if (!loaded) return loaded.error();
  if (session.format() == Format::json) {
    session.print_json(render_signed_policy(loaded->signed_policy));
    return ExitCode::ok;
  }
  session.print_long(policy_yaml(loaded->policy));
  const auto roots = check_root_signatures(loaded->signed_policy, loaded->policy);
  session.say(fmt::format("sha256:{}, {} of {} root signatures{}\n", digest_of(*loaded), roots.good.size(), loaded->policy.root_threshold,
                          roots.strangers.empty() ? "" : fmt::format(", {} of others", roots.strangers.size())));
  return ExitCode::ok;
}

Outcome<ExitCode> check(Session& session, const PolicyOptions& options) {
  const auto loaded = load(session, options.file);
  if (!loaded) return loaded.error();
  const auto sentences = authority::check_policy(loaded->policy);   // of compiled bytes, too
  for (const auto& sentence : sentences) session.say(fmt::format("{}: {}\n", term::escape(options.file), term::escape(sentence)));
  if (!sentences.empty()) return Failure{ExitCode::usage, options.file + " is no policy", fmt::format("{} rules are broken", sentences.size()), "docs/policy.md"};
  session.print(fmt::format("policy/{} version {} is in order\n", term::escape(loaded->policy.organisation), loaded->policy.version));
  for (const auto& word : render::policy_words(loaded->policy, now_ms(session))) session.say(term::escape(word) + "\n");
  return ExitCode::ok;
}

Result<void> write(const std::string& file, std::string_view bytes, bool force) {
  return force ? replace_file(file, bytes, FileMode::plain) : create_file(file, bytes, FileMode::plain);
}

Failure cannot_write(const Error& error, const std::string& file) {
  return failure_of(error, "cannot write " + file, error.code == Errc::conflict ? "another name with -o, or --force" : "");
}

Outcome<ExitCode> compile(Session& session, const PolicyOptions& options) {
  const auto loaded = load(session, options.file);
  if (!loaded) return loaded.error();
  if (const auto done = write(options.out, text_of(loaded->signed_policy.document), options.force); !done) return cannot_write(done.error(), options.out);
  session.print(fmt::format("policy/{} version {} compiled\n", term::escape(loaded->policy.organisation), loaded->policy.version));
  session.say(fmt::format("{}: {} bytes, policy.sha256 {}, next: fleetwright policy sign {} --key ROOT.key\n", term::escape(options.out),
                          loaded->signed_policy.document.size(), authority::to_text(authority::sha256(loaded->signed_policy.document)), term::escape(options.out)));
  return ExitCode::ok;
}

std::string signed_name(const std::string& file) {
  const auto dot = file.rfind('.');
  const auto slash = file.rfind('/');
  const bool has_ending = dot != std::string::npos && (slash == std::string::npos || dot > slash);
  return (has_ending ? file.substr(0, dot) : file) + ".json";
}

// Adds one signature to FILE.json. The second version is signed by the roots of the first, too: the key need not be one of its own.
Outcome<ExitCode> sign(Session& session, const PolicyOptions& options) {
  auto loaded = load(session, options.file);
  if (!loaded) return loaded.error();
  const auto out = options.out.empty() ? signed_name(options.file) : options.out;
  if (out != options.file) {   // go on where the last signer ended
    if (const auto bytes = read_file(out, kMaxConfigBytes)) {
      const auto present = parse_signed_policy(*bytes);
      if (!present || present->document != loaded->signed_policy.document) {
        return Failure{ExitCode::usage, out + " is of another policy", "its document differs", "-o another file, or move it away"};
      }
      loaded->signed_policy.signatures = present->signatures;
    }
  }
  std::vector<authority::PublicKey> listed;
  for (const auto& root : loaded->policy.roots) listed.push_back(root.key);
  auto signer = open_signer(session, options.key, listed);
  if (!signer) return signer.error();
  const bool is_root = std::find(listed.begin(), listed.end(), (*signer)->key()) != listed.end();
  if (session.can_ask() && !options.yes) session.say(term::escape_lines(policy_yaml(loaded->policy)));
  const auto agreed = confirm(session, {"to sign this policy with " + (*signer)->where(), term::escape(loaded->policy.organisation), options.yes, true, "the same command with --yes"});
  if (!agreed) return agreed.error();
  const auto signature = sign_with(**signer, authority::Domain::policy, loaded->signed_policy.document);
  if (!signature) return signature.error();
  auto& signatures = loaded->signed_policy.signatures;
  std::erase_if(signatures, [&](const auto& old) { return old.key == signature->key; });
  signatures.push_back(*signature);
  if (const auto done = replace_file(out, render_signed_policy(loaded->signed_policy), FileMode::plain); !done) return cannot_write(done.error(), out);
  const auto roots = check_root_signatures(loaded->signed_policy, loaded->policy);
  session.print(fmt::format("policy/{} version {} signed ({} of {} roots)\n", term::escape(loaded->policy.organisation), loaded->policy.version, roots.good.size(),
                            loaded->policy.root_threshold));
  if (!is_root) session.say("this key is no root of this policy: right only when it is one of the version before\n");
  session.say(term::escape(out) + (roots.good.size() >= loaded->policy.root_threshold ? ": fleetwright policy push " + term::escape(out) : ": more roots must sign it") + "\n");
  return ExitCode::ok;
}

Outcome<ExitCode> diff(Session& session, const PolicyOptions& options) {
  const auto before = options.other.empty() ? load_or_fetch(session, {}) : load(session, options.file);
  if (!before) return before.error();
  const auto after = load(session, options.other.empty() ? options.file : options.other);
  if (!after) return after.error();
  const auto text = render::policy_diff(before->policy, after->policy, session.layout());
  session.print_long(text);
  if (text.empty()) session.say("the same\n");
  return options.exit_code && !text.empty() ? ExitCode::differs : ExitCode::ok;
}

Outcome<ExitCode> status(Session& session) {
  const auto server = session.server();
  if (!server) return server.error();
  const auto body = (*server)->get("/api/v1/policy");
  if (!body) return body.error();
  if (session.format() == Format::json) {
    session.print_json(*body);
    return ExitCode::ok;
  }
  const auto trust = fetch_policy(session);
  if (!trust) return trust.error();
  session.print(render::policy_status(trust->policy, trust->object, session.layout(), now_ms(session)));
  return ExitCode::ok;
}

Outcome<ExitCode> push(Session& session, const PolicyOptions& options) {
  const auto loaded = load(session, options.file);
  if (!loaded) return loaded.error();
  const auto roots = check_root_signatures(loaded->signed_policy, loaded->policy);
  if (roots.good.size() < loaded->policy.root_threshold) {
    return Failure{ExitCode::needs_approvers, "too few roots signed", fmt::format("{} of {} [roots-too-few]", roots.good.size(), loaded->policy.root_threshold),
                   "fleetwright policy sign " + options.file + " --key ROOT.key"};
  }
  if (options.dry_run) {
    session.print(fmt::format("policy/{} version {} pushed (dry run)\n", term::escape(loaded->policy.organisation), loaded->policy.version));
    return ExitCode::ok;
  }
  const auto server = session.server();
  if (!server) return server.error();
  std::string signatures;
  for (const auto& signature : loaded->signed_policy.signatures) signatures += (signatures.empty() ? "" : ",") + signature_json(signature);
  const auto body = (*server)->post("/api/v1/policy", fmt::format(R"({{"document":"{}","signatures":[{}]}})", encode_base64(loaded->signed_policy.document), signatures));
  if (!body) return body.error();
  if (session.format() == Format::json) session.print_json(*body);
  else session.print(fmt::format("policy/{} version {} pushed\n", term::escape(loaded->policy.organisation), loaded->policy.version));
  session.say("`fleetwright policy status` says which nodes took it; what it loosens counts one hour later\n");
  return ExitCode::ok;
}

}  // namespace

void add_policy_commands(CLI::App& root, Commands& commands) {
  auto* policy = root.add_subcommand("policy", "Whose signatures count for what");
  policy->require_subcommand(0, 1);
  const auto add = [&](const char* name, const char* help, Outcome<ExitCode> (*action)(Session&, const PolicyOptions&)) {
    auto* command = policy->add_subcommand(name, help);
    auto options = std::make_shared<PolicyOptions>();
    commands.on(command, [options, action](Session& session) { return action(session, *options); });
    return std::pair(command, options);
  };
  const auto file = [](CLI::App* command, std::string& target, const char* help) {
    return command->add_option("file", target, help)->type_name(kFileArgument);
  };

  const auto [showing, shown] = add("show", "The policy in force, or one of a file, as YAML", show);
  file(showing, shown->file, "YAML, compiled bytes or a signed policy; default: the server's");

  const auto [checking, checked] = add("check", "Every problem as file:line: what to do", check);
  file(checking, checked->file, "The policy's YAML")->required();

  const auto [compiling, compiled] = add("compile", "Makes the bytes that are signed and that nodes read", compile);
  file(compiling, compiled->file, "The policy's YAML")->required();
  compiling->add_option("-o,--out", compiled->out, "File to write")->required()->type_name(kFileArgument);
  compiling->add_flag("--force", compiled->force, "Overwrite it");

  const auto [signing, signs] = add("sign", "Adds the signature of a root key to FILE.json", sign);
  file(signing, signs->file, "Compiled bytes, or a signed policy")->required();
  signing->add_option("--key", signs->key, "File of the root key, or ssh-agent[:WORD]")->type_name(kKeyArgument);
  signing->add_option("-o,--out", signs->out, "File to write; default: FILE.json")->type_name(kFileArgument);
  signing->add_flag("-y,--yes", signs->yes, "Ask nothing");

  const auto [diffing, differs] = add("diff", "What changes, and what of it loosens; one file: against the policy in force", diff);
  diffing->add_option("file", differs->file, "The one before")->required()->type_name(kFileArgument);
  diffing->add_option("other", differs->other, "The one after")->type_name(kFileArgument);
  diffing->add_flag("--exit-code", differs->exit_code, "Exit with 7 when they differ");

  commands.on(policy->add_subcommand("status", "Which node has which version, and what runs out"), status);

  const auto [pushing, pushed] = add("push", "Sends a signed policy to the server, which hands it to the nodes", push);
  file(pushing, pushed->file, "The signed policy, FILE.json")->required();
  pushing->add_flag("--dry-run", pushed->dry_run, "Check, send nothing");
}

}  // namespace fw::cli
