#include "node-agent/cri/link.hpp"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <utility>
#include <variant>

#include "common/async/with_timeout.hpp"
#include "common/id.hpp"
#include "node-agent/cri/container_log.hpp"
#include "node-agent/cri/runtimes.hpp"
#include "node-agent/redaction/redaction.hpp"

namespace fw::cri {

namespace asio = boost::asio;
using namespace boost::asio::experimental::awaitable_operators;

namespace {

using std::chrono::milliseconds;

constexpr auto kAwaitTuple = asio::as_tuple(asio::use_awaitable);
constexpr milliseconds kNoLimit{0};
constexpr std::size_t kMaxQueuedEvents = 1'000;   // beyond: the next list tells
constexpr std::size_t kMaxEventsPerSecond = 5'000;   // a node of 500 pods that starts all at once has 3,000
constexpr unsigned kFailuresOfAnOutage = 6;       // in a row, about 4 s; a runtime that is only restarted is back before

std::uint64_t random_bits() {
  std::array<std::uint8_t, 8> bytes{};
  fill_random(bytes);
  std::uint64_t bits = 0;
  for (const auto byte : bytes) bits = bits << 8U | byte;
  return bits;
}

template <class T>
GrpcChannel::OnMessage decode_into(Result<T> (*decode)(ByteView), std::optional<T>& into) {
  return [decode, &into](ByteView bytes) -> Result<void> {
    auto decoded = decode(bytes);
    if (!decoded) return decoded.error();
    into = std::move(*decoded);
    return {};
  };
}

// Redacted whole before it is cut: a secret that lost its beginning would not be found.
std::string redacted_log_tail(const std::string& path) {
  const auto tail = read_log_tail(path);
  if (!tail || tail->text.empty()) return {};
  return last_lines(redaction::redact(container_output(tail->text, tail->whole_file)));
}

Error no_message(std::string_view method) { return {Errc::malformed, std::string(method) + ": success without a message"}; }

}  // namespace

Link::Link(asio::any_io_executor executor, RuntimeConfig config, Listener& listener, const Clock& clock, LinkTimes times)
    : executor_(std::move(executor)), config_(std::move(config)), listener_(listener), clock_(clock),
      picture_(listener, [this](const std::string& log_path) { return redacted_log_tail(config_.root_prefix + log_path); }), times_(times),
      limiter_(clock), wake_(executor_) {}
Link::~Link() = default;

void Link::look_soon() {
  if (!channel_ || counters_.streams) return;
  look_wanted_ = true;
  wake_.notify();
}

std::string Link::lacking() const { return counters_.connected ? std::string{} : lacking_; }

asio::awaitable<void> Link::run() {
  session::Backoff backoff(times_.backoff);
  asio::steady_timer timer(executor_);
  for (;;) {
    const auto started_ns = clock_.mono_ns();
    const auto reason = co_await session();
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) co_return;
    const auto lasted = std::chrono::nanoseconds{counters_.connected ? static_cast<std::int64_t>(clock_.mono_ns() - started_ns) : 0};
    counters_.connected = false;
    counters_.failures_total += 1;
    lacking_ = "containers: their runtime does not answer (" + reason.message() + "), so they have ids for names and no exit reasons (cri.socket)";
    const auto wait = backoff.next(lasted, random_bits());
    if (backoff.failures() == kFailuresOfAnOutage && counters_.connections_total != 0) tell_outage(reason);
    if (!socket_.empty()) {
      log::write(limiter_, log::Level::warn, "container runtime not connected", {{"socket", socket_}, {"error", reason.message()}});
    } else if (counters_.failures_total == 1) {
      log::warn("lacking", {{"what", lacking_}});   // a node without a runtime is not worth a line a minute
    }
    timer.expires_after(wait);
    co_await timer.async_wait(kAwaitTuple);
  }
}

asio::awaitable<Error> Link::session() {
  socket_ = config_.socket == "auto" ? find_socket(config_.root_prefix) : config_.socket;
  if (socket_.empty()) co_return Error(Errc::gone, "there is no socket at a known place");
  auto connected = GrpcChannel::connect(executor_, socket_, clock_);
  if (!connected) co_return connected.error();
  channel_ = std::move(*connected);
  struct Guard {
    Link& link;
    ~Guard() {
      link.channel_.reset();
      link.queued_.clear();
      link.look_wanted_ = link.counters_.streams = false;
    }
  } const guard{*this};
  auto ended = co_await (channel_->run() || converse());
  co_return std::visit([](Error& error) { return std::move(error); }, ended);
}

asio::awaitable<Error> Link::converse() {
  const auto greeted = co_await greet();
  if (!greeted) co_return greeted.error();
  counters_.connected = true;
  counters_.connections_total += 1;
  if (!may_stream_) co_return co_await look_again_and_again();
  // The stream first: what happens while the first list is made is in one of them.
  auto ended = co_await (follow_events() || look_again_and_again());
  co_return std::visit([](Error& error) { return std::move(error); }, ended);
}

