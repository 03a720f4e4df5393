#include "aggregator/api/people_api.hpp"

#include <boost/json.hpp>
#include <string>

#include "aggregator/api/body.hpp"
#include "aggregator/api/render.hpp"
#include "aggregator/changes/rfc3339.hpp"
#include "common/log.hpp"
#include "common/version.hpp"
#include "protocol/limits.hpp"

namespace fw::api {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kMaxNoteBytes = 4_KiB;
constexpr std::int64_t kStandardProbeMs = 10'000;
constexpr std::int64_t kMostProbeMs = 25'000;     // of the server's 30 s for an answer, the way to the node and back included

using Query = std::vector<std::pair<std::string, std::string>>;

Response ok(std::string body) {
  Response response;
  response.body = std::move(body);
  return response;
}

Result<ChangeFilter> change_filter(const std::string& query) {
  const auto parameters = parse_query(query, {"limit", "since"});
  if (parameters.has_error()) return parameters.error();
  ChangeFilter filter;
  for (const auto& [name, value] : *parameters) {
    if (name == "limit") {
      const auto limit = limit_of(value);
      if (limit.has_error()) return limit.error();
      filter.limit = *limit;
    } else {
      const auto since = changes::parse_rfc3339(value);
      if (since.has_error()) return Error(Errc::invalid_argument, "since: not an RFC 3339 time such as 2026-11-24T02:47:03Z");
      filter.since_ns = *since;
    }
  }
  return filter;
}

Result<IncidentFilter> incident_filter(const std::string& query) {
  const auto parameters = parse_query(query, {"all", "limit"});
  if (parameters.has_error()) return parameters.error();
  IncidentFilter filter;
  for (const auto& [name, value] : *parameters) {
    if (name == "limit") {
      const auto limit = limit_of(value);
      if (limit.has_error()) return limit.error();
      filter.limit = *limit;
    } else {
      const auto all = flag_of(name, value);
      if (all.has_error()) return all.error();
      filter.include_closed = *all;
    }
  }
  return filter;
}

Response incident_answer(const Result<IncidentView>& incident) {
  return incident.has_error() ? problem(incident.error()) : ok(render_incident(*incident));
}

template <class T>
Response list_answer(const Result<std::vector<T>>& list, std::string (*render)(const std::vector<T>&)) {
  return list.has_error() ? problem(list.error()) : ok(render(*list));
}

Response explanation_answer(const std::string& id, const Result<std::string>& findings) {
  if (findings.has_error()) return problem(findings.error());
  auto body = render_explanation(id, *findings);
  return body.has_error() ? problem(500, body.error().message()) : ok(std::move(*body));
}

// What the node said is for the person who asked, not for the table of the store's errors.
Response probe_problem(const Error& error) {
  if (error.code == Errc::gone || error.code == Errc::unsupported) return problem(409, error.context, "`fleetwright nodes` shows who is connected");
  if (error.code == Errc::overloaded) return problem(429, error.context);
  if (error.code == Errc::timeout) return problem(504, error.context);
  if (error.code == Errc::invalid_argument) return problem(400, error.context);
  if (error.code == Errc::io) return problem(502, error.context);
  return problem(error);
}

// One method per route. `id` is the incident of the path.
class PeopleApi {
 public:
  explicit PeopleApi(Backend& backend) : backend_(backend) {}

  asio::awaitable<Response> status(const Request& request, std::string) {
    if (const auto query = parse_query(request.query, {}); query.has_error()) co_return problem(query.error());
    co_return ok(render_status(kVersion, request.person(), backend_.readiness()));
  }

  asio::awaitable<Response> nodes(const Request& request, std::string) {
    if (const auto query = parse_query(request.query, {}); query.has_error()) co_return problem(query.error());
    const auto list = co_await backend_.nodes();
    co_return list_answer(list, &render_nodes);
  }

  asio::awaitable<Response> probe(const Request& request, std::string node) {
    ProbeQuestion question;
    std::optional<std::string> limit_ms;
    const auto body = decode(request, [&](changes::ObjectReader& reader) {
      question.kind = reader.required_text("kind");
      question.target = reader.text("target", limits::kMaxLabelBytes);
      limit_ms = reader.scalar("limit_ms");
      const auto* arguments = reader.find("arguments");
      if (arguments == nullptr) return;
      if (!arguments->is_object()) return reader.report("arguments", "must be an object");
      for (const auto& [name, value] : arguments->as_object()) {
        if (!value.is_string()) return reader.report("arguments", "values must be text");
        question.arguments.emplace_back(name, value.as_string());
      }
    });
    if (body.has_error()) co_return problem(body.error());
    const auto limit = limit_ms ? parse_number<std::int64_t>(*limit_ms) : kStandardProbeMs;
    if (!limit || *limit < 1 || *limit > kMostProbeMs) co_return problem(400, "limit_ms: a number from 1 to " + std::to_string(kMostProbeMs));
    question.limit_ms = static_cast<std::uint32_t>(*limit);
    log::info("probe", {{"person", request.person()}, {"node", node}, {"kind", question.kind}, {"target", question.target}});
    const auto answer = co_await backend_.probe(node, std::move(question));
    if (answer.has_error()) co_return probe_problem(answer.error());
    auto rendered = render_probe(node, *answer);
    if (rendered.has_error()) co_return problem(502, rendered.error().message());
    co_return ok(std::move(*rendered));
  }

