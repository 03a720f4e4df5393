// key: the keys that people sign with.
#include <CLI/CLI.hpp>

#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "aggregator/cli/command.hpp"
#include "aggregator/cli/plans/signing_desk.hpp"
#include "aggregator/cli/policy/yaml_reader.hpp"
#include "aggregator/cli/signing/bytes_text.hpp"
#include "aggregator/cli/signing/key_text.hpp"
#include "aggregator/cli/signing/ssh_agent.hpp"
#include "aggregator/cli/term/text.hpp"

namespace fw::cli {
namespace {

// Not a document of any domain: its signature can never stand for one.
constexpr std::string_view kTestText = "fleetwright: a test of this key, nothing else";

struct KeyOptions {
  std::string out, key;
  bool dry_run = false;
};

std::string person_of(const Session& session) {
  const auto context = session.context();
  return context ? context->person : std::string("me");
}

std::string default_path(const Session& session) { return session.folder() + "/people/" + person_of(session) + ".sign.key"; }

std::string next_path(std::string path) {
  constexpr std::string_view kEnding = ".sign.key";
  const auto stem = path.ends_with(kEnding) ? path.substr(0, path.size() - kEnding.size()) : path;
  for (int i = 2;; ++i) {
    auto candidate = fmt::format("{}-{}{}", stem, i, kEnding);
    if (std::error_code ignored; !std::filesystem::exists(candidate, ignored)) return candidate;
  }
}

Outcome<authority::PublicKey> make_key(Session& session, const std::string& path) {
  std::error_code ignored;
  const auto folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
  auto key = make_key_file(path, person_of(session));
  if (!key) {
    return failure_of(key.error(), "cannot make " + path, key.error().code == Errc::conflict ? "--out FILE, or `fleetwright key rotate`; a key is never overwritten" : "");
  }
  return *key;
}

Outcome<ExitCode> key_new(Session& session, const KeyOptions& options) {
  const auto path = options.out.empty() ? default_path(session) : options.out;
  if (options.dry_run) {
    session.print("key/" + term::escape(path) + " created (dry run)\n");
    return ExitCode::ok;
  }
  const auto key = make_key(session, path);
  if (!key) return key.error();
  session.print("key/" + short_key_id(*key) + " created\n");
  session.say(fmt::format("{} stays here, {} goes to whoever keeps the policy:\n\n  keys: [{}]\n\nthen: fleetwright key test --key {}\n", term::escape(path),
                          term::escape(public_key_path(path)), yaml_quoted(key_text(*key)), term::escape(path)));
  return ExitCode::ok;
}

// Every key that could sign here: a file, or what the agent holds.
Outcome<ExitCode> key_test(Session& session, const KeyOptions& options) {
  const auto trust = fetch_trust(session);
  std::vector<authority::PublicKey> listed;
  if (trust) {
    for (const auto& approver : trust->policy.approvers) listed.insert(listed.end(), approver.keys.begin(), approver.keys.end());
  }
  auto signer = open_signer(session, options.key, listed);
  if (!signer) return signer.error();
  if ((*signer)->key().algorithm != authority::Algorithm::ed25519) session.say("touch the security key\n");
  const auto signature = (*signer)->sign(bytes_of(kTestText));
  if (!signature) return failure_of(signature.error(), "the key does not sign", "is it the right one? `ssh-add -l`");
  session.print(fmt::format("key/{} signs\n", short_key_id((*signer)->key())));
  session.say(fmt::format("{}: {} {}\n", term::escape((*signer)->where()), authority::to_string((*signer)->key().algorithm), key_text((*signer)->key())));
  if (!trust) {
    session.say("whether it counts is not known: " + term::escape(trust.error().what) + ": " + term::escape(trust.error().why) + "\n");
  } else if (const auto* approver = approver_of(trust->policy, authority::key_id((*signer)->key()))) {
    session.say(fmt::format("policy version {}: it is {}'s ({}, up to class {})\n", trust->policy.version, term::escape(approver->person.str()),
                            approver->level == authority::Level::senior ? "senior" : "approver", approver->scope.max_class));
  } else {
    session.say(fmt::format("policy version {} does not list it: nothing that it signs counts yet\n", trust->policy.version));
    return ExitCode::not_authorised;
  }
  return ExitCode::ok;
}

// A second key beside the first; the policy lists both until every node took it, then the old one goes.
Outcome<ExitCode> key_rotate(Session& session, const KeyOptions& options) {
  auto old_key = options.key;
  if (old_key.empty()) {
    const auto context = session.context();
    if (!context) return context.error();
    old_key = context->signing_key;
  }
  if (old_key.empty() || is_agent_key(old_key)) {
    return Failure{ExitCode::usage, "which key?", "the context names no key file", "fleetwright key rotate --key FILE; keys of an agent are made with ssh-keygen"};
  }
  const auto old_signer = file_signer(old_key);
  if (!old_signer) return failure_of(old_signer.error(), "cannot read the old key");
  const auto path = options.out.empty() ? next_path(old_key) : options.out;
  if (options.dry_run) {
    session.print("key/" + term::escape(path) + " created (dry run)\n");
    return ExitCode::ok;
  }
  const auto key = make_key(session, path);
  if (!key) return key.error();
  session.print("key/" + short_key_id(*key) + " created\n");
  const auto now_both = fmt::format("keys: [{}, {}]", yaml_quoted(key_text((*old_signer)->key())), yaml_quoted(key_text(*key)));
  session.say(fmt::format(
      "1. In the policy, the next version has both (one person stays one vote):\n\n  {}\n\n"
      "   fleetwright policy check | compile | sign | push; `fleetwright policy status` says when every node took it.\n"
      "2. Sign with the new one: in {}/config.json \"signing-key\": \"{}\"; fleetwright key test\n"
      "3. The version after that has the new one alone:\n\n  keys: [{}]\n\n   then delete {}\n",
      now_both, term::escape(session.folder()), term::escape(path), yaml_quoted(key_text(*key)), term::escape(old_key)));
  return ExitCode::ok;
}

Outcome<ExitCode> key_list(Session& session) {
  const auto socket = session.environment()("SSH_AUTH_SOCK").value_or("");
  if (socket.empty()) return Failure{ExitCode::failure, "there is no SSH agent", "SSH_AUTH_SOCK is not set", "eval \"$(ssh-agent)\"; ssh-add"};
  auto agent = ssh::Agent::connect(socket);
  if (!agent) return failure_of(agent.error(), "cannot ask the SSH agent");
  const auto identities = agent->identities();
  if (!identities) return failure_of(identities.error(), "cannot ask the SSH agent");
  term::Table table({{"KEY"}, {"ALGORITHM"}, {"COMMENT", 8}, {"POLICY-LINE", 16}});
  for (const auto& identity : *identities) {
    table.add({{short_key_id(identity.key), term::Role::bold}, {std::string(authority::to_string(identity.key.algorithm))}, {identity.comment}, {key_text(identity.key)}});
  }
  if (identities->empty()) session.say("The SSH agent holds no key that can sign here: ed25519 or a security key.\n");
  else session.print(table.render(session.layout()));
  return ExitCode::ok;
}

}  // namespace

void add_key_commands(CLI::App& root, Commands& commands) {
  auto* key = root.add_subcommand("key", "The keys that you sign with");
  key->require_subcommand(0, 1);
  const auto add = [&](const char* name, const char* help) { return std::pair(key->add_subcommand(name, help), std::make_shared<KeyOptions>()); };

  const auto [making, made] = add("new", "Makes an Ed25519 key in a file");
  making->add_option("--out", made->out, "File; default: people/NAME.sign.key of the configuration folder")->type_name(kFileArgument);
  making->add_flag("--dry-run", made->dry_run, "Make nothing");
  commands.on(making, [made = made](Session& session) { return key_new(session, *made); });

  const auto [testing, tested] = add("test", "Signs and verifies a test text, and says whether the policy lists the key");
  testing->add_option("--key", tested->key, "File of the key, or ssh-agent[:WORD]; default: the context's signing-key")->type_name(kKeyArgument);
  commands.on(testing, [tested = tested](Session& session) { return key_test(session, *tested); });

  const auto [rotating, rotated] = add("rotate", "Makes the next key and says what to change in the policy");
  rotating->add_option("--key", rotated->key, "File of the old key; default: the context's signing-key")->type_name(kKeyArgument);
  rotating->add_option("--out", rotated->out, "File of the new one; default: beside the old")->type_name(kFileArgument);
  rotating->add_flag("--dry-run", rotated->dry_run, "Make nothing");
  commands.on(rotating, [rotated = rotated](Session& session) { return key_rotate(session, *rotated); });

  commands.on(key->add_subcommand("list", "Keys of the SSH agent that can sign here"), key_list);
}

}  // namespace fw::cli
