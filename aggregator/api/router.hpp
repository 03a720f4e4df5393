// A table of routes. "{id}" in a pattern matches one path segment.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/api/http.hpp"

namespace fw::api {

// Who may call a route; checked before the body is read.
enum class Access : std::uint8_t {
  anyone,      // health and metrics
  signature,   // webhooks: the handler checks the signature of the body
  person,      // a client certificate of the people's authority that names a person
};

// The request lives until the coroutine has ended; `id` is the matched segment, or "".
using Handler = std::function<boost::asio::awaitable<Response>(const Request& request, std::string id)>;

struct Route {
  Method method = Method::get;   // a GET route also answers HEAD
  std::string_view pattern;      // also the value of the metric label "route"
  Access access = Access::person;
  std::size_t max_body_bytes = 0;
  Handler handler;
};

struct Match {
  const Route* route = nullptr;
  std::string id;
  std::string allow;             // value of the Allow header when only the method is wrong; "" when no pattern matches
};

// Immutable after the last add().
class Router {
 public:
  void add(Route route) { routes_.push_back(std::move(route)); }
  Match match(Method method, std::string_view path) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace fw::api