asio::awaitable<Result<void>> Link::greet() {
  std::optional<Version> version;
  const Bytes request;
  GrpcChannel::OnMessage on_message = decode_into(decode_version, version);
  counters_.calls_total += 1;
  const auto called = co_await channel_->call(kVersion, request, times_.call_limit, on_message);
  if (!called) co_return with_context(called.error(), "Version");
  if (!version) co_return no_message(kVersion);
  may_stream_ = gives_events_to_everybody(version->runtime_name, version->runtime_version);
  log::info("container runtime connected", {{"socket", socket_}, {"runtime", version->runtime_name}, {"version", version->runtime_version},
                                            {"events", may_stream_ ? "streamed" : "polled"}});
  co_return Result<void>();
}

asio::awaitable<Result<void>> Link::look() {
  look_wanted_ = false;
  const Bytes request;
  std::optional<std::vector<Sandbox>> sandboxes;
  GrpcChannel::OnMessage on_sandboxes = decode_into(decode_sandboxes, sandboxes);
  counters_.calls_total += 2;
  const auto listed = co_await channel_->call(kListPodSandbox, request, times_.call_limit, on_sandboxes);
  if (!listed) co_return with_context(listed.error(), "ListPodSandbox");
  std::optional<std::vector<Container>> containers;
  GrpcChannel::OnMessage on_containers = decode_into(decode_containers, containers);
  const auto listed_too = co_await channel_->call(kListContainers, request, times_.call_limit, on_containers);
  if (!listed_too) co_return with_context(listed_too.error(), "ListContainers");
  if (!sandboxes || !containers) co_return no_message("list");
  counters_.lists_total += 1;
  take_queued_events();   // they are older than the list
  const auto wanted = picture_.on_list(*sandboxes, *containers);
  counters_.containers = picture_.containers();
  for (const auto& id : wanted) {
    const auto asked = co_await ask_status(id);
    if (!asked) co_return asked.error();
  }
  co_return Result<void>();
}

asio::awaitable<Result<void>> Link::ask_status(std::string container_id) {
  std::optional<Status> status;
  const auto request = encode_status_request(container_id);
  GrpcChannel::OnMessage on_message = decode_into(decode_status, status);
  counters_.calls_total += 1;
  const auto called = co_await channel_->call(kContainerStatus, request, times_.call_limit, on_message);
  if (status && status->id == container_id) picture_.on_status(*status);
  if (called && status) co_return Result<void>();
  // Removed since the list, or broken: the others are still worth asking for. A runtime that hangs is not.
  if (!called && (called.error().code == Errc::timeout || called.error().code == Errc::malformed)) co_return with_context(called.error(), "ContainerStatus");
  counters_.ignored_total += 1;
  co_return Result<void>();
}

Result<void> Link::queue_event(ByteView bytes) {
  auto event = decode_event(bytes);
  if (!event) return event.error();
  counters_.events_total += 1;
  if (const auto now = clock_.mono_ns(); now - second_began_ns_ >= static_cast<std::uint64_t>(kNsPerSecond)) {
    second_began_ns_ = now;
    events_of_second_ = 0;
  }
  if (++events_of_second_ > kMaxEventsPerSecond) return Error(Errc::too_large, "more than " + std::to_string(kMaxEventsPerSecond) + " events in a second");
  if (queued_.size() < kMaxQueuedEvents) {
    queued_.push_back(std::move(*event));
  } else {
    look_wanted_ = true;
  }
  wake_.notify();
  return {};
}

asio::awaitable<Error> Link::follow_events() {
  counters_.streams = true;
  const Bytes request;
  GrpcChannel::OnMessage on_message = [this](ByteView bytes) { return queue_event(bytes); };
  const auto ended = co_await channel_->call(kGetContainerEvents, request, kNoLimit, on_message);
  counters_.streams = false;
  if (!ended && ended.error().code != Errc::unsupported) co_return with_context(ended.error(), "GetContainerEvents");
  // Not offered, or switched off: from now on it is polled.
  wake_.notify();
  asio::steady_timer never(executor_, asio::steady_timer::time_point::max());
  co_await never.async_wait(kAwaitTuple);
  co_return Error(Errc::gone, "cancelled");
}

asio::awaitable<Error> Link::look_again_and_again() {
  for (;;) {
    const auto looked_ns = clock_.mono_ns();
    const auto looked = co_await look();
    if (!looked) co_return looked.error();
    for (;;) {
      take_queued_events();
      const auto left = until_next_look(looked_ns);
      if (left.count() <= 0) break;
      co_await with_timeout(wake_.wait(), left);
    }
  }
}

void Link::take_queued_events() {
  while (!queued_.empty()) {
    picture_.on_event(queued_.front());
    queued_.pop_front();
  }
  counters_.containers = picture_.containers();
}

std::chrono::nanoseconds Link::until_next_look(std::uint64_t looked_ns) const {
  const auto period = look_wanted_ ? times_.least_pause : counters_.streams ? times_.period_with_events : times_.poll_period;
  const std::chrono::nanoseconds since{static_cast<std::int64_t>(clock_.mono_ns() - looked_ns)};
  return period - since;
}

void Link::tell_outage(const Error& reason) {
  listener_.observe("", {.what = "container_runtime_unreachable", .object = socket_, .reason = reason.code.message(), .before = "", .after = "",
                         .text = "", .count = 1}, 0);
}

std::unique_ptr<Runtime> make_runtime(asio::any_io_executor executor, RuntimeConfig config, Listener& listener, const Clock& clock) {
  return std::make_unique<Link>(std::move(executor), std::move(config), listener, clock);
}

}  // namespace fw::cri
