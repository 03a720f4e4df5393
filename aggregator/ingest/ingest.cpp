#include "aggregator/ingest/ingest.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "aggregator/ingest/session.hpp"

namespace fw::ingest {

namespace asio = boost::asio;
using asio::ip::tcp;

std::optional<Registry::Entry> Registry::enter(const Uuid& node, Entry entry) {
  const std::lock_guard lock(mutex_);
  std::optional<Entry> older;
  if (const auto known = live_.find(node); known != live_.end()) older = std::move(known->second);
  live_[node] = std::move(entry);
  return older;
}

void Registry::leave(const Uuid& node, const Uuid& session) {
  const std::lock_guard lock(mutex_);
  if (const auto known = live_.find(node); known != live_.end() && known->second.session == session) live_.erase(known);
}

std::optional<Registry::Entry> Registry::find(const Uuid& node) const {
  const std::lock_guard lock(mutex_);
  const auto known = live_.find(node);
  return known == live_.end() ? std::nullopt : std::optional(known->second);
}

std::shared_ptr<TokenBucket> Registry::bucket(const Uuid& node) {
  const std::lock_guard lock(mutex_);
  auto& bucket = buckets_[node];
  if (!bucket) bucket = std::make_shared<TokenBucket>(limits_.events_per_second, limits_.events_burst);
  return bucket;
}

struct Ingest::Impl {
  Impl(Config config, Deps deps) : context(std::move(config), deps) {
    for (std::size_t i = 0; i < std::max<std::size_t>(1, context.config.shards); ++i) context.shards.push_back(std::make_unique<Shard>());
    acceptor.emplace(context.shards.front()->io);
  }

  asio::awaitable<Result<void>> accept_loop();
  asio::awaitable<Result<void>> expire_loop(Shard& shard);
  static asio::awaitable<Result<void>> serve(Context& context, Shard& shard, std::shared_ptr<Session> session, tcp::socket socket);
  static asio::awaitable<Result<void>> finish(Shard& shard);

  Context context;
  std::optional<tcp::acceptor> acceptor;
  std::uint16_t port = 0;
  bool running = false;
  enum class Accepting : std::uint8_t { no, yes, failing };
  std::atomic<Accepting> accepting{Accepting::no};
};

asio::awaitable<Result<void>> Ingest::Impl::accept_loop() {
  std::size_t next = 0;
  for (;;) {
    Shard& shard = *context.shards[next++ % context.shards.size()];
    auto [ec, socket] = co_await acceptor->async_accept(shard.io, asio::as_tuple(asio::use_awaitable));
    if (ec == asio::error::operation_aborted || !acceptor->is_open()) co_return Result<void>{};
    if (ec) {   // no descriptors left: wait until some are closed
      accepting = Accepting::failing;
      context.deps.metrics.add(Metric::ingest_errors, 1, {"accept"});
      asio::steady_timer timer(acceptor->get_executor(), std::chrono::milliseconds(100));
      co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
      if (!acceptor->is_open()) co_return Result<void>{};
      accepting = Accepting::yes;   // unless it fails again at once
      continue;
    }
    if (context.connections.fetch_add(1) >= context.config.limits.sessions) {
      context.connections.fetch_sub(1);
      context.deps.metrics.add(Metric::ingest_errors, 1, {"full"});
      continue;   // the socket closes
    }
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    // The task group belongs to the shard's thread; a std::function must be copyable, a socket is not.
    auto shared = std::make_shared<tcp::socket>(std::move(socket));
    asio::post(shard.io, [this, &shard, shared] {
      if (shard.stopping) {   // accepted while stop() was on its way: nobody would end it
        context.connections.fetch_sub(1);
        boost::system::error_code closing;
        shared->close(closing);
        return;
      }
      auto session = std::make_shared<Session>(context, shard.io.get_executor());
      shard.sessions.insert(session);
      shard.tasks->spawn(session->id().str(), serve(context, shard, session, std::move(*shared)));
    });
  }
}

asio::awaitable<Result<void>> Ingest::Impl::serve(Context& context, Shard& shard, std::shared_ptr<Session> session, tcp::socket socket) {
  struct Leave {
    Context& context;
    Shard& shard;
    std::shared_ptr<Session> session;
    ~Leave() {
      shard.sessions.erase(session);
      context.connections.fetch_sub(1);
    }
  };
  const Leave leave{context, shard, session};
  try {   // an exception of one session must not end the others of its group
    co_return co_await session->run(std::move(socket));
  } catch (const std::exception& error) {
    context.deps.metrics.add(Metric::ingest_errors, 1, {"io"});
    log::write(context.end_limiter, log::Level::warn, "agent session ended", {{"reason", "io"}, {"error", error.what()}});
  }
  co_return Result<void>{};
}

asio::awaitable<Result<void>> Ingest::Impl::expire_loop(Shard& shard) {
  asio::steady_timer timer(shard.io);
  for (;;) {
    timer.expires_after(std::chrono::minutes(1));
    if (const auto [ec] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable)); ec) co_return Result<void>{};
    const std::int64_t now_ns = context.deps.clock.wall_ns();
    for (auto& [node, windows] : shard.windows) windows.series.expire(now_ns);
    std::erase_if(shard.windows, [&](const auto& item) { return item.second.series.entities() == 0 && !context.registry.find(item.first); });
  }
}