  asio::awaitable<Response> changes(const Request& request, std::string) {
    const auto filter = change_filter(request.query);
    if (filter.has_error()) co_return problem(filter.error());
    const auto list = co_await backend_.changes(*filter);
    co_return list_answer(list, &render_changes);
  }

  asio::awaitable<Response> incidents(const Request& request, std::string) {
    const auto filter = incident_filter(request.query);
    if (filter.has_error()) co_return problem(filter.error());
    const auto list = co_await backend_.incidents(*filter);
    co_return list_answer(list, &render_incidents);
  }

  asio::awaitable<Response> incident(const Request&, std::string id) {
    const auto number = incident_number(id);
    if (number.has_error()) co_return problem(number.error());
    const auto incident = co_await backend_.incident(*number);
    co_return incident_answer(incident);
  }

  asio::awaitable<Response> explain(const Request&, std::string id) {
    const auto number = incident_number(id);
    if (number.has_error()) co_return problem(number.error());
    const auto findings = co_await backend_.explanation(*number);
    co_return explanation_answer(id, findings);
  }

  asio::awaitable<Response> case_file(const Request&, std::string id) {
    const auto number = incident_number(id);
    if (number.has_error()) co_return problem(number.error());
    auto bytes = co_await backend_.case_file(*number);
    if (bytes.has_error()) co_return problem(bytes.error());
    Response response = ok(std::move(*bytes));
    response.content_type = "application/vnd.sqlite3";
    response.headers.emplace_back("Content-Disposition", "attachment; filename=\"" + id + ".sqlite3\"");
    co_return response;
  }

  asio::awaitable<Response> take(const Request& request, std::string id) {
    const auto number = incident_number(id);
    if (number.has_error()) co_return problem(number.error());
    if (const auto body = decode(request, [](changes::ObjectReader&) {}); body.has_error()) co_return problem(body.error());
    const auto incident = co_await backend_.take(*number, request.person());
    co_return incident_answer(incident);
  }

  asio::awaitable<Response> note(const Request& request, std::string id) {
    const auto number = incident_number(id);
    if (number.has_error()) co_return problem(number.error());
    std::string text;
    const auto body = decode(request, [&text](changes::ObjectReader& reader) { text = reader.required_prose("text", kMaxNoteBytes); });
    if (body.has_error()) co_return problem(body.error());
    const auto incident = co_await backend_.add_note(*number, request.person(), std::move(text));
    co_return incident_answer(incident);
  }

  asio::awaitable<Response> close(const Request& request, std::string id) {
    const auto number = incident_number(id);
    if (number.has_error()) co_return problem(number.error());
    std::string reason;
    std::string cause;
    const auto body = decode(request, [&](changes::ObjectReader& reader) {
      reason = reader.required_prose("reason", kMaxNoteBytes);
      cause = reader.text("cause");
    });
    if (body.has_error()) co_return problem(body.error());
    const auto incident = co_await backend_.close(*number, request.person(), std::move(reason), std::move(cause));
    co_return incident_answer(incident);
  }

 private:
  Backend& backend_;
};

}  // namespace

void add_people_routes(Router& router, Backend& backend, std::size_t max_body_bytes) {
  const auto api = std::make_shared<PeopleApi>(backend);
  using Call = asio::awaitable<Response> (PeopleApi::*)(const Request&, std::string);
  const auto add = [&](Method method, std::string_view pattern, Call call) {
    router.add({method, pattern, Access::person, max_body_bytes,
                [api, call](const Request& request, std::string id) { return (api.get()->*call)(request, std::move(id)); }});
  };
  add(Method::get, "/api/v1/status", &PeopleApi::status);
  add(Method::get, "/api/v1/nodes", &PeopleApi::nodes);
  add(Method::post, "/api/v1/nodes/{id}/probes", &PeopleApi::probe);
  add(Method::get, "/api/v1/changes", &PeopleApi::changes);
  add(Method::get, "/api/v1/incidents", &PeopleApi::incidents);
  add(Method::get, "/api/v1/incidents/{id}", &PeopleApi::incident);
  add(Method::get, "/api/v1/incidents/{id}/explain", &PeopleApi::explain);
  add(Method::get, "/api/v1/incidents/{id}/case", &PeopleApi::case_file);
  add(Method::post, "/api/v1/incidents/{id}/take", &PeopleApi::take);
  add(Method::post, "/api/v1/incidents/{id}/notes", &PeopleApi::note);
  add(Method::post, "/api/v1/incidents/{id}/close", &PeopleApi::close);
}

}  // namespace fw::api
