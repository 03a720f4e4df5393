#include "node-agent/uplink/uplink.hpp"

#include <array>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <utility>

#include "common/async/with_timeout.hpp"
#include "common/id.hpp"
#include "common/log.hpp"
#include "node-agent/uplink/executor_relay.hpp"
#include "node-agent/uplink/sample_blocks.hpp"
#include "node-agent/uplink/signal.hpp"
#include "protocol/session/session.hpp"
#include "protocol/transport/connection.hpp"

namespace fw::uplink {

namespace asio = boost::asio;
using namespace boost::asio::experimental::awaitable_operators;

namespace {

constexpr std::size_t kReadBytes = 16_KiB;
constexpr std::size_t kMaxOutboxBytes = 1_MiB;             // more than this waits in the spool, or is dropped and counted
constexpr std::chrono::milliseconds kBacklogPeriod{100};   // one block of old samples, so that live data keeps its place
constexpr std::chrono::seconds kSyncDelay{1};              // events are durable here at the latest after this
constexpr std::chrono::seconds kTimerPeriod{1};            // the longest sleep between two looks at the session's deadline
constexpr std::chrono::seconds kFarewellLimit{1};          // for the last bytes of a session

asio::awaitable<void> sleep_for(std::chrono::nanoseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

std::uint64_t random_bits() {
  std::array<std::uint8_t, 8> bytes{};
  fill_random(bytes);
  std::uint64_t bits = 0;
  for (const auto byte : bytes) bits = bits << 8U | byte;
  return bits;
}

}  // namespace

struct Uplink::Impl {
  Impl(asio::any_io_executor executor, UplinkConfig c, Spool& s, Node& n, const Clock& k)
      : config(std::move(c)), spool(s), node(n), clock(k), failure_limiter(k), refused_limiter(k), outgoing(executor), changed(executor),
        backlog(executor), unsynced(executor), welcomed(executor), backoff(config.backoff),
        relay(executor, config.executor_socket, [this](Bytes packet) { from_executor(std::move(packet)); }, clock) {}

  session::Now now() const { return {clock.mono_ns(), clock.wall_ns()}; }
  bool ready() const { return session && session->ready() && !closing; }
  Dictionary dictionary() const { return {node.entities(), node.metrics()}; }

  // ---- one connection ----

  // Takes what the session wants: bytes to write, messages for us, the end.
  void handle(session::Output out) {
    outbox.insert(outbox.end(), out.write.begin(), out.write.end());
    if (out.close && !closing) closing = std::move(out.close);
    for (auto& message : out.messages) dispatch(std::move(message));
    outgoing.notify();
  }

  void dispatch(wire::Message message) {
    if (const auto* welcome = std::get_if<wire::Welcome>(&message)) {
      counters.connections_total += 1;
      counters.connected = true;
      announced = Announced{};
      spool.rewind(session->acknowledged_seq());
      node.on_welcome(*welcome);
      backlog.notify();
      welcomed.notify();
    } else if (const auto* ack = std::get_if<wire::Ack>(&message)) {
      spool.acknowledged(ack->seq);
      changed.notify();
    } else if (const auto* focus = std::get_if<wire::Focus>(&message)) {
      node.on_focus(*focus);
    } else if (const auto* probe = std::get_if<wire::Probe>(&message)) {
      node.on_probe(*probe);
    } else if (auto* packet = std::get_if<wire::ExecutorPacket>(&message)) {
      counters.executor_packets_received_total += 1;
      relay.send(std::move(packet->bytes));
    }
    pump();
  }

  // Every event frame that may go now goes to the outbox.
  void pump() {
    while (ready() && outbox.size() < kMaxOutboxBytes) {
      const auto next = spool.next_event();
      if (!next) return;
      auto out = session->send_spooled(next->frame, now());
      if (out) {
        counters.event_frames_sent_total += 1;
        outbox.insert(outbox.end(), out->write.begin(), out->write.end());
        outgoing.notify();
      } else if (out.error().code == Errc::overloaded || out.error().code == Errc::gone) {
        return;  // after the next Ack, or on the next connection
      } else {
        refuse(1, out.error());
      }
      spool.advance();
    }
  }

  void refuse(std::uint64_t events, const Error& error) {
    counters.event_frames_refused_total += 1;
    spool.lost(events);
    unsynced.notify();
    log::write(refused_limiter, log::Level::warn, "event frame refused", {{"events", events}, {"error", error.message()}});
  }

  asio::awaitable<Error> read_loop(transport::Connection& connection) {
    std::vector<std::uint8_t> buffer(kReadBytes);
    while (!closing) {
      const auto bytes = co_await connection.read_some(buffer);
      if (!bytes) co_return bytes.error();
      counters.bytes_received_total += *bytes;
      handle(session->on_bytes(wire::ByteView(buffer).first(*bytes), now()));
    }
    co_await sleep_for(kFarewellLimit + kTimerPeriod);  // the writer ends the connection when the last bytes are out
    co_return *closing;
  }

