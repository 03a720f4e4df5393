// The agent's side of the connection to the aggregator: connect, resend, send, and spool while there is nobody.
//
//   uplink.run()      as a task: connects for ever, with back-off; ends when cancelled
//   uplink.send(...)  from the sensors, on the same executor: events go to the spool and at once to the socket
//   uplink.finish()   before run() is cancelled: what can still be acknowledged, and the goodbye
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "common/result.hpp"
#include "node-agent/uplink/spool.hpp"
#include "protocol/session/backoff.hpp"
#include "protocol/transport/tls.hpp"
#include "protocol/wire/messages.hpp"

namespace fw::uplink {

struct UplinkConfig {
  std::string host;
  std::uint16_t port = 0;
  std::string server_name;             // must be in the aggregator's certificate
  transport::TlsFiles tls;             // read again for each connection, so a renewed certificate needs no restart
  session::BackoffLimits backoff;
  std::string executor_socket;         // of the node's executor; "": there is none
};

// What the uplink needs to know of the node, and what the aggregator asks of it. All calls come on the executor.
class Node {
 public:
  virtual ~Node() = default;
  virtual wire::Hello hello() const = 0;                            // without stream, acknowledged seq and clocks
  virtual std::vector<wire::EntityEntry> entities() const = 0;      // the whole dictionary now
  virtual std::vector<wire::MetricEntry> metrics() const = 0;
  virtual void on_welcome(const wire::Welcome& welcome) = 0;
  virtual void on_focus(const wire::Focus& focus) = 0;
  // To be answered by Uplink::send_probe_result. Comes only when hello() has kFeatureProbes.
  virtual void on_probe(const wire::Probe& probe) { static_cast<void>(probe); }
};

struct UplinkCounters {
  std::uint64_t connections_total = 0;           // that reached Welcome
  std::uint64_t connect_failures_total = 0;
  std::uint64_t event_frames_sent_total = 0;     // a frame sent again counts again
  std::uint64_t event_frames_refused_total = 0;  // could not be encoded, or read back
  std::uint64_t ticks_sent_total = 0;
  std::uint64_t ticks_spooled_total = 0;         // no connection
  std::uint64_t ticks_dropped_total = 0;         // Slow, or the peer takes nothing
  std::uint64_t backlog_blocks_sent_total = 0;
  std::uint64_t executor_packets_sent_total = 0;       // to the aggregator
  std::uint64_t executor_packets_received_total = 0;   // from it
  std::uint64_t executor_packets_dropped_total = 0;    // on either side; they come again
  std::uint64_t probe_results_sent_total = 0;
  std::uint64_t bytes_sent_total = 0;
  std::uint64_t bytes_received_total = 0;
  bool connected = false;
};

// Invariant: event frames reach one connection in the order of their seq, each exactly once per connection; an unacknowledged one is sent
// again on the next. Nothing here grows without a bound: at most kMaxUnackedEventFrames and kMaxOutboxBytes wait in memory.
// Threading: one executor. Blocking: the spool's disk operations; DNS and TLS are asynchronous.
// Lifetime: spool, node and clock outlive it; destroy it after run() has ended.
class Uplink {
 public:
  Uplink(boost::asio::any_io_executor executor, UplinkConfig config, Spool& spool, Node& node, const Clock& clock);
  ~Uplink();
  Uplink(const Uplink&) = delete;
  Uplink& operator=(const Uplink&) = delete;

  boost::asio::awaitable<Result<void>> run();

  // entities holds every entry that events refer to, and their parents; at most limits::kMaxEventsPerFrame events.
  void send(std::vector<wire::EntityEntry> entities, std::vector<wire::Event> events);
  void send(const wire::Samples& samples);   // one tick
  // Dropped when the connection is gone: who asked is told so by the aggregator.
  void send_probe_result(const wire::ProbeResult& result);

  // Waits until every event is acknowledged, at most `limit`, and says goodbye. Without a connection it only syncs the spool.
  boost::asio::awaitable<void> finish(std::chrono::nanoseconds limit);

  const UplinkCounters& counters() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fw::uplink
