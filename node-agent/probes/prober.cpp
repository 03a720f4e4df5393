#include "node-agent/probes/prober.hpp"

#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>

#include "protocol/limits.hpp"

namespace fw::probes {

namespace asio = boost::asio;
using namespace boost::asio::experimental::awaitable_operators;

namespace {

constexpr auto kAwaitTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::uint64_t kMinuteNs = 60'000'000'000;
constexpr std::uint64_t kGraceNs = 2'000'000'000;            // beyond the probe's own limit: the helper answers within it
constexpr std::chrono::milliseconds kTurn{500};
constexpr std::chrono::hours kIdle{1};
constexpr std::size_t kMaxResultPacketBytes = limits::kMaxProbeResultBytes + 64;

wire::ProbeStatus status_of(const Error& error) {
  return error.code == Errc::not_found ? wire::ProbeStatus::not_found : wire::ProbeStatus::invalid;
}

}  // namespace

Prober::Prober(asio::any_io_executor executor, Helper helper, const Clock& clock) : socket_(executor, helper.socket.release()), wake_(executor), clock_(clock) {}

bool Prober::may_begin(std::uint64_t now_ns) {
  while (!begun_ns_.empty() && now_ns - begun_ns_.front() >= kMinuteNs) begun_ns_.pop_front();
  return running_.size() < kMaxRunning && begun_ns_.size() < kMaxPerMinute;
}

void Prober::ask(const wire::Probe& probe, std::span<const wire::EntityEntry> entities, Done done) {
  const auto refuse = [&](wire::ProbeStatus status, std::string why) { done({.id = probe.id, .status = status, .text = std::move(why)}); };
  auto request = parse_request(probe);
  if (!request) {
    ++counters_.invalid_total;
    return refuse(status_of(request.error()), request.error().context);
  }
  auto target = resolve_target(probe.target, entities);
  if (!target) {
    ++counters_.invalid_total;
    return refuse(status_of(target.error()), target.error().context);
  }
  if (gone_) return refuse(wire::ProbeStatus::failed, "the process that runs probes on this node has ended; restart the agent");
  const auto now_ns = clock_.mono_ns();
  if (!may_begin(now_ns)) {
    ++counters_.busy_total;
    return refuse(wire::ProbeStatus::busy, "this node runs " + std::to_string(kMaxRunning) + " probes at once and " + std::to_string(kMaxPerMinute) + " in a minute; try again soon");
  }
  const auto key = next_key_++;
  request->target = std::move(*target);
  request->id = key;
  const auto packet = to_packet(*request);
  if (packet.size() > kMaxRequestPacketBytes) return refuse(wire::ProbeStatus::invalid, "the request is too large");
  if (::send(socket_.native_handle(), packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    return refuse(wire::ProbeStatus::failed, errno_error(errno, "helper").message());
  begun_ns_.push_back(now_ns);
  ++counters_.started_total;
  running_.emplace(key, Running{probe.id, now_ns + static_cast<std::uint64_t>(request->limit.count()) * 1'000'000 + kGraceNs, std::move(done)});
  wake_.cancel();
}

void Prober::answer(std::uint64_t key, wire::ProbeResult result) {
  const auto found = running_.find(key);
  if (found == running_.end()) return;   // it was late
  auto running = std::move(found->second);
  running_.erase(found);
  result.id = running.id;
  if (result.status == wire::ProbeStatus::timeout) ++counters_.timeout_total;
  running.done(std::move(result));
}

void Prober::take_results() {
  buffer_.resize(kMaxResultPacketBytes);
  for (;;) {
    const auto size = ::recv(socket_.native_handle(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) break;
    if (size <= 0) {
      gone_ = true;
      break;
    }
    auto result = result_of_packet(std::string_view(buffer_).substr(0, static_cast<std::size_t>(size)));
    if (!result) continue;   // its asker gets a timeout
    const auto key = result->id;
    answer(key, std::move(*result));
  }
  buffer_ = {};   // between probes the agent holds no memory for them
}

void Prober::end_late() {
  const auto now_ns = clock_.mono_ns();
  for (auto at = running_.begin(); at != running_.end();) {
    const auto key = at->first;
    const bool late = gone_ || now_ns >= at->second.deadline_ns;
    ++at;
    if (!late) continue;
    answer(key, {.id = 0, .status = gone_ ? wire::ProbeStatus::failed : wire::ProbeStatus::timeout,
                 .text = gone_ ? "the process that runs probes on this node has ended" : "the probe did not end in time"});
  }
}

asio::awaitable<Result<void>> Prober::run() {
  while (!gone_) {
    // Without a probe under way there is nothing to look at the clock for; ask() wakes this.
    wake_.expires_after(running_.empty() ? std::chrono::milliseconds(kIdle) : kTurn);
    co_await (socket_.async_wait(asio::posix::stream_descriptor::wait_read, kAwaitTuple) || wake_.async_wait(kAwaitTuple));
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return Result<void>();
    take_results();
    end_late();
  }
  co_return Result<void>(Error(Errc::gone, "the process that runs probes has ended"));
}

}  // namespace fw::probes