  asio::awaitable<Error> write_loop(transport::Connection& connection) {
    for (;;) {
      while (!outbox.empty()) {
        writing = std::exchange(outbox, {});
        const auto written = co_await connection.write(writing, closing ? kFarewellLimit : limits::kWriteTimeout);
        if (!written) co_return written.error();
        counters.bytes_sent_total += writing.size();
        writing.clear();
        pump();
      }
      if (closing) {
        co_await connection.shutdown(kFarewellLimit);
        co_return *closing;
      }
      co_await outgoing.wait();
    }
  }

  asio::awaitable<Error> timer_loop() {
    for (;;) {
      const auto deadline = session->next_deadline_ns();
      const auto mono = clock.mono_ns();
      const auto rest = std::chrono::nanoseconds{deadline > mono ? static_cast<std::int64_t>(deadline - mono) : 0};
      co_await sleep_for(std::min<std::chrono::nanoseconds>(rest + std::chrono::milliseconds{1}, kTimerPeriod));
      if (!closing) handle(session->on_timer(now()));
    }
  }

  asio::awaitable<Error> backlog_loop() {
    for (;;) {
      if (spool.counters().samples_held == 0 || !ready()) co_await backlog.wait();
      co_await sleep_for(kBacklogPeriod);
      if (!ready() || !outbox.empty() || !writing.empty() || session->samples_paused(now())) continue;
      if (const auto block = spool.take_samples()) {
        auto out = session->send_spooled(block->frame, now());
        if (!out) continue;  // counted as taken; the next connection would refuse it as well
        counters.backlog_blocks_sent_total += 1;
        handle(std::move(*out));
      }
    }
  }

  asio::awaitable<Error> relay_loop() {
    while (!ready() || config.executor_socket.empty()) co_await welcomed.wait();
    co_await relay.run();
    co_return Error(Errc::gone, "executor relay");
  }

  void from_executor(Bytes packet) {
    if (ready() && outbox.size() + writing.size() <= kMaxOutboxBytes) {
      if (auto out = session->send_executor({std::move(packet)}, now())) {
        counters.executor_packets_sent_total += 1;
        return handle(std::move(*out));
      }
    }
    executor_dropped += 1;
  }

  void send_probe_result(const wire::ProbeResult& result) {
    if (!ready() || outbox.size() + writing.size() > kMaxOutboxBytes) return;
    auto out = session->send_probe_result(result, now());
    if (!out) return;
    counters.probe_results_sent_total += 1;
    handle(std::move(*out));
  }

  asio::awaitable<Error> converse(transport::Connection& connection, session::Now started) {
    auto hello = node.hello();
    hello.stream_id = spool.stream_id();
    hello.acknowledged_seq = spool.acknowledged_seq();
    if (!config.executor_socket.empty()) hello.features |= wire::kFeatureExecutor;
    hello.wall_time_ns = now().wall_ns;
    hello.mono_ns = now().mono_ns;
    closing.reset();
    outbox.clear();
    writing.clear();
    session.emplace(std::move(hello), started);
    handle(session->start(now()));
    const auto end = co_await (read_loop(connection) || write_loop(connection) || timer_loop() || backlog_loop() || relay_loop());
    co_return std::visit([](const Error& error) { return error; }, end);
  }

  void disconnected() {
    counters.connected = false;
    session.reset();
    changed.notify();
  }

  // ---- for ever ----

  // One attempt: how long the session was established, and why it ended.
  struct Attempt {
    std::uint64_t lasted_ns = 0;
    Error error;
  };

  asio::awaitable<Attempt> attempt() {
    const auto started = now();
    auto context = transport::make_agent_client_context(config.tls);
    if (!context) co_return Attempt{0, context.error()};
    auto connected = co_await transport::Connection::connect(config.host, config.port, std::move(*context), config.server_name);
    if (!connected) co_return Attempt{0, connected.error()};
    auto& connection = **connected;
    log::info("uplink connected", {{"peer", connection.peer_address()}, {"failures", backoff.failures()}});
    // Also when run() is cancelled: the session must not outlive its connection.
    struct Guard {
      Impl& impl;
      ~Guard() { impl.disconnected(); }
    } guard{*this};
    const auto established_before = counters.connections_total;
    auto error = co_await converse(connection, started);
    const bool established = counters.connections_total != established_before;
    const auto lasted_ns = established ? clock.mono_ns() - started.mono_ns : 0;
    log::info("uplink ended", {{"reason", error.message()}, {"lasted_ms", lasted_ns / 1'000'000}});
    co_return Attempt{lasted_ns, std::move(error)};
  }

  asio::awaitable<Result<void>> connect_loop() {
    for (;;) {
      const auto done = co_await attempt();
      if (done.lasted_ns == 0) {
        counters.connect_failures_total += 1;
        log::write(failure_limiter, log::Level::warn, "uplink not connected",
                   {{"host", config.host}, {"port", config.port}, {"error", done.error.message()}});
      }
      const auto wait = backoff.next(std::chrono::nanoseconds{static_cast<std::int64_t>(done.lasted_ns)}, random_bits());
      co_await sleep_for(wait);
    }
  }

  asio::awaitable<Result<void>> sync_loop() {
    for (;;) {
      if (!spool.needs_sync()) co_await unsynced.wait();
      co_await sleep_for(kSyncDelay);
      report_lost();
      spool.sync();
    }
  }

