// The aggregator's /api/v1 as this program sees it: one call, the body or a Failure that says what to do.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "aggregator/cli/context.hpp"
#include "aggregator/cli/failure.hpp"
#include "common/http/client.hpp"

namespace fw::cli {

struct ServerTimeouts {
  std::chrono::milliseconds connect{5'000};
  std::chrono::milliseconds total{30'000};
};

// Threading: one thread. Blocking: at most timeouts.total per call. Lifetime: keeps one connection open between calls.
class Server {
 public:
  explicit Server(Context context, ServerTimeouts timeouts = {});

  Outcome<std::string> get(std::string_view path);                     // "/api/v1/nodes"
  Outcome<std::string> post(std::string_view path, std::string body);  // JSON

  // `id` as people type it (7, inc-7), `part` is "", "/explain", "/case", ... An unknown incident names the nearest
  // ones.
  Outcome<std::string> get_incident(std::string_view id, std::string_view part = {});
  Outcome<std::string> post_incident(std::string_view id, std::string_view part, std::string body);

  const Context& context() const noexcept { return context_; }

 private:
  Outcome<std::string> answer(const Result<http::Response>& response, std::string_view path);
  Outcome<std::string> with_nearest(Outcome<std::string> answer, std::string_view id);

  Context context_;
  http::Client client_;
};

// "INC-7"; a usage failure for anything else.
Outcome<std::string> parse_incident_id(std::string_view text);

// Up to three ids, nearest number first.
std::string nearest_ids(std::string_view id, const std::vector<std::string>& known);

}  // namespace fw::cli
