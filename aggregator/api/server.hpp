// The HTTP server of the aggregator: people's API and webhooks over HTTPS, health and metrics over plain HTTP.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "aggregator/api/backend.hpp"
#include "aggregator/api/governance.hpp"
#include "aggregator/api/live.hpp"
#include "aggregator/api/metrics.hpp"
#include "common/clock.hpp"
#include "common/result.hpp"
#include "common/units.hpp"
#include "protocol/transport/tls.hpp"

namespace fw::api {

struct Limits {
  std::size_t max_connections = 512;                    // of both listeners; one address may hold half of them
  std::size_t max_header_bytes = 16_KiB;
  std::size_t max_webhook_bytes = 25_MiB;
  std::size_t max_api_bytes = 1_MiB;
  std::size_t max_bodies_bytes = 128_MiB;               // of all requests that are being read, together
  std::chrono::milliseconds handshake_timeout{5'000};
  std::chrono::milliseconds idle_timeout{30'000};       // between two requests, and for all headers of one
  std::chrono::milliseconds body_timeout{20'000};       // for a whole body
  std::chrono::milliseconds write_timeout{30'000};      // for a whole answer
  std::chrono::milliseconds backend_timeout{30'000};    // for the store
};

struct ServerConfig {
  std::string https_address = "0.0.0.0";                // IP address
  std::uint16_t https_port = 0;                         // 0: any free port, see Server::https_port()
  std::string plain_address = "127.0.0.1";
  std::uint16_t plain_port = 0;
  transport::TlsFiles tls;                              // ca is the people's authority
  std::string github_secret;                            // the secret itself, without the line end of its file;
  std::string cloudevents_secret;                       // "" = that webhook answers 404
  Limits limits;
};

// Both listeners are bound when open() returns; requests are answered while run() runs.
//
// Threading: one executor, the one given (an io_context with one thread). Backend, metrics and clock must outlive the server.
// Blocking: never. Lifetime: destroy it after run() has returned.
class Server {
 public:
  struct Deps {
    Backend& backend;
    Governance* governance = nullptr;   // off
    Live* live = nullptr;               // its routes are not there
    Metrics& metrics;
    const Clock& clock;
  };

  // Errors: a certificate file, an address that is no IP address or cannot be bound.
  static Result<std::unique_ptr<Server>> open(boost::asio::any_io_executor executor, ServerConfig config, Deps deps);
  ~Server();

  std::uint16_t https_port() const noexcept;
  std::uint16_t plain_port() const noexcept;

  // Until stop() or cancellation; then closes every connection and waits for their ends.
  boost::asio::awaitable<Result<void>> run();
  // From now on /readyz fails, so that nobody new is sent here; requests are still answered.
  void drain() noexcept;
  void stop();

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fw::api
