#include "aggregator/app/governance_backend.hpp"

#include <boost/asio/post.hpp>

#include "aggregator/app/governance_views.hpp"
#include "aggregator/governance/signatures.hpp"

namespace fw::app {
namespace {

namespace asio = boost::asio;

template <class F>
asio::awaitable<std::invoke_result_t<F&>> call(F f) {
  co_return f();
}

template <class Where, class F>
asio::awaitable<std::invoke_result_t<F&>> run_on(Where& where, F f) {
  auto task = call(std::move(f));
  co_return co_await asio::co_spawn(where, std::move(task), asio::use_awaitable);
}

api::Answer failed(Error error, std::string code = {}) { return {.body = std::move(error), .code = std::move(code)}; }

api::Answer of(const Result<std::string>& body) {
  api::Answer answer;
  answer.body = body;
  return answer;
}

// People of certificates are local people: the trial's authority names them, and the policy lists them so.
governance::Caller caller_of(const api::Caller& caller) { return {.person = {.issuer = "local", .subject = caller.person}, .address = caller.address}; }

Result<authority::Signature> signature_of(const api::SignatureText& text) {
  const auto key = authority::parse_digest(text.key);
  const auto algorithm = governance::parse_algorithm(text.algorithm);
  if (!key || !algorithm) return Error(Errc::malformed, "signature: key must be 64 hex digits and algorithm one of ed25519, sk-ed25519, sk-p256");
  return authority::Signature{*key, *algorithm, text.bytes};
}

}  // namespace

std::string GovernanceBackend::node_name(const Uuid& node) const {
  const fleet::NodeState* state = coordinator_.fleet().find_node(node);
  return state == nullptr ? "" : state->name;
}

std::string GovernanceBackend::show_plan(const authority::Digest& digest) const {
  const governance::PlanRecord* plan = governor_.core().find(digest);
  return plan == nullptr ? "" : plan_json(governor_.core(), *plan, [this](const Uuid& node) { return node_name(node); });
}

std::string GovernanceBackend::show_document(const authority::Digest& digest) const {
  const governance::DocumentRecord* document = governor_.core().find_document(digest);
  return document == nullptr ? "" : document_json(*document);
}

asio::awaitable<api::Answer> GovernanceBackend::read(Read read) {
  const auto executor = coordinator_.executor();
  std::function<api::Answer()> ask = [this, read = std::move(read)] { return read(governor_.core()); };
  auto asking = run_on(executor, std::move(ask));
  auto answer = co_await std::move(asking);
  co_return answer;
}

asio::awaitable<api::Answer> GovernanceBackend::command(Command command, Show show) {
  const auto executor = coordinator_.executor();
  std::function<governance::Reply()> decide = [this, command = std::move(command)] {
    governance::Reply given = command(governor_.core());
    coordinator_.pump();
    return given;
  };
  auto deciding = run_on(executor, std::move(decide));
  const governance::Reply reply = co_await std::move(deciding);
  if (!reply.ok()) {
    auto refused = failed(Error(reply.errc, reply.sentence), reply.code);
    co_return refused;
  }
  auto wait = governor_.durable(reply.ticket);
  const auto durable = co_await asio::co_spawn(executor, std::move(wait), asio::use_awaitable);
  if (!durable) co_return failed(durable.error());
  std::function<std::string()> look = [show = std::move(show), subject = reply.subject] { return show(subject); };
  auto looking = run_on(executor, std::move(look));
  auto body = co_await std::move(looking);
  api::Answer answer;
  answer.body = std::move(body);
  co_return answer;
}

asio::awaitable<api::Answer> GovernanceBackend::on_plan(std::string digest,
                                                        std::function<governance::Reply(governance::Core&, const authority::Digest&)> command_on) {
  Command named = [digest, command_on](governance::Core& core) {
    const auto plan = core.find_prefix(digest);
    if (plan) return command_on(core, (*plan)->digest);
    governance::Reply reply;
    reply.errc = plan.error().code == Errc::not_found ? Errc::not_found : plan.error().code == Errc::conflict ? Errc::conflict : Errc::invalid_argument;
    reply.code = "no-such-plan";
    reply.sentence = plan.error().context;
    return reply;
  };
  Show show = [this](const authority::Digest& subject) { return show_plan(subject); };
  return command(std::move(named), std::move(show));
}

// ---- plans --------------------------------------------------------------------------------------------------------
// Not coroutines themselves: what a command holds must not live in a co_await expression (g++ 12, see store/async.cpp).

asio::awaitable<api::Answer> GovernanceBackend::plans(api::PlanFilter filter) {
  return read([this, filter](const governance::Core& core) {
    std::vector<const governance::PlanRecord*> found = core.plans({});
    std::erase_if(found, [&](const governance::PlanRecord* plan) {
      const bool over = governance::is_finished(plan->state) && (plan->state != governance::PlanState::done || plan->fixed);
      return (filter.incident && plan->incident_number != *filter.incident) || (over && !filter.all);
    });
    if (found.size() > filter.limit) found.resize(filter.limit);
    api::Answer answer;
    answer.body = plans_json(core, found, [this](const Uuid& node) { return node_name(node); });
    return answer;
  });
}

asio::awaitable<api::Answer> GovernanceBackend::plan(std::string digest) {
  return read([this, digest](const governance::Core& core) {
    const auto plan = core.find_prefix(digest);
    if (!plan) return failed(plan.error());
    api::Answer answer;
    answer.body = show_plan((*plan)->digest);
    return answer;
  });
}

asio::awaitable<api::Answer> GovernanceBackend::edit(api::Caller caller, Bytes document, std::uint8_t action_class, std::string replaces) {
  return on_plan(std::move(replaces), [caller, document, action_class](governance::Core& core, const authority::Digest& plan) {
    return core.propose_edit(plan, document, action_class, caller_of(caller));
  });
}

asio::awaitable<api::Answer> GovernanceBackend::vote(api::Caller caller, std::string digest, Bytes document, api::SignatureText text) {
  auto signature = signature_of(text);
  if (!signature) co_return failed(signature.error());
  const authority::Vote vote{std::move(document), std::move(*signature)};
  auto voting = on_plan(std::move(digest), [caller, vote](governance::Core& core, const authority::Digest& plan) {
    return core.vote(plan, vote, caller_of(caller));
  });
  co_return co_await std::move(voting);
}

asio::awaitable<api::Answer> GovernanceBackend::undo(api::Caller caller, std::string digest) {
  return on_plan(std::move(digest), [caller](governance::Core& core, const authority::Digest& plan) { return core.propose_undo(plan, caller_of(caller)); });
}

asio::awaitable<api::Answer> GovernanceBackend::extend(api::Caller caller, std::string digest, std::uint64_t ttl_ms) {
  return on_plan(std::move(digest), [caller, ttl_ms](governance::Core& core, const authority::Digest& plan) {
    return core.propose_extend(plan, ttl_ms, caller_of(caller));
  });
}

// ---- documents ----------------------------------------------------------------------------------------------------

asio::awaitable<api::Answer> GovernanceBackend::statements() {
  return read([](const governance::Core& core) {
    return of(documents_json(governance::DocumentKind::statement, core.documents(governance::DocumentKind::statement)));
  });
}

asio::awaitable<api::Answer> GovernanceBackend::sign_statement(api::Caller caller, Bytes document, api::SignatureText text) {
  auto signature = signature_of(text);
  if (!signature) co_return failed(signature.error());
  Command sign = [caller, document, signed_by = *signature](governance::Core& core) { return core.sign_statement(document, signed_by, caller_of(caller)); };
  Show show = [this](const authority::Digest& subject) { return show_document(subject); };
  auto signing = command(std::move(sign), std::move(show));
  co_return co_await std::move(signing);
}

asio::awaitable<api::Answer> GovernanceBackend::standing_approvals() {
  return read([](const governance::Core& core) {
    return of(documents_json(governance::DocumentKind::standing, core.documents(governance::DocumentKind::standing)));
  });
}

asio::awaitable<api::Answer> GovernanceBackend::sign_standing(api::Caller caller, Bytes document, api::SignatureText text) {
  auto signature = signature_of(text);
  if (!signature) co_return failed(signature.error());
  Command sign = [caller, document, signed_by = *signature](governance::Core& core) { return core.sign_standing(document, signed_by, caller_of(caller)); };
  Show show = [this](const authority::Digest& subject) { return show_document(subject); };
  auto signing = command(std::move(sign), std::move(show));
  co_return co_await std::move(signing);
}

asio::awaitable<api::Answer> GovernanceBackend::policy() {
  return read([this](const governance::Core& core) { return of(policy_json(core, [this](const Uuid& node) { return node_name(node); })); });
}

asio::awaitable<api::Answer> GovernanceBackend::load_policy(api::Caller caller, Bytes document, std::vector<api::SignatureText> texts) {
  std::vector<authority::Signature> signatures;
  for (const api::SignatureText& text : texts) {
    auto signature = signature_of(text);
    if (!signature) co_return failed(signature.error());
    signatures.push_back(std::move(*signature));
  }
  Command load = [caller, document, signatures](governance::Core& core) { return core.load_policy(document, signatures, caller_of(caller)); };
  Show show = [this](const authority::Digest&) { return policy_json(governor_.core(), [this](const Uuid& node) { return node_name(node); }); };
  auto loading = command(std::move(load), std::move(show));
  co_return co_await std::move(loading);
}

// ---- audit log ----------------------------------------------------------------------------------------------------

asio::awaitable<api::Answer> GovernanceBackend::checkpoint() {
  return read([](const governance::Core& core) {
    return core.checkpoint().empty() ? failed(Error(Errc::io, "the audit log is not open: " + core.problem())) : of(core.checkpoint());
  });
}

asio::awaitable<api::Answer> GovernanceBackend::entries(std::uint64_t from, std::size_t limit) {
  std::function<Result<std::string>(audit::Log&)> ask = [from, limit](audit::Log& log) -> Result<std::string> {
    auto lines = log.entries(from, limit);
    if (!lines) return lines.error();
    std::string text;
    for (const std::string& line : *lines) text += line + "\n";
    return text;
  };
  auto asking = governor_.ask_log<std::string>(std::move(ask));
  const auto text = co_await std::move(asking);
  co_return of(text);
}

asio::awaitable<api::Answer> GovernanceBackend::proof(std::uint64_t index, std::uint64_t size) {
  std::function<Result<std::string>(audit::Log&)> ask = [index, size](audit::Log& log) -> Result<std::string> {
    auto path = log.inclusion(index, size);
    if (!path) return path.error();
    return proof_json(index, size, *path);
  };
  auto asking = governor_.ask_log<std::string>(std::move(ask));
  const auto text = co_await std::move(asking);
  co_return of(text);
}

asio::awaitable<api::Answer> GovernanceBackend::consistency(std::uint64_t from, std::uint64_t to) {
  std::function<Result<std::string>(audit::Log&)> ask = [from, to](audit::Log& log) -> Result<std::string> {
    auto path = log.consistency(from, to);
    if (!path) return path.error();
    return consistency_json(from, to, *path);
  };
  auto asking = governor_.ask_log<std::string>(std::move(ask));
  const auto text = co_await std::move(asking);
  co_return of(text);
}

asio::awaitable<api::Answer> GovernanceBackend::witnesses() {
  return read([this](const governance::Core& core) { return of(witnesses_json(core, [this](const Uuid& node) { return node_name(node); })); });
}

void GovernanceBackend::record(std::string_view verb, const api::Caller& caller, std::string_view object, std::string_view code) {
  asio::post(coordinator_.executor(), [this, verb = std::string(verb), caller, object = std::string(object), code = std::string(code)] {
    governance::Caller who{.person = {}, .address = caller.address};
    if (!caller.person.empty()) who = caller_of(caller);
    governor_.core().record(verb, who, object, code, "");
  });
}

}  // namespace fw::app
