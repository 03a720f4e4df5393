// A small blocking HTTPS client on libcurl: one call, one answer. Used by the CLI.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "common/units.hpp"

namespace fw::http {

// Plain http is refused unless asked for, and then only to a loopback address.
enum class Plain : std::uint8_t { refuse, loopback_only };

struct ClientConfig {
  std::string ca_file;                              // PEM; the server's certificate must chain to it; "" = the system's CAs
  std::string certificate_file, key_file;           // PEM; "" = no client certificate
  std::string server_name;                          // checked instead of the URL's host when set; the connection goes to the URL's host
  std::string user_agent = "fleetwright";
  std::chrono::milliseconds connect_timeout{5'000}; // TCP and TLS together
  std::chrono::milliseconds total_timeout{30'000};
  std::size_t max_body_bytes = 64_MiB;              // of the answer
  Plain plain = Plain::refuse;
};

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method = "GET";
  std::string url;
  Headers headers;
  std::string body;                                 // sent when method is POST, PUT or PATCH
};

struct Response {
  int status = 0;
  std::map<std::string, std::string> headers;       // names in lower case
  std::string body;
};

// Sends requests, keeping the connection open between them. Redirects are never followed, proxies of the environment never used:
// the person's certificate goes to the configured server only.
//
// Threading: one thread. Blocking: up to total_timeout. Any HTTP status is a Response; an Error means that there is no answer:
// Errc::gone (refused, reset, name unknown), Errc::timeout, Errc::permission (certificate problem on either side),
// Errc::too_large, Errc::invalid_argument (URL, unreadable file), Errc::malformed (not HTTP), Errc::io (the rest). The text says what to do.
class Client {
 public:
  explicit Client(ClientConfig config);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  Result<Response> send(const Request& request);
  Result<Response> get(const std::string& url);
  Result<Response> post_json(const std::string& url, std::string body);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fw::http
