#include "node-agent/app/agent.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>

#include "common/async/task_group.hpp"
#include "common/async/with_timeout.hpp"
#include "common/log.hpp"
#include "common/start_up_memory.hpp"
#include "common/version.hpp"
#include "node-agent/app/service_manager.hpp"

namespace fw::agent {

namespace asio = boost::asio;

namespace {

constexpr auto kAwaitTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kDrainBudget = 256;                 // events in one turn, so that the uplink gets its turn too
constexpr std::chrono::seconds kReportPeriod{60};
constexpr std::uint64_t kMostFocusMs = 600'000;           // an aggregator cannot make a node hot for ever

// A descriptor that somebody else owns, in this loop.
class Borrowed {
 public:
  Borrowed(const asio::any_io_executor& executor, int fd) : descriptor_(executor, fd) {}
  ~Borrowed() { descriptor_.release(); }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  asio::posix::stream_descriptor& get() { return descriptor_; }

 private:
  asio::posix::stream_descriptor descriptor_;
};

// Its runtime knows by now, or in a moment, why.
bool tells_of_ended_container(const collectors::EventBatch& batch) {
  return std::any_of(batch.events.begin(), batch.events.end(), [&](const wire::Event& event) {
    if (!std::holds_alternative<wire::ProcessExit>(event.body) && !std::holds_alternative<wire::OomKill>(event.body)) return false;
    return std::any_of(batch.entities.begin(), batch.entities.end(),
                       [&](const auto& entity) { return entity.id == event.entity_id && entity.kind == wire::EntityKind::container; });
  });
}

}  // namespace

struct Agent::Timers {
  explicit Timers(asio::io_context& io) : tick(io), report(io), signals(io, SIGTERM, SIGINT) {}
  asio::steady_timer tick;      // cancelled when the next tick has moved
  asio::steady_timer report;
  asio::signal_set signals;
};

Agent::Agent(asio::io_context& io, AgentDeps deps, uplink::UplinkConfig uplink, std::optional<cri::RuntimeConfig> runtime, NodeIdentity identity,
             std::vector<std::string> lacking)
    : io_(io), sensors_(deps.sensors), spool_(deps.spool), clock_(deps.clock), identity_(std::move(identity)), lacking_(std::move(lacking)),
      uplink_(io.get_executor(), std::move(uplink), deps.spool, *this, deps.clock), timers_(std::make_unique<Timers>(io)) {
  if (deps.probe_helper.socket.valid()) prober_.emplace(io.get_executor(), std::move(deps.probe_helper), deps.clock);
  if (runtime) runtime_ = cri::make_runtime(io.get_executor(), std::move(*runtime), *this, deps.clock);
}

Agent::~Agent() = default;

asio::awaitable<Result<int>> Agent::run() {
  TaskGroup tasks(io_.get_executor());
  tasks.spawn("signals", signal_loop());
  if (runtime_) tasks.spawn("runtime", runtime_loop());
  if (prober_) tasks.spawn("probes", probe_loop());
  tasks.spawn("uplink", uplink_.run());
  tasks.spawn("samples", sample_loop());
  for (const int fd : sensors_.poll_fds()) tasks.spawn("events", watch(fd));
  tasks.spawn("report", report_loop());
  notify_service_manager("READY=1");

  const auto first = co_await tasks.wait_first();
  notify_service_manager("STOPPING=1");
  log::info("stopping", {{"first", first.name}, {"signal", signal_}});
  for (const auto* name : {"samples", "events", "report", "runtime", "probes"}) tasks.cancel(name);
  drain();
  co_await uplink_.finish(kStopLimit);
  tasks.cancel_all();
  co_await tasks.wait_all();
  report();
  if (!first.result) co_return with_context(first.result.error(), first.name);
  co_return signal_;
}

asio::awaitable<Result<void>> Agent::signal_loop() {
  const auto [error, number] = co_await timers_->signals.async_wait(kAwaitTuple);
  signal_ = error ? 0 : number;
  // A second signal ends the program at once, as without a handler.
  boost::system::error_code ignored;
  timers_->signals.clear(ignored);
  co_return Result<void>();
}

// Without its helper a node answers each probe with that; the rest goes on.
asio::awaitable<Result<void>> Agent::probe_loop() {
  const auto ended = co_await prober_->run();
  if (ended) co_return Result<void>();
  log::warn("probes", {{"error", ended.error().message()}});
  asio::steady_timer until_cancelled(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  co_await until_cancelled.async_wait(kAwaitTuple);
  co_return Result<void>();
}

asio::awaitable<Result<void>> Agent::runtime_loop() {
  co_await runtime_->run();
  co_return Result<void>();
}

asio::awaitable<Result<void>> Agent::sample_loop() {
  for (;;) {
    const auto now = clock_.mono_ns();
    const auto next = sensors_.next_tick_mono_ns();
    if (next <= now) {
      tick();
      co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
      continue;
    }
    timers_->tick.expires_after(std::chrono::nanoseconds{static_cast<std::int64_t>(next - now)});
    co_await timers_->tick.async_wait(kAwaitTuple);
  }
}

asio::awaitable<Result<void>> Agent::watch(int fd) {
  Borrowed borrowed(co_await asio::this_coro::executor, fd);
  for (;;) {
    const auto [error] = co_await borrowed.get().async_wait(asio::posix::stream_descriptor::wait_read, kAwaitTuple);
    if (error == asio::error::operation_aborted) co_return Result<void>();
    if (error) co_return Error(Errc::io, "wait for events: " + error.message());
    while (drain()) co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  }
}

bool Agent::drain() {
  const auto next = sensors_.next_tick_mono_ns();
  auto batch = sensors_.drain(kDrainBudget);
  if (runtime_ && tells_of_ended_container(batch)) runtime_->look_soon();
  if (!batch.events.empty()) uplink_.send(std::move(batch.entities), std::move(batch.events));
  if (sensors_.next_tick_mono_ns() != next) timers_->tick.cancel();  // something became hot
  return batch.more;
}

void Agent::tick() {
  const auto samples = sensors_.tick();
  while (drain()) {
  }  // what the tick noticed; bounded by SensorsConfig::max_pending_events
  uplink_.send(samples);
  if (const auto connections = uplink_.counters().connections_total; connections != settled_connections_) {
    settled_connections_ = connections;
    give_back_start_up_memory();  // a handshake runs more of OpenSSL than the whole session after it
  }
}

asio::awaitable<Result<void>> Agent::report_loop() {
  for (;;) {
    timers_->report.expires_after(kReportPeriod);
    co_await timers_->report.async_wait(kAwaitTuple);
    report();
  }
}

void Agent::report() {
  const auto sensors = sensors_.counters();
  const auto& uplink = uplink_.counters();
  const auto spool = spool_.counters();
  std::uint64_t sensors_lost = 0;
  for (const auto& [source, count] : sensors.lost) sensors_lost += count;
  const auto runtime = runtime_ ? runtime_->counters() : cri::RuntimeCounters{};
  const auto trouble = sensors_lost + uplink.event_frames_refused_total + uplink.ticks_dropped_total + uplink.executor_packets_dropped_total + spool.events_lost_total +
                       spool.samples_dropped_total + spool.samples_thinned_total + spool.disk_errors_total;
  // A quiet node says nothing; something newly lost is worth a line.
  const auto level = trouble == reported_trouble_ ? log::Level::debug : log::Level::info;
  reported_trouble_ = trouble;
  log::write(level, "counters",
             {{"entities", sensors.entities}, {"events", sensors.events_total}, {"event_frames_sent", uplink.event_frames_sent_total},
              {"ticks_sent", uplink.ticks_sent_total}, {"ticks_spooled", uplink.ticks_spooled_total}, {"ticks_dropped", uplink.ticks_dropped_total},
              {"connections", uplink.connections_total}, {"connect_failures", uplink.connect_failures_total},
              {"executor_packets_sent", uplink.executor_packets_sent_total},
              {"executor_packets_received", uplink.executor_packets_received_total}, {"executor_packets_dropped", uplink.executor_packets_dropped_total},
              {"bytes_sent", uplink.bytes_sent_total}, {"spool_bytes", spool.bytes}, {"spool_events_lost", spool.events_lost_total},
              {"spool_samples_thinned", spool.samples_thinned_total}, {"spool_samples_dropped", spool.samples_dropped_total},
              {"disk_errors", spool.disk_errors_total}, {"runtime_connections", runtime.connections_total},
              {"runtime_failures", runtime.failures_total}, {"runtime_containers", runtime.containers}, {"runtime_ignored", runtime.ignored_total},
              {"sensors_lost", sensors_lost}, {"frames_refused", uplink.event_frames_refused_total}});
  for (const auto& [source, count] : sensors.lost) {
    if (count != 0) log::write(level, "sensor lost events", {{"source", source}, {"count", count}});
  }
}

wire::Hello Agent::hello() const {
  wire::Hello hello;
  hello.agent_version = kVersion;
  hello.node_name = identity_.name;
  if (const auto boot = Uuid::parse(identity_.boot_id)) hello.boot_id = *boot;
  hello.kernel_release = sensors_.features().release;
  hello.cgroup_mode = sensors_.features().cgroup_mode;
  hello.lacking = lacking_;
  if (prober_) hello.features |= wire::kFeatureProbes;
  if (auto sentence = runtime_ ? runtime_->lacking() : std::string{}; !sentence.empty()) hello.lacking.push_back(std::move(sentence));
  return hello;
}

void Agent::observe(std::string_view container_id, wire::Observed what, std::int64_t wall_ns) {
  sensors_.observe(container_id, std::move(what), wall_ns);
  drain();
}

void Agent::on_welcome(const wire::Welcome& welcome) {
  sensors_.set_periods(std::chrono::milliseconds{welcome.sample_period_ms}, std::chrono::milliseconds{welcome.hot_period_ms});
  timers_->tick.cancel();
}

void Agent::on_probe(const wire::Probe& probe) {
  if (!prober_) return;
  const auto known = sensors_.entities();
  log::info("probe", {{"kind", probe.kind}, {"target", probe.target}});
  prober_->ask(probe, known, [this](wire::ProbeResult result) { uplink_.send_probe_result(result); });
}

void Agent::on_focus(const wire::Focus& focus) {
  const auto ms = std::min<std::uint64_t>(focus.duration_ms, kMostFocusMs);
  sensors_.focus(focus.cgroup_ids, clock_.mono_ns() + ms * std::uint64_t{kNsPerMs});
  timers_->tick.cancel();
}

}  // namespace fw::agent
