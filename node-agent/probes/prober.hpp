// The agent's side of probes: who may ask how often, and until when an answer is waited for.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <span>

#include "common/clock.hpp"
#include "node-agent/probes/helper.hpp"

namespace fw::probes {

struct ProberCounters {
  std::uint64_t started_total = 0;
  std::uint64_t busy_total = 0;      // refused: too many at once or in a minute
  std::uint64_t invalid_total = 0;   // refused: arguments, target
  std::uint64_t timeout_total = 0;
};

// Every ask() is answered exactly once, in the same turn or later; nothing is answered after run() has ended.
// Bounds: kMaxRunning at once, kMaxPerMinute begun in any minute. Threading: one executor. Blocking: no.
// Lifetime: clock outlives it; destroy it after run() has ended.
class Prober {
 public:
  static constexpr std::size_t kMaxRunning = 2;
  static constexpr std::size_t kMaxPerMinute = 10;

  using Done = std::function<void(wire::ProbeResult)>;

  Prober(boost::asio::any_io_executor executor, Helper helper, const Clock& clock);

  // entities: of the node now; what a target may name.
  void ask(const wire::Probe& probe, std::span<const wire::EntityEntry> entities, Done done);
  // Takes the helper's results and lets what is late be answered. An error: the helper is gone, and every further ask() is answered by failed.
  boost::asio::awaitable<Result<void>> run();

  const ProberCounters& counters() const noexcept { return counters_; }

 private:
  struct Running {
    std::uint64_t id = 0;            // of the one who asked
    std::uint64_t deadline_ns = 0;
    Done done;
  };
  bool may_begin(std::uint64_t now_ns);
  void take_results();
  void answer(std::uint64_t key, wire::ProbeResult result);
  void end_late();

  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer wake_;             // the next look at deadlines
  const Clock& clock_;
  std::map<std::uint64_t, Running> running_;   // by our own number: ids of two sessions may be the same
  std::deque<std::uint64_t> begun_ns_;         // of the last minute
  std::uint64_t next_key_ = 1;
  std::string buffer_;
  bool gone_ = false;
  ProberCounters counters_;
};

}  // namespace fw::probes
