#include "aggregator/cli/plans/signing_desk.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "aggregator/cli/files.hpp"
#include "aggregator/cli/model.hpp"
#include "aggregator/cli/policy/signed_policy.hpp"
#include "aggregator/cli/render/plan.hpp"
#include "aggregator/cli/signing/bytes_text.hpp"
#include "aggregator/cli/signing/key_text.hpp"
#include "aggregator/cli/term/text.hpp"

namespace fw::cli {
namespace {

constexpr std::string_view kUnreadable = "is it a Fleetwright server of this version? `fleetwright doctor`";
constexpr std::string_view kDigestPrefix = "sha256:";
constexpr std::size_t kShortestDigest = 8, kWholeDigest = 64;

std::string_view without_prefix(std::string_view digest) {
  if (digest.starts_with(kDigestPrefix)) digest.remove_prefix(kDigestPrefix.size());
  return digest;
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// The digest of the plan that `id` means.
Outcome<std::string> plan_of(Server& server, const std::string& id) {
  const auto digest = without_prefix(id);
  if (digest.size() >= kShortestDigest && digest.size() <= kWholeDigest && is_hex(digest)) return std::string(digest);
  if (!normal_incident_id(id)) {
    return Failure{ExitCode::usage, "'" + id + "' is neither an incident nor a plan", "incidents look like INC-7 or 7, plans like sha256:3f2a9c41",
                   "`fleetwright plan list` lists plans"};
  }
  const auto body = server.get_incident(id);
  if (!body) return body.error();
  const auto incident = read_incident(*body);
  if (!incident) return failure_of(incident.error(), "cannot read the incident", kUnreadable);
  if (incident->plan.empty()) {
    return Failure{ExitCode::failure, incident->id + " has no plan", "the engine proposes one when it is likely enough and an action is known for it",
                   "fleetwright show " + incident->id};
  }
  if (incident->plan.size() != kWholeDigest || !is_hex(incident->plan)) return Failure{ExitCode::failure, "the server's plan has no digest", "", std::string(kUnreadable)};
  return incident->plan;
}

Failure key_failure(const Error& error) {
  return {error.code == Errc::not_found || error.code == Errc::permission ? ExitCode::not_authorised : ExitCode::failure, "cannot sign",
          error.context, "`fleetwright key test` tries your key; `fleetwright key new` makes one"};
}

// What the person trusts: a signed policy, or the bytes that nodes read.
Outcome<SignedPolicy> trusted_policy(const std::string& path) {
  const auto bytes = read_file(path, kMaxConfigBytes);
  if (!bytes) return failure_of(bytes.error(), "cannot read the trusted policy " + path, "the context's trusted-policy names it");
  if (auto read = parse_signed_policy(*bytes)) return std::move(*read);
  SignedPolicy compiled{Bytes(bytes->begin(), bytes->end()), {}};
  if (const auto read = authority::parse_policy(compiled.document); !read) return failure_of(read.error(), path + " holds no policy", "the context's trusted-policy names it");
  return compiled;
}

}  // namespace

Outcome<Trust> fetch_trust(Session& session) {
  auto trust = fetch_policy(session);
  if (!trust) return trust.error();
  const auto context = session.context();
  if (!context || context->trusted_policy.empty()) return trust;
  const auto mine = trusted_policy(context->trusted_policy);
  if (!mine) return mine.error();
  const auto why = why_not_trusted({trust->object.document, trust->object.signatures}, *mine);
  if (why.empty()) return trust;
  return Failure{ExitCode::not_authorised, "the server's policy does not go on from the one that you trust", why,
                 "sign nothing of this server; if the roots changed, `fleetwright policy diff " + term::escape(context->trusted_policy) +
                     "`, and put the new policy there"};
}

Outcome<Trust> fetch_policy(Session& session) {
  const auto server = session.server();
  if (!server) return server.error();
  const auto body = (*server)->get("/api/v1/policy");
  if (!body) return body.error();
  auto object = read_policy_object(*body);
  if (!object) return failure_of(object.error(), "cannot read the policy", kUnreadable);
  auto policy = authority::parse_policy(object->document);
  if (!policy) return failure_of(policy.error(), "the server's policy is none", kUnreadable);
  return Trust{std::move(*object), std::move(*policy)};
}

Outcome<std::unique_ptr<Signer>> open_signer(Session& session, const std::string& flag, const std::vector<authority::PublicKey>& listed) {
  auto key = flag;
  if (key.empty()) key = session.environment()("FLEETWRIGHT_SIGNING_KEY").value_or("");
  if (key.empty()) {
    if (const auto context = session.context()) key = context->signing_key;
  }
  if (!key.empty() && !is_agent_key(key)) {
    auto signer = file_signer(key);
    if (!signer) return key_failure(signer.error());
    return std::move(*signer);
  }
  const auto socket = session.environment()("SSH_AUTH_SOCK").value_or("");
  if (socket.empty()) {
    return Failure{ExitCode::usage, "no key to sign with", key.empty() ? "the context has no signing-key and there is no SSH agent" : "SSH_AUTH_SOCK is not set",
                   "--key FILE, or `fleetwright key new`"};
  }
  auto signer = agent_signer(socket, key.size() > kAgentKey.size() ? std::string_view(key).substr(kAgentKey.size() + 1) : std::string_view(), listed);
  if (!signer) return key_failure(signer.error());
  return std::move(*signer);
}

Outcome<Desk> open_desk(Session& session, const std::string& key_flag) {
  auto trust = fetch_trust(session);
  if (!trust) return trust.error();
  std::vector<authority::PublicKey> listed;
  for (const auto& approver : trust->policy.approvers) listed.insert(listed.end(), approver.keys.begin(), approver.keys.end());
  auto signer = open_signer(session, key_flag, listed);
  if (!signer) return signer.error();
  const auto* approver = approver_of(trust->policy, authority::key_id((*signer)->key()));
  if (approver == nullptr) {
    return Failure{ExitCode::not_authorised, "the key of " + (*signer)->where() + " may not approve",
                   fmt::format("policy version {} does not list {} [key-unknown]", trust->policy.version, key_text((*signer)->key())),
                   "`fleetwright policy show` lists the approvers; `--key FILE` for another key"};
  }
  auto person = approver->person;
  return Desk{std::move(*trust), std::move(*signer), std::move(person)};
}

Outcome<FoundPlan> found_plan(std::string json) {
  auto object = read_plan(json);
  if (!object) return failure_of(object.error(), "cannot read the plan", kUnreadable);
  auto plan = check_plan_object(*object);
  if (!plan) {
    return Failure{ExitCode::plan_changed, "this plan is not what the server says it is", plan.error().context,
                   "sign nothing of this server; `fleetwright audit verify`"};
  }
  return FoundPlan{std::move(json), std::move(*object), std::move(*plan)};
}

Outcome<FoundPlan> find_plan(Session& session, const std::string& id, const std::string& wanted) {
  const auto server = session.server();
  if (!server) return server.error();
  const auto digest = plan_of(**server, id);
  if (!digest) return digest.error();
  const auto expected = without_prefix(wanted);
  if (!wanted.empty() && (expected.size() < kShortestDigest || expected.size() > kWholeDigest || !is_hex(expected))) {
    return Failure{ExitCode::usage, "--plan " + wanted + " is not a digest", "", "at least 8 hex digits, as `fleetwright plan diff` prints it"};
  }
  const auto body = (*server)->get("/api/v1/plans/" + *digest);
  if (!body) return body.error();
  auto found = found_plan(*body);
  if (!found) return found;
  const auto actual = authority::to_text(found->plan.digest);
  if (!actual.starts_with(expected) || !actual.starts_with(*digest)) {
    return Failure{ExitCode::plan_changed, "the plan is not the one that you named", fmt::format("it is sha256:{} now [plan-changed]", actual),
                   "fleetwright plan diff " + term::escape(id)};
  }
  return found;
}

bool names_whole_digest(std::string_view wanted) { return without_prefix(wanted).size() == kWholeDigest; }

Outcome<void> confirm(const Session& session, const Question& question) {
  if (question.yes || !session.can_ask()) {
    if (question.yes && question.explicitly) return {};
    return Failure{ExitCode::usage, "nothing was signed", question.yes ? "--yes needs what is signed to be named whole" : "this is not a terminal, so nobody can be asked",
                   question.how};
  }
  const auto context = session.context();
  const auto where = context ? fmt::format("{} ({})", term::paint(term::escape(context->name), term::Role::bold, session.layout().ink), term::escape(context->server))
                             : std::string("no context");
  const auto typed = session.ask(fmt::format("\ncontext {}: type {} {}: ", where, term::paint(question.name, term::Role::bold, session.layout().ink),
                                             term::escape(question.sentence)));
  if (typed && *typed == question.name) return {};
  return Failure{ExitCode::usage, "nothing was signed", "what was typed is not " + question.name, ""};
}

Outcome<authority::Signature> sign_with(Signer& signer, authority::Domain domain, ByteView document) {
  auto signature = signer.sign(domain, document);
  if (!signature) return key_failure(signature.error());
  return std::move(*signature);
}

std::string document_body(ByteView document, const authority::Signature& signature) {
  return fmt::format(R"({{"document":"{}","signature":{}}})", encode_base64(document), signature_json(signature));
}

}  // namespace fw::cli
