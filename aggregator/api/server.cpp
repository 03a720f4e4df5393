#include "aggregator/api/server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <unordered_map>

#include "aggregator/api/connection.hpp"
#include "aggregator/api/health.hpp"
#include "aggregator/api/governance_api.hpp"
#include "aggregator/api/live_api.hpp"
#include "aggregator/api/people_api.hpp"
#include "aggregator/api/webhooks.hpp"
#include "common/async/task_group.hpp"

namespace fw::api {
namespace asio = boost::asio;
using tcp = asio::ip::tcp;
namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kAcceptPause{100};   // after accept failed, for example without free descriptors

Result<tcp::acceptor> listen(const asio::any_io_executor& executor, const std::string& address, std::uint16_t port) {
  const std::string where = address + ":" + std::to_string(port);
  boost::system::error_code error;
  const auto ip = asio::ip::make_address(address, error);
  if (error) return Error(Errc::invalid_argument, where + ": not an IP address");
  const tcp::endpoint endpoint(ip, port);
  tcp::acceptor acceptor(executor);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return Error(Errc::io, "cannot listen on " + where + ": " + error.message());
  return acceptor;
}

// One text per address, however it came in.
std::string address_of(const tcp::socket& socket) {
  boost::system::error_code error;
  const auto address = socket.remote_endpoint(error).address();
  if (error) return "";
  if (address.is_v6() && address.to_v6().is_v4_mapped()) return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  return address.to_string();
}

}  // namespace

struct Server::Impl {
  Impl(asio::any_io_executor executor, ServerConfig c, Deps d, transport::TlsContext context, tcp::acceptor https_listener, tcp::acceptor plain_listener)
      : config(std::move(c)),
        deps(d),
        tls(std::move(context)),
        https(std::move(https_listener)),
        plain(std::move(plain_listener)),
        shared{config.limits, deps.metrics, deps.clock, deps.governance},
        stopped(executor, asio::steady_timer::time_point::max()),
        tasks(executor) {
    add_people_routes(https_routes, deps.backend, config.limits.max_api_bytes);
    add_governance_routes(https_routes, deps.governance, config.limits.max_api_bytes);
    if (deps.live != nullptr) add_live_routes(https_routes, *deps.live, config.limits.max_api_bytes);
    add_webhook_routes(https_routes, {deps.backend, deps.metrics, deps.clock, shared.limiter}, {config.github_secret, config.cloudevents_secret},
                       config.limits.max_webhook_bytes);
    add_health_routes(plain_routes, deps.backend, deps.metrics, draining);
  }

  enum class Listener : std::uint8_t { https, plain };

  asio::awaitable<Result<void>> accept(Listener which) {
    tcp::acceptor& acceptor = which == Listener::https ? https : plain;
    asio::steady_timer pause(acceptor.get_executor());
    while (!stopping) {
      auto [error, socket] = co_await acceptor.async_accept(kAwait);
      if (stopping || error == asio::error::operation_aborted) break;
      if (error) {
        deps.metrics.add(Metric::http_connection_errors, 1, {"full"});
        pause.expires_after(kAcceptPause);
        co_await pause.async_wait(kAwait);
        continue;
      }
      const std::string address = address_of(socket);
      if (address.empty()) continue;   // already gone
      if (!has_room(address)) {
        deps.metrics.add(Metric::http_connection_errors, 1, {"full"});
        continue;                      // the destructor closes it
      }
      tasks.spawn("connection", serve(which, std::move(socket), address));
    }
    co_return Result<void>();
  }

  bool has_room(const std::string& address) const {
    const auto mine = per_address.find(address);
    const std::size_t held = mine == per_address.end() ? 0 : mine->second;
    return connections < config.limits.max_connections && held < std::max<std::size_t>(config.limits.max_connections / 2, 1);
  }

  // Counts one connection for as long as its coroutine lives.
  class Slot {
   public:
    Slot(Impl& server, std::string address) : server_(server), address_(std::move(address)) {
      ++server_.connections;
      ++server_.per_address[address_];
    }
    ~Slot() {
      --server_.connections;
      if (--server_.per_address[address_] == 0) server_.per_address.erase(address_);
    }
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;

   private:
    Impl& server_;
    const std::string address_;
  };

  asio::awaitable<Result<void>> serve(Listener which, tcp::socket socket, std::string address) {
    const Slot slot(*this, address);
    if (stopping) co_return Result<void>();
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    if (which == Listener::https) {
      co_await serve_tls(std::move(socket), std::move(address), tls, https_routes, shared);
    } else {
      co_await serve_plain(std::move(socket), std::move(address), plain_routes, shared);
    }
    co_return Result<void>();
  }

  void close_all() {
    boost::system::error_code ignored;
    https.close(ignored);
    plain.close(ignored);
    for (const auto& close : shared.close_all) close();
  }

  const ServerConfig config;
  const Deps deps;
  const transport::TlsContext tls;
  tcp::acceptor https;
  tcp::acceptor plain;
  Shared shared;
  Router https_routes;
  Router plain_routes;
  bool draining = false;
  bool stopping = false;
  std::size_t connections = 0;
  std::unordered_map<std::string, std::size_t> per_address;
  asio::steady_timer stopped;   // never expires: stop() cancels the wait
  TaskGroup tasks;              // last, so that its tasks go first
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::open(asio::any_io_executor executor, ServerConfig config, Deps deps) {
  auto tls = transport::make_https_port_context(config.tls);
  if (tls.has_error()) return with_context(tls.error(), "HTTPS");
  auto https = listen(executor, config.https_address, config.https_port);
  if (https.has_error()) return with_context(https.error(), "HTTPS");
  auto plain = listen(executor, config.plain_address, config.plain_port);
  if (plain.has_error()) return with_context(plain.error(), "health and metrics");
  auto impl = std::make_unique<Impl>(executor, std::move(config), deps, std::move(*tls), std::move(*https), std::move(*plain));
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

std::uint16_t Server::https_port() const noexcept {
  boost::system::error_code ignored;
  return impl_->https.local_endpoint(ignored).port();
}

std::uint16_t Server::plain_port() const noexcept {
  boost::system::error_code ignored;
  return impl_->plain.local_endpoint(ignored).port();
}

asio::awaitable<Result<void>> Server::run() {
  impl_->tasks.spawn("https", impl_->accept(Impl::Listener::https));
  impl_->tasks.spawn("plain", impl_->accept(Impl::Listener::plain));
  if (!impl_->stopping) co_await impl_->stopped.async_wait(kAwait);
  // The way out must also work when this coroutine was cancelled.
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  stop();
  impl_->close_all();
  co_await impl_->tasks.wait_all();
  co_return Result<void>();
}

void Server::drain() noexcept { impl_->draining = true; }

void Server::stop() {
  impl_->draining = true;
  impl_->stopping = true;
  impl_->stopped.cancel();
}

}  // namespace fw::api
