// Requests and answers as plain data: handlers know these, not Beast.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/result.hpp"
#include "protocol/transport/tls.hpp"

namespace fw::api {

enum class Method : std::uint8_t { get, head, post, other };

struct Request {
  Method method = Method::other;
  std::string path;                                            // as sent, without the query
  std::string query;                                           // as sent, without "?"
  std::vector<std::pair<std::string, std::string>> headers;    // names in lower case
  std::string body;
  std::string peer_address;                                    // IP address
  // Of the client certificate; an error is a valid certificate that names nobody of ours. Kind none on the plain listener.
  Result<transport::PeerIdentity> peer = transport::PeerIdentity{};

  std::optional<std::string_view> header(std::string_view name) const;
  std::string media_type() const;                              // of content-type: lower case, without parameters
  const std::string& person() const { return peer->name; }     // after the access check of a people's route
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;    // beyond the usual ones
};

// {"apiVersion", "kind": "Error", "reason", "message", "hint"}; the reason follows from the status.
Response problem(int status, std::string_view message, std::string_view hint = "");
// Of an error that the backend or a parser returned.
Response problem(const Error& error);
// With the code of a refusal, in brackets behind the sentence and as "code".
Response problem(const Error& error, const std::string& code);

// Value of each query parameter, decoded. Errc::invalid_argument for a bad encoding, a parameter that is given twice, and
// one that is not in `known`.
Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query, std::initializer_list<std::string_view> known);

}  // namespace fw::api