  void report_lost() {
    const auto lost = spool.take_lost();
    if (lost == 0) return;
    for (auto& entity : node.entities()) {
      if (entity.kind != wire::EntityKind::node) continue;
      wire::Event event{.entity_id = entity.id, .time_ns = clock.wall_ns(), .body = wire::Lost{"spool", lost}};
      if (store({std::move(entity)}, {std::move(event)})) return pump();
      break;
    }
    spool.give_back_lost(lost);
  }

  // An error: not stored, and not counted.
  Result<void> store(std::vector<wire::EntityEntry> entities, std::vector<wire::Event> events) {
    const auto count = static_cast<std::uint32_t>(events.size());
    const auto seq = spool.next_seq();
    if (!seq) return seq.error();
    const auto frame = codec.encode(wire::Events{.seq = *seq, .entities = std::move(entities), .events = std::move(events)});
    if (!frame) return frame.error();
    spool.append_events(*seq, count, *frame);
    unsynced.notify();
    return {};
  }

  void send_samples(const wire::Samples& tick) {
    if (!ready()) return spool_samples(tick);
    if (outbox.size() + writing.size() > kMaxOutboxBytes || session->samples_paused(now())) {
      announced.missed();
      counters.ticks_dropped_total += 1;
      return;
    }
    const auto prepared = announced.prepare(tick, announced.needs_all() ? dictionary() : Dictionary{});
    auto out = session->send_samples(prepared, now());
    if (!out) {
      announced.missed();
      counters.ticks_dropped_total += 1;
      log::write(refused_limiter, log::Level::warn, "samples refused", {{"error", out.error().message()}});
      return;
    }
    announced.sent(prepared);
    counters.ticks_sent_total += 1;
    handle(std::move(*out));
  }

  void spool_samples(const wire::Samples& tick) {
    if (tick.columns.empty()) return;
    const auto frame = codec.encode(self_contained(tick, dictionary()));
    if (!frame) {
      counters.ticks_dropped_total += 1;
      log::write(refused_limiter, log::Level::warn, "samples refused", {{"error", frame.error().message()}});
      return;
    }
    counters.ticks_spooled_total += 1;
    spool.append_samples(tick.tick, *frame);
    unsynced.notify();
  }

  // ---- the end ----

  asio::awaitable<void> until_acknowledged() {
    while (ready() && spool.has_unacknowledged()) co_await changed.wait();
  }
  asio::awaitable<void> until_disconnected() {
    while (session) co_await changed.wait();
  }

  asio::awaitable<void> finish(std::chrono::nanoseconds limit) {
    report_lost();
    pump();
    spool.sync();
    if (!ready()) co_return;
    co_await with_timeout(until_acknowledged(), limit);
    if (!ready()) co_return;
    handle(session->goodbye("the agent stops", now()));
    co_await with_timeout(until_disconnected(), kFarewellLimit);
  }

  UplinkConfig config;
  Spool& spool;
  Node& node;
  const Clock& clock;
  log::Limiter failure_limiter;
  log::Limiter refused_limiter;
  wire::Codec codec;                              // for frames that do not belong to one connection
  std::optional<session::AgentSession> session;   // while there is a connection
  std::optional<Error> closing;                   // why the session ends
  Announced announced;
  wire::Bytes outbox;
  wire::Bytes writing;                            // given to the socket
  Signal outgoing;                                // outbox or closing changed
  Signal changed;                                 // acknowledged or disconnected
  Signal backlog;                                 // samples may be sent
  Signal unsynced;
  Signal welcomed;                                // executor packets may be sent
  session::Backoff backoff;
  ExecutorRelay relay;
  std::uint64_t executor_dropped = 0;             // on the way to the aggregator
  UplinkCounters counters;
};

Uplink::Uplink(asio::any_io_executor executor, UplinkConfig config, Spool& spool, Node& node, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(executor), std::move(config), spool, node, clock)) {}
Uplink::~Uplink() = default;

asio::awaitable<Result<void>> Uplink::run() {
  auto ended = co_await (impl_->connect_loop() || impl_->sync_loop());
  co_return std::visit([](const Result<void>& result) { return result; }, ended);
}

void Uplink::send(std::vector<wire::EntityEntry> entities, std::vector<wire::Event> events) {
  const auto count = events.size();
  if (count == 0) return;
  if (const auto stored = impl_->store(std::move(entities), std::move(events)); !stored) return impl_->refuse(count, stored.error());
  impl_->pump();
}

void Uplink::send(const wire::Samples& samples) { impl_->send_samples(samples); }

void Uplink::send_probe_result(const wire::ProbeResult& result) { impl_->send_probe_result(result); }

asio::awaitable<void> Uplink::finish(std::chrono::nanoseconds limit) { return impl_->finish(limit); }

const UplinkCounters& Uplink::counters() const noexcept {
  impl_->counters.executor_packets_dropped_total = impl_->executor_dropped + impl_->relay.counters().dropped_total;
  return impl_->counters;
}

}  // namespace fw::uplink