// Every session has been told to end, which is bounded; then the thread may go.
asio::awaitable<Result<void>> Ingest::Impl::finish(Shard& shard) {
  co_await shard.tasks->wait_all();
  shard.io.stop();
  co_return Result<void>{};
}

Result<std::unique_ptr<Ingest>> Ingest::open(Config config, Deps deps) {
  auto impl = std::make_unique<Impl>(std::move(config), deps);
  auto tls = transport::make_agent_port_context(impl->context.config.tls);
  if (!tls) return tls.error();
  impl->context.tls = std::move(*tls);
  const std::string where = impl->context.config.address + ":" + std::to_string(impl->context.config.port);
  boost::system::error_code ec;
  const auto address = asio::ip::make_address(impl->context.config.address, ec);
  if (ec) return Error(Errc::invalid_argument, "listen.agents: '" + impl->context.config.address + "' is not an IP address");
  const tcp::endpoint endpoint(address, impl->context.config.port);
  tcp::acceptor& acceptor = *impl->acceptor;
  if (acceptor.open(endpoint.protocol(), ec); !ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) acceptor.bind(endpoint, ec);
  if (!ec) acceptor.listen(tcp::acceptor::max_listen_connections, ec);
  if (ec) return Error(ec, "listen.agents: " + where);
  impl->port = acceptor.local_endpoint(ec).port();
  return std::unique_ptr<Ingest>(new Ingest(std::move(impl)));
}

Ingest::Ingest(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Ingest::~Ingest() { stop(); }
std::uint16_t Ingest::port() const noexcept { return impl_->port; }

void Ingest::start() {
  impl_->running = true;
  for (auto& shard : impl_->context.shards) {
    shard->tasks.emplace(shard->io.get_executor());
    shard->control.emplace(shard->io.get_executor());
    shard->control->spawn("expire", impl_->expire_loop(*shard));
  }
  impl_->accepting = Impl::Accepting::yes;
  impl_->context.shards.front()->control->spawn("accept", impl_->accept_loop());
  for (auto& shard : impl_->context.shards) shard->thread = std::thread([&io = shard->io] { io.run(); });
}

std::string Ingest::not_accepting() const {
  switch (impl_->accepting.load()) {
    case Impl::Accepting::yes: break;
    case Impl::Accepting::no: return "the listener is closed";
    case Impl::Accepting::failing: return "connections cannot be accepted: are there free file descriptors?";
  }
  const bool full = impl_->context.connections.load() >= impl_->context.config.limits.sessions;
  return full ? "there are as many connections as allowed" : "";
}

void Ingest::stop() {
  if (!impl_->running) return;
  impl_->running = false;
  asio::post(impl_->context.shards.front()->io, [impl = impl_.get()] {
    impl->accepting = Impl::Accepting::no;
    boost::system::error_code ignored;
    impl->acceptor->close(ignored);
  });
  for (auto& shard : impl_->context.shards) {
    asio::post(shard->io, [&s = *shard] {
      s.stopping = true;
      const auto sessions = s.sessions;
      for (const auto& session : sessions) {
        if (session->in_handshake()) s.tasks->cancel(session->id().str());
        session->end("the aggregator stops");
      }
      s.control->spawn("finish", Impl::finish(s));
    });
  }
  for (auto& shard : impl_->context.shards) shard->thread.join();
  impl_->context.reads.join();
}

void Ingest::focus(const Uuid& node, std::vector<std::uint64_t> cgroup_ids, std::chrono::nanoseconds duration) {
  const auto live = impl_->context.registry.find(node);
  if (!live) return;
  asio::post(live->executor, [handle = live->handle, ids = std::move(cgroup_ids), duration] {
    if (const auto session = handle.lock()) session->focus(ids, duration);
  });
}

void Ingest::send_executor(const Uuid& node, Bytes packet) {
  const auto live = impl_->context.registry.find(node);
  if (!live) return;
  asio::post(live->executor, [handle = live->handle, packet = std::move(packet)]() mutable {
    if (const auto session = handle.lock()) session->send_executor(std::move(packet));
  });
}

void Ingest::probe(const Uuid& node, wire::Probe probe, ProbeDone done) {
  const auto live = impl_->context.registry.find(node);
  if (!live) return done(Error(Errc::gone, "the node is not connected"));
  asio::post(live->executor, [handle = live->handle, probe = std::move(probe), done = std::move(done)]() mutable {
    const auto session = handle.lock();
    if (!session) return done(Error(Errc::gone, "the node is not connected"));
    session->probe(std::move(probe), std::move(done));
  });
}

void Ingest::visit_series(const Uuid& node, SeriesVisit visit) {
  Shard& home = impl_->context.home_of(node);
  asio::post(home.io, [&home, node, visit = std::move(visit)] {
    const auto at = home.windows.find(node);
    visit(at == home.windows.end() ? nullptr : &at->second.series);
  });
}

void Ingest::read_series(const Uuid& node, std::vector<series::Selection> wanted, std::int64_t from_ns, std::int64_t to_ns, SeriesDone done) {
  visit_series(node, [wanted = std::move(wanted), from_ns, to_ns, done = std::move(done)](const series::NodeSeries* series) {
    done(series == nullptr ? std::vector<series::Series>{} : series->read(wanted, from_ns, to_ns));
  });
}

}  // namespace fw::ingest
