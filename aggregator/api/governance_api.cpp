#include "aggregator/api/governance_api.hpp"

#include <boost/json/array.hpp>

#include "aggregator/api/body.hpp"
#include "common/base64.hpp"

namespace fw::api {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kMaxDocumentText = 192_KiB;    // base64 of the largest document, a policy
constexpr std::size_t kMaxSignatureText = 4_KiB;
constexpr std::size_t kMaxSignatures = 16;

Bytes bytes_of(changes::ObjectReader& reader, std::string_view name, std::size_t limit) {
  const std::string text = reader.required_text(name, limit);
  auto bytes = decode_base64(text);
  if (!bytes) reader.report(name, "must be base64");
  return bytes.value_or(Bytes{});
}

SignatureText signature_of(changes::ObjectReader reader) {
  SignatureText signature;
  if (!reader.present()) reader.report("signature", "is missing");
  signature.key = reader.required_text("key");
  signature.algorithm = reader.required_text("algorithm");
  signature.bytes = bytes_of(reader, "bytes", kMaxSignatureText);
  reader.reject_unknown();
  return signature;
}

std::vector<SignatureText> signatures_of(changes::ObjectReader& body, changes::Problems& problems) {
  std::vector<SignatureText> signatures;
  const boost::json::value* list = body.find("signatures");
  if (list == nullptr || !list->is_array() || list->get_array().size() > kMaxSignatures) {
    body.report("signatures", "must be a list of at most 16");
    return signatures;
  }
  for (const boost::json::value& item : list->get_array()) signatures.push_back(signature_of({&item, "signatures", problems}));
  return signatures;
}

Response answer(Answer given, const char* content_type = "application/json") {
  if (given.body.has_error()) return problem(given.body.error(), given.code);
  Response response;
  response.body = std::move(*given.body);
  response.content_type = content_type;
  return response;
}

Result<std::vector<std::uint64_t>> numbers(const std::string& query, std::initializer_list<std::string_view> names) {
  const auto parameters = parse_query(query, names);
  if (parameters.has_error()) return parameters.error();
  std::vector<std::uint64_t> found;
  for (const std::string_view name : names) {
    const auto at = std::find_if(parameters->begin(), parameters->end(), [&](const auto& p) { return p.first == name; });
    const auto number = at == parameters->end() ? std::nullopt : parse_number<std::uint64_t>(at->second);
    if (!number) return Error(Errc::invalid_argument, std::string(name) + ": must be given as a number");
    found.push_back(*number);
  }
  return found;
}

Caller caller_of(const Request& request) { return {.person = request.person(), .address = request.peer_address}; }

// One method per route. `id` is the digest of the path. What is asked is a named value: g++ 12 destroys temporaries of a co_await expression
// twice.
class GovernanceApi {
 public:
  explicit GovernanceApi(Governance* governance) : g_(governance) {}

  bool on() const noexcept { return g_ != nullptr; }

  asio::awaitable<Response> plans(const Request& request, std::string) {
    const auto parameters = parse_query(request.query, {"incident", "all", "limit"});
    if (parameters.has_error()) co_return problem(parameters.error());
    PlanFilter filter;
    for (const auto& [name, value] : *parameters) {
      if (name == "incident") {
        const auto number = incident_number(value);
        if (number.has_error()) co_return problem(number.error());
        filter.incident = *number;
      } else if (name == "all") {
        const auto all = flag_of(name, value);
        if (all.has_error()) co_return problem(all.error());
        filter.all = *all;
      } else {
        const auto limit = limit_of(value);
        if (limit.has_error()) co_return problem(limit.error());
        filter.limit = *limit;
      }
    }
    auto asking = g_->plans(filter);
    auto given = co_await std::move(asking);
    auto response = answer(std::move(given));
    co_return response;
  }

  asio::awaitable<Response> plan(const Request&, std::string id) {
    auto asking = g_->plan(std::move(id));
    auto given = co_await std::move(asking);
    auto response = answer(std::move(given));
    co_return response;
  }

  asio::awaitable<Response> edit(const Request& request, std::string) {
    Bytes document;
    std::string replaces, action_class;
    const auto body = decode(request, [&](changes::ObjectReader& reader) {
      document = bytes_of(reader, "document", kMaxDocumentText);
      replaces = reader.required_text("replaces");
      action_class = reader.required_number("class");
    });
    if (body.has_error()) co_return problem(body.error());
    const auto number = parse_number<std::uint8_t>(action_class);
    if (!number) co_return problem(400, "class: must be 0 to 3");
    auto asking = g_->edit(caller_of(request), std::move(document), *number, std::move(replaces));
    auto given = co_await std::move(asking);
    auto response = answer(std::move(given));
    co_return response;
  }

