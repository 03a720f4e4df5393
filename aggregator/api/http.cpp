#include "aggregator/api/http.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/url/parse_query.hpp>
#include <boost/url/params_encoded_view.hpp>
#include <boost/url/params_view.hpp>
#include <algorithm>
#include <cctype>

#include "aggregator/api/render.hpp"

namespace fw::api {
namespace {

std::string_view reason_of(int status) {
  switch (status) {
    case 400: return "BadRequest";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "NotFound";
    case 405: return "MethodNotAllowed";
    case 408: return "Timeout";
    case 409: return "Conflict";
    case 413: return "PayloadTooLarge";
    case 415: return "UnsupportedMediaType";
    case 429: return "TooManyRequests";
    case 431: return "HeadersTooLarge";
    case 503: return "Unavailable";
    default: return "Internal";
  }
}

int status_of(const Error& error) {
  if (error.code == Errc::not_found) return 404;
  if (error.code == Errc::conflict) return 409;
  if (error.code == Errc::invalid_argument || error.code == Errc::malformed) return 400;
  if (error.code == Errc::too_large) return 413;
  if (error.code == Errc::unsupported) return 415;
  if (error.code == Errc::permission) return 403;
  if (error.code == Errc::overloaded || error.code == Errc::timeout || error.code == Errc::io) return 503;
  return 500;
}

}  // namespace

std::optional<std::string_view> Request::header(std::string_view name) const {
  const auto it = std::find_if(headers.begin(), headers.end(), [&](const auto& header) { return header.first == name; });
  if (it == headers.end()) return std::nullopt;
  return it->second;
}

std::string Request::media_type() const {
  std::string type(header("content-type").value_or(""));
  type.erase(std::min(type.find(';'), type.size()));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  std::transform(type.begin(), type.end(), type.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return type;
}

Response problem(int status, std::string_view message, std::string_view hint) {
  boost::json::object body{{"apiVersion", kApiVersion}, {"kind", "Error"}, {"reason", reason_of(status)}, {"message", message}};
  if (!hint.empty()) body["hint"] = hint;
  Response response;
  response.status = status;
  response.body = boost::json::serialize(body) + "\n";
  if (status == 429 || status == 503) response.headers.emplace_back("Retry-After", "10");
  return response;
}

Response problem(const Error& error) {
  const int status = status_of(error);
  return problem(status, error.message(), status == 503 ? "Try again; /readyz?verbose says what is wrong." : "");
}

Response problem(const Error& error, const std::string& code) {
  if (code.empty()) return problem(error);
  const int status = status_of(error);
  boost::json::object body{{"apiVersion", kApiVersion}, {"kind", "Error"}, {"reason", reason_of(status)},
                           {"message", error.context + " [" + code + "]"}, {"code", code}};
  Response response;
  response.status = status;
  response.body = boost::json::serialize(body) + "\n";
  if (status == 503) response.headers.emplace_back("Retry-After", "10");
  return response;
}

Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query, std::initializer_list<std::string_view> known) {
  std::vector<std::pair<std::string, std::string>> parameters;
  if (query.empty()) return parameters;
  const auto view = boost::urls::parse_query(query);
  if (view.has_error()) return Error(Errc::invalid_argument, "query: not well-formed");
  const boost::urls::params_view decoded = *view;
  for (const auto& parameter : decoded) {
    if (std::find(known.begin(), known.end(), parameter.key) == known.end()) {
      std::string names;
      for (const auto name : known) names += (names.empty() ? "" : ", ") + std::string(name);
      return Error(Errc::invalid_argument, "query: unknown parameter" + (names.empty() ? std::string("; there are none here") : "; known are " + names));
    }
    const auto same = [&](const auto& other) { return other.first == parameter.key; };
    if (std::any_of(parameters.begin(), parameters.end(), same)) return Error(Errc::invalid_argument, "query: " + parameter.key + " is given twice");
    parameters.emplace_back(parameter.key, parameter.value);
  }
  return parameters;
}

}  // namespace fw::api
