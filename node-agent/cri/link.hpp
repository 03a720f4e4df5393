// The Runtime that speaks CRI: one connection at a time, one conversation on it. Inside node-agent/cri and its tests only.
#pragma once
#include <chrono>
#include <deque>
#include <memory>
#include <string>

#include "common/log.hpp"
#include "node-agent/cri/grpc_channel.hpp"
#include "node-agent/cri/messages.hpp"
#include "node-agent/cri/picture.hpp"
#include "node-agent/cri/runtime.hpp"
#include "protocol/session/backoff.hpp"

namespace fw::cri {

struct LinkTimes {
  std::chrono::milliseconds call_limit{10'000};      // containerd answers in 1 ms; on a node without CPU it may take seconds
  std::chrono::milliseconds poll_period{10'000};
  std::chrono::milliseconds period_with_events{60'000};   // a list finds what the stream may have lost
  std::chrono::milliseconds least_pause{500};        // between two lists
  session::BackoffLimits backoff{};
};

class Link final : public Runtime {
 public:
  Link(boost::asio::any_io_executor executor, RuntimeConfig config, Listener& listener, const Clock& clock, LinkTimes times = {});
  ~Link() override;

  boost::asio::awaitable<void> run() override;
  void look_soon() override;
  std::string lacking() const override;
  const RuntimeCounters& counters() const noexcept override { return counters_; }

 private:
  boost::asio::awaitable<Error> session();                       // connect, talk, and the reason of its end
  boost::asio::awaitable<Error> converse();
  boost::asio::awaitable<Result<void>> greet();
  boost::asio::awaitable<Result<void>> look();                   // one list, and the statuses that it asks for
  boost::asio::awaitable<Result<void>> ask_status(std::string container_id);
  boost::asio::awaitable<Error> follow_events();
  boost::asio::awaitable<Error> look_again_and_again();
  Result<void> queue_event(ByteView bytes);
  void take_queued_events();
  std::chrono::nanoseconds until_next_look(std::uint64_t looked_ns) const;
  void tell_outage(const Error& reason);

  boost::asio::any_io_executor executor_;
  RuntimeConfig config_;
  Listener& listener_;
  const Clock& clock_;
  Picture picture_;
  LinkTimes times_;
  log::Limiter limiter_;
  std::unique_ptr<GrpcChannel> channel_;    // while connected
  std::string socket_;                      // where to, at the last attempt
  std::uint64_t second_began_ns_ = 0;
  std::size_t events_of_second_ = 0;
  bool may_stream_ = false;
  bool look_wanted_ = false;
  std::deque<PodEvent> queued_;
  uplink::Signal wake_;                     // of look_again_and_again
  RuntimeCounters counters_;
  std::string lacking_;
};

}  // namespace fw::cri
