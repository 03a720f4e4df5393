// Bodies and numbers of requests, decoded. Inside aggregator/api only.
#pragma once
#include <charconv>
#include <optional>

#include "aggregator/api/http.hpp"
#include "aggregator/changes/json_reader.hpp"

namespace fw::api {

inline constexpr std::size_t kMaxItems = 1'000;   // of one list

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<std::int64_t> incident_number(std::string_view id);   // "INC-7"; Errc::not_found
Result<std::size_t> limit_of(const std::string& value);      // 1 to kMaxItems
Result<bool> flag_of(const std::string& name, const std::string& value);

// Decodes the body of a POST: an object with at most the fields that `take` asks for. An empty body is an empty object.
template <class Take>
Result<void> decode(const Request& request, Take take) {
  if (!request.body.empty() && request.media_type() != "application/json") {
    return Error(Errc::unsupported, "Content-Type: must be application/json");
  }
  const auto document = changes::JsonDocument::parse(request.body.empty() ? "{}" : request.body);
  if (document.has_error()) return document.error();
  changes::Problems problems;
  changes::ObjectReader body(&document->root(), "", problems);
  if (!body.present()) body.report("body", "must be an object");
  take(body);
  body.reject_unknown();
  if (problems.any()) return problems.first();
  return {};
}

}  // namespace fw::api