  asio::awaitable<Response> vote(const Request& request, std::string id) {
    Bytes document;
    SignatureText signature;
    const auto body = signed_body(request, document, signature);
    if (body.has_error()) co_return problem(body.error());
    auto asking = g_->vote(caller_of(request), std::move(id), std::move(document), std::move(signature));
    auto given = co_await std::move(asking);
    auto response = answer(std::move(given));
    co_return response;
  }

  asio::awaitable<Response> undo(const Request& request, std::string id) {
    if (const auto body = decode(request, [](changes::ObjectReader&) {}); body.has_error()) co_return problem(body.error());
    auto asking = g_->undo(caller_of(request), std::move(id));
    auto given = co_await std::move(asking);
    auto response = answer(std::move(given));
    co_return response;
  }

  asio::awaitable<Response> extend(const Request& request, std::string id) {
    std::string ttl;
    const auto body = decode(request, [&](changes::ObjectReader& reader) { ttl = reader.required_number("ttlMs"); });
    if (body.has_error()) co_return problem(body.error());
    const auto number = parse_number<std::uint64_t>(ttl);
    if (!number) co_return problem(400, "ttlMs: must be a number of milliseconds");
    auto asking = g_->extend(caller_of(request), std::move(id), *number);
    auto given = co_await std::move(asking);
    auto response = answer(std::move(given));
    co_return response;
  }

  asio::awaitable<Response> statements(const Request& request, std::string) {
    if (const auto query = parse_query(request.query, {}); query.has_error()) co_return problem(query.error());
    auto asking = g_->statements();
    auto given = co_await std::move(asking);
    auto response = answer(std::move(given));
    co_return response;
  }

  asio::awaitable<Response> sign_statement(const Request& request, std::string) {
    Bytes document;
    SignatureText signature;
    const auto body = signed_body(request, document, signature);
    if (body.has_error()) co_return problem(body.error());
    auto asking = g_->sign_statement(caller_of(request), std::move(document), std::move(signature));
    auto given = co_await std::move(asking);
    auto response = answer(std::move(given));
    co_return response;
  }

  asio::awaitable<Response> standing(const Request& request, std::string) {
    if (const auto query = parse_query(request.query, {}); query.has_error()) co_return problem(query.error());
    auto asking = g_->standing_approvals();
    auto given = co_await std::move(asking);
    auto response = answer(std::move(given));
    co_return response;
  }

  asio::awaitable<Response> sign_standing(const Request& request, std::string) {
    Bytes document;
    SignatureText signature;
    const auto body = signed_body(request, document, signature);
    if (body.has_error()) co_return problem(body.error());
    auto asking = g_->sign_standing(caller_of(request), std::move(document), std::move(signature));
    auto given = co_await std::move(asking);
    auto response = answer(std::move(given));
    co_return response;
  }

  asio::awaitable<Response> policy(const Request& request, std::string) {
    if (const auto query = parse_query(request.query, {}); query.has_error()) co_return problem(query.error());
    auto asking = g_->policy();
    auto given = co_await std::move(asking);
    auto response = answer(std::move(given));
    co_return response;
  }

  asio::awaitable<Response> load_policy(const Request& request, std::string) {
    Bytes document;
    std::vector<SignatureText> signatures;
    changes::Problems inner;
    const auto body = decode(request, [&](changes::ObjectReader& reader) {
      static_cast<void>(reader.text("apiVersion"));      // the file of a signed policy may be sent as it is
      static_cast<void>(reader.text("kind"));
      document = bytes_of(reader, "document", kMaxDocumentText);
      signatures = signatures_of(reader, inner);
    });
    if (body.has_error()) co_return problem(body.error());
    if (inner.any()) co_return problem(inner.first());
    auto asking = g_->load_policy(caller_of(request), std::move(document), std::move(signatures));
    auto given = co_await std::move(asking);
    auto response = answer(std::move(given));
    co_return response;
  }

  asio::awaitable<Response> checkpoint(const Request& request, std::string) {
    if (const auto query = parse_query(request.query, {}); query.has_error()) co_return problem(query.error());
    auto asking = g_->checkpoint();
    auto given = co_await std::move(asking);
    auto response = answer(std::move(given), "text/plain; charset=utf-8");
    co_return response;
  }

