#include "aggregator/ingest/session.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "aggregator/store/async.hpp"
#include "common/async/with_timeout.hpp"

namespace fw::ingest {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr std::size_t kReadBytes = 16U << 10U;
constexpr milliseconds kStoreRetry{200};
constexpr int kStoreTries = 25;                       // then the agent keeps its events in its spool
constexpr milliseconds kFarewell{1'000};
constexpr milliseconds kBacklogPause{10};
constexpr milliseconds kProbeGrace{3'000};              // beyond a probe's own limit: the node gives up first
constexpr std::size_t kMaxEventsPerWrite = 4'000;     // bounds the rows of one write; the rest goes into the next

asio::awaitable<void> wait_for_wake(asio::steady_timer& timer, std::chrono::nanoseconds limit) {
  timer.expires_after(limit);
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

asio::awaitable<Result<std::uint64_t>> read_acknowledged(store::Store& store, Uuid node, Uuid stream) {
  co_return store.acknowledged_seq(node, stream);
}

// A closed set: label values of fleetwright_ingest_errors_total.
std::string_view reason_of(const Error& error, bool handshake) {
  if (handshake) return error.code == Errc::timeout ? "handshake_timeout" : "tls";
  if (error.code == Errc::timeout) return "timeout";
  if (error.code == Errc::malformed) return "malformed";
  if (error.code == Errc::too_large) return "too_large";
  if (error.code == Errc::unsupported) return "unsupported";
  if (error.code == Errc::permission) return "permission";
  if (error.code == Errc::overloaded) return "overloaded";
  if (error.code == Errc::conflict) return "replaced";
  return "io";
}

}  // namespace

Session::Session(Context& context, asio::any_io_executor executor)
    : context_(context), executor_(executor), id_(make_uuid_v4()), started_(now()), session_(started_), wake_writer_(executor),
      wake_committer_(executor), wake_timer_(executor) {}

asio::awaitable<Result<void>> Session::run(asio::ip::tcp::socket socket) {
  auto accepted = co_await transport::Connection::accept(std::move(socket), context_.tls, context_.config.limits.handshake);
  if (!accepted) {
    end_ = accepted.error();
    report_end();
    co_return Result<void>{};
  }
  connection_ = std::move(*accepted);
  // From here on the end is orderly: end() and not cancellation, which would leave the loops below without their owner.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  origin_.node = connection_->peer().node_uid;
  bucket_ = context_.registry.bucket(origin_.node);

  TaskGroup tasks(executor_);
  tasks.spawn("read", read_loop());
  tasks.spawn("timer", timer_loop());
  tasks.spawn("commit", commit_loop());
  tasks.spawn("write", write_loop());
  auto first = co_await tasks.wait_first();
  if (!first.result) fail(first.result.error());
  if (!end_) fail(Error(Errc::gone, "session: " + first.name + " ended"));
  tasks.cancel("read");
  tasks.cancel("timer");
  tasks.cancel("commit");
  if (first.name != "write") co_await with_timeout(tasks.wait_all(), kFarewell);   // the last words
  connection_->close();
  tasks.cancel_all();
  co_await tasks.wait_all();

  if (established_) {
    context_.registry.leave(origin_.node, id_);
    context_.deps.metrics.change(Metric::ingest_sessions, -1);
    context_.deps.sink.on_disconnected(origin_.node, id_);
  }
  report_end();
  co_return Result<void>{};
}

void Session::report_end() const {
  if (!end_ || end_->code == Errc::gone) return;
  const std::string_view reason = reason_of(*end_, !connection_);
  context_.deps.metrics.add(Metric::ingest_errors, 1, {reason});
  log::write(context_.end_limiter, log::Level::warn, "agent session ended",
             {{"reason", reason}, {"node", origin_.node.is_nil() ? std::string() : origin_.node.str()}, {"error", end_->message()}});
}

void Session::fail(Error error) {
  if (!end_) end_ = std::move(error);
  wake_writer_.cancel();
  wake_committer_.cancel();
  wake_timer_.cancel();
  while (!probes_.empty()) answer_probe(probes_.begin()->first, Error(Errc::gone, "the node's connection ended"));
}

void Session::end(std::string reason) {
  if (end_) return;
  if (connection_) emit(session_.goodbye(reason, now()));
  fail(Error(Errc::gone, reason));
}

void Session::emit(session::Output out) {
  if (outgoing_.size() + out.write.size() > context_.config.limits.max_unsent_bytes) return fail(Error(Errc::timeout, "session: the agent does not read"));
  outgoing_.insert(outgoing_.end(), out.write.begin(), out.write.end());
  if (out.close) fail(std::move(*out.close));
  wake_writer_.cancel();
}

void Session::emit(Result<session::Output> out) {
  if (!out) return fail(out.error());
  emit(std::move(*out));
}

void Session::focus(std::vector<std::uint64_t> cgroup_ids, std::chrono::nanoseconds duration) {
  if (end_ || !session_.ready()) return;
  const auto ms = std::chrono::duration_cast<milliseconds>(duration).count();
  emit(session_.focus({.cgroup_ids = std::move(cgroup_ids), .duration_ms = static_cast<std::uint32_t>(ms)}, now()));
}

void Session::send_executor(Bytes packet) {
  if (end_ || !session_.ready() || !session_.has_executor()) return;
  emit(session_.send_executor({.bytes = std::move(packet)}, now()));
}

void Session::probe(wire::Probe probe, Ingest::ProbeDone done) {
  if (end_ || !session_.ready()) return done(Error(Errc::gone, "the node is not connected"));
  if (probes_.size() >= fw::limits::kMaxProbesWaiting) return done(Error(Errc::overloaded, "too many questions wait for this node"));
  const auto id = probe.id = next_probe_++;
  const auto limit = milliseconds(probe.deadline_ms) + kProbeGrace;
  auto out = session_.send_probe(probe, now());
  if (!out) return done(out.error());
  auto timer = std::make_unique<asio::steady_timer>(executor_, limit);
  timer->async_wait([weak = weak_from_this(), id](const boost::system::error_code& error) {
    const auto self = error ? nullptr : weak.lock();
    if (self) self->answer_probe(id, Error(Errc::timeout, "the node did not answer in time"));
  });
  probes_.emplace(id, WaitingProbe{std::move(done), std::move(timer)});
  emit(std::move(*out));
}

void Session::answer_probe(std::uint64_t id, Result<wire::ProbeResult> result) {
  const auto found = probes_.find(id);
  if (found == probes_.end()) return;   // it was late, or the node invents ids
  const auto done = std::move(found->second.done);
  probes_.erase(found);
  done(std::move(result));
}

asio::awaitable<Result<void>> Session::read_loop() {
  std::vector<std::uint8_t> buffer(kReadBytes);
  Metrics& metrics = context_.deps.metrics;
  asio::steady_timer pause(executor_);
  while (!end_) {
    if (context_.deps.sink.backlog() > context_.config.limits.sink_backlog) {
      co_await wait_for_wake(pause, kBacklogPause);
      continue;
    }
    auto got = co_await connection_->read_some(buffer);
    if (!got) co_return got.error();
    metrics.add(Metric::ingest_bytes, static_cast<double>(*got));
    auto out = session_.on_bytes(wire::ByteView(buffer.data(), *got), now());
    auto messages = std::move(out.messages);
    // What came before a bad frame is good; what is durable is acknowledged even so.
    auto close = std::exchange(out.close, std::nullopt);
    emit(std::move(out));
    for (wire::Message& message : messages) {
      if (end_) break;
      if (auto* samples = std::get_if<wire::Samples>(&message)) {
        metrics.add(Metric::ingest_frames, 1, {"samples"});
        receive(std::move(*samples));
      } else if (auto* events = std::get_if<wire::Events>(&message)) {
        metrics.add(Metric::ingest_frames, 1, {"events"});
        co_await receive(std::move(*events));
      } else if (auto* hello = std::get_if<wire::Hello>(&message)) {
        metrics.add(Metric::ingest_frames, 1, {"hello"});
        co_await receive(std::move(*hello));
      } else if (auto* executor = std::get_if<wire::ExecutorPacket>(&message)) {
        metrics.add(Metric::ingest_frames, 1, {"executor"});
        context_.deps.sink.on_executor(origin_.node, std::move(executor->bytes));
      } else if (auto* result = std::get_if<wire::ProbeResult>(&message)) {
        metrics.add(Metric::ingest_frames, 1, {"probe_result"});
        const auto id = result->id;
        answer_probe(id, std::move(*result));
      }
    }
    if (close) fail(std::move(*close));
    tell_clock();
  }
  co_return *end_;
}

asio::awaitable<void> Session::receive(wire::Hello hello) {
  origin_.boot = hello.boot_id;
  origin_.stream = hello.stream_id;
  const session::Now received = now();
  // Until the first Pong: the true offset lies between this and this plus the time that the handshake took.
  origin_.clock_offset_ns = hello.wall_time_ns - received.wall_ns;
  origin_.clock_error_ns = static_cast<std::int64_t>(received.mono_ns - started_.mono_ns);

  auto read = read_acknowledged(context_.deps.store, origin_.node, origin_.stream);
  auto acknowledged = co_await asio::co_spawn(context_.reads, std::move(read), asio::use_awaitable);
  if (!acknowledged) {
    fail(acknowledged.error());
    co_return;
  }
  if (end_) co_return;
  wire::Welcome welcome;
  welcome.session_id = id_;
  welcome.acknowledged_seq = *acknowledged;
  welcome.sample_period_ms = static_cast<std::uint32_t>(context_.config.sample_period.count());
  welcome.hot_period_ms = static_cast<std::uint32_t>(context_.config.hot_period.count());
  welcome.wall_time_ns = now().wall_ns;
  emit(session_.welcome(welcome, now()));
  if (end_) co_return;

  established_ = true;
  context_.deps.metrics.change(Metric::ingest_sessions, 1);
  context_.deps.metrics.add(Metric::ingest_sessions_total);
  if (auto older = context_.registry.enter(origin_.node, {.session = id_, .executor = executor_, .handle = weak_from_this()})) {
    asio::post(older->executor, [handle = older->handle] {
      if (const auto session = handle.lock()) session->end("a newer session of this node took over");
    });
  }
  Shard& home = context_.home_of(origin_.node);
  asio::post(home.io, [&home, node = origin_.node, boot = origin_.boot, since = received.wall_ns] {
    auto [at, fresh] = home.windows.try_emplace(node, Windows{.boot = boot, .series = series::NodeSeries(since)});
    if (!fresh && at->second.boot != boot) at->second = Windows{.boot = boot, .series = series::NodeSeries(since)};
    at->second.series.on_connected();
  });
  context_.deps.sink.on_connected({.node = origin_.node, .session = id_, .hello = std::move(hello), .received_ns = received.wall_ns});
  context_.deps.sink.on_clock(origin_.node, {.offset_ns = origin_.clock_offset_ns, .error_ns = origin_.clock_error_ns});
}

void Session::tell_clock() {
  const auto clock = session_.peer_clock();
  if (!clock || !established_ || (clock->offset_ns == origin_.clock_offset_ns && clock->error_ns == origin_.clock_error_ns)) return;
  origin_.clock_offset_ns = clock->offset_ns;
  origin_.clock_error_ns = clock->error_ns;
  context_.deps.sink.on_clock(origin_.node, {.offset_ns = clock->offset_ns, .error_ns = clock->error_ns});
}

void Session::receive(wire::Samples samples) {
  std::size_t values = 0;
  for (const wire::SampleColumn& column : samples.columns) values += column.values.size();
  context_.deps.metrics.add(Metric::ingest_samples, static_cast<double>(values));
  if (!samples.entities.empty() || !samples.removed_entity_ids.empty()) {
    auto known = dictionary_.add(origin_, samples.entities);
    context_.deps.sink.on_entities(origin_.node, std::move(known), dictionary_.remove(origin_, samples.removed_entity_ids));
  }
  Shard& home = context_.home_of(origin_.node);
  asio::post(home.io, [this_context = &context_, &home, node = origin_.node, boot = origin_.boot, ticks = std::move(samples)] {
    const auto at = home.windows.find(node);
    if (at == home.windows.end() || at->second.boot != boot) return;
    at->second.series.add(ticks);
    const std::uint64_t lost = at->second.series.stats().lost_values_total;
    if (lost == at->second.reported_lost_values) return;
    const std::uint64_t more = lost - std::exchange(at->second.reported_lost_values, lost);
    this_context->deps.metrics.add(Metric::ingest_lost_samples, static_cast<double>(more));
    this_context->deps.sink.on_lost_samples(node, more);
  });
}

asio::awaitable<void> Session::receive(wire::Events events) {
  // An offset inside its own bound says nothing: times then stay as the node gave them.
  Origin origin = origin_;
  if (std::abs(origin.clock_offset_ns) <= origin.clock_error_ns) origin.clock_offset_ns = 0;
  pending_.push_back({.seq = events.seq, .events = translate(origin, events, now().wall_ns)});
  wake_committer_.cancel();
  const auto debt = bucket_->take(events.events.size(), now().mono_ns);
  if (debt <= std::chrono::nanoseconds::zero()) co_return;
  context_.deps.metrics.add(Metric::ingest_rate_limited_events, static_cast<double>(events.events.size()));
  asio::steady_timer timer(executor_);
  co_await wait_for_wake(timer, debt);
}

// One write in flight; what came meanwhile goes into the next: frames of one stream must be written in order.
asio::awaitable<Result<void>> Session::commit_loop() {
  while (!end_) {
    if (pending_.empty()) {
      co_await wait_for_wake(wake_committer_, std::chrono::hours(1));
      continue;
    }
    std::vector<store::Frame> frames;
    std::vector<std::vector<fleet::NodeEventPtr>> events;
    for (std::size_t rows = 0; !pending_.empty() && rows < kMaxEventsPerWrite;) {
      Pending pending = std::move(pending_.front());
      pending_.pop_front();
      rows += pending.events.size();
      frames.push_back(to_frame(pending.seq, pending.events));
      events.push_back(std::move(pending.events));
    }
    if (!co_await commit(std::move(frames), std::move(events))) co_return Error(Errc::overloaded, "session: the store does not keep up");
  }
  co_return *end_;
}

asio::awaitable<bool> Session::commit(std::vector<store::Frame> frames, std::vector<std::vector<fleet::NodeEventPtr>> events) {
  Metrics& metrics = context_.deps.metrics;
  for (int tries = 0; tries < kStoreTries && !end_; ++tries) {
    store::Write write = store::WriteFrames{.node = origin_.node, .stream = origin_.stream, .received_ns = now().wall_ns, .frames = frames};
    auto written = co_await store::write(context_.deps.store, std::move(write));
    if (written) {
      for (std::size_t i = 0; i < events.size(); ++i) {
        const auto count = static_cast<double>(events[i].size());
        metrics.add(written->fresh[i] ? Metric::ingest_events : Metric::ingest_duplicate_events, count);
        if (written->fresh[i] && !events[i].empty()) context_.deps.sink.on_events(origin_.node, std::move(events[i]));
      }
      if (!end_) emit(session_.ack(frames.back().seq, now()));
      co_return true;
    }
    if (written.error().code != Errc::overloaded) {
      fail(written.error());
      co_return true;
    }
    if (!end_) emit(session_.slow({.pause_ms = 1'000}, now()));
    asio::steady_timer timer(executor_);
    co_await wait_for_wake(timer, kStoreRetry);
  }
  co_return end_.has_value();
}

asio::awaitable<Result<void>> Session::write_loop() {
  wire::Bytes writing;
  for (;;) {
    if (outgoing_.empty()) {
      if (end_) co_return Result<void>{};
      co_await wait_for_wake(wake_writer_, std::chrono::hours(1));
      continue;
    }
    writing.clear();
    std::swap(writing, outgoing_);
    auto written = co_await connection_->write(writing);
    if (!written) co_return written.error();
  }
}

asio::awaitable<Result<void>> Session::timer_loop() {
  constexpr std::uint64_t kLeastNs = 1'000'000;
  while (!end_) {
    const std::uint64_t at_ns = session_.next_deadline_ns(), now_ns = context_.deps.clock.mono_ns();
    co_await wait_for_wake(wake_timer_, std::chrono::nanoseconds(at_ns > now_ns + kLeastNs ? at_ns - now_ns : kLeastNs));
    if (end_) break;
    emit(session_.on_timer(now()));
    if (connection_->peer().not_after_ns < now().wall_ns) fail(Error(Errc::permission, "session: the agent's certificate has expired"));
  }
  co_return *end_;
}

}  // namespace fw::ingest
