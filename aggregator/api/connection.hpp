// One accepted HTTP connection: Beast, TLS and the limits live here.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <list>
#include <string>

#include "aggregator/api/metrics.hpp"
#include "aggregator/api/peer_limiter.hpp"
#include "aggregator/api/router.hpp"
#include "aggregator/api/server.hpp"
#include "common/clock.hpp"
#include "common/log.hpp"

namespace fw::api {

// What the connections of one server share. One executor.
struct Shared {
  const Limits& limits;
  Metrics& metrics;
  const Clock& clock;
  Governance* governance = nullptr;              // nullptr: nobody keeps an audit log
  PeerLimiter limiter{};
  std::size_t bodies_bytes = 0;                  // of all requests that are in work
  std::list<std::function<void()>> close_all{};  // one entry per open connection, closes its socket
  log::Limiter tls_failures{clock};
  log::Limiter handler_failures{clock};
};

// Both serve until the connection has ended, and never throw. What they are given must outlive them.
boost::asio::awaitable<void> serve_tls(boost::asio::ip::tcp::socket socket, std::string address, transport::TlsContext context,
                                       const Router& router, Shared& shared);
boost::asio::awaitable<void> serve_plain(boost::asio::ip::tcp::socket socket, std::string address, const Router& router, Shared& shared);

}  // namespace fw::api
