#include "aggregator/cli/server.hpp"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "aggregator/cli/model.hpp"
#include "common/version.hpp"

namespace fw::cli {
namespace {

constexpr int kOk = 200, kBadRequest = 400, kUnauthorized = 401, kForbidden = 403, kNotFound = 404, kConflict = 409,
              kTooManyRequests = 429, kUnavailable = 503;

http::ClientConfig client_config(const Context& context, ServerTimeouts timeouts) {
  http::ClientConfig config;
  config.ca_file = context.ca_file;
  config.certificate_file = context.certificate_file;
  config.key_file = context.key_file;
  config.server_name = context.server_name;
  config.user_agent = std::string("fleetwright/") + kVersion;
  config.connect_timeout = timeouts.connect;
  config.total_timeout = timeouts.total;
  config.max_body_bytes = 256_MiB;
  return config;
}

// The client's text begins with the address.
Failure no_answer(const Error& error) {
  Failure failure{ExitCode::failure, "no answer", error.context, "`fleetwright doctor` checks step by step"};
  if (error.code == Errc::permission) {
    failure.what = "no trusted connection";
    failure.fix = "`fleetwright doctor` shows whose certificate is not accepted or has expired";
  }
  if (error.code == Errc::invalid_argument) failure.code = ExitCode::usage;
  return failure;
}

Failure refused(int status, std::string_view path, std::string_view body, const Context& context) {
  const auto said = read_error(body);
  Failure failure{ExitCode::failure, fmt::format("the server refused {}", path), said.message, said.hint};
  if (failure.why.empty()) failure.why = fmt::format("status {}", status);
  const auto default_fix = [&](std::string_view fix) {
    if (failure.fix.empty()) failure.fix = fix;
  };
  switch (status) {
    case kBadRequest: failure.code = ExitCode::usage; break;
    case kUnauthorized:
    case kForbidden:
      failure.code = ExitCode::not_authorised;
      failure.what = fmt::format("'{}' is not allowed to use {} at {}", context.person, path, context.server);
      default_fix("use a certificate of this server's people CA: `fleetwright config view`, `fleetwright doctor`");
      break;
    case kConflict:
      if (path.starts_with("/api/v1/plans")) failure.code = ExitCode::plan_changed;
      default_fix(failure.code == ExitCode::plan_changed ? "`fleetwright plan list --all` shows the present state"
                                                         : "`fleetwright incidents` shows the present state");
      break;
    case kTooManyRequests:
    case kUnavailable: default_fix("try again in a few seconds"); break;
    default: break;
  }
  if (!said.reason.empty() && !said.message.ends_with(']')) failure.why += fmt::format(" [{}]", said.reason);
  return failure;
}

}  // namespace

Server::Server(Context context, ServerTimeouts timeouts)
    : context_(std::move(context)), client_(client_config(context_, timeouts)) {
  while (!context_.server.empty() && context_.server.back() == '/') context_.server.pop_back();
}

Outcome<std::string> Server::answer(const Result<http::Response>& response, std::string_view path) {
  if (!response) return no_answer(response.error());
  if (response->status != kOk) return refused(response->status, path, response->body, context_);
  return response->body;
}

Outcome<std::string> Server::get(std::string_view path) {
  return answer(client_.get(context_.server + std::string(path)), path);
}

Outcome<std::string> Server::post(std::string_view path, std::string body) {
  return answer(client_.post_json(context_.server + std::string(path), std::move(body)), path);
}

Outcome<std::string> Server::with_nearest(Outcome<std::string> answer, std::string_view id) {
  if (answer || answer.error().why.find("[NotFound]") == std::string::npos) return answer;
  auto failure = answer.error();
  failure.what = fmt::format("there is no incident {}", id);
  std::vector<std::string> known;
  if (const auto list = get("/api/v1/incidents?all=true&limit=1000")) {
    if (const auto incidents = read_incidents(*list)) {
      for (const auto& incident : *incidents) known.push_back(incident.id);
    }
  }
  failure.why = known.empty() ? "the server has no incident yet" : "nearest: " + nearest_ids(id, known);
  failure.fix = "`fleetwright incidents --all` lists them";
  return failure;
}

Outcome<std::string> Server::get_incident(std::string_view text, std::string_view part) {
  const auto id = parse_incident_id(text);
  if (!id) return id.error();
  return with_nearest(get("/api/v1/incidents/" + *id + std::string(part)), *id);
}

Outcome<std::string> Server::post_incident(std::string_view text, std::string_view part, std::string body) {
  const auto id = parse_incident_id(text);
  if (!id) return id.error();
  return with_nearest(post("/api/v1/incidents/" + *id + std::string(part), std::move(body)), *id);
}

Outcome<std::string> parse_incident_id(std::string_view text) {
  if (auto id = normal_incident_id(text)) return *id;
  return Failure{ExitCode::usage, fmt::format("'{}' is not an incident id", text), "ids look like INC-7, inc-7 or 7",
                 "`fleetwright incidents --all` lists them"};
}

std::string nearest_ids(std::string_view id, const std::vector<std::string>& known) {
  constexpr std::size_t kShown = 3;
  auto sorted = known;
  const auto wanted = incident_number(id);
  std::stable_sort(sorted.begin(), sorted.end(), [&](const std::string& a, const std::string& b) {
    return std::abs(incident_number(a) - wanted) < std::abs(incident_number(b) - wanted);
  });
  sorted.resize(std::min(sorted.size(), kShown));
  return fmt::format("{}", fmt::join(sorted, ", "));
}

}  // namespace fw::cli