  asio::awaitable<Response> entries(const Request& request, std::string) {
    const auto parameters = parse_query(request.query, {"from", "limit"});
    if (parameters.has_error()) co_return problem(parameters.error());
    std::uint64_t from = 0;
    std::size_t limit = 100;
    for (const auto& [name, value] : *parameters) {
      if (name == "limit") {
        const auto number = limit_of(value);
        if (number.has_error()) co_return problem(number.error());
        limit = *number;
      } else {
        const auto number = parse_number<std::uint64_t>(value);
        if (!number) co_return problem(400, "from: must be a number");
        from = *number;
      }
    }
    auto asking = g_->entries(from, limit);
    auto given = co_await std::move(asking);
    auto response = answer(std::move(given), "application/jsonl");
    co_return response;
  }

  asio::awaitable<Response> proof(const Request& request, std::string) {
    const auto given = numbers(request.query, {"index", "size"});
    if (given.has_error()) co_return problem(given.error());
    auto asking = g_->proof((*given)[0], (*given)[1]);
    auto proven = co_await std::move(asking);
    auto response = answer(std::move(proven));
    co_return response;
  }

  asio::awaitable<Response> consistency(const Request& request, std::string) {
    const auto given = numbers(request.query, {"from", "to"});
    if (given.has_error()) co_return problem(given.error());
    auto asking = g_->consistency((*given)[0], (*given)[1]);
    auto proven = co_await std::move(asking);
    auto response = answer(std::move(proven));
    co_return response;
  }

  asio::awaitable<Response> witnesses(const Request& request, std::string) {
    if (const auto query = parse_query(request.query, {}); query.has_error()) co_return problem(query.error());
    auto asking = g_->witnesses();
    auto given = co_await std::move(asking);
    auto response = answer(std::move(given));
    co_return response;
  }

 private:
  static Result<void> signed_body(const Request& request, Bytes& document, SignatureText& signature) {
    return decode(request, [&](changes::ObjectReader& reader) {
      document = bytes_of(reader, "document", kMaxDocumentText);
      signature = signature_of(reader.object("signature"));
    });
  }

  Governance* g_;
};

asio::awaitable<Response> say_off() {
  co_return problem(Error(Errc::conflict, "plans and approvals are off: set governance.policy, audit.folder and audit.key (docs/governance.md)"), "no-policy");
}

}  // namespace

void add_governance_routes(Router& router, Governance* governance, std::size_t max_body_bytes) {
  const auto api = std::make_shared<GovernanceApi>(governance);
  using Call = asio::awaitable<Response> (GovernanceApi::*)(const Request&, std::string);
  const auto add = [&](Method method, std::string_view pattern, Call call) {
    router.add({method, pattern, Access::person, max_body_bytes,
                [api, call](const Request& request, std::string id) { return api->on() ? (api.get()->*call)(request, std::move(id)) : say_off(); }});
  };
  add(Method::get, "/api/v1/plans", &GovernanceApi::plans);
  add(Method::get, "/api/v1/plans/{id}", &GovernanceApi::plan);
  add(Method::post, "/api/v1/plans", &GovernanceApi::edit);
  add(Method::post, "/api/v1/plans/{id}/approvals", &GovernanceApi::vote);
  add(Method::post, "/api/v1/plans/{id}/undo", &GovernanceApi::undo);
  add(Method::post, "/api/v1/plans/{id}/extend", &GovernanceApi::extend);
  add(Method::get, "/api/v1/statements", &GovernanceApi::statements);
  add(Method::post, "/api/v1/statements", &GovernanceApi::sign_statement);
  add(Method::get, "/api/v1/standing-approvals", &GovernanceApi::standing);
  add(Method::post, "/api/v1/standing-approvals", &GovernanceApi::sign_standing);
  add(Method::get, "/api/v1/policy", &GovernanceApi::policy);
  add(Method::post, "/api/v1/policy", &GovernanceApi::load_policy);
  add(Method::get, "/api/v1/audit/checkpoint", &GovernanceApi::checkpoint);
  add(Method::get, "/api/v1/audit/entries", &GovernanceApi::entries);
  add(Method::get, "/api/v1/audit/proof", &GovernanceApi::proof);
  add(Method::get, "/api/v1/audit/consistency", &GovernanceApi::consistency);
  add(Method::get, "/api/v1/audit/witnesses", &GovernanceApi::witnesses);
}

}  // namespace fw::api
