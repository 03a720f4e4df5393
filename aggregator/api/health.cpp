#include "aggregator/api/health.hpp"

#include <algorithm>

namespace fw::api {
namespace asio = boost::asio;
namespace {

Response text(int status, std::string body) {
  Response response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(body);
  return response;
}

// Depends on nothing: a supervisor that restarts us because the store is away would only make it worse.
asio::awaitable<Response> live(const Request&) { co_return text(200, "ok\n"); }

asio::awaitable<Response> ready(const Request& request, Backend& backend, const bool& draining) {
  auto checks = backend.readiness();
  checks.push_back({"accepting", !draining, draining ? "shutting down" : ""});
  const bool ok = std::all_of(checks.begin(), checks.end(), [](const auto& check) { return check.ok; });
  if (ok && request.query != "verbose") co_return text(200, "ok\n");
  std::string body;
  for (const auto& check : checks) {
    body += (check.ok ? "[+]" : "[-]") + check.name + (check.ok ? " ok" : " failed") + (check.detail.empty() ? "" : ": " + check.detail) + "\n";
  }
  co_return text(ok ? 200 : 503, body + (ok ? "readyz check passed\n" : "readyz check failed\n"));
}

asio::awaitable<Response> exposition(const Request&, const Metrics& metrics) {
  Response response = text(200, metrics.text());
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  co_return response;
}

}  // namespace

void add_health_routes(Router& router, Backend& backend, const Metrics& metrics, const bool& draining) {
  const auto add = [&](std::string_view pattern, Handler handler) {
    router.add({Method::get, pattern, Access::anyone, 0, std::move(handler)});
  };
  add("/livez", [](const Request& request, std::string) { return live(request); });
  add("/healthz", [](const Request& request, std::string) { return live(request); });
  add("/readyz", [&backend, &draining](const Request& request, std::string) { return ready(request, backend, draining); });
  add("/metrics", [&metrics](const Request& request, std::string) { return exposition(request, metrics); });
}

}  // namespace fw::api
